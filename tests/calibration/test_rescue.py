"""Rescue without sampled grades: limits of the mixture, times of the rescue, and sampled rules."""

import dataclasses

import numpy as np
import pytest

from qsp.calibration.courses import dose_starts
from qsp.calibration.crs_studies import _short_arm, crs_studies
from qsp.calibration.event_probability import Probability
from qsp.calibration.events_by_shift import Course
from qsp.calibration.grade_probability import (
    GradeThresholds,
    cells_of,
    grade_probability,
    patient_nodes,
)
from qsp.calibration.rates import RESCUE_GAP, Rates
from qsp.calibration.rescue import TOLERANCE, Plan, Trigger, mixture, plan_of, rescued_events
from qsp.calibration.rescued_arms import RescuedArm, probability_under_rescue
from qsp.errors import ConfigError
from qsp.simulation import simulate
from qsp.trial.regimen import Amount
from qsp.trial.rules import Condition, Rescue
from qsp.validation.study import of_arms, prepare

THRESHOLDS = GradeThresholds(np.array([0.11, 0.17, 0.27, 0.40]), sd_patient=0.16, sd_event=0.13)
MOST = 2.0
"""Largest difference of a rate from that with sampled rules [points]."""
DRUG = Rescue("tocilizumab", "tocilizumab", Amount(8.0))


def course(time, fever, leak):
    """Course of one patient."""
    return Course(*(np.array(time, float), np.array([fever], float), np.array([leak], float)))


COURSES = [
    course([0, 1, 2, 3, 4], [0, 0.15, 0.05, 0.01, 0], [0, 0.2, 0.1, 0, 0]),
    course([4, 5, 6, 7], [0, 0.14, 0.02, 0], [0, 0.2, 0.1, 0]),
]
QUIET = [COURSES[0], course([4, 5, 6, 7], [0, 0, 0, 0], [0, 0, 0, 0])]


def plan(*triggers):
    return Plan(np.arange(0.0, 8.0), triggers, DRUG)


def assert_same(found, expected):
    assert found.by_dose == pytest.approx(expected.by_dose, abs=1e-12)
    assert found.over_all == pytest.approx(expected.over_all, abs=1e-12)


@pytest.mark.parametrize("rescued", [{}, {0: COURSES}, {0: COURSES, 1: COURSES}])
def test_rescue_that_changes_no_course_changes_no_probability(rescued):
    rule = plan(Trigger(grade=2, probability=0.7))
    assert_same(mixture(COURSES, rescued, rule, THRESHOLDS), grade_probability(COURSES, THRESHOLDS))


def test_rescue_that_never_applies_changes_no_probability():
    rule = plan(Trigger(grade=2, until=0.5))
    assert_same(
        mixture(COURSES, {0: QUIET}, rule, THRESHOLDS), grade_probability(COURSES, THRESHOLDS)
    )


def test_only_rescued_patients_are_without_events_of_the_next_dose():
    """Every event is found at a visit, and rescued with a probability of 0.6."""
    independent = dataclasses.replace(THRESHOLDS, sd_patient=0.0, sd_event=0.2)
    high = [course([0, 1, 2, 3, 4], [0, 9, 9, 0, 0], [0, 9, 9, 0, 0]), COURSES[1]]
    quiet = [high[0], QUIET[1]]
    without = grade_probability(high, independent)
    found = mixture(high, {0: quiet}, plan(Trigger(probability=0.6)), independent)
    assert found.by_dose[:, 0, 0] == pytest.approx(without.by_dose[:, 0, 0])
    assert found.by_dose[:, 0, 1] == pytest.approx(0.4 * without.by_dose[:, 0, 1])


def rescue_of(*triggers):
    nodes, weights = patient_nodes()
    cells = cells_of(COURSES[0], THRESHOLDS, nodes)
    return rescued_events(COURSES, 0, cells, plan(*triggers), THRESHOLDS.level, weights)


def test_rescue_is_at_the_first_visit_at_which_its_rule_holds():
    assert rescue_of(Trigger(grade=2)).time == pytest.approx([1.0])
    assert rescue_of(Trigger(days=0.5)).time == pytest.approx([2.0])
    assert rescue_of(Trigger(grade=2, until=0.9)).time == pytest.approx([np.inf])


def test_rules_apply_independently():
    first, second = Trigger(grade=2, probability=0.7), Trigger(grade=1, probability=0.2)
    both = rescue_of(first, second).probability
    assert set(np.round(np.unique(both), 12)) == {0.0, 0.2, 0.76}


def test_rescue_of_a_trial_is_read_from_its_rules():
    arm = of_arms(prepare("approved/teclistamab_1.5_weekly", patients=2, seed=1), ("approved",))
    found = plan_of(arm.trial.arms[0])
    assert found is not None
    assert [each.probability for each in found.triggers] == [0.9, 0.4]
    assert [each.grade for each in found.triggers] == [2, 1]
    assert [each.days for each in found.triggers] == [-1.0, 1.0]
    assert {each.until for each in found.triggers} == {20.0}


def test_other_conditions_are_refused():
    arm = of_arms(prepare("approved/teclistamab_1.5_weekly", patients=2, seed=1), ("approved",))
    reaction = arm.trial.arms[0].reaction
    rule = dataclasses.replace(reaction.rules[0], when=(Condition("il6", ">", 100.0),))
    changed = dataclasses.replace(
        arm.trial.arms[0], reaction=dataclasses.replace(reaction, rules=(rule,))
    )
    with pytest.raises(ConfigError, match="crs_grade, days_in_crs and day"):
        plan_of(changed)


def rates_under_rescue(config, patients, days, seed):
    """Rates [%] (grade, dose_period), over all doses in the last column: mixture, and sampled."""
    full = of_arms(prepare(config, patients=patients, seed=seed), ("approved",))
    arm = full.trial.arms[0]
    without = _short_arm(arm, days)
    rescued = RescuedArm(without, plan_of(arm))
    after = (*np.arange(0.0, 3.0, 1 / 4), *np.arange(3.0, 7.0, 1 / 2))
    times = {start + each for start in dose_starts(without) for each in after}
    times = np.unique(np.round([*times, *rescued.times, days], 6))
    trial = dataclasses.replace(full.trial, days=days, visits=(days,))
    alone = dataclasses.replace(
        trial, arms=(without,), save_times=tuple(times[times <= days].tolist())
    )
    solver = {"system": full.system, "method": full.method}
    results = simulate(alone, full.cohort, **solver).to_dataset()
    p = probability_under_rescue(rescued, results, alone, full.cohort, **solver)
    calendar = tuple(visit for visit in arm.reaction.calendar if visit < days)
    ruled = dataclasses.replace(
        without, reaction=dataclasses.replace(arm.reaction, calendar=calendar)
    )
    sampled = simulate(
        dataclasses.replace(trial, arms=(ruled,), save_times=(0.0,)), full.cohort, **solver
    ).to_dataset()
    doses = len(without.labels)
    grade = sampled["crs_grade"].isel(arm=0).transpose("patient", "dose_period").values[:, :doses]
    reached = grade >= np.arange(1, 4)[:, None, None]
    found = np.concatenate([p.by_dose[:3], p.over_all[:3, :, None]], axis=2)
    sampled = np.concatenate([reached, reached.any(axis=2, keepdims=True)], axis=2)
    return 100.0 * np.nanmean(found, axis=1), 100.0 * sampled.mean(axis=1)


@pytest.mark.long
@pytest.mark.parametrize(("config", "days"), [("teclistamab", 14.0), ("tarlatamab", 21.0)])
def test_rates_under_rescue_are_those_of_sampled_rules(config, days):
    found, sampled = rates_under_rescue(config, 2000, days, seed=3)
    assert np.abs(found - sampled).max() <= MOST, found - sampled


# === the fit
# ===============================================================================================


def prepared_study(name, *, with_rescue):
    found = crs_studies((), patients=2, seed=1, days=42.0, names=[name], with_rescue=with_rescue)
    return next(found)


def test_studies_of_the_fit_have_a_rescue_only_on_request():
    plain, rescued = (prepared_study("teclistamab", with_rescue=each) for each in (False, True))
    assert plain.rescued == ()
    (arm,) = rescued.rescued
    assert arm.arm in rescued.prepared.trial.arms
    assert plain.version != rescued.version
    saved = np.array(rescued.prepared.trial.save_times)
    for visit in arm.times:
        assert np.abs(saved - visit).min() <= TOLERANCE
    assert set(plain.prepared.trial.save_times) < set(saved)


def test_studies_without_tocilizumab_have_no_rescue():
    study = prepared_study("blinatumomab_all", with_rescue=True)
    assert study.rescued == ()


def test_rates_under_rescue_replace_those_of_their_arm():
    p = grade_probability(COURSES, THRESHOLDS)
    old = Probability(np.zeros((1, 2)), np.zeros(1), np.zeros((1, 1, 2)))
    labels = {"approved": ("SUD1", "FD1"), "flat": ("FD1", "FD2")}
    before = Rates(labels, dict.fromkeys(labels, old), dict.fromkeys(labels, old), np.ones(1))
    after = before.under_rescue({"approved": p})
    assert after.over_all("approved") == pytest.approx(100.0 * p.over_all[0, 0])
    assert after.over_all("approved", grade_2=True) == pytest.approx(100.0 * p.over_all[1, 0])
    assert after.over_all("approved", grade_3=True) == pytest.approx(100.0 * p.over_all[2, 0])
    assert after.over_all("flat") == 0.0
    assert after.after("approved", ["SUD1", "FD1"]) == pytest.approx(after.over_all("approved"))
    assert after.after("approved", ["FD1"]) == pytest.approx(100.0 * p.by_dose[0, 0, 1])
    assert after.has("approved", ["FD1"])
    assert not after.has("approved", ["FD1", "FD2"])
    assert after.gaps == {"approved": RESCUE_GAP}
