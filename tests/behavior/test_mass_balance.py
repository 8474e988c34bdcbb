"""T18 of the model description: drug given is drug found, with sinks that only grow.

Total drug is counted by the reference implementation, from the states of the package.
"""

import jax
import numpy as np
import pytest

from tests.reference import twin
from tests.reference.adapter import twin_parameters, twin_state
from tests.scenarios import Dose, Scenario, Subject, mosunetuzumab, solve

SINKS = ("eliminated", "internalized", "died")
ROUNDING = 1e-12
NO_CLEARANCE = {"disposition.CL_base": 0.0, "disposition.CL_ss": 0.0}


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl, blinatumomab = mosunetuzumab(), Subject.of("blinatumomab", "nhl_blinatumomab")
    busy = {
        "binding.k_int_CD3": 1.584,
        "binding.k_int_target": 0.24,
        "disposition.lost_on_death": 1.0,
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
            "everything": Scenario(nhl.patient(busy), (*steps, *under_skin, bolus)),
            "continuous": Scenario(blinatumomab.patient(), continuous, 28),
            "no clearance": Scenario(nhl.patient(NO_CLEARANCE), steps),
        }
    )


def given(course):
    """Drug given so far, at each time [nmol]; of an injection what is absorbed."""
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


def found(course, without=()):
    """All drug at each time [nmol], sinks included."""
    p = twin_parameters(course.scenario.parameters)
    states = [
        twin_state(jax.tree.map(lambda leaf, i=i: leaf[i], course.state))
        for i in range(len(course.times))
    ]
    states = [{**state, **dict.fromkeys(without, 0.0)} for state in states]
    return np.array([twin.derived(state, p)["total_drug"] for state in states])


@pytest.mark.parametrize("regimen", ["step-up", "everything", "continuous"])
def test_T18_drug_given_is_drug_found(regimen, courses):
    """Free, bound, absorbed and lost drug add up to what was given, to 1e-6, at all times."""
    course = courses[regimen]
    wanted = given(course)
    assert wanted[-1] > 0.0
    assert found(course) == pytest.approx(wanted, rel=1e-6, abs=1e-6 * wanted[-1])


@pytest.mark.parametrize("regimen", ["step-up", "everything", "continuous"])
def test_T18_sinks_only_grow(regimen, courses):
    """Drug eliminated, internalized, or lost with dead cells never comes back."""
    drug = courses[regimen].state.model.drug
    for sink in SINKS:
        amount = getattr(drug, sink)
        assert np.all(np.diff(amount) >= -ROUNDING * amount.max()), sink
    lost = courses[regimen].scenario.parameters.model.disposition.lost_on_death
    assert (drug.died[-1] > 0.0) == (lost > 0.0)


def test_without_clearance_the_drug_on_dying_cells_stays_in_the_body(courses):
    """Time-varying clearance contains the loss with target cells: at CL = 0 nothing is lost.

    Free and bound drug, without the sinks, add up to the doses while nearly all B cells die.
    """
    course = courses["no clearance"]
    assert course.b_cells[-1] < 0.05
    wanted = given(course)
    assert found(course, without=SINKS) == pytest.approx(wanted, rel=1e-6, abs=1e-6 * wanted[-1])


@pytest.mark.parametrize("sink", SINKS)
def test_flaw_8_the_balance_fails_without_a_sink(sink, courses):
    """Leave out any one sink, and drug is missing by far more than 1e-6."""
    course = courses["everything"]
    missing = given(course)[-1] - found(course, without=(sink,))[-1]
    assert missing > 1e-4 * given(course)[-1]
