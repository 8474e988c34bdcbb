"""Lesions alone in the part of a trial that repeats one dose: trials allowed and refused."""

import dataclasses

import pytest

from qsp.drugs import COMPETITOR
from qsp.errors import ConfigError
from qsp.trial import Administration, Amount, Arm, Dose, Trial, prescribe
from qsp.trial.rule_text import parse_conditions
from qsp.trial.rules import Reaction, Rule

STEPS = {0.0: 1.0, 7.0: 10.0}
FULL = {14.0 + 14.0 * n: 30.0 for n in range(5)}  # on days 14 to 70


def arm(doses=None, before=(), reaction=None):
    """An arm with doses of the molecule by day, each with dexamethasone one hour before."""
    doses = {**STEPS, **FULL} if doses is None else doses
    given = [Dose("drug_iv", t, Amount(mg), 0.0, f"P{t:g}") for t, mg in doses.items()]
    regimen = prescribe([*given, *before], molecular_weight_kda=150.0, days=84.0, where="a")
    ahead = tuple(
        Administration(dose.time - 1 / 24, "dexamethasone", Amount(20.0), lead=1 / 24)
        for dose in regimen.administrations
        if dose.kind == "drug_iv"
    )
    every = tuple(sorted((*regimen.administrations, *ahead), key=lambda dose: dose.time))
    return Arm("a", (dataclasses.replace(regimen, administrations=every),), reaction=reaction)


def trial(after=42.0, one=None, visits=(42.0, 84.0)):
    one = arm() if one is None else one
    return Trial("t", (one,), 84.0, visits, 10, "molecule", 150.0, lesions_alone_after=after)


def reacting(when="day <= 28 day", act="give", **options):
    rule = Rule("late", parse_conditions(when, where="when"), act, drug="tocilizumab", where="r")
    calendar = tuple(sorted({**STEPS, **FULL, 1.0: 0.0}))
    return arm(reaction=Reaction(calendar, (rule,), **options))


def test_the_solved_part_ends_before_the_dose_at_that_time():
    whole = trial()
    part = whole.solved
    [regimen] = part.arms[0].regimens
    doses = [dose.time for dose in regimen.administrations if dose.kind == "drug_iv"]
    assert doses == [0.0, 7.0, 14.0, 28.0]
    assert regimen.labels == ("P0", "P7", "P14", "P28")
    ahead = [dose.time + dose.lead for dose in regimen.administrations if dose.lead]
    assert ahead == pytest.approx(doses)
    assert (part.days, part.visits, part.lesions_alone_after) == (42.0, (42.0,), None)
    assert part.save_times == whole.save_times
    assert part.save_times[-1] == 42.0


def test_a_trial_that_is_solved_to_the_end_is_its_own_solved_part():
    whole = trial(None)
    assert whole.solved is whole
    assert whole.solved_days == 84.0


def test_visits_of_rules_end_before_that_time():
    part = trial(one=reacting()).solved
    assert part.arms[0].reaction.calendar == (0.0, 1.0, 7.0, 14.0, 28.0)


@pytest.mark.parametrize("after", [28.0, 42.0, 56.0, 70.0])
def test_every_dose_after_the_first_full_one_is_allowed(after):
    assert trial(after).solved.days == after


@pytest.mark.parametrize("when", ["day <= 28 day", "day < 42 day and crs_grade >= 2"])
def test_rules_that_end_before_that_time_are_allowed(when):
    assert trial(one=reacting(when)).solved.days == 42.0


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (0.0, "must be after the first dose and before the end .day 84., but is day 0"),
        (84.0, "must be after the first dose and before the end"),
        (43.0, "must be the time of a dose of arm 'a' after the first, but is day 43. Doses"),
        (7.0, "must be after the last change of dose or interval in 'a', but is a change on day 7"),
        (14.0, "must be after the last change of dose or interval in 'a'"),
    ],
)
def test_other_times_are_refused(after, message):
    with pytest.raises(ConfigError, match=message):
        trial(after)


ENDING = {**STEPS, **FULL}
del ENDING[70.0]


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (arm({**STEPS, **FULL, 70.0: 60.0}), "a change on day 70"),
        (arm({**STEPS, **FULL, 63.0: 30.0}), "a change on day 63"),
        (arm(ENDING), "until the end, but is the last one on day 56 of 84, every 14 days"),
        (
            arm(before=[Dose(COMPETITOR.name, 45.0, Amount(1000.0), 1 / 6)]),
            f"after the last {COMPETITOR.name} of arm 'a', but is day 45",
        ),
        (reacting("crs_grade >= 2"), "Add .and day < 42 day. to the conditions"),
        (reacting("day <= 42 day"), "after the last day of every rule"),
        (reacting(act="hold"), "gets every dose, but is rule 'late' may hold"),
        (reacting(missed=0.1), "missed 0.1 and dropout 0"),
        (reacting(dropout=0.1), "missed 0 and dropout 0.1"),
    ],
)
def test_arms_in_which_the_interval_may_change_are_refused(one, message):
    with pytest.raises(ConfigError, match=message):
        trial(one=one)


def test_the_last_dose_must_have_a_period_of_its_own():
    one = arm()
    [regimen] = one.regimens
    merged = tuple(
        dataclasses.replace(dose, period=3) if dose.period == 4 else dose
        for dose in regimen.administrations
    )
    one = dataclasses.replace(one, regimens=(dataclasses.replace(regimen, administrations=merged),))
    with pytest.raises(ConfigError, match="'P14' has several doses"):
        trial(one=one)
