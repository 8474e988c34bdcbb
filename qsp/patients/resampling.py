"""Resample weighted patients to an unweighted cohort, for programs that know no weights."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qsp.config.patients import LARGEST_ID
from qsp.errors import ConfigError
from qsp.patients.populating import empty_cohort
from qsp.populations import CohortFile
from qsp.populations.cohort_file import draws_of
from qsp.results.record import RunRecord
from qsp.run.patients_again import patients_of_run
from qsp.weights import are_equal

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def check_count(n: Any) -> None:
    """Refuse a number of patients to draw that is no whole number of at least 1."""
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        rule, todo = "resample must be a whole number of at least 1", "Write 200, for example"
        raise ConfigError("weigh", rule, repr(n), todo)


def multiplicities(weight: Floats, n: int, *, seed: int) -> Integers:
    """(patient,): Return how often each patient is drawn by systematic resampling.

    The weights are laid end to end on a line of length 1, and n points with equal distances and a
    common random offset are dropped on it. A patient is drawn n * weight times, rounded up or down,
    so that means have a smaller error than with independent draws.

    Args:
        weight (patient,): Weights, not negative, on any scale.
        n: Number of draws.
        seed: Seed of the offset.

    Source: Kitagawa 1996, J Comput Graph Stat 5:1 (systematic resampling).
    """
    ends = np.cumsum(weight) / weight.sum()
    points = (np.arange(n) + np.random.default_rng(seed).random()) / n
    drawn = np.searchsorted(ends, points, side="right")
    # Rounding may leave the last end below 1.
    last = int(np.flatnonzero(weight > 0)[-1])
    return np.bincount(np.minimum(drawn, last), minlength=len(weight))


def check_differ(weight: Floats, *, where: str) -> None:
    """Refuse to resample patients with equal weights.

    Args:
        weight (patient,): Weights.
        where: Folder of the run, for error messages.
    """
    if are_equal(weight):
        rule = "the weights to resample by must differ between patients"
        todo = "The patients are an unweighted cohort already: use the run, or other targets"
        raise ConfigError(where, rule, "equal", todo)


def resampled(
    record: RunRecord, ids: Integers, counts: Integers, *, seed: int, where: str
) -> CohortFile:
    """Return the drawn patients as a cohort.

    The first copy of a patient keeps the id, and so the random effects of doses, missed visits and
    errors of measurement that a run with the same seed gives it. Each further copy has a new id,
    above all ids of the run: the same physiology, but other random events.

    Args:
        record: Record of the run.
        ids (patient,): Ids of the patients of the run, increasing.
        counts (patient,): How often each is drawn.
        seed: Seed of the resampling.
        where: Folder of the run, for error messages.

    Raises:
        ConfigError: If the input of the run has changed.
    """
    drawn = ids[counts > 0]
    people = patients_of_run(record, drawn, where=where)
    further = np.repeat(ids, np.maximum(counts - 1, 0))
    first_new = int(ids.max()) + 1
    if first_new + len(further) > LARGEST_ID + 1:
        rule = "the largest id must leave room for copies of patients"
        raise ConfigError(where, rule, first_new - 1, "Give the patients smaller ids")
    source = np.concatenate([drawn, further])
    rows = np.searchsorted(people.ids, source)
    empty = empty_cohort(people.table, chosen_by="qsp weigh --resample", seed=seed)
    return dataclasses.replace(
        empty,
        ids=np.concatenate([drawn, first_new + np.arange(len(further))]),
        source_ids=source,
        draws={name: values[rows] for name, values in draws_of(people).items()},
        individual={name: values[rows] for name, values in people.individual.items()},
        attributes={
            **empty.attributes,
            "date": datetime.date.today().isoformat(),
            "run": where,
            "run_seed": -1 if record.seed is None else record.seed,
        },
    )
