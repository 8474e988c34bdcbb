"""Acceptance criteria for simulated against published values."""

import math

import pytest

from qsp.errors import ConfigError
from qsp.validation.judge import Verdict, ratio, rule


@pytest.mark.parametrize(
    ("text", "points", "published", "inside", "outside"),
    [
        ("within 12 points", True, 15.0, (3.0, 15.0, 27.0), (2.9, 27.1)),
        ("within 3-fold", False, 90.0, (30.0, 90.0, 270.0), (29.9, 270.1)),
        ("within 30 %", False, 10.0, (7.0, 10.0, 13.0), (6.9, 13.1)),
        ("within 1.5-fold", False, 6.0, (4.0, 9.0), (3.9, 9.1)),
    ],
)
def test_limits_are_inclusive(text, points, published, inside, outside):
    judged = rule(text, points=points, where="table")
    assert judged.text == text.removeprefix("within ")
    assert {judged.verdict(value, published) for value in inside} == {Verdict.WITHIN}
    assert {judged.verdict(value, published) for value in outside} == {Verdict.MISSES}


def test_text_of_a_ratio_is_its_limits():
    judged = ratio(0.7, 1.4)
    assert judged.text == "0.7 to 1.4"
    assert judged.verdict(0.7, 1.0) is judged.verdict(1.4, 1.0) is Verdict.WITHIN
    assert judged.verdict(0.69, 1.0) is judged.verdict(1.41, 1.0) is Verdict.MISSES


def test_difference_is_in_points_for_rates_and_a_ratio_for_others():
    points = rule("within 12 points", points=True, where="table")
    assert points.difference(20.0, 15.0) == 5.0
    assert rule("within 3-fold", points=False, where="table").difference(20.0, 10.0) == 2.0


def test_nan_is_outside_the_limits():
    judged = rule("within 3-fold", points=False, where="table")
    assert judged.verdict(math.nan, 90.0) is Verdict.MISSES


def test_shown_value_has_no_verdict_at_any_distance():
    shown = rule("shown: recalled", points=True, where="table")
    assert shown.text == "recalled"
    assert shown.verdict(90.0, 1.0) is Verdict.SHOWN
    assert shown.difference(90.0, 1.0) == 89.0


@pytest.mark.parametrize("text", ["", "within reach", "12 points", "shown:", "within 3 fold"])
def test_unreadable_rule_is_refused(text):
    with pytest.raises(ConfigError, match="judged must be in points for a rate"):
        rule(text, points=False, where="table")


@pytest.mark.parametrize(("text", "points"), [("within 3-fold", True), ("within 9 points", False)])
def test_points_are_for_rates_alone(text, points):
    with pytest.raises(ConfigError, match="crs_rates.csv: A: judged must be"):
        rule(text, points=points, where="crs_rates.csv: A")


def test_misses_come_first():
    verdicts = (Verdict.SKIPPED, Verdict.SHOWN, Verdict.WITHIN, Verdict.MISSES)
    assert sorted(verdicts) == list(reversed(verdicts))
