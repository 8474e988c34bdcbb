"""Events that run on at the next dose: the distribution of their shift, from dose to dose.

The shift of the thresholds is that of `qsp.calibration.grade_probability`. Its distribution given
the effect of the patient is held in cells, for each node of this effect.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qsp.calibration.events_by_shift import Course, Events, Running, events

Array = NDArray[np.float64]

_NEGLIGIBLE = 1e-10
"""Probability below which a running event is not followed into the next period."""
_FIELDS = dataclasses.fields(Running)


@dataclasses.dataclass(frozen=True)
class Cells:
    """Cells of the shift in a dose period, within which the outcome is constant.

    Args:
        course: Fever and leak of the period.
        shift: (patient, cell): Middle of the cell.
        mass: (node, patient, cell): Probability of the cell, given the effect of the patient.
        total: (node, patient): Probability of all shifts, also of those outside the cells, at which
            no event starts.
        events: Events of the period if none runs when it begins.
    """

    course: Course
    shift: Array
    mass: Array
    total: Array
    events: Events


@dataclasses.dataclass(frozen=True)
class Carried:
    """Events of an earlier dose that run when a dose period begins.

    Args:
        mass: (node, patient, cell): Probability.
        shift: (patient, cell): Shift of the thresholds of the event.
        running: State of the events.
        grade: (patient, cell): Grade so far.
    """

    mass: Array
    shift: Array
    running: Running
    grade: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Before:
    """Distribution of the running event when a dose period begins.

    Args:
        none: (node, patient): Probability that none runs.
        carried: Events that run, by the period in which they started.
    """

    none: Array
    carried: tuple[Carried, ...] = ()

    @property
    def total(self) -> Array:
        """Probability (node, patient) of all that is followed."""
        return sum((each.mass.sum(-1) for each in self.carried), self.none)


def advance(
    before: Before, cells: Cells, level: Array, *, without: int | None = None
) -> tuple[Array, Before]:
    """Follow the distribution of the running event through a dose period.

    Args:
        before: Distribution when the period begins.
        cells: Cells of the shift of events that start in the period.
        level: (grade,): Median thresholds.
        without: Grade; only outcomes in which no dose period has this or a higher grade are
            followed. By default all are.

    Returns:
        Probability (grade, node, patient) of each grade or a higher one in the period, and the
        distribution when the period ends.
    """
    found = cells.events
    is_grade = found.latest > -np.inf
    outside = cells.total - cells.mass.sum(-1)
    by_grade = np.stack([before.none * (cells.mass * each).sum(-1) for each in is_grade])
    kept = cells.mass if without is None else np.where(is_grade[without - 1], 0.0, cells.mass)
    runs = found.last.on
    none = before.none * (outside + np.where(runs, 0.0, kept).sum(-1))
    starts = before.none[..., None] * np.where(runs, kept, 0.0)
    carried = []
    for earlier in before.carried:
        who = np.flatnonzero(earlier.mass.max(axis=(0, 2), initial=0.0) > _NEGLIGIBLE)
        if not len(who):
            continue
        after = _after_running(_of(earlier, who), _cells_of(cells, who), level, without)
        by_grade[:, :, who] += after.by_grade
        none[:, who] += after.none
        starts[:, who] += after.starts
        carried.append(_among(after.carried, who, len(runs)))
    own = Carried(starts, cells.shift, found.last, _grade(found.last.leak, cells.shift, level))
    return by_grade, Before(none, (*carried, _narrow(own)))


@dataclasses.dataclass(frozen=True)
class _After:
    """Outcome of a period that begins with a running event; fields as in `advance`."""

    by_grade: Array
    none: Array
    starts: Array
    carried: Carried


def _after_running(earlier: Carried, cells: Cells, level: Array, without: int | None) -> _After:
    """Outcome of a period that begins with a running event."""
    own = events(cells.course, level, earlier.shift, earlier.running)
    reached = _grade(own.highest, earlier.shift, level)
    grades = np.arange(1, len(level) + 1)[:, None, None]
    rises = (reached > earlier.grade) & (reached >= grades)
    # later: events of shift u that start after the running event of shift v ends (.., v, u)
    later = cells.events.latest[:, :, None, :] > own.last.end[..., None]
    mass = np.moveaxis(cells.mass, 0, -1)
    after_end = np.moveaxis(later @ mass, -1, 1)  # (grade, node, patient, v)
    by_grade = (earlier.mass * np.where(rises[:, None], 1.0, after_end)).sum(-1)
    stays, allowed = earlier.mass, np.ones(later.shape[1:], bool)
    if without is not None:
        stays, allowed = np.where(rises[without - 1], 0.0, stays), ~later[without - 1]
    ended = np.where(own.last.on, 0.0, stays)
    runs = cells.events.last.on[:, None, :] & later[0]
    none = (cells.total - cells.mass.sum(-1))[..., None] + np.moveaxis(
        (allowed & ~runs) @ mass, -1, 0
    )
    starts = np.einsum("qpv,pvu->qpu", ended, allowed & runs) * cells.mass
    still = dataclasses.replace(
        earlier,
        mass=np.where(own.last.on, stays, 0.0),
        running=own.last,
        grade=np.maximum(earlier.grade, reached),
    )
    return _After(by_grade, (ended * none).sum(-1), starts, still)


def _grade(leak: Array, shift: Array, level: Array) -> NDArray[np.int64]:
    """Grade of an event by the highest leak to which leak rose in it."""
    return 1 + (leak >= level[1:, None, None] * np.exp(shift)).sum(axis=0)


def _of(carried: Carried, who: NDArray[np.int64]) -> Carried:
    """Running events of some patients."""
    running = Running(*(getattr(carried.running, f.name)[who] for f in _FIELDS))
    return Carried(carried.mass[:, who], carried.shift[who], running, carried.grade[who])


def _cells_of(cells: Cells, who: NDArray[np.int64]) -> Cells:
    """Cells of some patients."""
    course, found = cells.course, cells.events
    last = Running(*(getattr(found.last, f.name)[who] for f in _FIELDS))
    return Cells(
        Course(course.time, course.fever[who], course.leak[who]),
        cells.shift[who],
        cells.mass[:, who],
        cells.total[:, who],
        Events(found.latest[:, who], found.highest[who], last),
    )


def _among(carried: Carried, who: NDArray[np.int64], patients: int) -> Carried:
    """Running events of some patients as those of all."""

    def spread(values: NDArray, axis: int = 0) -> NDArray:
        shape = list(values.shape)
        shape[axis] = patients
        whole = np.zeros(shape, values.dtype)
        whole[(slice(None),) * axis + (who,)] = values
        return whole

    running = Running(*(spread(getattr(carried.running, f.name)) for f in _FIELDS))
    return Carried(spread(carried.mass, 1), spread(carried.shift), running, spread(carried.grade))


def _narrow(carried: Carried) -> Carried:
    """Running events without the cells that have none in any patient."""
    some = np.flatnonzero(carried.mass.max(axis=(0, 1), initial=0.0) > _NEGLIGIBLE)
    running = Running(*(getattr(carried.running, f.name)[:, some] for f in _FIELDS))
    return Carried(carried.mass[..., some], carried.shift[:, some], running, carried.grade[:, some])
