"""The parabola through the start, the middle and the end of a step: maximum, crossings, grades."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qsp.engine.observers import (
    Crossing,
    _add_events,
    _parabola_root,
    continue_event,
    current_grade,
    parabola_maximum,
)

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


def quiet(**values):
    """Events of a period without events, except for the given values."""
    known = {field.name: 0.0 for field in dataclasses.fields(Crossing)}
    known |= {"onset": np.nan, "levels": LEVELS} | values
    return Crossing(
        **{n: jnp.asarray(v, bool if n in ("on", "on_own") else float) for n, v in known.items()}
    )


def running(on_grade, **values):
    """Events of a period in which an event of an earlier period is running."""
    return quiet(on=1.0, on_grade=on_grade, **values)


add_events = jax.jit(_add_events)


def step(old, a, m, b, start=10.0, length=0.5, levels=LEVELS):
    """Values after a step; each of a, m and b is one signal, or a pair for grade 1 and the rest."""
    signals = [jnp.asarray([np.ravel(v)[0], *[np.ravel(v)[-1]] * 3], float) for v in (a, m, b)]
    new = add_events(old, jnp.asarray(start), jnp.asarray(length), signals, jnp.asarray(levels))
    return {name: np.asarray(value).tolist() for name, value in vars(new).items()}


def test_a_step_below_the_thresholds_changes_nothing():
    got = step(quiet(), 0.1, 0.5, 0.9)
    assert np.isnan(got.pop("onset"))
    assert got.pop("levels") == [*LEVELS]
    assert set(got.values()) == {0.0}


@pytest.mark.parametrize(
    ("height", "grade"), [(0.99, 0), (1.0, 1), (1.99, 1), (2.0, 2), (3.5, 3), (4.0, 4), (99.0, 4)]
)
def test_grade_counts_the_thresholds_that_are_reached(height, grade):
    assert step(quiet(), 0.0, height / 2, height)["grade"] == grade


@settings(max_examples=300)
@given(a=value, m=value, b=value, levels=st.lists(st.floats(0.1, 5.0), min_size=4, max_size=4))
def test_no_event_starts_in_a_step_that_falls(a, m, b, levels):
    """Nor in one that begins at or above the first threshold, wherever thresholds lie."""
    levels = sorted(levels)
    falls = maximum(a, m, b)[0] <= a
    assume(falls or a >= levels[0])
    got = step(quiet(), a, m, b, levels=levels)
    assert (got["grade"], got["on"], got["own_time"], got["earlier_time"]) == (0.0, False, 0.0, 0.0)


def test_grade_2_needs_both_signals():
    rising = ((0.0, 0.0), (1.0, 1.0), (2.0, 2.5))
    assert step(quiet(), *rising)["grade"] == 2.0
    assert step(quiet(), (0.0, 0.0), (0.4, 2.0), (0.9, 4.0))["grade"] == 0.0, "leak without fever"
    assert step(quiet(), (0.0, 0.0), (1.0, 0.9), (2.0, 1.9))["grade"] == 1.0, "fever without leak"
    assert step(quiet(), (0.0, 3.0), (1.0, 2.8), (2.0, 2.5))["grade"] == 1.0, "leak that falls"


def test_leak_before_fever_in_one_step_is_no_grade():
    """Leak peaks at 3.5 in the first half and is back at 1.9 where fever passes its threshold."""
    got = step(quiet(), (0.0, 3.5), (0.5, 2.5), (2.0, 1.9))
    assert got["grade"] == 1.0


def test_grade_of_a_running_event_rises_by_leak_alone():
    got = step(running(1.0, on_own=1.0, grade=1.0, onset=9.0), (2.0, 1.0), (1.9, 2.0), (1.8, 3.0))
    assert (got["grade"], got["on_grade"], got["onset"]) == (3.0, 3.0, 9.0)


def test_a_running_event_keeps_its_thresholds():
    """It ends at 1.5 and reaches grade 2 at 2.5, although the period has 1 and 2."""
    event = running(1.0, levels=(1.5, 2.5, 3.5, 4.5))
    assert step(event, 2.0, 2.2, 2.4)["grade"] == 0.0
    assert step(event, 2.0, 2.3, 2.6)["grade"] == 2.0
    ended = step(event, 2.0, 1.5, 1.0)
    assert (ended["on"], ended["earlier_time"]) == (False, pytest.approx(0.25))
    assert ended["levels"] == [*LEVELS]


def test_a_period_begins_with_the_running_event_alone():
    new = quiet()
    old = running(2.0, on_own=1.0, levels=(0.5, 1.0, 1.5, 2.0), grade=3.0, onset=9.0, own_time=1.0)
    got = continue_event(new, old)
    assert got.levels.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert (bool(got.on), float(got.on_grade), bool(got.on_own)) == (True, 2.0, False)
    assert (float(got.grade), float(got.own_time)) == (0.0, 0.0)
    assert continue_event(new, quiet(levels=(9.0,) * 4)).levels.tolist() == [*LEVELS]


@pytest.mark.parametrize(
    ("signals", "expected"), [((2.5,) * 4, 2.0), ((1.2,) * 4, 1.0), ((4.5,) * 4, 3.0)]
)
def test_current_grade_is_at_most_that_of_the_event(signals, expected):
    """A signal above a threshold that it has not passed while it rose is no grade."""
    assert float(current_grade(running(3.0), jnp.asarray(signals))) == expected
    assert float(current_grade(quiet(), jnp.asarray(signals))) == 0.0


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
    event = running(2.0)
    same = step(event, 2.2, 2.4, 2.6)
    assert (same["grade"], same["earlier_time"], same["own_time"]) == (0.0, 0.5, 0.0)
    assert np.isnan(same["onset"])
    risen = step(event, 2.5, 3.0, 3.5)
    assert risen["grade"] == 3.0
    assert risen["onset"] == pytest.approx(10.25)
    assert risen["earlier_time"] + risen["own_time"] == pytest.approx(0.5)


def test_a_new_event_may_follow_the_end_of_an_earlier_one():
    ended = step(running(2.0), 2.0, 1.0, 0.0)
    assert not ended["on"]
    assert ended["earlier_time"] == pytest.approx(0.25)
    new = step(quiet(**ended), 0.0, 0.75, 1.5, start=10.5)
    assert new["grade"] == 1.0
    assert new["onset"] == pytest.approx(10.5 + 0.5 * 2 / 3)


def test_the_highest_grade_is_kept():
    event = running(1.0, on_own=1.0, grade=3.0, onset=9.0)
    got = step(event, 1.5, 1.6, 1.7)
    assert (got["grade"], got["onset"]) == (3.0, 9.0)
    assert got["own_time"] == 0.5


def test_an_event_that_reaches_its_threshold_at_the_end_of_a_step():
    first = step(quiet(), 0.0, 0.5, 1.0)
    assert (first["grade"], first["onset"], first["own_time"]) == (1.0, 10.5, 0.0)
    second = step(quiet(**first), 1.0, 1.5, 2.0, start=10.5)
    assert (second["grade"], second["onset"], second["own_time"]) == (2.0, 10.5, 0.5)
