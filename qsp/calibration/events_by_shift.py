"""Events of a dose period as a function of the random shift of the thresholds.

All thresholds of an event are ``theta_0 exp(u)`` with one shift u. The course of fever and leak
between two doses then decides for each u which events start, when, and with which grade, by the
rule of `qsp.engine.observers.Crossing`. The outcome changes only where the threshold of grade 1
equals a local extremum of fever, and where the highest leak of the events equals the threshold of a
higher grade. Between these shifts it is constant: they are the edges of cells.

Fever and leak are linear between the times of the course.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRID = 40
"""Number of equal cells of the shift, which the other edges divide.

They matter only for an event that runs at the next dose: its end is that at the middle of a cell.
"""
_INSIDE = 1e-6
"""Distance from an edge, as a fraction of the cell, at which its limit is taken."""
_ITERATIONS = 6
_NEVER = -np.inf


@dataclasses.dataclass(frozen=True)
class Course:
    """Fever and leak from a dose to the next.

    Args:
        time: (time,): Increasing, with both ends [day].
        fever: (patient, time).
        leak: (patient, time): With one axis of severity, fever.
    """

    time: Array
    fever: Array
    leak: Array


@dataclasses.dataclass(frozen=True)
class Running:
    """State of the events of each cell at one time.

    Args:
        on: (patient, cell): Whether an event runs.
        start: (patient, cell): Start of the last event [day]; -inf without one.
        end: (patient, cell): End of the last event [day]; inf while it runs, -inf without one.
        leak: (patient, cell): Highest leak of the last event to which leak rose; -inf if it only
            fell.
    """

    on: NDArray[np.bool_]
    start: Array
    end: Array
    leak: Array

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Running:
        """Return the state without events."""
        never = np.full(shape, _NEVER)
        return cls(np.zeros(shape, bool), never, never, never)


@dataclasses.dataclass(frozen=True)
class Events:
    """Events of a period in each cell of the shift.

    Args:
        latest: (grade, patient, cell): Start of the latest event of at least a grade; -inf if there
            is none [day].
        highest: (patient, cell): Highest leak of any of the events, as in `Running.leak`.
        last: State at the end of the period.
    """

    latest: Array
    highest: Array
    last: Running


def edges(course: Course, level: Array, most: float, after: Course | None = None) -> Array:
    """Return the edges (patient, edge) of the cells of the shift, increasing.

    Args:
        course: Fever and leak.
        level: (grade,): Median thresholds.
        most: Cells are between -most and most.
        after: Fever and leak of the next period, at whose extremes an event that runs on may end or
            its grade may rise.
    """
    inner = [_extremes(course.fever, level[0], most)]
    if after is not None:
        inner.append(_extremes(after.fever, level[0], most))
        inner += [_extremes(after.leak, higher, most) for higher in level[1:]]
    grid = np.broadcast_to(np.linspace(-most, most, GRID + 1), (len(course.fever), GRID + 1))
    edge = np.sort(np.concatenate([grid, *inner], axis=1), axis=1)
    low, width = edge[:, :-1], np.diff(edge)
    ends = [low + part * width for part in (_INSIDE, 1.0 - _INSIDE)]
    leaks = [events(course, level, end).highest for end in ends]
    roots = [_root(course, level, grade, ends, leaks) for grade in range(1, len(level))]
    return np.sort(np.concatenate([edge, *roots], axis=1), axis=1)


def _log_ratio(value: Array, level: float) -> Array:
    """Logarithm of a signal over a threshold: the shift at which they are equal."""
    return np.log(np.maximum(value, np.finfo(float).tiny) / level)


def _extremes(signal: Array, level: float, most: float) -> Array:
    """Shifts (patient, extremum) at which a threshold is a local extremum of a signal, or an end.

    Args:
        signal: (patient, time).
        level: Median threshold.
        most: Largest shift.
    """
    ratio = np.clip(_log_ratio(signal, level), -most, most)
    slope = np.diff(ratio, axis=1)
    is_extreme = np.ones(ratio.shape, bool)
    is_extreme[:, 1:-1] = slope[:, :-1] * slope[:, 1:] <= 0.0
    is_extreme &= np.abs(ratio) < most
    return _first(ratio, is_extreme, most)


def _first(values: Array, chosen: NDArray[np.bool_], fill: float) -> Array:
    """Chosen values of each patient, filled to the same number; a filled edge ends no cell."""
    count = int(chosen.sum(axis=1).max(initial=0))
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :count]
    found = np.where(chosen, values, fill)
    return np.take_along_axis(found, order, axis=1)


def _root(course: Course, level: Array, grade: int, ends: list[Array], leaks: list[Array]) -> Array:
    """Shifts (patient, root) at which the highest leak is the threshold of a grade.

    Found by false position (Illinois) between the ends of the cells at which this grade is the
    outcome of the lower end alone.

    Args:
        course: Fever and leak.
        level: (grade,): Median thresholds.
        grade: Index of the grade.
        ends: Lower and upper ends (patient, cell) of the cells.
        leaks: Highest leak (patient, cell) there.
    """
    above, below = (
        _log_ratio(leak, level[grade]) - end for leak, end in zip(leaks, ends, strict=True)
    )
    passes = (above >= 0.0) & (below < 0.0)
    low, high, above, below = (_first(each, passes, np.inf) for each in (*ends, above, below))
    found = np.isfinite(low)
    low, high = np.where(found, low, 0.0), np.where(found, high, 0.0)
    above, below = np.where(found, above, 1.0), np.where(found, below, -1.0)
    root = low
    for _ in range(_ITERATIONS):
        root = low + above / (above - below) * (high - low)
        value = _log_ratio(events(course, level, root).highest, level[grade]) - root
        is_above = value >= 0.0
        low, high = np.where(is_above, root, low), np.where(is_above, high, root)
        above, below = (
            np.where(is_above, value, 0.5 * above),
            np.where(is_above, 0.5 * below, value),
        )
    return np.where(found, root, ends[0][:, :1])


def states(
    course: Course, level: Array, shift: Array, before: Running | None = None
) -> Iterator[Running]:
    """Yield the events at the end of each part between two times of a course.

    Args:
        course: Fever and leak.
        level: (grade,): Median thresholds.
        shift: (patient, cell): Shifts of the thresholds.
        before: Events that run when the period begins: they are followed alone, and `Running.leak`
            is that of this period. By default, no event runs and new events start.
    """
    theta = level[0] * np.exp(shift)
    now = Running.none(shift.shape) if before is None else before
    on, start, end = now.on, now.start, now.end
    leak = np.full(shift.shape, _NEVER)
    for k in range(len(course.time) - 1):
        t, dt = course.time[k], course.time[k + 1] - course.time[k]
        x, dx = course.fever[:, k, None], np.diff(course.fever[:, k : k + 2])
        w, dw = course.leak[:, k, None], np.diff(course.leak[:, k : k + 2])
        is_above = x + dx >= theta
        rises = ~on & (x < theta) & is_above & (before is None)
        falls = on & ~is_above
        slope = np.where(dx == 0.0, 1.0, dx)
        crossed = np.where(rises | falls, (theta - x) / slope, 0.0)
        begin = np.where(rises, w + crossed * dw, w)
        finish = np.where(falls, w + crossed * dw, w + dw)
        is_higher = (on | rises) & (finish > begin)
        leak = np.where(rises, _NEVER, leak)
        leak = np.where(is_higher, np.maximum(leak, finish), leak)
        start = np.where(rises, t + crossed * dt, start)
        end = np.where(falls, t + crossed * dt, np.where(rises, np.inf, end))
        on = (on | rises) & ~falls
        yield Running(on, start, end, leak)


def events(course: Course, level: Array, shift: Array, before: Running | None = None) -> Events:
    """Return the events of a period at given shifts of the thresholds; arguments as `states`."""
    higher = level[1:, None, None] * np.exp(shift)
    latest = np.full((len(level), *shift.shape), _NEVER)
    highest = np.full(shift.shape, _NEVER)
    now = Running.none(shift.shape)
    for now in states(course, level, shift, before):
        highest = np.maximum(highest, now.leak)
        latest[0] = now.start
        latest[1:] = np.where(now.leak >= higher, now.start, latest[1:])
    return Events(latest, highest, now)
