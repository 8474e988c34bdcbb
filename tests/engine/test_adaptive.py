"""Adaptive dosing: every act against expected doses, and no change of bits if no rule acts.

The signal of the toy system is a given function of time, so the grade at each visit is known: a
bump of height h reaches grade floor(h).
"""

import dataclasses

import jax
import numpy as np

from qsp.trial import Dose
from qsp.trial.regimen import Amount
from qsp.trial.rules import DECISIONS, NAMES
from tests.engine.adaptive_cases import (
    DAILY,
    DAYS,
    DRUG,
    PERIODS,
    STOPS,
    administered,
    arm,
    decisions,
    reacting,
    rule,
    solved,
)
from tests.engine.toy import same_bits, sim

WEEKLY = ((0.0, 1.0), (7.0, 2.0), (14.0, 4.0))
CRS = {"height": (2.5, 0.0, 0.0), "center": (7.0, 2.0, 3.0), "width": (1.0, 0.3, 0.3)}
"""Grade 2 at the visit of day 7, grade 1 on days 6 and 8, none on day 9."""


def test_without_rules_all_doses_are_given_as_planned():
    [result] = solved(reacting(arm(*WEEKLY)))
    assert administered(result) == [*WEEKLY]
    assert decisions(result)[:8] == ["as planned", *["none due"] * 6, "as planned"]


def test_a_rule_that_never_acts_changes_no_bit():
    never = rule("crs_grade >= 4 and day > 19 day", "hold")
    with_rule, without = solved(
        reacting(arm(*WEEKLY, rules=[never]), **CRS), reacting(arm(*WEEKLY), **CRS)
    )
    assert same_bits(*(dataclasses.replace(r, log=None) for r in (with_rule, without)))


def test_a_plan_gives_the_bits_of_the_same_doses_on_schedule():
    """Both stop at the same times."""
    [planned] = solved(reacting(arm(*WEEKLY, calendar=STOPS), **CRS))
    doses = [(day, 0, mg, 0.0, n + 1) for n, (day, mg) in enumerate(WEEKLY)]
    fixed = sim(*doses, end=DAYS, events=len(planned.ledger.visit), **CRS)
    fixed = dataclasses.replace(
        fixed, thresholds=np.broadcast_to(fixed.thresholds[:1], (PERIODS, 4))
    )
    [scheduled] = solved(fixed)
    for name in ("periods", "saved", "final", "steps"):
        assert same_bits(getattr(planned, name), getattr(scheduled, name)), name


def test_a_held_dose_waits_until_crs_is_over_and_later_doses_keep_their_distance():
    [result] = solved(reacting(arm(*WEEKLY, rules=[rule("crs_grade >= 1", "hold")]), **CRS))
    assert administered(result) == [(0.0, 1.0), (9.0, 2.0), (16.0, 4.0)]
    assert decisions(result)[7:10] == ["held", "held", "as planned"]


def test_a_dose_with_a_minimum_interval_keeps_its_day_if_the_one_before_is_late():
    """Cevostamab: the second step-up dose is on day 2 to 4, and the full dose on day 8."""
    wait = rule("crs_grade >= 1", "hold")
    event = {**CRS, "center": (3.0, 2.0, 3.0)}  # until day 4
    doses = ((0.0, 1.0), (3.0, 2.0), (7.0, 4.0), (14.0, 8.0))
    for least, third in ((1.0, 7.0), (2.0, 7.0), (4.0, 9.0)):
        [result] = solved(reacting(arm(*doses, rules=[wait], min_interval={2: least}), **event))
        days = [day for day, _ in administered(result)]
        assert days == [0.0, 5.0, third, third + 7.0], least


def test_a_dose_on_its_day_waits_for_the_parts_of_a_split_one():
    split = rule("step >= 2 and step <= 2", "split", parts=2, days=5.0)
    for gaps, third in (({}, 14.0), ({2: 3.0}, 15.0)):
        [result] = solved(reacting(arm(*WEEKLY, rules=[split], min_interval=gaps)))
        assert [day for day, _ in administered(result)] == [0.0, 7.0, 12.0, third], gaps


def test_delaying_a_part_delays_the_next_dose():
    """The second part is given on day 10, and the next dose keeps its distance, as with `hold`."""
    rules = [
        rule("step <= 1 and day < 1 day", "split", parts=2, days=1.0),
        rule("day >= 1 day and day < 2 day", "delay", days=9.0),
    ]
    [result] = solved(reacting(arm((0.0, 1.0), (7.0, 2.0), rules=rules)))
    assert [day for day, _ in administered(result)] == [0.0, 10.0, 16.0]


def test_an_interval_may_change_at_a_part_of_a_dose():
    rules = [
        rule("step <= 1 and day < 1 day", "split", parts=2, days=1.0),
        rule("day >= 1 day and day < 2 day", "interval", days=6.0),
    ]
    doses = ((0.0, 1.0), (4.0, 1.0), (8.0, 1.0))
    [result] = solved(reacting(arm(*doses, rules=rules)))
    assert [day for day, _ in administered(result)] == [0.0, 1.0, 7.0, 13.0]


def test_a_restarted_plan_shifts_its_planned_days():
    doses = ((0.0, 1.0), (1.0, 2.0), (7.0, 4.0))
    again = rule("day >= 7 day", "restart", max_times=1)
    [result] = solved(reacting(arm(*doses, rules=[again], min_interval={2: 3.0})))
    assert [day for day, _ in administered(result)] == [0.0, 1.0, 7.0, 8.0, 14.0]


def test_the_worst_grade_counts_events_that_began_in_the_dose_period():
    """An event that began before the second dose does not count for the second dose."""
    late = rule("day >= 4 day and worst_grade >= 1", "stop")
    event = {**CRS, "center": (3.0, 2.0, 3.0)}
    doses = ((0.0, 1.0), (3.0, 2.0), (10.0, 4.0))
    [result] = solved(reacting(arm(*doses, rules=[late]), **event))
    assert "stopped" not in decisions(result)
    assert len(administered(result)) == 3
    ever = rule("day >= 4 day and worst_grade_ever >= 2", "stop")
    [result] = solved(reacting(arm(*doses, rules=[ever]), **event))
    assert "stopped" in decisions(result)


def test_stopping_treatment_ends_the_running_infusion():
    """A rate of 1 per day for 5 days, stopped at the visit of day 8."""
    stop = rule("crs_grade >= 2", "stop")
    for doses in (((0.0, 5.0), (6.0, 5.0)), ((0.0, 5.0), (6.0, 5.0), (12.0, 5.0))):
        event = {**CRS, "center": (8.0, 2.0, 3.0)}
        of = arm(*doses, rules=[stop], duration=5.0)
        stopped, whole = solved(reacting(of, **event), reacting(of))
        assert administered(stopped) == [(0.0, 5.0), (6.0, 2.0)]
        assert np.asarray(stopped.ledger.events.duration)[:2].tolist() == [5.0, 2.0]
        assert administered(whole) == [*doses]
        assert decisions(stopped)[8] == "stopped"


def test_a_delayed_dose_is_given_at_the_first_visit_after_the_delay():
    late = rule("crs_grade >= 1", "delay", days=2.5)
    [result] = solved(reacting(arm(*WEEKLY, rules=[late]), **CRS))
    assert administered(result) == [(0.0, 1.0), (10.0, 2.0), (17.0, 4.0)]


def test_a_step_is_repeated_up_to_its_limit():
    again = rule("worst_grade >= 2", "repeat", max_times=1)
    event = {**CRS, "center": (3.0, 2.0, 3.0)}
    [result] = solved(reacting(arm(*WEEKLY, rules=[again]), **event))
    assert administered(result) == [(0.0, 1.0), (7.0, 1.0), (14.0, 2.0)]
    assert np.asarray(result.ledger.events.period)[:3].tolist() == [1, 2, 3]


def test_dropping_back_stops_at_the_first_dose():
    doses = ((0.0, 1.0), (3.0, 2.0), (6.0, 4.0), (9.0, 8.0))
    event = {**CRS, "center": (7.5, 2.0, 3.0)}
    for doses_back, then in ((1, [2.0, 4.0, 8.0]), (9, [1.0, 2.0, 4.0])):
        act = rule("worst_grade >= 2", "drop_back", doses=doses_back, max_times=1)
        [result] = solved(reacting(arm(*doses, rules=[act]), **event))
        amounts = [mg for _, mg in administered(result)]
        assert amounts[:3] == [1.0, 2.0, 4.0]
        assert amounts[3:6] == then


def test_after_a_long_gap_the_plan_restarts():
    gap = rule("days_since_dose > 8 day", "restart", max_times=1)
    came = [True] * 7 + [False] * 3 + [True] * 10
    [result] = solved(reacting(arm(*WEEKLY, rules=[gap]), attended=came))
    assert administered(result) == [(0.0, 1.0), (10.0, 1.0), (17.0, 2.0)]
    assert decisions(result)[7:10] == ["missed visit"] * 3


def test_a_split_dose_is_one_period_and_the_next_dose_keeps_its_day():
    split = rule("step >= 2 and step <= 2", "split", parts=2, days=1.0)
    [result] = solved(reacting(arm(*WEEKLY, rules=[split])))
    assert administered(result) == [(0.0, 1.0), (7.0, 1.0), (8.0, 1.0), (14.0, 4.0)]
    assert np.asarray(result.ledger.events.period)[:4].tolist() == [1, 2, 2, 3]


def test_parts_do_not_count_as_acts_of_a_rule_that_splits():
    split = rule("day >= 0 day", "split", parts=3, days=1.0, max_times=2)
    [result] = solved(reacting(arm(*WEEKLY, rules=[split])))
    days = [day for day, _ in administered(result)]
    assert days == [0.0, 1.0, 2.0, 7.0, 8.0, 9.0, 14.0]
    assert decisions(result).count("split") == 2


def test_holding_a_part_delays_the_next_dose():
    rules = [
        rule("crs_grade >= 1", "hold"),
        rule("step >= 1 and step <= 1", "split", parts=2, days=1.0),
    ]
    event = {**CRS, "center": (2.0, 2.0, 3.0)}  # grade 1 or more on days 1 to 3
    [result] = solved(reacting(arm(*WEEKLY, rules=rules), **event))
    assert [day for day, _ in administered(result)] == [0.0, 4.0, 10.0, 17.0]


def test_a_restart_restores_the_planned_intervals():
    doses = ((0.0, 1.0), (2.0, 2.0), (4.0, 4.0), (6.0, 8.0))
    rules = [
        rule("days_since_dose >= 5 day", "restart", max_times=1),
        rule("step >= 3 and doses_given < 3", "interval", days=6.0, max_times=1),
    ]
    [result] = solved(reacting(arm(*doses, rules=rules)))
    assert administered(result)[:5] == [
        (0.0, 1.0),
        (2.0, 2.0),
        (4.0, 4.0),
        (10.0, 1.0),
        (12.0, 2.0),
    ]


def test_a_treatment_that_is_complete_is_not_stopped():
    late = rule("day >= 16 day", "stop")
    [result] = solved(reacting(arm(*WEEKLY, rules=[late])))
    assert "stopped" not in decisions(result)


def test_crs_between_two_visits_counts_once():
    """Days since CRS count from the visit that found it, although more bags of the dose follow."""
    visits = (0.0, 4.0, 8.0, 12.0, 16.0)
    event = {**CRS, "center": (2.0, 2.0, 3.0), "width": (0.3, 0.3, 0.3)}
    bags = arm((0.0, 1.0), (8.0, 1.0), calendar=visits, rules=[])
    one = bags.regimens[0]
    same = tuple(dataclasses.replace(dose, period=1) for dose in one.administrations)
    regimen = dataclasses.replace(one, administrations=same, labels=("D1",))
    [result] = solved(reacting(dataclasses.replace(bags, regimens=(regimen,)), **event))
    since = np.asarray(result.log.seen)[: len(visits), NAMES.index("days_since_crs")]
    assert since.tolist()[1:] == [0.0, 4.0, 8.0, 12.0]


def test_a_longer_interval_applies_to_all_later_doses():
    doses = tuple((float(day), 1.0) for day in range(0, 18, 3))
    longer = rule("day >= 3 day", "interval", days=5.0, max_times=1)
    [result] = solved(reacting(arm(*doses, rules=[longer])))
    assert [day for day, _ in administered(result)] == [0.0, 3.0, 8.0, 13.0, 18.0]


def test_a_shorter_interval_applies_to_all_later_doses():
    doses = tuple((float(day), 1.0) for day in range(0, 18, 6))
    shorter = rule("day >= 6 day", "interval", days=2.0, max_times=1)
    [result] = solved(reacting(arm(*doses, rules=[shorter])))
    assert [day for day, _ in administered(result)] == [0.0, 6.0, 8.0]


def test_stopped_treatment_is_not_resumed():
    stop = rule("worst_grade_ever >= 2", "stop")
    [result] = solved(reacting(arm(*WEEKLY, rules=[stop]), **{**CRS, "center": (3.0, 2.0, 3.0)}))
    assert administered(result) == [(0.0, 1.0)]
    assert decisions(result).count("stopped") == 1


def test_the_first_rule_that_matches_wins():
    rules = [rule("day >= 7 day and day < 9 day", "proceed"), rule("crs_grade >= 1", "hold")]
    [result] = solved(reacting(arm(*WEEKLY, rules=rules), **CRS))
    assert administered(result) == [*WEEKLY]


def test_conditions_must_hold_at_consecutive_visits():
    """Grade 1 or more on days 6, 7 and 8: three visits in a row."""
    for visits, held in ((2, True), (4, False)):
        rules = [rule("crs_grade >= 1", "hold", consecutive_visits=visits)]
        [result] = solved(reacting(arm(*WEEKLY, rules=rules), **CRS))
        assert ("held" in decisions(result)) == held


def test_premedication_is_given_ahead_of_the_administered_dose():
    ahead = [Dose("tocilizumab", 7.0 - 0.25, Amount(5.0), lead=0.25)]
    held = arm(*WEEKLY, rules=[rule("crs_grade >= 1", "hold")], ahead=ahead)
    [result] = solved(reacting(held, **CRS))
    assert administered(result, kind=2) == [(8.75, 5.0)]
    assert administered(result)[1] == (9.0, 2.0)


def test_rules_use_measurements_with_their_errors():
    rules = [rule("il6 >= 2 pg/mL", "hold")]
    error = np.ones((32, 5))
    error[7, 0] = 0.5
    [exact, wrong] = solved(
        reacting(arm(*WEEKLY, rules=rules), **CRS),
        reacting(arm(*WEEKLY, rules=rules), error=error, **CRS),
    )
    assert [result.log.decision[7] for result in (exact, wrong)] == [
        DECISIONS.index("held"),
        DECISIONS.index("as planned"),
    ]


def test_a_replay_of_administered_doses_agrees():
    """The administered doses as a fixed schedule give the same solution."""
    rules = [
        rule("crs_grade >= 1", "hold"),
        rule("crs_grade >= 2", "give", drug=DRUG.name),
        rule("worst_grade >= 1", "repeat", max_times=2),
    ]
    event = {**CRS, "center": (6.5, 2.0, 3.0)}
    times = (5.0, 9.0, 12.0, 15.0, 19.0)
    [first] = solved(reacting(arm(*WEEKLY, rules=rules, duration=0.5), **event), grids=(times,))
    replay = dataclasses.replace(
        reacting(arm(*WEEKLY), **event), plan=None, events=first.ledger.events
    )
    [again] = solved(replay, grids=(times,))
    assert len(administered(first)) > 2
    for name in ("saved", "final"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7),
            getattr(first, name),
            getattr(again, name),
        )


def test_doses_are_given_once_although_visits_follow_closely():
    """A dose is not given again at the next visit (mrgsolve 1151, babelmixr2 202)."""
    hours = np.arange(1, 7) / 24.0
    often = sorted({*DAILY, *hours, *(7.0 + hours)})
    [result] = solved(reacting(arm(*WEEKLY, calendar=often)))
    assert administered(result) == [*WEEKLY]
    np.testing.assert_allclose(result.final.received[0], 7.0)
