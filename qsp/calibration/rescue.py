"""Probability of CRS under rescue with tocilizumab, without sampled grades.

A rule gives tocilizumab in an event, with the probability of the trial. The patient is simulated
without rescue, and once more for each dose with the drug when the event of this dose would trigger
the rule. Later doses are the mixture of both with the probability of the rescue, which follows from
the distribution of the thresholds (`qsp.calibration.grade_probability`)::

    without rescue --dose 1--> no rescue --dose 2--> no rescue ...
                        |                     +----> rescue after dose 2 ...
                        +----> rescue after dose 1 ...

Assumed: all events of a patient after one dose are rescued at one time, the mean over the
thresholds; a patient is rescued for one event only; other drugs of the rules act on no grade.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qsp.calibration.events_by_shift import Course, Events, events, states
from qsp.calibration.grade_probability import (
    GradeProbability,
    GradeThresholds,
    cells_of,
    of_nodes,
    patient_nodes,
)
from qsp.calibration.running_events import Before, Cells, advance
from qsp.drugs import RESCUE
from qsp.errors import ConfigError
from qsp.trial import Arm
from qsp.trial.rules import Rescue, Rule

Array = NDArray[np.float64]

LEAST = 1e-3
"""Smallest mean probability of rescue after a dose that is followed."""
TOLERANCE = 1e-3
"""Difference of a saved time from a visit that counts as none [day]."""


@dataclasses.dataclass(frozen=True)
class Trigger:
    """Condition under which an event is rescued.

    Args:
        grade: Least grade at the visit.
        days: Time since the event was found that must have passed [day]; negative for none.
        until: Last day [day].
        probability: Probability that the rule applies in an event.
    """

    grade: int = 1
    days: float = -1.0
    until: float = np.inf
    probability: float = 1.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """Rescue of an arm with tocilizumab.

    Args:
        visits: (visit,): Times at which the rules are tried, increasing [day].
        triggers: Conditions, in their order.
        drug: Amount and duration of the rescue.
    """

    visits: Array
    triggers: tuple[Trigger, ...]
    drug: Rescue


def plan_of(arm: Arm) -> Plan | None:
    """Return the rescue with tocilizumab of an arm; None without one.

    Raises:
        ConfigError: If a rule that gives tocilizumab has another condition than on the grade, the
            days in CRS and the day, or other limits.
    """
    if arm.reaction is None:
        return None
    drugs = {rescue.name: rescue for rescue in arm.reaction.rescues if rescue.kind == RESCUE}
    rules = [rule for rule in arm.reaction.rules if rule.gives and rule.drug in drugs]
    if not rules:
        return None
    visits = np.array(arm.reaction.calendar) - arm.lead
    return Plan(visits, tuple(_trigger(rule) for rule in rules), drugs[rules[0].drug])


def _trigger(rule: Rule) -> Trigger:
    found = Trigger(probability=rule.probability)
    for condition in rule.when:
        match condition.observable, condition.comparison:
            case "crs_grade", ">=":
                found = dataclasses.replace(found, grade=int(condition.level))
            case "days_in_crs", ">" | ">=":
                found = dataclasses.replace(found, days=condition.level)
            case "day", "<" | "<=":
                found = dataclasses.replace(found, until=condition.level)
            case _:
                raise _unknown(rule)
    if rule.consecutive_visits > 1 or rule.max_times is not None:
        raise _unknown(rule)
    return found


def _unknown(rule: Rule) -> ConfigError:
    return ConfigError(
        rule.where,
        "a rescue without sampled grades must depend on crs_grade, days_in_crs and day alone",
        rule.name,
        "Use sampled grades for this arm",
    )


@dataclasses.dataclass(frozen=True)
class Rescued:
    """Rescue of the events that start after a dose, in each cell of the shift.

    Args:
        probability: (patient, cell): Probability that the event is rescued.
        grade: (patient, cell): Grade that the event has reached before the rescue.
        time: (patient,): Time of the rescue [day]; inf where none is possible.
        share: Mean probability over the patients.
    """

    probability: Array
    grade: NDArray[np.int64]
    time: Array
    share: float


def rescued_events(
    courses: Sequence[Course], period: int, cells: Cells, plan: Plan, level: Array, weights: Array
) -> Rescued:
    """Return the rescue of the events that start in a dose period.

    Args:
        courses: Fever and leak of each dose period without rescue; visits are among their times.
        period: Index of the period.
        cells: Cells of the shift in the period.
        plan: Rescue of the arm.
        level: (grade,): Median thresholds.
        weights: (node,): Weights of the effect of the patient.
    """
    times = _trigger_times(courses[period : period + 2], cells.shift, plan, level)
    met = np.isfinite(times)
    chances = np.array([each.probability for each in plan.triggers])[:, None, None]
    probability = 1.0 - np.prod(1.0 - chances * met, axis=0)
    grades = np.array([each.grade for each in plan.triggers])[:, None, None]
    mass = np.tensordot(weights, cells.mass, axes=1)
    by_rule = mass * chances * met
    total = by_rule.sum(axis=(0, 2))
    mean = (by_rule * np.where(met, times, 0.0)).sum(axis=(0, 2)) / np.maximum(total, 1e-300)
    return Rescued(
        probability,
        np.where(met, grades, 0).max(axis=0),
        np.where(total > 0.0, mean, np.inf),
        float((mass * probability).sum(axis=1).mean()),
    )


def _trigger_times(courses: Sequence[Course], shift: Array, plan: Plan, level: Array) -> Array:
    """First time (rule, patient, cell) at which the event of the first course meets each rule.

    Args:
        courses: Fever and leak of the period in which the event starts, and of the next one.
        shift: (patient, cell).
        plan: Rescue of the arm.
        level: (grade,): Median thresholds.
    """
    theta = level[:, None, None] * np.exp(shift)
    found = np.full((len(plan.triggers), *shift.shape), np.inf)
    first = np.full(shift.shape, np.inf)
    highest = np.full(shift.shape, -np.inf)
    before = None
    for course in courses:
        now = None
        for k, now in enumerate(states(course, level, shift, before), start=1):
            time = course.time[k]
            highest = np.where(now.on, np.maximum(highest, now.leak), -np.inf)
            if np.abs(plan.visits - time).min(initial=np.inf) > TOLERANCE:
                continue
            first = np.where(now.on, np.minimum(first, time), np.inf)
            reached = (highest >= theta[1:]) & (course.leak[:, k, None] >= theta[1:])
            grade = np.where(now.on, 1 + reached.sum(axis=0), 0)
            for n, rule in enumerate(plan.triggers):
                meets = (grade >= rule.grade) & (time - first > rule.days)
                meets &= time <= rule.until
                found[n] = np.where(meets, np.minimum(found[n], time), found[n])
        before = now
    return found


def mixture(
    courses: Sequence[Course],
    rescued: Mapping[int, Sequence[Course]],
    plan: Plan,
    thresholds: GradeThresholds,
) -> GradeProbability:
    """Return the probability of at least each grade, as `grade_probability`, under rescue.

    Args:
        courses: Fever and leak of each dose period without rescue.
        rescued: Fever and leak of each dose period with rescue, by the index of the period whose
            events are rescued; periods that are not named have no rescue.
        plan: Rescue of the arm.
        thresholds: Distribution of the thresholds.
    """
    nodes, weights = patient_nodes()
    level = np.asarray(thresholds.level, float)
    every = [courses, *rescued.values()]
    is_missing = np.any([np.isnan(c.fever + c.leak).any(axis=1) for p in every for c in p], axis=0)
    known = [[_filled(course) for course in path] for path in every]
    tree = _Tree(
        level,
        [_cells(known[0], d, thresholds, nodes) for d in range(len(courses))],
        {
            start: {d: _cells(path, d, thresholds, nodes) for d in range(start + 1, len(courses))}
            for start, path in zip(rescued, known[1:], strict=True)
        },
        {},
    )
    for start, path in zip(rescued, known[1:], strict=True):
        own = tree.without[start]
        found = rescued_events(known[0], start, own, plan, level, weights)
        tree.branches[start] = (found, _rescued_cells(own, path[start], found, level))
    by_node = tree.follow(None)[0]
    grades = range(1, len(level) + 1)
    over_all = [1.0 - weights @ tree.follow(grade)[1] for grade in grades]
    return of_nodes(by_node, np.stack(over_all), is_missing)


@dataclasses.dataclass(frozen=True)
class _Tree:
    """Courses of a patient without rescue and with rescue of the events of one dose.

    Args:
        level: (grade,): Median thresholds.
        without: Cells of each period without rescue.
        later: Cells of the periods after a rescue, by its period.
        branches: Rescue of the events of a period, and their cells, by the period.
    """

    level: Array
    without: list[Cells]
    later: Mapping[int, Mapping[int, Cells]]
    branches: dict[int, tuple[Rescued, Cells]]

    def follow(self, without: int | None) -> tuple[list[Array], Array]:
        """Return the probabilities (grade, node, patient) by period, and the total at the end."""
        nodes, patients, _ = self.without[0].mass.shape
        paths = {-1: Before(np.ones((nodes, patients)))}
        by_period = []
        for period, cells in enumerate(self.without):
            found, after = [], {}
            for start, before in paths.items():
                own = cells if start < 0 else self.later[start][period]
                if start < 0 and period in self.branches:
                    by, after[start], after[period] = self._branch(period, before, without)
                else:
                    by, after[start] = advance(before, own, self.level, without=without)
                found.append(by)
            paths = after
            by_period.append(sum(found[1:], found[0]))
        totals = [before.total for before in paths.values()]
        return by_period, sum(totals[1:], totals[0])

    def _branch(
        self, period: int, before: Before, without: int | None
    ) -> tuple[Array, Before, Before]:
        """Probabilities in a period, and the distributions after it without and with rescue."""
        cells, (rescue, treated) = self.without[period], self.branches[period]
        mass = cells.mass * (1.0 - rescue.probability)
        total = cells.total - (cells.mass - mass).sum(-1)
        untreated = dataclasses.replace(cells, mass=mass, total=total)
        none = Before(before.none)
        some = Before(np.zeros_like(before.none), before.carried)
        by_rest, rest = advance(none, untreated, self.level, without=without)
        by_some, kept = advance(some, cells, self.level, without=without)
        by_treated, after = advance(none, treated, self.level, without=without)
        joined = Before(rest.none + kept.none, (*rest.carried, *kept.carried))
        return by_rest + by_some + by_treated, joined, after


def _filled(course: Course) -> Course:
    return Course(course.time, np.nan_to_num(course.fever), np.nan_to_num(course.leak))


def _cells(path: Sequence[Course], d: int, thresholds: GradeThresholds, nodes: Array) -> Cells:
    after = path[d + 1] if d + 1 < len(path) else None
    return cells_of(path[d], thresholds, nodes, after=after)


def _rescued_cells(cells: Cells, course: Course, rescue: Rescued, level: Array) -> Cells:
    """Cells of the events of a period that are rescued.

    The rescue undoes no grade that triggered it, although its time is a mean over the thresholds.
    """
    found = events(course, level, cells.shift)
    grades = np.arange(1, len(level) + 1)[:, None, None]
    is_before = grades <= rescue.grade
    latest = np.where(is_before, cells.events.latest, found.latest)
    mass = cells.mass * rescue.probability
    events_ = Events(latest, found.highest, found.last)
    return Cells(course, cells.shift, mass, mass.sum(-1), events_)
