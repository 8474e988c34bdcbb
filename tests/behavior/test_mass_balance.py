"""Mass balance of the drug: total drug equals the dose, and sinks never decrease.

The reference implementation computes total drug from the states of the package.
"""

import jax
import numpy as np
import pytest

from tests.reference import twin
from tests.reference.adapter import twin_parameters, twin_state
from tests.scenarios import Dose, Scenario, Subject, mosunetuzumab, solve

SINKS = ("eliminated", "internalized", "died")
ROUNDING = 1e-12
MORE_CELL_DEATH = {
    "targets.baseline.normal.lymphoid": 60_000.0,
    "binding.copies_target.normal.lymphoid": 1e6,
    "engagement.k_kill.normal.lymphoid": 2.0,
    "engagement.k_kill.malignant.tumor": 2.0,
}
NO_CLEARANCE = {"disposition.CL_base": 0.0, "disposition.CL_ss": 0.0}


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl, blinatumomab = mosunetuzumab(), Subject.of("blinatumomab", "nhl_blinatumomab")
    all_processes = {
        "binding.k_int_CD3": 1.584,
        "binding.k_int_target": 0.24,
        "disposition.lost_on_death": 1.0,
        **MORE_CELL_DEATH,
        **{f"disposition.soluble_target.{tissue}": 5.0 for tissue in ("blood", "tumor")},
        "disposition.k_soluble": 0.02,
        "binding.KD_soluble": 2.4,
        "disposition.competitor": 50.0,
        "disposition.k_competitor": 0.022,
        "binding.KD_competitor": 4.0,
    }
    steps = nhl.iv([0, 7, 14, 21], [1, 2, 60, 60])
    under_skin = tuple(
        Dose(dose.kind, dose.time, dose.amount, 0.0, period + 5)
        for period, dose in enumerate(nhl.sc([28, 42], [30, 30]))
    )
    bolus = Dose("drug_iv", 35.0, nhl.nmol(30.0), 0.0, 7)
    continuous = blinatumomab.iv([0, 7], [0.066, 0.2], 168)
    return solve(
        {
            "step-up": Scenario(nhl.patient(), steps),
            "everything": Scenario(nhl.patient(all_processes), (*steps, *under_skin, bolus)),
            "continuous": Scenario(blinatumomab.patient(), continuous, 28),
            "no clearance": Scenario(nhl.patient(NO_CLEARANCE), steps),
        }
    )


def administered(course):
    """Cumulative dose at each time [nmol], times bioavailability for injections."""
    p = course.scenario.parameters.model.disposition
    total = np.zeros(len(course.times))
    for dose in course.scenario.doses:
        share = p.bioavailability if dose.kind == "drug_sc" else 1.0
        part = (
            (course.times - dose.time) / dose.duration
            if dose.duration
            else course.times >= dose.time
        )
        total += share * dose.amount * np.clip(part, 0.0, 1.0)
    return total


def total_drug(course, without=()):
    """Total drug at each time [nmol], including the sinks."""
    p = twin_parameters(course.scenario.parameters)
    states = [
        twin_state(jax.tree.map(lambda leaf, i=i: leaf[i], course.state))
        for i in range(len(course.times))
    ]
    states = [{**state, **dict.fromkeys(without, 0.0)} for state in states]
    return np.array([twin.derived(state, p)["total_drug"] for state in states])


@pytest.mark.parametrize("regimen", ["step-up", "everything", "continuous"])
def test_total_drug_equals_the_dose(regimen, courses):
    """Free, bound, absorbed and eliminated drug add up to the dose, to 1e-6, at all times."""
    course = courses[regimen]
    expected = administered(course)
    assert expected[-1] > 0.0
    assert total_drug(course) == pytest.approx(expected, rel=1e-6, abs=1e-6 * expected[-1])


@pytest.mark.parametrize("regimen", ["step-up", "everything", "continuous"])
def test_sinks_never_decrease(regimen, courses):
    """Drug eliminated, internalized or lost with dying cells does not return."""
    drug = courses[regimen].state.model.drug
    for sink in SINKS:
        amount = getattr(drug, sink)
        assert np.all(np.diff(amount) >= -ROUNDING * amount.max()), sink
    lost = courses[regimen].scenario.parameters.model.disposition.lost_on_death
    assert (drug.died[-1] > 0.0) == (lost > 0.0)


def test_without_clearance_drug_on_dying_cells_stays_in_the_body(courses):
    """Time-varying clearance contains the loss with target cells: at CL = 0 nothing is lost.

    Free and bound drug, without the sinks, add up to the doses while nearly all B cells die.
    """
    course = courses["no clearance"]
    assert course.b_cells[-1] < 0.05
    expected = administered(course)
    assert total_drug(course, without=SINKS) == pytest.approx(
        expected, rel=1e-6, abs=1e-6 * expected[-1]
    )


@pytest.mark.parametrize("sink", SINKS)
def test_balance_fails_without_any_one_sink(sink, courses):
    """Without one of the sinks, the missing drug is far more than 1e-6 of the dose."""
    course = courses["everything"]
    missing = administered(course)[-1] - total_drug(course, without=(sink,))[-1]
    assert missing > 1e-4 * administered(course)[-1]
