"""Attendance at visits, dropout, measurement errors and rules that apply, as random numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from math import erf, sqrt
from statistics import NormalDist

import numpy as np

from qsp.populations.draws import normals

SECONDS_PER_DAY = 86400.0
_CUMULATIVE = np.vectorize(lambda z: 0.5 * (1.0 + erf(z / sqrt(2.0))), otypes=[float])


@dataclasses.dataclass(frozen=True)
class Adherence:
    """Attendance and measurement errors.

    Args:
        attended: (patient, visit): Whether the patient comes to the visit.
        error: (patient, visit, measured): Factor of the error of each measurement.
    """

    attended: np.ndarray
    error: np.ndarray


def adherence(  # noqa: PLR0913
    ids: np.ndarray,
    visits: np.ndarray,
    *,
    seed: int,
    missed: float,
    dropout: float,
    errors: Sequence[float],
    days: float,
) -> Adherence:
    """Sample attendance and measurement errors.

    A random number depends on the seed, the patient and the time of the visit, so arms with the
    same visit share it. All patients come to the first visit, at which treatment begins. Patients
    drop out at a constant rate, so that the fraction `dropout` has left by the end.

    Args:
        ids: (patient,): Ids of the patients.
        visits: (visit,): Times of the visits [day]; inf in padding.
        seed: Seed of the run.
        missed: Fraction of visits that are missed.
        dropout: Fraction of patients that leave by the end.
        errors: (measured,): Coefficients of variation of log-normal measurement errors.
        days: Length of the trial [day].
    """
    count = len(visits)
    attended = np.ones((len(ids), count), bool)
    if missed > 0.0:
        z = normals(seed, ids, [f"{name}.missed" for name in visit_names(visits)])
        attended = missed <= _CUMULATIVE(z)
    if dropout > 0.0:
        stayed = 1.0 - _CUMULATIVE(normals(seed, ids, ["dropout"]))
        left = days * np.log(stayed) / np.log1p(-min(dropout, 1.0 - 1e-12))
        attended &= visits < left
    attended[:, :1] = True
    return Adherence(attended, _errors(ids, visits, seed, np.asarray(errors)))


def applied_rules(
    ids: np.ndarray, rules: Sequence[tuple[str, float]], events: int, *, seed: int
) -> np.ndarray:
    """Sample whether each rule applies in each CRS event of a patient.

    A random number depends on the seed, the patient, the name of the rule and the ordinal of the
    event, so arms with a rule of the same name share it.

    Args:
        ids: (patient,): Ids of the patients.
        rules: Name and probability of each rule.
        events: Number of events; ordinal 0 is the time before the first event.
        seed: Seed of the run.

    Returns:
        (patient, event, rule): Whether the rule applies.
    """
    applies = np.ones((len(ids), events, len(rules)), bool)
    for n, (name, probability) in enumerate(rules):
        if probability < 1.0:
            z = normals(seed, ids, [f"rule.{name}.event.{event}" for event in range(events)])
            applies[:, :, n] = z < NormalDist().inv_cdf(probability)
    return applies


def visit_names(visits: np.ndarray) -> list[str]:
    """Return the name of each visit, by its time in seconds; visits in the padding share one.

    Args:
        visits: (visit,): Times of the visits [day]; inf in padding.
    """
    seconds = np.where(np.isfinite(visits), np.round(visits * SECONDS_PER_DAY), -1.0)
    return [f"visit.{int(second)}" for second in seconds]


def _errors(ids: np.ndarray, visits: np.ndarray, seed: int, errors: np.ndarray) -> np.ndarray:
    """(patient, visit, measured): Log-normal factors with a median of 1."""
    factors = np.ones((len(ids), len(visits), len(errors)))
    for n in np.flatnonzero(errors):
        z = normals(seed, ids, [f"{name}.error.{n}" for name in visit_names(visits)])
        factors[:, :, n] = np.exp(np.sqrt(np.log1p(errors[n] ** 2)) * z)
    return factors
