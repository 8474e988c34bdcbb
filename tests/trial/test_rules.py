"""Rules as text and as numbers, and the checks of rules."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp import system
from qsp.errors import ConfigError
from qsp.trial import Amount, Arm, Dose, plan_table, plan_widths, prescribe
from qsp.trial.plans import rule_table
from qsp.trial.rule_checks import check_reaction
from qsp.trial.rule_text import parse_conditions
from qsp.trial.rules import (
    ACTS,
    DECISIONS,
    MEASURED,
    NAMES,
    OBSERVABLES,
    Condition,
    Reaction,
    Rescue,
    Rule,
)

DAYS = 84.0
WEEKLY = tuple(7.0 * week for week in range(12))
TOCILIZUMAB = Rescue("tocilizumab", "tocilizumab", Amount(8.0, "kg"))


def conditions(text):
    return parse_conditions(text, where="when")


def rule(when, act, **more):
    return Rule(more.pop("name", f"{act}: {when}"), conditions(when), act, where="rules.0", **more)


def arm(*rules, calendar=WEEKLY, rescues=(TOCILIZUMAB,), ahead=(), duration=0.0):
    doses = [Dose("drug_iv", 7.0 * n, Amount(1.0), duration, f"D{n + 1}") for n in range(3)]
    regimen = prescribe([*doses, *ahead], molecular_weight_kda=150.0, days=DAYS, where="arm")
    return Arm("a", (regimen,), reaction=Reaction(tuple(calendar), rules, rescues))


def error_of(of):
    with pytest.raises(ConfigError) as error:
        check_reaction(of, DAYS)
    return str(error.value)


def test_rescue_amounts_are_capped():
    """8 mg/kg to 800 mg: 480 mg at 60 kg, 800 mg at 100 and 120 kg."""
    capped = dataclasses.replace(TOCILIZUMAB, amount=Amount(8.0, "kg", cap=800.0))
    give = rule("crs_grade >= 2", "give", drug="tocilizumab")
    of = arm(give, rescues=(capped,))
    weight = np.array([60.0, 100.0, 120.0])
    plan = plan_table(of, plan_widths([of]), weight, np.full(3, 1.8))
    assert plan.rescues.amount[:, 0].tolist() == [480.0, 800.0, 800.0]


def test_conditions_are_parsed_in_the_unit_of_their_observable():
    parsed = conditions("crs_grade >= 2 and il6 > 0.5 ng/mL and days_since_dose <= 36 hour")
    rounded = tuple(dataclasses.replace(one, level=round(one.level, 9)) for one in parsed)
    assert rounded == (
        Condition("crs_grade", ">=", 2.0),
        Condition("il6", ">", 500.0),
        Condition("days_since_dose", "<=", 1.5),
    )
    assert conditions("tumor_change <= -50 %")[0].level == -0.5
    assert conditions("temperature>=38 degC")[0].level == 38.0
    assert conditions("b_cells < 70 cell/uL")[0].level == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("crs_grad >= 2", "Did you mean 'crs_grade' or"),
        ("crs_grade == 2", "must compare by >=, >, <= or <"),
        ("crs_grade >= 1 or day > 3 day", "Write one rule for each"),
        ("il6 > 500", "must have a unit (pg/mL)"),
        ("il6 > 500 day", "pg/mL"),
        ("tumor_change >= 50", "in percent of the size at the start, but is 'tumor_change >= 50'"),
        ("tumor_change <= -0.5", 'Write "tumor_change <= -50 %" for a decrease by half'),
        ("crs_grade >= 50 %", 'Write a bare number, as in "crs_grade >= 2"'),
        ("", "must be comparisons"),
        (
            "day > 1 day and day > 2 day and day > 3 day and day > 4 day and day > 5 day",
            "at most 4",
        ),
    ],
)
def test_invalid_conditions_are_refused(text, says):
    with pytest.raises(ConfigError, match="when: ") as error:
        conditions(text)
    assert says in str(error.value)


@given(
    st.sampled_from(OBSERVABLES),
    st.sampled_from([">=", ">", "<=", "<"]),
    st.integers(-99, 99),
)
def test_conditions_survive_a_round_trip_through_text(observable, sign, number):
    one = Condition(observable.name, sign, number / 4)
    (again,) = conditions(str(one))
    assert again == dataclasses.replace(one, level=pytest.approx(one.level))


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_raises_a_config_error(text):
    try:
        parsed = conditions(text)
    except ConfigError:
        return
    assert all(one.observable in NAMES for one in parsed)


def test_measured_observables_are_those_of_the_system():
    assert NAMES[:MEASURED] == system.MEASURED
    assert len(DECISIONS) == len(ACTS)


def test_rules_as_numbers():
    reaction = Reaction(
        WEEKLY,
        (
            rule("crs_grade > 1 and day < 28 day", "drop_back", doses=2, max_times=1),
            rule("crs_grade >= 2", "give", drug="tocilizumab"),
        ),
        (TOCILIZUMAB,),
    )
    table = rule_table(reaction, 8)
    assert table.observable[0, :2].tolist() == [NAMES.index("crs_grade"), NAMES.index("day")]
    assert table.sign[0].tolist() == [1.0, -1.0, 0.0, 0.0]
    assert table.strict[0, :2].tolist() == [True, True]
    assert [ACTS[n] for n in table.act[:3]] == ["back", "give", "nothing"]
    assert table.argument[:2].tolist() == [2, 0]
    assert table.max_times[:2].tolist() == [1.0, np.inf]


@pytest.mark.parametrize(
    ("rules", "most"),
    [
        ((), 3),
        ((rule("crs_grade >= 1", "hold"),), 3),
        ((rule("worst_grade >= 2", "repeat", max_times=2),), 5),
        ((rule("worst_grade >= 2", "drop_back", doses=1, max_times=2),), 7),
        ((rule("days_since_dose > 28 day", "restart", max_times=1),), 6),
        ((rule("step >= 1", "split", parts=3, days=1.0),), 9),
        ((rule("worst_grade >= 2", "repeat", max_times=100),), len(WEEKLY)),
        (
            (
                rule("step >= 1", "split", parts=2, days=1.0),
                rule("worst_grade >= 2", "drop_back", doses=1, max_times=1),
            ),
            10,
        ),
    ],
)
def test_most_doses_that_plan_and_rules_can_give(rules, most):
    assert Reaction(WEEKLY, rules).most_doses(3) == most


HOLD = rule("crs_grade >= 1", "hold")


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (arm(rule("crs_grade >= 3 and crs_grade < 2", "hold")), "must not contradict itself"),
        (arm(rule("crs_grade > 2 and crs_grade <= 2", "hold")), "must not contradict itself"),
        (arm(rule("crs_grade >= 5", "stop")), "crs_grade is from 0 to 4"),
        (arm(rule("tumor_change < -150 %", "stop")), "tumor_change is -100 % or more"),
        (arm(rule("day >= 90 day", "stop")), "must be reached by a visit"),
        (arm(rule("step >= 4", "stop")), "must be reached by a planned dose (there are 3)"),
        (arm(rule("worst_grade >= 2", "hold")), "a reason that waiting can end"),
        (arm(rule("step <= 2", "hold")), "a reason that waiting can end"),
        (arm(rule("days_since_dose >= 3 day", "delay", days=1.0)), "waiting can end"),
        (arm(rule("worst_grade >= 2", "repeat")), "rules.0.max_times: the value must be given"),
        (arm(rule("crs_grade >= 1", "delay")), "rules.0.days: the value must be above 0"),
        (arm(rule("days_since_crs > 14 day", "hold")), "waiting can end"),
        (arm(rule("crs_grade >= 0", "hold")), "waiting can end"),
        (arm(rule("temperature < 38", "hold")), "waiting can end"),
        (arm(rule("crs_grade >= 1 and step <= 2", "hold")), None),
        (arm(rule("day > 77 day", "stop")), "must be reached by a visit"),
        (arm(rule("step > 3", "stop")), "must be reached by a planned dose"),
        (arm(rule("crs_grade < 0", "stop")), "crs_grade is from 0 to 4"),
        (arm(rule("step >= 1", "split", parts=8, days=1.0)), "before the next dose is due"),
        (arm(rule("step >= 1", "split", days=4.0), duration=4.0), "before the next dose is due"),
        (arm(rule("step >= 1", "split", days=2.5), duration=2.0), None),
        (
            arm(HOLD, ahead=[Dose("drug_sc", 7.0, Amount(1.0), period="D2")]),
            "must be at different times",
        ),
        (arm(HOLD, rule("crs_grade >= 2", "delay", days=7.0)), "covered by an earlier rule"),
        (arm(HOLD, rule("crs_grade >= 2 and day < 9 day", "stop")), None),
        (arm(rule("crs_grade >= 2", "delay", days=7.0), HOLD), None),
        (arm(rule("crs_grade >= 1", "hold", max_times=1), rule("crs_grade >= 2", "hold")), None),
        (arm(rule("crs_grade >= 1", "hold"), rule("crs_grade >= 2", "give", drug="anakinra")),
         "must be defined as [rescue.NAME]"),
        (arm(HOLD, dataclasses.replace(HOLD, when=conditions("temperature > 39"))), "unique"),
        (arm(HOLD, calendar=(0.0, 7.0)), "must include the time of every planned dose"),
        (arm(HOLD, calendar=(*WEEKLY, 84.0)), "must leave time for a dose within the trial"),
        (
            arm(
                HOLD,
                calendar=sorted([*WEEKLY, 7.02]),
                ahead=[Dose("dexamethasone", 6.9, Amount(1.0), lead=0.1)],
            ),
            "must be further apart than the lead time of a premedication",
        ),
    ],
)  # fmt: skip
def test_invalid_rules_are_refused(of, says):
    if says is None:
        check_reaction(of, DAYS)
    else:
        assert says in error_of(of)
