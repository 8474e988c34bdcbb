r"""Probability of each grade of CRS after each dose, integrated over the random thresholds.

Simulated grades are whole numbers, so that a rate over a hundred patients moves in steps of a
percent. Given the course of fever and leak, only the thresholds are random, and the probability of
a grade is an integral over them, which is smooth in all parameters. It holds for courses that do
not depend on the grades: those of an arm without rules.

All thresholds of an event that starts after dose d have the same random shift u on the scale of
logarithms, which is the exponent in Eq. V9. Given the effect of the patient, the shifts of
different doses are independent, with the normal distribution function Phi:

Eq. V13: $$u_d = \omega_{level} \xi_{patient} + \omega_{event} \xi_{dose,d}, \quad P(u_d \leq u |
\xi_{patient}) = \Phi\left(\frac{u - \omega_{level} \xi_{patient}}{\omega_{event}}\right)$$

An event of shift u starts at the time s after dose d at which fever x (Eq. V5) rises through its
threshold, and ends at the next time e at which fever falls below it. Lambda is the highest leak W
(Eq. V11) to which leak rises between them. The event reaches grade g of 2 or higher if Lambda
reaches the threshold of this grade:

Eq. V14: $$x(s) = x(e) = \theta_{0,1} \exp(u), \quad \Lambda = \max_{s \leq t \leq e, \, W'(t) > 0}
W(t) \geq \theta_{0,g} \exp(u)$$

The set of shifts with an event of grade g or higher after dose d consists of intervals from a to b,
whose ends do not depend on the random effects. An end is the logarithm of a local extremum of
fever, or of fever at the dose, over the threshold of grade 1; or a shift at which both sides of the
inequality in Eq. V14 are equal. If no event runs at the dose, the probability of such an event in a
patient is

Eq. V15: $$p_{d,g}(\xi_{patient}) = \sum_{(a,b)} \left[\Phi\left(\frac{b - \omega_{level}
\xi_{patient}}{\omega_{event}}\right) - \Phi\left(\frac{a - \omega_{level}
\xi_{patient}}{\omega_{event}}\right)\right]$$

If fever rises once between two doses and leak peaks while fever is high, there is one interval. It
begins at the logarithm of the trough of fever over the threshold of grade 1. It ends at that of the
peak of fever, and for a higher grade at the logarithm of the peak of leak over the threshold of
this grade if this is lower.

The probability after a dose, and that after any of N doses, are integrals over the effect of the
patient with the normal density phi, by Gauss-Hermite quadrature:

Eq. V16: $$P_{d,g} = \int p_{d,g}(\xi) \phi(\xi) d\xi, \quad P_g = 1 - \int \prod_{d=1}^{N} \left(1
- p_{d,g}(\xi)\right) \phi(\xi) d\xi$$

An event of an earlier dose may run on at the next dose. Until it ends it keeps the shift of its own
dose and no other event starts; after the next dose it counts again only if its grade rises. The
distribution of the shift of the running event is therefore followed from dose to dose, in cells, as
is the probability that grade g was not reached so far. Eq. V16 is the case that no event runs at a
dose. For any grade its second part always holds, because no event runs if none has started.

Fever and leak are linear between the saved times; their peaks are those that the solver keeps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import ndtr

from qsp.calibration.events_by_shift import Course, edges, events
from qsp.calibration.running_events import Before, Cells, advance
from qsp.model.severity import SeverityParameters

Array = NDArray[np.float64]

NODES = 15
"""Gauss-Hermite nodes of the effect of the patient."""
_SPAN = 6.0
"""Largest shift that is regarded, in standard deviations."""


@dataclasses.dataclass(frozen=True)
class GradeThresholds:
    """Median thresholds and the standard deviations of their logarithms.

    Args:
        level: (grade,): Fever at which an event begins, and leak at which it has grade 2, 3 or 4.
            Fewer grades may be given.
        sd_patient: Between patients.
        sd_event: Between the events of a patient; above 0.

    Raises:
        ValueError: If a threshold or `sd_event` is not above 0, or `sd_patient` is negative.
    """

    level: Array
    sd_patient: float
    sd_event: float

    @classmethod
    def of(cls, severity: SeverityParameters) -> GradeThresholds:
        """Return the thresholds of patients who share their distribution.

        Args:
            severity: Parameters with a leading patient axis.

        Raises:
            ValueError: If a parameter differs between the patients.
        """
        level, sd_patient, sd_event = (
            np.unique(np.asarray(each, float), axis=0)
            for each in (severity.level, severity.sd_level, severity.sd_level_event)
        )
        if len(level) > 1 or len(sd_patient) > 1 or len(sd_event) > 1:
            raise ValueError("the thresholds of CRS must be the same in all patients")
        return cls(level[0], float(sd_patient[0]), float(sd_event[0]))

    def __post_init__(self) -> None:
        if not (np.all(self.level > 0.0) and self.sd_event > 0.0 and self.sd_patient >= 0.0):
            raise ValueError(f"thresholds and sd_event must be above 0, but are {self}")


@dataclasses.dataclass(frozen=True)
class GradeProbability:
    """Probability of CRS of at least a grade; NaN for a patient with a missing course.

    Args:
        by_dose: (grade, patient, dose_period): Of an event that starts in the period, or whose
            grade rises in it.
        over_all: (grade, patient): In any period.
        by_node: (grade, node, patient, dose_period): The same as `by_dose` at each node of the
            effect of the patient.
    """

    by_dose: Array
    over_all: Array
    by_node: Array


def grade_probability(courses: Sequence[Course], thresholds: GradeThresholds) -> GradeProbability:
    """Return the probability of at least each grade after each dose and after any dose.

    Args:
        courses: Fever and leak of each dose period, in their order.
        thresholds: Distribution of the thresholds.
    """
    nodes, weights = patient_nodes()
    is_missing = np.any([np.isnan(c.fever + c.leak).any(axis=1) for c in courses], axis=0)
    known = [_without_missing(c) for c in courses]
    periods = [
        cells_of(course, thresholds, nodes, after=after)
        for course, after in zip(known, [*known[1:], None], strict=True)
    ]
    level = np.asarray(thresholds.level, float)
    start = Before(np.ones((len(nodes), len(is_missing))))
    by_node, before = [], start
    for cells in periods:
        found, before = advance(before, cells, level)
        by_node.append(found)
    over_all = []
    for grade in range(1, len(level) + 1):
        before = start
        for cells in periods:
            _, before = advance(before, cells, level, without=grade)
        over_all.append(1.0 - weights @ before.total)
    return of_nodes(by_node, np.stack(over_all), is_missing)


def of_nodes(by_node: Sequence[Array], over_all: Array, is_missing: Array) -> GradeProbability:
    """Return the probabilities from those at each node.

    Args:
        by_node: (grade, node, patient), by dose period.
        over_all: (grade, patient).
        is_missing: (patient,): Whether a course is missing.
    """
    _, weights = patient_nodes()
    found = np.where(is_missing[:, None], np.nan, np.stack(by_node, axis=-1))
    return GradeProbability(
        np.einsum("q,gqpd->gpd", weights, found), np.where(is_missing, np.nan, over_all), found
    )


def patient_nodes() -> tuple[Array, Array]:
    """Return the nodes of the effect of the patient, and their weights, which sum to 1."""
    nodes, weights = hermegauss(NODES)
    return nodes, weights / weights.sum()


def _without_missing(course: Course) -> Course:
    return Course(course.time, np.nan_to_num(course.fever), np.nan_to_num(course.leak))


def cells_of(
    course: Course, thresholds: GradeThresholds, nodes: Array, *, after: Course | None = None
) -> Cells:
    """Return the cells of the shift in a period.

    Args:
        course: Fever and leak of the period.
        thresholds: Distribution of the thresholds.
        nodes: (node,): Effects of the patient.
        after: Fever and leak of the next period.
    """
    level = np.asarray(thresholds.level, float)
    most = _SPAN * float(np.hypot(thresholds.sd_patient, thresholds.sd_event))
    edge = edges(course, level, most, after)
    center = thresholds.sd_patient * nodes[:, None, None]
    mass = np.diff(ndtr((edge - center) / thresholds.sd_event), axis=-1)
    shift = 0.5 * (edge[:, :-1] + edge[:, 1:])
    total = np.ones(mass.shape[:2])
    return Cells(course, shift, mass, total, events(course, level, shift))
