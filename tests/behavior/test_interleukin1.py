"""IL-1 at quasi-steady state, compared with IL-1 as a state variable.

The twin gives the active myeloid cells after 60 mg of mosunetuzumab. With these as input, SciPy
integrates anakinra, IL-1 and IL-6, with production and loss of IL-1; nothing upstream of IL-6
depends on them.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from tests.reference import twin
from tests.reference.adapter import twin_parameters
from tests.scenarios import HOUR, Dose, Scenario, mosunetuzumab, solve

DAYS = 3.0
TWICE_A_DAY = tuple(Dose("anakinra", 0.5 * i - 2 * HOUR, 100.0) for i in range(6))
FULL_BLOCKADE = tuple(Dose("anakinra", 0.5 * i - 2 * HOUR, 1e9) for i in range(6))
DRUGS = {"alone": (), "anakinra": TWICE_A_DAY, "without IL-1": FULL_BLOCKADE}


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl = mosunetuzumab()
    return solve(
        {
            name: Scenario(nhl.patient(), (*nhl.iv([0], [60]), *drug), DAYS)
            for name, drug in DRUGS.items()
        }
    )


@pytest.fixture(scope="module")
def active(courses):
    """Active fraction of myeloid cells over time, from the twin."""
    scenario = courses["alone"].scenario
    events = [twin.Event(d.time, "iv", d.amount, d.duration) for d in scenario.doses]
    times = np.linspace(0.0, DAYS, 601)
    return CubicSpline(
        times, twin.simulate(twin_parameters(scenario.parameters), events, times)["My"]
    )


def il6_with_il1_as_a_state(course, active):
    """Time and height of the IL-6 peak [day, pg/mL], and IL-1 at that time [pg/mL]."""
    model, a = course.scenario.parameters.model, course.scenario.parameters.supportive.anakinra
    c, i = model.cytokines, model.interleukin1
    baseline, k = float(c.baseline[3]), float(c.k_loss[3] + c.k_IL6_receptor)
    full, share = float(i.p_IL1 / i.k_IL1), float(c.share_IL1)

    def slope(t, y):
        depot, plasma, il1, il6 = y
        free = 1.0 / (1.0 + plasma / (a.V * a.KD))
        myeloid = float(active(max(t, 0.0)))
        by_il1 = share * free * (il1 - i.baseline) / full
        return [
            -a.ka * depot,
            a.ka * depot - a.CL / a.V * plasma,
            i.p_IL1 * myeloid - i.k_IL1 * (il1 - i.baseline),
            c.p_IL6 * ((1.0 - share) * myeloid + by_il1) - k * (il6 - baseline),
        ]

    y = np.array([0.0, 0.0, float(i.baseline), baseline])
    doses = [(dose.time, dose.amount) for dose in course.scenario.doses if dose.kind == "anakinra"]
    edges = [*(time for time, _ in doses), DAYS] if doses else [0.0, DAYS]
    times, rows = [], []
    for n, (left, right) in enumerate(zip(edges, edges[1:], strict=False)):
        y[0] += doses[n][1] if doses else 0.0
        grid = np.linspace(left, right, 400)
        out = solve_ivp(
            slope, (left, right), y, "LSODA", t_eval=grid, rtol=1e-9, atol=1e-9, max_step=0.01
        )
        y = out.y[:, -1].copy()
        times, rows = [*times, *grid], [*rows, *out.y.T]
    peak = int(np.argmax([row[3] for row in rows]))
    return times[peak], rows[peak][3], rows[peak][2]


@pytest.mark.parametrize("drug", DRUGS)
def test_il1_as_a_state_variable_gives_the_same_peak_of_il6(drug, courses, active):
    """Within 2 % and half an hour, with and without anakinra."""
    course = courses[drug]
    when, height, _ = il6_with_il1_as_a_state(course, active)
    assert course.peak("il6") == pytest.approx(height, rel=0.02)
    assert course.peak_hours("il6") == pytest.approx(when / HOUR, abs=0.5)


def test_full_il1_blockade_lowers_il6_by_the_share_of_il1(courses):
    """The rise of IL-6 above baseline falls by the share that depends on IL-1."""
    share = float(courses["alone"].scenario.parameters.model.cytokines.share_IL1)
    rises = [courses[name].peak("il6") - 3.0 for name in ("without IL-1", "alone")]
    assert rises[0] / rises[1] == pytest.approx(1.0 - share, rel=1e-5)


def test_il1_follows_myeloid_cells_from_its_baseline(courses):
    """At all times; anakinra blocks the receptor and does not change the concentration."""
    course = courses["alone"]
    p = course.scenario.parameters.model.interleukin1
    myeloid, level = course.state.model.cytokines.myeloid, np.asarray(course.shown.il1)
    assert level[0] == p.baseline
    assert level == pytest.approx(p.baseline + p.p_IL1 / p.k_IL1 * myeloid)
    assert level.max() > 3.0 * p.baseline
    shown = course.between(course.shown.il1, 0.0, np.inf)
    treated = courses["anakinra"]
    blocked = treated.between(treated.shown.il1, 0.0, np.inf)
    assert blocked == pytest.approx(shown, rel=1e-5)
