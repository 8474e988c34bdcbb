"""Visits after doses: their times, in which arms, and as text, source and Python."""

import numpy as np
import pytest

import qsp

SIX_HOURS = ("6 h", "2 day", ["SUD1", "FD1"])
DAILY = ("1 day", "4 day", ["SUD1", "FD1"])
RULE = qsp.when(
    "crs_grade >= 2",
    give=qsp.tocilizumab("8 mg/kg", over="1 h", cap="800 mg"),
    with_probability=0.6,
)


def trial(visits_after=(SIX_HOURS, DAILY), visits=()):
    """Two arms with the same rules; the second has no dose period SUD1."""
    people = qsp.population("nhl").sample(2, molecule="mosunetuzumab", seed=1)
    rules = qsp.rules(RULE, visits=visits, visits_after=visits_after)
    step = qsp.iv("1 mg", day=1, over="4 h", period="SUD1")
    full = qsp.iv("60 mg", day=4, over="4 h", period=["FD1", "FD2"], every="7 day", times=2)
    flat = qsp.iv("60 mg", day=1, over="4 h", period=["FD1", "FD2"], every="7 day", times=2)
    arms = {"steps": qsp.regimen(step, full, rules=rules), "flat": qsp.regimen(flat, rules=rules)}
    return qsp.Trial.of(arms, people, days=14)


def calendars(of):
    return [np.array(arm.reaction.calendar) for arm in of.config.trial(150.0).arms]


def test_visits_follow_the_doses_of_the_named_periods():
    """Every 6 hours for 2 days after days 0 and 3, daily to day 4 after them, and at FD2."""
    steps, flat = calendars(trial())
    hours = np.arange(9) * 0.25
    expected = sorted({*hours, *(3.0 + hours), *range(5), *range(3, 8), 10.0})
    np.testing.assert_allclose(steps, expected, atol=1e-9)
    np.testing.assert_allclose(flat, [*hours, 3.0, 4.0, 7.0], atol=1e-9)


def test_series_with_fixed_days_may_stand_next_to_them():
    steps, _ = calendars(trial(visits=[("1 day", 12, 13)]))
    assert steps[-2:].tolist() == [11.0, 12.0]


def test_a_period_with_several_doses_has_visits_after_each():
    people = qsp.population("nhl").sample(1, molecule="mosunetuzumab", seed=1)
    halves = [qsp.iv("1 mg", day=day, over="4 h", period="SUD1") for day in (1, 2)]
    rules = qsp.rules(RULE, visits_after=[("12 h", "12 h", ["SUD1"])])
    one = qsp.Trial.of({"a": qsp.regimen(*halves, rules=rules)}, people, days=7)
    [calendar] = calendars(one)
    assert calendar.tolist() == [0.0, 0.5, 1.0, 1.5]


def test_text_and_source_keep_visits_and_probability(tmp_path):
    one = trial(visits=[("1 day", 12, 13)])
    text = one.to_toml(tmp_path / "trial.toml")
    assert 'for = "2 day"' in text
    assert "with_probability = 0.6" in text
    again = qsp.read(tmp_path / "trial.toml")
    assert again == one
    names = {}
    exec(one.to_python(), names)  # noqa: S102
    assert names["trial"].config.trial(150.0) == one.config.trial(150.0)


def test_visits_after_all_doses_are_counted_together():
    """A visit every two minutes for a day is 721, and after two doses 1442."""
    assert len(calendars(trial([("2 minute", "1 day", ["SUD1"])]))[0]) > 721
    with pytest.raises(qsp.QSPError, match=r"at most 1000 visits, but is 1442"):
        trial([("2 minute", "1 day", ["SUD1", "FD1"])])


@pytest.mark.parametrize("entry", [("6 h", "2 day"), ("6 h", "2 day", "SUD1")])
def test_invalid_entries_are_refused(entry):
    with pytest.raises(qsp.QSPError, match="visits_after must be"):
        qsp.rules(RULE, visits_after=[entry])


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.5, float("nan")])
def test_invalid_probabilities_are_refused(probability):
    rule = qsp.when("crs_grade >= 1", "hold", with_probability=probability)
    people = qsp.population("nhl").sample(1, molecule="mosunetuzumab", seed=1)
    arm = qsp.regimen(qsp.iv("1 mg", day=1, over="4 h"), rules=qsp.rules(rule))
    with pytest.raises(qsp.QSPError, match="with_probability"):
        qsp.Trial.of({"a": arm}, people, days=7)
