"""Lesions at the visits after the equations have been solved, by the map of `qsp.model.lesion_map`.

A trial with `Trial.lesions_alone_after` is solved up to that time. From there on the map advances
the lesions of each patient, with steps of a day or less that end at every visit, and the results
have its lesions at the later visits and at the end. Other quantities of these visits are missing.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp.engine.batch import CHUNK_SIZE
from qsp.engine.cache import jax_cache
from qsp.engine.interface import Leaf
from qsp.engine.precision import double
from qsp.engine.trajectory import SimulationResult
from qsp.engine_input import Cohort
from qsp.errors import ConfigError
from qsp.model import ModelStructure, Parameters
from qsp.model.lesion_map import Held, held_attack, lesion_course
from qsp.model.lesions import Attack, LesionCells
from qsp.model.targets import Targets
from qsp.model.tumors import Lesions
from qsp.system import LesionSnapshot, Snapshot, System, lesion_snapshot
from qsp.trial import PeriodTable, Trial
from qsp.trial.steady import SAME_TIME, WHERE

STEP = 1.0
"""Longest step of the map [day]; half of it changes volumes by less than the map itself."""


class _Start(eqx.Module):
    """State of a patient at the end of the solved part, and input of the map.

    Args:
        lesions: Lesions.
        targets: Target cells.
        attack: Integral of the attack over the last dosing interval.
        days: Length of that interval [day].
        parameters: Parameters of the model.
    """

    lesions: LesionCells
    targets: Targets
    attack: Attack
    days: jax.Array
    parameters: Parameters


def with_lesions_alone(
    result: SimulationResult, periods: PeriodTable, trial: Trial, cohort: Cohort, system: System
) -> SimulationResult:
    """Return the result of a solved part with the lesions of the map at all later visits.

    Args:
        result: Result of `trial.solved`, with leading axes (arm, patient).
        periods: Dose periods of the solved part.
        trial: The whole trial.
        cohort: Patients.
        system: System that was solved, with `integrates_attack`.

    Raises:
        ConfigError: If the tumor has no lesions, or the attack was not integrated.
    """
    _check(system)
    begin = trial.solved_days
    later = [visit for visit in trial.visits if visit > begin]
    times, rows = time_grid(begin, np.array([*later, trial.days]))
    start = _starts(result, periods, begin, cohort)
    found = _courses(start, times, rows, system.structure)
    found = jax.tree.map(
        lambda leaf: leaf.reshape(*periods.present.shape[:2], *leaf.shape[1:]), found
    )
    at_visits, end = (
        jax.tree.map(lambda leaf, of=of: leaf[:, :, of], found) for of in (slice(-1), -1)
    )
    return dataclasses.replace(
        result,
        saved=(_joined(result.saved[0], at_visits, len(later)), *result.saved[1:]),
        end=_with_lesions(result.end, end),
    )


def time_grid(begin: float, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of the map, and the rows of the stops among them.

    Args:
        begin: First time [day].
        stops: Ascending times after it at which a step ends [day]; the last may be there twice.

    Returns:
        Times in steps of at most `STEP` [day], and the index of each stop.
    """
    ends = np.unique([begin, *stops])
    counts = np.ceil(np.diff(ends) / STEP - SAME_TIME).astype(int).clip(1)
    parts = [
        np.linspace(a, b, count, endpoint=False)
        for a, b, count in zip(ends, ends[1:], counts, strict=False)
    ]
    times = np.concatenate([*parts, ends[-1:]])
    return times, np.searchsorted(times, stops)


def _check(system: System) -> None:
    tumor = system.structure.tumor
    if not isinstance(tumor, Lesions):
        rule, todo = "the value must be given with lesions", 'Write tumor = "lesions" too'
        raise ConfigError(WHERE, rule, type(tumor).__name__, todo)
    if not system.integrates_attack:
        rule, todo = "the system must integrate the attack", "Give System integrates_attack=True"
        raise ConfigError(WHERE, rule, "integrates_attack=False", todo)


def _starts(result: SimulationResult, periods: PeriodTable, begin: float, cohort: Cohort) -> _Start:
    """Return the starts of all simulations, arm by arm, with one leading axis."""
    last = periods.present.sum(-1)  # the row of the last period; row 0 is before the first dose
    time = np.take_along_axis(periods.time, np.maximum(last - 1, 0)[..., None], -1)[..., 0]

    def of_last(rows: Any) -> np.ndarray:
        index = last.reshape(last.shape + (1,) * (np.ndim(rows) - last.ndim))
        return np.take_along_axis(np.asarray(rows), index, last.ndim).squeeze(last.ndim)

    def flat(tree: Any) -> Any:
        return jax.tree.map(
            lambda leaf: np.asarray(leaf, float).reshape(last.size, *np.shape(leaf)[last.ndim :]),
            tree,
        )

    parameters = (person.model for person in cohort.parameters)
    return _Start(
        lesions=flat(result.final.model.lesions),
        targets=flat(result.final.model.targets),
        attack=flat(jax.tree.map(of_last, result.periods.reductions.flow_area.attack)),
        days=flat(begin - time),
        parameters=jax.tree.map(lambda *leaves: np.concatenate(leaves), *parameters),
    )


def _courses(
    start: _Start, times: np.ndarray, rows: np.ndarray, structure: ModelStructure
) -> LesionSnapshot:
    """Return the lesions of all simulations at some rows of the times, chunk by chunk.

    All chunks have the size of those of the engine, so that the bits of a patient do not depend on
    the others.
    """
    count, chunks = len(start.days), []
    with double(), jax_cache():
        for first in range(0, count, CHUNK_SIZE):
            index = np.arange(first, first + CHUNK_SIZE)
            index = np.where(index < count, index, first)
            chunk = jax.tree.map(lambda leaf, index=index: leaf[index], start)
            found = _chunk_courses(chunk, times, rows, structure)
            kept = min(CHUNK_SIZE, count - first)
            chunks.append(jax.tree.map(lambda leaf, kept=kept: np.asarray(leaf)[:kept], found))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *chunks)


@eqx.filter_jit
def _chunk_courses(
    chunk: _Start, times: Leaf, rows: Leaf, structure: ModelStructure
) -> LesionSnapshot:
    return jax.vmap(lambda start: _course(start, times, rows, structure))(chunk)


def _course(start: _Start, times: Leaf, rows: Leaf, structure: ModelStructure) -> LesionSnapshot:
    """Return the lesions of one simulation at some rows of the times."""
    p, tumor = start.parameters, structure.tumor
    assert isinstance(tumor, Lesions)
    held = Held(
        attack=held_attack(start.attack, start.days),
        targets=start.targets,
        of_targets=p.targets,
        of_lesions=p.lesions,
        of_contacts=p.engagement,
    )
    course = lesion_course(start.lesions, jnp.asarray(times), held, tumor)
    at_rows = jax.tree.map(lambda leaf: leaf[rows], course)
    return jax.vmap(lambda x: lesion_snapshot(x, p.targets))(at_rows)


def _joined(solved: Snapshot, later: LesionSnapshot, visits: int) -> Snapshot:
    """Return the snapshots of the solved visits, followed by those of the map."""

    def missing(leaf: Any) -> np.ndarray:
        return np.full((*leaf.shape[:2], visits, *leaf.shape[3:]), np.nan)

    mapped = _with_lesions(jax.tree.map(missing, solved), later)
    return jax.tree.map(lambda *parts: np.concatenate(parts, 2), solved, mapped)


def _with_lesions(snapshot: Snapshot, lesions: LesionSnapshot) -> Snapshot:
    """Return a snapshot of a visit of which only the lesions and their sum are known."""
    missing = jax.tree.map(lambda leaf: np.full(np.shape(leaf), np.nan), snapshot)
    volume = np.asarray(lesions.volume).sum(-1)
    return dataclasses.replace(missing, tumor_volume=volume, lesions=lesions)
