"""Agreement of the package with the twin: the same scenario, renamed states and doses."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.system import DOSE_KINDS, State
from tests.reference import twin, values
from tests.reference.adapter import twin_parameters, twin_state
from tests.scenarios import Course, Scenario

RELATIVE, OF_SCALE = 1e-4, 1e-8
TWIN_KINDS = ("iv", "sc", "toci", "dex", "jak", "anti_tnf")
TARGET = dict(zip(DOSE_KINDS[: len(TWIN_KINDS)], TWIN_KINDS, strict=True))
"""Names of the doses in the twin, which lacks the last four."""


def without_other_drugs(x: State) -> State:
    """A state without the drugs that the twin lacks."""
    names = ("siltuximab", "anakinra", "kinase_inhibitor")
    drugs = lambda x: [getattr(x.supportive, name) for name in names]  # noqa: E731
    return eqx.tree_at(drugs, x, jax.tree.map(jnp.zeros_like, drugs(x)))


def reference(
    scenario: Scenario, times: np.ndarray, forms: twin.Forms = twin.DEFAULT, lesions: int = 0
) -> dict[str, np.ndarray]:
    """Results of the twin for the same scenario, with a number of lesions or the pool (0)."""
    doses = [
        twin.Event(dose.time, TARGET[dose.kind], dose.amount, dose.duration)
        for dose in scenario.doses
    ]
    p = twin_parameters(scenario.parameters, lesions)
    return twin.simulate(p, doses, times, forms=forms)


def agree(name: str, ours: Any, theirs: Any) -> None:
    """The difference is within 1e-4 of the reference plus 1e-8 of its largest value."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, name
    if not ours.size:  # lesions of a pool
        return
    scale = np.abs(theirs).max()
    excess = np.abs(ours - theirs) - RELATIVE * np.abs(theirs) - OF_SCALE * scale
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    where = f"{name}{[int(i) for i in worst]}"
    assert excess[worst] <= 0.0, f"{where}: {ours[worst]:.9g}, twin {theirs[worst]:.9g}"


def courses_agree(course: Course, other: dict[str, np.ndarray]) -> None:
    """Every state at every time, the final state, and the variables of the results."""
    states = [
        twin_state(jax.tree.map(lambda leaf, i=i: leaf[i], course.state))
        for i in range(len(course.times))
    ]
    for name in values.STATES:
        if name != "beta_r" or course.state.model.bridges is not None:
            agree(name, [state[name] for state in states], other[name])
    final = twin_state(course.final)
    for name in set(values.STATES) - {"beta_r"}:
        scale = np.abs(other[name]).max(initial=0.0)
        assert final[name] == pytest.approx(other[name][-1], rel=RELATIVE, abs=OF_SCALE * scale), (
            name
        )
    shown = course.shown
    agree("drug_central", shown.drug_central, other["C"][:, 0])
    agree("crs_severity", shown.crs_severity, other["F"])
    agree("fever", shown.fever, other["F"] - other["B"])
    if shown.leak is not None:
        agree("leak", shown.leak, other["W"])
    cytokines = [other[name] for name in ("IFN", "TNF", "IL2", "IL6", "IL10", "CXC")]
    agree("cytokines", shown.cytokines, np.stack(cytokines, axis=1))
    agree("t_cells_blood", shown.t_cells_blood, (other["R"] + other["A"] + other["X"])[:, 0])
    agree("b_cells_blood", shown.b_cells_blood, other["N"][:, 0, 0])
    agree("tumor_volume", 1000.0 * shown.tumor_volume, other["V_tum"])
    weight = course.scenario.parameters.model.release.weight
    agree("secreting", course.record.secreting, weight * other["S"])


def derivatives_agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every derivative agrees to 1e-9 of the largest of its state."""
    for name in values.STATES:
        scale = np.abs(theirs[name]).max(initial=0.0)
        assert ours[name] == pytest.approx(theirs[name], rel=1e-9, abs=1e-9 * scale), name
