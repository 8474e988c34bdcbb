"""Acceptance criteria for simulated against published values."""

import math

import pytest

from qsp.errors import ConfigError
from qsp.validation.judge import Scale, Verdict, odds, ratio, rule


@pytest.mark.parametrize(
    ("text", "unit", "published", "inside", "outside"),
    [
        ("within 12 points", "%", 15.0, (3.0, 15.0, 27.0), (2.9, 27.1)),
        ("within 3-fold", "pg/mL", 90.0, (30.0, 90.0, 270.0), (29.9, 270.1)),
        ("within 30 %", "ug/mL", 10.0, (7.0, 10.0, 13.0), (6.9, 13.1)),
        ("within 1.5-fold", "hour", 6.0, (4.0, 9.0), (3.9, 9.1)),
        ("within 0.25", "1", 0.5, (0.25, 0.75), (0.24, 0.76)),
        ("within 3-fold odds", "%", 2.0, (0.68, 2.0, 5.7), (0.67, 5.8)),
    ],
)
def test_limits_are_inclusive(text, unit, published, inside, outside):
    judged = rule(text, unit=unit, published=published, where="table")
    assert judged.text == text.removeprefix("within ")
    assert {judged.verdict(value, published) for value in inside} == {Verdict.WITHIN}
    assert {judged.verdict(value, published) for value in outside} == {Verdict.MISSES}


def test_text_of_a_ratio_is_its_limits():
    judged = ratio(0.7, 1.4)
    assert judged.text == "0.7 to 1.4"
    assert judged.verdict(0.7, 1.0) is judged.verdict(1.4, 1.0) is Verdict.WITHIN
    assert judged.verdict(0.69, 1.0) is judged.verdict(1.41, 1.0) is Verdict.MISSES


def test_difference_is_in_points_for_rates_and_a_ratio_for_others():
    points = rule("within 12 points", unit="%", published=15.0, where="table")
    assert points.difference(20.0, 15.0) == 5.0
    fold = rule("within 3-fold", unit="pg/mL", published=10.0, where="table")
    assert fold.difference(20.0, 10.0) == 2.0


def test_rare_events_are_compared_by_their_odds():
    judged = rule("within 3-fold odds", unit="%", published=1.0, where="table")
    assert judged.difference(10.0, 1.0) == pytest.approx((10 / 90) / (1 / 99))
    assert judged.difference(0.0, 1.0) == pytest.approx(odds(0.1) / odds(1.0))  # no event
    assert odds(100.0) == pytest.approx(999.0)
    shown = {value: rule("shown: x", unit="%", published=value, where="") for value in (4.9, 5.0)}
    assert [shown[value].scale for value in (4.9, 5.0)] == [Scale.ODDS, Scale.POINTS]


@pytest.mark.parametrize(
    ("scale", "small", "large"),
    [
        (Scale.POINTS, -3.0, 12.0),
        (Scale.RATIO, 0.5, 3.0),
        (Scale.ODDS, 2.0, 0.3),
        (Scale.DIFFERENCE, 0.1, -0.25),
    ],
)
def test_distance_orders_deviations_on_every_scale(scale, small, large):
    assert 0.0 < scale.distance(small) < scale.distance(large)
    assert scale.distance(large) == pytest.approx(1.0, rel=0.1)
    assert scale.distance(1.0 if scale in (Scale.RATIO, Scale.ODDS) else 0.0) == 0.0


def test_nan_is_outside_the_limits():
    judged = rule("within 3-fold", unit="pg/mL", published=90.0, where="table")
    assert judged.verdict(math.nan, 90.0) is Verdict.MISSES


def test_shown_value_has_no_verdict_at_any_distance():
    shown = rule("shown: recalled", unit="%", published=15.0, where="table")
    assert shown.text == "recalled"
    assert shown.verdict(90.0, 1.0) is Verdict.SHOWN
    assert shown.difference(90.0, 1.0) == 89.0


@pytest.mark.parametrize("text", ["", "within reach", "12 points", "shown:", "within 3 fold"])
def test_unreadable_rule_is_refused(text):
    with pytest.raises(ConfigError, match="judged must be in points or fold odds for a rate"):
        rule(text, unit="pg/mL", published=1.0, where="table")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("within 3-fold", "%"),
        ("within 9 points", "pg/mL"),
        ("within 3-fold odds", "pg/mL"),
        ("within 0.25", "hour"),
        ("within 30 %", "1"),
    ],
)
def test_limits_belong_to_the_unit(text, unit):
    with pytest.raises(ConfigError, match="targets.csv: A: judged must be"):
        rule(text, unit=unit, published=1.0, where="targets.csv: A")


def test_misses_come_first():
    verdicts = (Verdict.SKIPPED, Verdict.SHOWN, Verdict.WITHIN, Verdict.MISSES)
    assert sorted(verdicts) == list(reversed(verdicts))
