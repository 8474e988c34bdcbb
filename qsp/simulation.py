"""A trial meets a population: the public verb `simulate`.

The same patients meet every arm. Each pair of patient and arm is a lane of the engine, in the
order of arms and patients; what a patient experiences depends on nobody else.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from qsp.engine.batch import CHUNK_SIZE, Batch, Timing
from qsp.engine.batch import simulate as simulate_batch
from qsp.engine.cache import CacheDir
from qsp.engine.events import Events
from qsp.engine.method import Method
from qsp.engine.precision import double
from qsp.engine.progress import Progress
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.errors import SolveError
from qsp.model.cytokines import IL6
from qsp.model.severity import logistic, thresholds
from qsp.population import Population
from qsp.reaction import administered_doses, plans
from qsp.results import OK, CRSLinks, Labels, outcomes, to_dataset, with_decisions
from qsp.system import Parameters, System, program_kinds
from qsp.trial import (
    AdministeredDoses,
    EventTable,
    PeriodTable,
    Trial,
    event_table,
    frozen,
    period_table,
    with_administered,
)

MOST_TRAJECTORIES = 2000
"""Patients up to which the trajectories of all are kept."""


@dataclasses.dataclass(frozen=True)
class Cohort:
    """The patients of a run, arm by arm: the same persons, with the parameters that an arm changes.

    Args:
        people: Ids, covariates and draws.
        parameters: Per arm, parameters with a leading patient axis.
        plausible: (arm, patient): Whether the parameters describe somebody.
        seed: Of the draws that depend on the calendar: missed visits, dropout, errors of assays.
    """

    people: Population
    parameters: tuple[Parameters, ...]
    plausible: np.ndarray
    seed: int = 0


def simulate(  # noqa: PLR0913 - one verb, each noun by its name
    trial: Trial,
    cohort: Cohort,
    *,
    system: System | None = None,
    method: Method | None = None,
    trajectories: np.ndarray | None = None,
    progress: Progress | None = None,
    attributes: Mapping[str, Any] | None = None,
    whole: bool = True,
    given: AdministeredDoses | None = None,
    cache_dir: CacheDir = "default",
) -> xr.DataTree:
    """Simulate a trial in a cohort.

    Args:
        trial: Arms, length, visits and times.
        cohort: Patients.
        system: Equations; by default the closed form of binding.
        method: Solver and tolerance.
        trajectories: Ids of the patients whose trajectories are kept; all of up to 2,000 by
            default.
        progress: Told of each chunk.
        attributes: Written into the results.
        whole: Whether these are all patients of the run. In a part of a run everybody may fail;
            `check_solved` judges the parts together.
        given: What arms that react gave in another run: it is given again, at the same times, and
            no rule is asked.
        cache_dir: Folder in which compiled native programs are cached for the next process. By
            default it is the one that JAX is configured to use, else `QSP_CACHE_DIR`, else the
            folder for caches of this user. None caches nothing, and neither does a folder that
            cannot be written to. A program that this process has compiled is not stored again.

    Returns:
        The dataset described in `qsp.results`.

    Raises:
        SolveError: If no patient of a whole run could be simulated.
    """
    system, method = system or System(), method or Method()
    people = cohort.people
    events = event_table(trial, people.covariates["body_weight"], people.covariates["body_surface"])
    periods = period_table(trial, events)
    if given is not None:
        events, periods = frozen(events, given), with_administered(periods, given, trial)
    plan = plans(trial, people, cohort.seed) if given is None else None
    sims = dataclasses.replace(_simulations(trial, cohort, events, periods), plan=plan)
    kept = _kept(people.ids, trajectories)
    grids = (np.asarray(trial.visits, float), np.asarray(trial.save_times, float))

    solve = functools.partial(
        simulate_batch, system=system, method=method, progress=progress, cache_dir=cache_dir
    )
    result, snapshots, timing = _run(sims, kept, grids, len(trial.arms), solve)
    came = administered_doses(result.ledger)
    if came is not None:
        periods = with_administered(periods, came, trial)
    labels = Labels(
        arms=tuple(arm.name for arm in trial.arms),
        patients=people.ids,
        time=grids[1],
        kept=kept,
        visits=grids[0],
        periods=periods,
        covariates=people.covariates,
        prevalence_weight=people.prevalence_weight,
        implausible=~cohort.plausible,
        cytokine_baseline=np.stack([p.model.cytokines.baseline for p in cohort.parameters]),
    )
    if whole:
        check_solved(outcomes(result, labels))
    record = {
        "solver": method.solver,
        "rtol": method.rtol,
        "precision": method.precision,
        "chunk_size": CHUNK_SIZE,
        "backend": timing.backend,
        "compile_s": timing.compile_s,
        "wall_s": timing.compile_s + timing.run_s,
        "days": trial.days,
        "jax_version": jax.__version__,
        **(attributes or {}),
    }
    tree = to_dataset(result, snapshots, labels, _links(result, cohort), record)
    return tree if came is None else with_decisions(tree, came, result.log, trial)


def check_solved(outcome: np.ndarray) -> None:
    """Refuse a run that says nothing: a patient that failed is data, a run of nothing else is not.

    Args:
        outcome: Of every patient of the run; see `qsp.results`.

    Raises:
        SolveError: If no patient could be simulated.
    """
    if not np.any(outcome == OK):
        raise SolveError("no patient could be simulated: every one failed")


def _simulations(
    trial: Trial, cohort: Cohort, events: EventTable, periods: PeriodTable
) -> Simulation:
    """Every pair of arm and patient, arm by arm."""
    arms, patients = events.time.shape[:2]
    levels = _thresholds(cohort.people, cohort.parameters, periods.label.shape[-1])

    def flat(values: np.ndarray) -> np.ndarray:
        return np.reshape(values, (arms * patients, *values.shape[2:]))

    plausible = flat(cohort.plausible)
    begin = np.full(arms * patients, float(trial.start))
    return Simulation(
        parameters=jax.tree.map(lambda *leaves: np.concatenate(leaves), *cohort.parameters),
        events=Events(*(flat(getattr(events, f.name)) for f in dataclasses.fields(Events))),
        thresholds=flat(levels),
        begin=begin,
        end=np.where(plausible, float(trial.days), begin),
    )


def _thresholds(people: Population, parameters: tuple[Parameters, ...], periods: int) -> np.ndarray:
    """(arm, patient, dose_period, grade): Thresholds of the severity index."""
    with double():
        per_patient = jax.vmap(lambda xi, xi_dose, p: thresholds(xi, xi_dose, p.model.severity))
        return np.stack(
            [
                np.asarray(per_patient(people.xi_patient, people.xi_dose[:, :periods], p))
                for p in parameters
            ]
        )


def _kept(ids: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
    if wanted is None:
        return np.arange(len(ids)) < MOST_TRAJECTORIES
    return np.isin(ids, wanted)


def _run(
    sims: Simulation,
    kept: np.ndarray,
    grids: tuple[np.ndarray, np.ndarray],
    arms: int,
    solve: Callable[..., tuple[SimulationResult, Timing]],
) -> tuple[SimulationResult, Any, Timing]:
    """Lanes with and without trajectories, each by a program of its own, put back in order."""
    all_workers = np.tile(kept, arms)
    parts, timings, kinds = [], [], program_kinds(administered_kinds(sims))
    snapshots = None
    for keep in (True, False):
        index = _alike(np.flatnonzero(all_workers == keep), sims, arms)
        if not len(index):
            continue
        part = jax.tree.map(lambda leaf, index=index: leaf[index], sims)
        batch = Batch(part, grids if keep else grids[:1])
        result, timing = solve(batch, kinds=kinds)
        if keep:
            back = np.argsort(index)
            snapshots = jax.tree.map(
                lambda leaf, back=back: leaf[back].reshape((arms, -1, *leaf.shape[1:])),
                result.saved[1],
            )
        parts.append((index, dataclasses.replace(result, saved=result.saved[:1])))
        timings.append(timing)
    order = np.argsort(np.concatenate([index for index, _ in parts]), kind="stable")

    def together(*leaves: np.ndarray) -> np.ndarray:
        joined = np.concatenate(leaves)[order]
        return joined.reshape((arms, len(kept), *joined.shape[1:]))

    whole = jax.tree.map(together, *(result for _, result in parts))
    return whole, snapshots, functools.reduce(Timing.joined, timings)


def _alike(index: np.ndarray, sims: Simulation, arms: int) -> np.ndarray:
    """Lanes in an order in which neighbors, which wait for each other, are given much the same.

    Where rules react, that is by arm and by how soon a patient has CRS; else as they are.
    """
    if sims.plan is None:
        return index
    arm = index // (len(sims.begin) // arms)
    soonest = np.asarray(sims.thresholds)[index, :, 0].min(-1)
    return index[np.lexsort((soonest, arm))]


def administered_kinds(sims: Simulation) -> np.ndarray:
    """Kinds of all that may be given: on schedule, ahead of planned doses, and by rules.

    Args:
        sims: All that there are.
    """
    given = [sims.events.kind]
    if sims.plan is not None:
        given += [sims.plan.rescues.kind, sims.plan.steps.ahead_kind, sims.plan.steps.kind]
    return np.unique(np.concatenate([np.unique(kind) for kind in given]))


def _links(result: SimulationResult, cohort: Cohort) -> CRSLinks:
    """Probabilities of CRS in each dose period by the two alternative links."""
    reductions = result.periods.reductions
    peak = np.asarray(reductions.peak.cytokines)[:, :, 1:, IL6]
    with double():
        per_patient = jax.vmap(lambda il6, p: logistic(il6, p.model.severity))
        by_peak = [
            np.asarray(per_patient(il6, p)) for il6, p in zip(peak, cohort.parameters, strict=True)
        ]
    hazard = np.asarray(reductions.area.hazard)[:, :, 1:]
    return CRSLinks(logistic=np.stack(by_peak), hazard=-np.expm1(-hazard))
