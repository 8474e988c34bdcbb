"""The parabola through the start, the middle and the end of a step: maximum, crossings, grades."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qsp.engine.observers import Crossing, _add_crossings, _grade, _parabola_root, parabola_maximum

LEVELS = (1.0, 2.0, 3.0, 4.0)
value = st.floats(-5.0, 5.0)


def parabola(a, m, b):
    slope, bend = 4 * m - 3 * a - b, 2 * (a - 2 * m + b)
    return lambda s: a + s * (slope + bend * s)


jitted_maximum = jax.jit(parabola_maximum)
root = jax.jit(_parabola_root, static_argnames="rising")


def maximum(a, m, b):
    top, where = jitted_maximum(*(jnp.asarray(v, float) for v in (a, m, b)))
    return float(top), float(where)


@settings(max_examples=300)
@given(a=value, m=value, b=value)
def test_maximum_is_the_highest_point_of_the_parabola(a, m, b):
    f, fine = parabola(a, m, b), np.linspace(0.0, 1.0, 2001)
    top, where = maximum(a, m, b)
    assert 0.0 <= where <= 1.0
    assert top == pytest.approx(f(where), abs=1e-9)
    assert top >= f(fine).max() - 1e-9
    assert top <= f(fine).max() + 2e-6 * (1.0 + abs(a) + abs(m) + abs(b))


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ((0.0, 1.0, 0.0), (1.0, 0.5)),
        ((0.0, 1.0, 2.0), (2.0, 1.0)),
        ((2.0, 1.0, 0.0), (2.0, 0.0)),
        ((1.0, 1.0, 1.0), (1.0, 0.0)),
        ((1.0, 0.0, 1.0), (1.0, 0.0)),
        ((0.0, 3.0, 4.0), (4.0, 1.0)),
        ((0.0, 0.75, 0.5), (0.78125, 0.625)),
    ],
)
def test_maximum_of_known_parabolas(points, expected):
    assert maximum(*points) == pytest.approx(expected)


@settings(max_examples=300)
@given(a=value, m=value, b=value, level=value)
def test_root_is_where_the_parabola_crosses_the_level_in_the_given_direction(a, m, b, level):
    f, slope, bend = parabola(a, m, b), 4 * m - 3 * a - b, 2 * (a - 2 * m + b)
    for rising in (True, False):
        inside = maximum(a, m, b)[0] >= level
        crosses = (a < level and inside) if rising else (inside and b < level)
        assume(abs(a - level) > 1e-3)
        assume(abs(b - level) > 1e-3)
        if not crosses:
            continue
        arguments = (jnp.asarray(v, float) for v in (a, m, b, level))
        where = float(root(*arguments, rising=rising))
        assert 0.0 <= where <= 1.0
        assert f(where) == pytest.approx(level, abs=1e-7)
        direction = slope + 2.0 * bend * where
        assert direction * (1 if rising else -1) >= -1e-6


def test_root_at_a_maximum_that_touches_the_level():
    where = _parabola_root(*(jnp.asarray(v) for v in (0.0, 1.0, 0.0, 1.0)), rising=True)
    assert float(where) == pytest.approx(0.5)


def test_grade_counts_thresholds_at_or_below():
    levels = jnp.asarray(LEVELS)
    grades = [float(_grade(jnp.asarray(v), levels)) for v in (0.99, 1.0, 2.5, 4.0, 99.0)]
    assert grades == [0, 1, 2, 4, 4]
    assert float(_grade(jnp.asarray(99.0), jnp.full(4, jnp.inf))) == 0


def quiet(**values):
    """Crossings of a period without events, except for the given values."""
    numbers = {field.name: 0.0 for field in dataclasses.fields(Crossing)}
    numbers |= {"onset": np.nan, "floor_level": LEVELS[0]} | values
    return Crossing(
        **{name: jnp.asarray(v, bool if name == "on" else float) for name, v in numbers.items()}
    )


def step(old, a, m, b, start=10.0, length=0.5):
    signal = [jnp.asarray(v, float) for v in (a, m, b)]
    new = _add_crossings(old, jnp.asarray(start), jnp.asarray(length), signal, jnp.asarray(LEVELS))
    return {field.name: float(getattr(new, field.name)) for field in dataclasses.fields(new)}


def test_a_step_below_the_thresholds_changes_nothing():
    got = step(quiet(), 0.1, 0.5, 0.9)
    assert np.isnan(got.pop("onset"))
    assert got.pop("floor_level") == LEVELS[0]
    assert set(got.values()) == {0.0}


def test_an_event_within_one_step():
    """Up and down again between two ends that are both below."""
    got = step(quiet(), 0.0, 2.0, 0.0)  # 8s(1 - s): passes 1 at (2 -+ sqrt 2)/4
    low, high = (2 - np.sqrt(2)) / 4, (2 + np.sqrt(2)) / 4
    assert got["grade"] == 2.0
    assert got["onset"] == pytest.approx(10.0 + 0.5 * low)
    assert got["own_time"] == pytest.approx(0.5 * (high - low))


def test_an_event_over_several_steps():
    first = step(quiet(), 0.0, 1.0, 2.0)
    assert (first["grade"], first["onset"]) == (2.0, pytest.approx(10.25))
    assert first["own_time"] == pytest.approx(0.25)
    second = step(quiet(**first), 2.0, 1.5, 1.0, start=10.5)
    assert second["own_time"] == pytest.approx(0.75)
    third = step(quiet(**second), 1.0, 0.5, 0.0, start=11.0)
    assert third["own_time"] == pytest.approx(0.75)
    assert third["onset"] == first["onset"]


def test_an_earlier_event_counts_separately_until_its_grade_rises():
    running = quiet(floor=2.0)
    same = step(running, 2.2, 2.4, 2.6)
    assert (same["grade"], same["earlier_time"], same["own_time"]) == (0.0, 0.5, 0.0)
    assert np.isnan(same["onset"])
    risen = step(running, 2.5, 3.0, 3.5)
    assert risen["grade"] == 3.0
    assert risen["onset"] == pytest.approx(10.25)
    assert risen["earlier_time"] + risen["own_time"] == pytest.approx(0.5)


def test_a_new_event_may_follow_the_end_of_an_earlier_one():
    ended = step(quiet(floor=2.0), 2.0, 1.0, 0.0)
    assert ended["floor"] == 0.0
    assert ended["earlier_time"] == pytest.approx(0.25)
    new = step(quiet(**ended), 0.0, 0.75, 1.5, start=10.5)
    assert new["grade"] == 1.0
    assert new["onset"] == pytest.approx(10.5 + 0.5 * 2 / 3)


def test_the_highest_grade_is_kept():
    got = step(quiet(grade=3.0, onset=9.0), 1.5, 1.6, 1.7)
    assert (got["grade"], got["onset"]) == (3.0, 9.0)
    assert got["own_time"] == 0.5


def test_an_event_that_starts_on_its_threshold():
    got = step(quiet(), 1.0, 1.5, 2.0)
    assert (got["grade"], got["onset"], got["own_time"]) == (2.0, 10.0, 0.5)
