"""A second, independent implementation of the T-cell-engager model, in plain NumPy and SciPy.

It was written from the description of the equations, not from the code of the package, so that an
error goes undetected only if it is made twice. It is simple on purpose: one patient and one drug.
`t_cells`, `tumor`, `binding` and `cytokines` have the rates of a mechanism each, and `derivative`
puts them together.

Comments give the labels of the equations in the book of the model (``Eq. D5``). Equation letters
used below: (a) bridges per synapse, (b) contact and rates, (c) drug, (d) T cells,
(e) targets and lesions, (f) drive, myeloid cells and cytokines, (g) severity of cytokine release.

A patient has lesions if the parameters `q_*` have values for them; otherwise the tumor is one pool.

Units: day, L, nmol, nmol/L, million cells (Mcell), pg/mL; supportive drugs in mg and mg/L. Every
rate is per day. Tissue axis k (4): blood, lymphoid, tumor (or marrow), skin. Kind axis j (3):
normal target cells, malignant cells, antigen-low malignant cells.

Not covered: the kinetic form of binding. Drug in trimers is not counted in the mass balance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.integrate import solve_ivp

from tests.reference import axes, cytokines, t_cells, tumor
from tests.reference.binding import Bridges, bind, bridge_rates, contacts, drug_rates
from tests.reference.dosing import (
    ENTRY,
    Event,
    check_schedule,
    give_boluses,
    infusion_rates,
)
from tests.reference.values import State, Value, Values, complete, floors, pack, unpack, zeros


@dataclass(frozen=True)
class Forms:
    """Forms of processes; the default is that of the model.

    Attributes:
        recruitment: Law of recruitment of T cells.
        severity: Two axes of severity, or one without leak.
        bridges: Quasi-equilibrium; the same without a fall at high drug; or relaxing with a delay,
            also with drug on CD3 that binds the target.
    """

    recruitment: Literal["adaptation", "threshold", "mass_action"] = "adaptation"
    severity: Literal["two_axes", "one_axis"] = "two_axes"
    bridges: Bridges = "equilibrium"


DEFAULT = Forms()


def initial_state(parameters: Values) -> State:
    """State before treatment: resting T cells only, no drug.

    Eq. M6, D21, T16, T17, C14, S7.
    """
    p = complete(parameters)
    y = zeros(p["q_size"].size)
    y["R"], y["sT"], y["O"] = p["T0"] * np.ones(4), p["sT0"] * np.ones(4), p["O0"]
    for name in ("IFN", "TNF", "IL2", "IL6", "IL10", "CXC"):
        y[name] = p[name + "0"]
    return y | axes.before_treatment() | tumor.before_treatment(p)


def derivative(
    t: float,
    y: Values,
    p: Values,
    forms: Forms = DEFAULT,
    *,
    first_dose: float = 0.0,
    inputs: Mapping[str, float] | None = None,
) -> State:
    """Right-hand side of the whole model for one state.

    Args:
        t: Time, day.
        y: State, by the names of `STATES`.
        p: All parameters, by the names of `PARAMETERS`.
        forms: Forms of processes.
        first_dose: Time of the first dose of the engager, for CL(t), day.
        inputs: Infusion rates by `Event.target`, nmol/day or mg/day; "sc" before bioavailability.

    Returns:
        Time derivatives under the names of the states.
    """
    rate_in = dict.fromkeys(("iv", *ENTRY), 0.0) | dict(inputs or {})
    k = contacts(y, p, forms.bridges)
    dex = cytokines.steroid_effect(y, p)
    d, t_deaths = t_cells.rates(y, p, k, dex, forms.recruitment)
    of_tumor, kill, births_moves = tumor.rates(y, p, k)
    d |= of_tumor
    cells = {
        "t_in": d["R"] + d["A"] + d["X"] + t_deaths,
        "t_deaths": t_deaths,
        "n_in": births_moves,
        "n_deaths": kill,
    }
    d |= drug_rates(t, y, p, rate_in, first_dose, cells)
    d["beta_r"] = bridge_rates(y, p, k, forms.bridges)
    d |= cytokines.cytokine_rates(y, p, k["S"])
    d |= cytokines.severity_rates(y, p, forms.severity)
    return d | cytokines.supportive_rates(y, p, rate_in)


def derived(y: Values, p: Values, forms: Forms = DEFAULT) -> dict[str, Value]:
    """Values of one state.

    Total drug (nmol, sinks included), S (4,) Mcell, beta (3, 4), and volumes of the tumor (mL).
    """
    k, b, v = contacts(y, p, forms.bridges), bind(y, p), p["V"]
    soluble = p["V1"] * y["C"][0] + p["V2"] * y["C2"] + (v[1:] * y["C"][1:]).sum()
    bound = (v * (b["on_cd3"] + b["on_target"])).sum()
    waiting = y["depot"] + y["lymph1"] + y["lymph2"]
    sinks = y["eliminated"] + y["internalized"] + y["died"]
    total = waiting + soluble + bound + sinks
    return {"total_drug": total, "S": k["S"], "beta": k["beta"], **tumor.shown(y, p)}


def simulate(
    parameters: Values,
    events: Sequence[Event],
    times: Sequence[float] | np.ndarray,
    *,
    forms: Forms = DEFAULT,
    rtol: float = 1e-9,
    t_start: float | None = None,
    method: str = "LSODA",
) -> dict[str, np.ndarray]:
    """Run the model piecewise between the starts and stops of the doses.

    Args:
        parameters: Values by the names of `PARAMETERS`; nominal values where missing.
        events: Doses.
        times: Times of the output, day. At the time of a bolus, the state after it.
        forms: Forms of processes.
        rtol: Relative tolerance; the absolute one is `rtol` times the floor in `STATES`.
        t_start: Time of the state before treatment; default the earlier of 0 and the first event.
        method: Solver of `solve_ivp`; DOP853 and Radau agree, as the model is mildly stiff.

    Returns:
        Every state and the values of `derived`, time along the first axis, and "t".
    """
    p = complete(parameters)
    times, where = np.unique(np.asarray(times, dtype=float), return_inverse=True)
    start = min([0.0, *(e.time for e in events)]) if t_start is None else t_start
    end = times[-1]
    check_schedule(events, times[0], start)
    edges = [e.time for e in events] + [e.time + e.duration for e in events]
    breaks = sorted({start, end, *(edge for edge in edges if start < edge < end)})
    first_dose = min((e.time for e in events if e.target in ("iv", "sc")), default=0.0)
    atol = rtol * floors(p["q_size"].size)
    vector = give_boluses(pack(initial_state(p)), events, start, p)
    rows: list[np.ndarray] = []
    for left, right in pairwise(breaks):
        inputs = infusion_rates(events, left)

        def slope(t: float, v: np.ndarray, inputs: dict[str, float] = inputs) -> np.ndarray:
            return pack(derivative(t, unpack(v), p, forms, first_dose=first_dose, inputs=inputs))

        if left in times:
            rows.append(vector)
        inside = times[(times > left) & (times < right)]
        grid = np.append(inside, right)
        out = solve_ivp(slope, (left, right), vector, method, t_eval=grid, rtol=rtol, atol=atol)
        if not out.success:
            raise RuntimeError(f"the solver stopped between day {left} and {right}: {out.message}")
        rows.extend(out.y.T[:-1])
        vector = give_boluses(out.y[:, -1], events, right, p)
    rows.append(vector)
    rows = [rows[i] for i in where]
    states = [unpack(row) for row in rows]
    states = [{**y, **derived(y, p, forms)} for y in states]
    result = {name: np.array([y[name] for y in states]) for name in states[0]}
    return {"t": times[where], **result}
