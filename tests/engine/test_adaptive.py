"""Rules that react: every act by hand, limits, and what must not change when nothing acts.

The signal of the toy is drawn beforehand, so the grade at each visit is known: with a bump of
height h around a day it reaches grade floor(h).
"""

import dataclasses

import jax
import numpy as np
import pytest

from qsp.simulation import administered_kinds
from qsp.system import CORE_KINDS, DOSE_KINDS, program_kinds
from qsp.trial import Dose
from qsp.trial.regimen import Amount
from qsp.trial.rules import DECISIONS, NAMES
from tests.engine.adaptive_cases import (
    DAILY,
    DAYS,
    DRUG,
    PERIODS,
    STOPS,
    arm,
    decisions,
    given,
    reacting,
    rule,
    solved,
)
from tests.engine.toy import same_bits, sim

WEEKLY = ((0.0, 1.0), (7.0, 2.0), (14.0, 4.0))
CRS = {"height": (2.5, 0.0, 0.0), "center": (7.0, 2.0, 3.0), "width": (1.0, 0.3, 0.3)}
"""Grade 2 at the visit of day 7, grade 1 on days 6 and 8, none on day 9."""


def test_without_rules_all_is_given_as_planned():
    [result] = solved(reacting(arm(*WEEKLY)))
    assert given(result) == [*WEEKLY]
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


def test_a_dose_waits_until_crs_is_over_and_later_ones_keep_their_distance():
    [result] = solved(reacting(arm(*WEEKLY, rules=[rule("crs_grade >= 1", "hold")]), **CRS))
    assert given(result) == [(0.0, 1.0), (9.0, 2.0), (16.0, 4.0)]
    assert decisions(result)[7:10] == ["held", "held", "as planned"]


def test_a_dose_may_keep_its_day_whatever_the_one_before_did():
    """Cevostamab's second step comes on day 2 to 4 and its full dose on day 8."""
    wait = rule("crs_grade >= 1", "hold")
    event = {**CRS, "center": (3.0, 2.0, 3.0)}  # until day 4
    doses = ((0.0, 1.0), (3.0, 2.0), (7.0, 4.0), (14.0, 8.0))
    for least, third in ((1.0, 7.0), (2.0, 7.0), (4.0, 9.0)):
        [result] = solved(reacting(arm(*doses, rules=[wait], min_interval={2: least}), **event))
        days = [day for day, _ in given(result)]
        assert days == [0.0, 5.0, third, third + 7.0], least


def test_a_dose_on_its_day_waits_for_the_parts_of_a_split_one():
    split = rule("step >= 2 and step <= 2", "split", parts=2, days=5.0)
    for gaps, third in (({}, 14.0), ({2: 3.0}, 15.0)):
        [result] = solved(reacting(arm(*WEEKLY, rules=[split], min_interval=gaps)))
        assert [day for day, _ in given(result)] == [0.0, 7.0, 12.0, third], gaps


def test_a_part_that_is_put_off_puts_off_the_next_dose():
    """As `hold` does; the second part comes on day 10 and the next dose keeps its distance."""
    rules = [
        rule("step <= 1 and day < 1 day", "split", parts=2, days=1.0),
        rule("day >= 1 day and day < 2 day", "delay", days=9.0),
    ]
    [result] = solved(reacting(arm((0.0, 1.0), (7.0, 2.0), rules=rules)))
    assert [day for day, _ in given(result)] == [0.0, 10.0, 16.0]


def test_another_interval_holds_from_a_part_on():
    rules = [
        rule("step <= 1 and day < 1 day", "split", parts=2, days=1.0),
        rule("day >= 1 day and day < 2 day", "interval", days=6.0),
    ]
    doses = ((0.0, 1.0), (4.0, 1.0), (8.0, 1.0))
    [result] = solved(reacting(arm(*doses, rules=rules)))
    assert [day for day, _ in given(result)] == [0.0, 1.0, 7.0, 13.0]


def test_a_plan_that_begins_anew_has_its_days_anew():
    doses = ((0.0, 1.0), (1.0, 2.0), (7.0, 4.0))
    again = rule("day >= 7 day", "restart", max_times=1)
    [result] = solved(reacting(arm(*doses, rules=[again], min_interval={2: 3.0})))
    assert [day for day, _ in given(result)] == [0.0, 1.0, 7.0, 8.0, 14.0]


def test_the_worst_grade_is_of_events_that_began_in_the_dose_period():
    """One that began before the second dose and goes on after it is not of the second dose."""
    late = rule("day >= 4 day and worst_grade >= 1", "stop")
    event = {**CRS, "center": (3.0, 2.0, 3.0)}
    doses = ((0.0, 1.0), (3.0, 2.0), (10.0, 4.0))
    [result] = solved(reacting(arm(*doses, rules=[late]), **event))
    assert "stopped" not in decisions(result)
    assert len(given(result)) == 3
    ever = rule("day >= 4 day and worst_grade_ever >= 2", "stop")
    [result] = solved(reacting(arm(*doses, rules=[ever]), **event))
    assert "stopped" in decisions(result)


def test_a_stop_ends_the_infusion_that_runs():
    """A rate of 1 a day for 5 days, stopped at the visit of day 8; none is left to be given."""
    stop = rule("crs_grade >= 2", "stop")
    for doses in (((0.0, 5.0), (6.0, 5.0)), ((0.0, 5.0), (6.0, 5.0), (12.0, 5.0))):
        event = {**CRS, "center": (8.0, 2.0, 3.0)}
        of = arm(*doses, rules=[stop], duration=5.0)
        stopped, whole = solved(reacting(of, **event), reacting(of))
        assert given(stopped) == [(0.0, 5.0), (6.0, 2.0)]
        assert np.asarray(stopped.ledger.events.duration)[:2].tolist() == [5.0, 2.0]
        assert given(whole) == [*doses]
        assert decisions(stopped)[8] == "stopped"


def test_a_delayed_dose_is_given_at_the_first_visit_after_the_delay():
    late = rule("crs_grade >= 1", "delay", days=2.5)
    [result] = solved(reacting(arm(*WEEKLY, rules=[late]), **CRS))
    assert given(result) == [(0.0, 1.0), (10.0, 2.0), (17.0, 4.0)]


def test_a_step_is_repeated_as_often_as_allowed():
    again = rule("worst_grade >= 2", "repeat", max_times=1)
    event = {**CRS, "center": (3.0, 2.0, 3.0)}
    [result] = solved(reacting(arm(*WEEKLY, rules=[again]), **event))
    assert given(result) == [(0.0, 1.0), (7.0, 1.0), (14.0, 2.0)]
    assert np.asarray(result.ledger.events.period)[:3].tolist() == [1, 2, 3]


def test_dropping_back_goes_as_far_as_the_first_dose():
    doses = ((0.0, 1.0), (3.0, 2.0), (6.0, 4.0), (9.0, 8.0))
    event = {**CRS, "center": (7.5, 2.0, 3.0)}
    for doses_back, then in ((1, [2.0, 4.0, 8.0]), (9, [1.0, 2.0, 4.0])):
        act = rule("worst_grade >= 2", "drop_back", doses=doses_back, max_times=1)
        [result] = solved(reacting(arm(*doses, rules=[act]), **event))
        amounts = [mg for _, mg in given(result)]
        assert amounts[:3] == [1.0, 2.0, 4.0]
        assert amounts[3:6] == then


def test_after_a_long_gap_the_steps_begin_anew():
    gap = rule("days_since_dose > 8 day", "restart", max_times=1)
    came = [True] * 7 + [False] * 3 + [True] * 10
    [result] = solved(reacting(arm(*WEEKLY, rules=[gap]), attended=came))
    assert given(result) == [(0.0, 1.0), (10.0, 1.0), (17.0, 2.0)]
    assert decisions(result)[7:10] == ["missed visit"] * 3


def test_a_split_dose_is_one_period_and_the_next_keeps_its_day():
    split = rule("step >= 2 and step <= 2", "split", parts=2, days=1.0)
    [result] = solved(reacting(arm(*WEEKLY, rules=[split])))
    assert given(result) == [(0.0, 1.0), (7.0, 1.0), (8.0, 1.0), (14.0, 4.0)]
    assert np.asarray(result.ledger.events.period)[:4].tolist() == [1, 2, 2, 3]


def test_parts_do_not_use_up_a_rule_that_splits():
    split = rule("day >= 0 day", "split", parts=3, days=1.0, max_times=2)
    [result] = solved(reacting(arm(*WEEKLY, rules=[split])))
    days = [day for day, _ in given(result)]
    assert days == [0.0, 1.0, 2.0, 7.0, 8.0, 9.0, 14.0]
    assert decisions(result).count("split") == 2


def test_a_part_that_waits_moves_the_next_dose():
    rules = [
        rule("crs_grade >= 1", "hold"),
        rule("step >= 1 and step <= 1", "split", parts=2, days=1.0),
    ]
    event = {**CRS, "center": (2.0, 2.0, 3.0)}  # grade 1 or more on days 1 to 3
    [result] = solved(reacting(arm(*WEEKLY, rules=rules), **event))
    assert [day for day, _ in given(result)] == [0.0, 4.0, 10.0, 17.0]


def test_who_begins_anew_has_the_intervals_of_the_plan_again():
    doses = ((0.0, 1.0), (2.0, 2.0), (4.0, 4.0), (6.0, 8.0))
    rules = [
        rule("days_since_dose >= 5 day", "restart", max_times=1),
        rule("step >= 3 and doses_given < 3", "interval", days=6.0, max_times=1),
    ]
    [result] = solved(reacting(arm(*doses, rules=rules)))
    assert given(result)[:5] == [(0.0, 1.0), (2.0, 2.0), (4.0, 4.0), (10.0, 1.0), (12.0, 2.0)]


def test_a_treatment_that_is_complete_is_not_stopped():
    late = rule("day >= 16 day", "stop")
    [result] = solved(reacting(arm(*WEEKLY, rules=[late])))
    assert "stopped" not in decisions(result)


def test_crs_between_two_visits_counts_once():
    """Days since CRS go on from the visit that learned of it, whatever bags follow."""
    visits = (0.0, 4.0, 8.0, 12.0, 16.0)
    event = {**CRS, "center": (2.0, 2.0, 3.0), "width": (0.3, 0.3, 0.3)}
    bags = arm((0.0, 1.0), (8.0, 1.0), calendar=visits, rules=[])
    one = bags.regimens[0]
    same = tuple(dataclasses.replace(dose, period=1) for dose in one.administrations)
    regimen = dataclasses.replace(one, administrations=same, labels=("D1",))
    [result] = solved(reacting(dataclasses.replace(bags, regimens=(regimen,)), **event))
    since = np.asarray(result.log.seen)[: len(visits), NAMES.index("days_since_crs")]
    assert since.tolist()[1:] == [0.0, 4.0, 8.0, 12.0]


def test_an_interval_holds_from_the_dose_on_at_which_it_changes():
    doses = tuple((float(day), 1.0) for day in range(0, 18, 3))
    longer = rule("day >= 3 day", "interval", days=5.0, max_times=1)
    [result] = solved(reacting(arm(*doses, rules=[longer])))
    assert [day for day, _ in given(result)] == [0.0, 3.0, 8.0, 13.0, 18.0]


def test_a_shorter_interval_holds_too():
    doses = tuple((float(day), 1.0) for day in range(0, 18, 6))
    shorter = rule("day >= 6 day", "interval", days=2.0, max_times=1)
    [result] = solved(reacting(arm(*doses, rules=[shorter])))
    assert [day for day, _ in given(result)] == [0.0, 6.0, 8.0]


def test_treatment_stops_for_good():
    stop = rule("worst_grade_ever >= 2", "stop")
    [result] = solved(reacting(arm(*WEEKLY, rules=[stop]), **{**CRS, "center": (3.0, 2.0, 3.0)}))
    assert given(result) == [(0.0, 1.0)]
    assert decisions(result).count("stopped") == 1


def test_the_first_rule_that_matches_wins():
    rules = [rule("day >= 7 day and day < 9 day", "proceed"), rule("crs_grade >= 1", "hold")]
    [result] = solved(reacting(arm(*WEEKLY, rules=rules), **CRS))
    assert given(result) == [*WEEKLY]


def test_conditions_are_confirmed_at_visits_in_a_row():
    """Grade 1 or more on days 6, 7 and 8: three visits in a row."""
    for visits, held in ((2, True), (4, False)):
        rules = [rule("crs_grade >= 1", "hold", consecutive_visits=visits)]
        [result] = solved(reacting(arm(*WEEKLY, rules=rules), **CRS))
        assert ("held" in decisions(result)) == held


LONG = {"height": (2.5, 0.0, 0.0), "center": (8.0, 2.0, 3.0), "width": (4.0, 0.3, 0.3)}
"""Grade 1 or more from day 3 to day 13."""


@pytest.mark.parametrize(
    ("limits", "days"),
    [
        ({"per_event": 2, "per_window": 4}, [3.0, 4.0]),
        (
            {"per_event": 9, "per_window": 2, "window": 5.0, "max_times": 9},
            [3.0, 4.0, 8.0, 9.0, 13.0],
        ),
        (
            {"per_event": 9, "per_window": 4, "window": 0.1, "min_interval": 3.0},
            [3.0, 6.0, 9.0, 12.0],
        ),
        ({"per_event": 9, "per_window": 4, "window": 0.1, "max_times": 3}, [3.0, 4.0, 5.0]),
    ],
)
def test_a_rescue_keeps_to_its_limits(limits, days):
    drug = dataclasses.replace(DRUG, **limits)
    rules = [rule("crs_grade >= 1", "give", drug=DRUG.name)]
    [result] = solved(reacting(arm(*WEEKLY, rules=rules, rescues=[drug]), **LONG))
    assert [day for day, _ in given(result, kind=2)] == days
    assert given(result) == [*WEEKLY]  # and the doses are what they were


def test_an_infusion_that_a_rule_began_ends():
    """A quarter of a day of 3 mg: all of it is received, and no more (rxode2 1347, 1354)."""
    drug = dataclasses.replace(DRUG, per_event=1, max_times=1)
    rules = [rule("crs_grade >= 1", "give", drug=DRUG.name)]
    [result] = solved(reacting(arm(*WEEKLY, rules=rules, rescues=[drug]), **LONG))
    np.testing.assert_allclose(result.final.received, [7.0, 0.0, 3.0], rtol=1e-9)


def test_a_drug_that_only_a_rule_gives_is_in_the_program():
    """Though no dose on schedule needs more than the first kinds."""
    drug = dataclasses.replace(DRUG, name="anakinra", kind="anakinra", duration=0.0)
    rules = [rule("crs_grade >= 1", "give", drug="anakinra")]
    plain, more = (
        jax.tree.map(lambda leaf: np.asarray(leaf)[None], reacting(one))
        for one in (arm(*WEEKLY), arm(*WEEKLY, rules=rules, rescues=[drug]))
    )
    assert program_kinds(administered_kinds(plain)) == CORE_KINDS
    assert program_kinds(administered_kinds(more)) == len(DOSE_KINDS)


def test_what_goes_ahead_of_a_dose_goes_ahead_of_the_one_that_is_given():
    ahead = [Dose("tocilizumab", 7.0 - 0.25, Amount(5.0), lead=0.25)]
    held = arm(*WEEKLY, rules=[rule("crs_grade >= 1", "hold")], ahead=ahead)
    [result] = solved(reacting(held, **CRS))
    assert given(result, kind=2) == [(8.75, 5.0)]
    assert given(result)[1] == (9.0, 2.0)


def test_the_error_of_an_assay_is_what_a_rule_sees():
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


def test_a_frozen_replay_agrees():
    """What was given, given again on schedule."""
    rules = [
        rule("crs_grade >= 1", "hold"),
        rule("crs_grade >= 2", "give", drug=DRUG.name),
        rule("worst_grade >= 1", "repeat", max_times=2),
    ]
    event = {**CRS, "center": (6.5, 2.0, 3.0)}
    times = (5.0, 9.0, 12.0, 15.0, 19.0)
    [first] = solved(reacting(arm(*WEEKLY, rules=rules, duration=0.5), **event), grids=(times,))
    frozen = dataclasses.replace(
        reacting(arm(*WEEKLY), **event), plan=None, events=first.ledger.events
    )
    [again] = solved(frozen, grids=(times,))
    assert len(given(first)) > 2
    for name in ("saved", "final"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7),
            getattr(first, name),
            getattr(again, name),
        )


def test_a_visit_between_two_events_counts_each_once():
    """What is given now is not given again at the next visit (mrgsolve 1151, babelmixr2 202)."""
    hours = np.arange(1, 7) / 24.0
    often = sorted({*DAILY, *hours, *(7.0 + hours)})
    [result] = solved(reacting(arm(*WEEKLY, calendar=often)))
    assert given(result) == [*WEEKLY]
    np.testing.assert_allclose(result.final.received[0], 7.0)
