"""Description of an arm with rules by `qsp check`: visits, rules in order, limits of drugs."""

import dataclasses

import pytest

from qsp.run.reacting import reaction_lines
from qsp.trial import Amount, Arm, Regimen
from qsp.trial.rule_text import parse_conditions
from qsp.trial.rules import Reaction, Rescue, Rule
from tests.run.conftest import CONFIGS, call

TOCILIZUMAB = Rescue("tocilizumab", "tocilizumab", Amount(8.0, "kg"), duration=1 / 24)
HALF_DAYS = tuple(0.5 * n for n in range(9))


def lines(rules=(), calendar=HALF_DAYS, rescues=(TOCILIZUMAB,), **more):
    reaction = Reaction(calendar, tuple(rules), tuple(rescues), **more)
    return reaction_lines(Arm("a", (Regimen((), ()),), reaction=reaction))


def rule(when, act, name="rule 1", **more):
    return Rule(name, parse_conditions(when, where="when"), act, **more)


def test_an_arm_without_rules_has_no_lines():
    assert reaction_lines(Arm("a", (Regimen((), ()),))) == []


@pytest.mark.parametrize(
    ("calendar", "line"),
    [
        ((0.0,), "Calendar: 1 visit, day 1: day 1"),
        ((0.0, 0.5), "Calendar: 2 visits, day 1 to day 1 12 h: day 1; day 1 12 h"),
        (HALF_DAYS, "Calendar: 9 visits, day 1 to day 5: every 12 h from day 1 to day 5"),
        (
            (0.0, 1.0, 2.0, 3.0, 10.0, 17.0, 24.0, 30.25),
            "Calendar: 8 visits, day 1 to day 31 6 h: every day from day 1 to day 4; every 7 days "
            "from day 11 to day 25; day 31 6 h",
        ),
    ],
)
def test_visits_at_one_interval_are_summarized(calendar, line):
    assert lines(calendar=calendar)[0] == line


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (rule("crs_grade >= 1", "hold"), "if crs_grade >= 1, hold the dose until the next visit"),
        (rule("il6 > 0.5 ng/mL", "delay", days=7.0), "if il6 > 500 pg/mL, delay the dose by 7 "
         "days"),
        (rule("worst_grade >= 2", "repeat", max_times=2), "if worst_grade >= 2, repeat the last "
         "dose, at most 2 times per patient"),
        (rule("crs_grade >= 3", "drop_back", doses=1, max_times=1), "if crs_grade >= 3, go back 1 "
         "dose from the last dose, once per patient"),
        (rule("days_in_crs > 24 hour", "hold", probability=0.6), "if days_in_crs > 1 day, with a "
         "probability of 60 % per CRS event, hold the dose until the next visit"),
        (rule("days_since_dose > 28 day", "restart", max_times=1), "if days_since_dose > 28 day, "
         "restart with the first dose, once per patient"),
        (rule("step <= 1", "split", parts=3, days=1.0), "if step <= 1, give the dose in 3 parts, "
         "1 day apart"),
        (rule("tumor_change <= -50 % and day >= 42 day", "interval", days=42.0),
         "if tumor_change <= -50 % and day >= 42 day (protocol day 43), give the dose, and later "
         "doses every 42 days"),
        (rule("temperature >= 39", "stop", consecutive_visits=2), "if temperature >= 39 degC "
         "at 2 consecutive visits, stop the treatment"),
        (rule("b_cells < 5 cell/uL", "proceed"), "if b_cells < 5 cell/uL, give the dose as "
         "planned"),
        (rule("crs_grade >= 2", "give", drug="tocilizumab"), "if crs_grade >= 2, give "
         "tocilizumab"),
    ],
)  # fmt: skip
def test_a_rule_is_a_sentence_with_the_names_of_its_config(one, sentence):
    assert lines([one])[2] == f"  1. {sentence}"


def test_rules_are_numbered_in_order_of_evaluation():
    hold = rule("crs_grade >= 1", "hold", name="wait")
    give = rule("crs_grade >= 2", "give", name="rule 2", drug="tocilizumab")
    _, head, *rest = lines([hold, give])
    assert head.startswith("Rules, evaluated in this order at each visit. The first rule about ")
    assert head.endswith("A rule that gives a drug decides only on that drug:")
    assert rest[0].startswith("  1. 'wait': if crs_grade >= 1, hold")
    assert rest[1].startswith("  2. if crs_grade >= 2, give")


def test_limits_of_rescue_drugs_are_listed():
    assert lines([rule("crs_grade >= 2", "give", drug="tocilizumab")])[-1] == (
        "Limits of tocilizumab: 8 mg/kg over 1 h per dose; at most 2 per CRS event, 3 within 42 "
        "days and 6 in total, at least 8 h apart"
    )
    capped = dataclasses.replace(TOCILIZUMAB, amount=Amount(8.0, "kg", cap=800.0))
    assert "8 mg/kg, at most 800 mg over 1 h per dose; " in lines(rescues=[capped])[-1]
    daily = dataclasses.replace(TOCILIZUMAB, window=1.0)
    assert " within 1 day and " in lines(rescues=[daily])[-1]
    renamed = dataclasses.replace(TOCILIZUMAB, name="first", duration=0.0)
    assert lines(rescues=[renamed])[-1].startswith(
        "Limits of first: 8 mg/kg of tocilizumab per dose; "
    )


def test_missed_visits_dropout_and_measurement_errors_are_listed():
    described = lines(missed=0.03, dropout=0.1, errors=(0.2, 0.0, 0.0, 0.1, 0.0))
    assert described[1:4] == [
        "Missed: 3 % of the visits but the first",
        "Dropout: 10 % of the patients by the end",
        "Error of measurement (CV): il6 20 %, b_cells 10 %",
    ]


def test_a_calendar_without_rules_is_described():
    assert lines()[1] == "Rules: none; each dose is given at the first visit at which it is due"


def test_check_prints_visits_rules_and_limits_of_each_arm_with_rules():
    done = call("check", CONFIGS / "mosunetuzumab_rules.toml")
    assert done.code == 0, done.err
    printed = " ".join(done.out.split())
    calendar = "Calendar: 70 visits, day 1 to day 120: every 12 h from day 1 to day 29"
    assert printed.count(calendar) == 2
    assert printed.count("Rules, evaluated in this order") == 2
    order = [printed.index(f"{n}. '") for n in (1, 2, 3, 4, 5)]
    assert order == sorted(order)
    assert "2. 'wait until CRS is over': if crs_grade >= 1, hold the dose" in printed
    assert printed.count("Limits of tocilizumab: 8 mg/kg") == 1
