"""Simulate a trial in a cohort.

Every patient is simulated in every arm. Each pair of arm and patient is one simulation of the
engine, independent of all other patients; simulations are ordered by arm, then by patient.
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
from qsp.engine.method import Method
from qsp.engine.precision import double
from qsp.engine.progress import Progress
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.errors import SolveError
from qsp.model.cytokines import IL6
from qsp.model.severity import logistic, thresholds
from qsp.populations import Population, adherence, applied_rules
from qsp.results import (
    OK,
    CRSLinks,
    Labels,
    RunRecord,
    outcomes,
    to_dataset,
    with_decisions,
    with_mass_units,
)
from qsp.results.record import ATTRIBUTE, MethodRecord
from qsp.results.trial_record import trial_record
from qsp.stages import Stage, unmeasured
from qsp.system import Parameters, System, program_kinds, saveable
from qsp.trial import (
    AdaptivePlan,
    AdministeredDoses,
    Arm,
    Events,
    PeriodTable,
    Trial,
    Widths,
    administered_periods,
    event_table,
    fixed_schedule,
    period_table,
    plan_table,
    plan_widths,
)
from qsp.trial.rules import Reaction

MOST_TRAJECTORIES = 2000
"""Number of patients up to which the trajectories of all are saved by default."""


@dataclasses.dataclass(frozen=True)
class Cohort:
    """Patients of a run and their parameters in each arm.

    Args:
        people: Ids, covariates and random effects.
        parameters: For each arm, parameters with a leading patient axis.
        plausible: (arm, patient): Whether the parameters describe a plausible patient.
        seed: Seed of missed visits, dropout and measurement errors.
    """

    people: Population
    parameters: tuple[Parameters, ...]
    plausible: np.ndarray
    seed: int = 0


def simulate(  # noqa: PLR0913
    trial: Trial,
    cohort: Cohort,
    *,
    system: System | None = None,
    method: Method | None = None,
    trajectories: np.ndarray | None = None,
    progress: Progress | None = None,
    attributes: Mapping[str, Any] | None = None,
    record: RunRecord | None = None,
    whole: bool = True,
    administered: AdministeredDoses | None = None,
    cache_dir: CacheDir = "default",
    stage: Stage = unmeasured,
) -> xr.DataTree:
    """Simulate a trial in a cohort.

    Args:
        trial: Arms, length, visits and times.
        cohort: Patients.
        system: Equations; by default with binding at equilibrium.
        method: Solver and tolerance.
        trajectories: Ids of the patients whose trajectories are saved; by default all patients of a
            cohort of up to 2,000, and the first 2,000 of a larger one.
        progress: Receives the progress after each chunk.
        attributes: Attributes added to the results.
        record: Record of the run for the results; by default a record of the trial alone.
        whole: Whether the cohort holds all patients of the run. All patients of a part may fail;
            the caller then calls `check_solved` for all parts together.
        administered: Doses of another run of the trial, from `qsp.results.administered_of`. They
            become a fixed schedule, and no rule is applied.
        cache_dir: Folder in which compiled native programs are cached for later processes. By
            default it is the cache folder of the JAX configuration, else `QSP_CACHE_DIR`, else the
            user's cache folder. None disables the cache, as does a folder that is not writable. A
            program that this process has already compiled is not stored again.
        stage: Entered for each stage.

    Returns:
        The dataset described in `qsp.results`.

    Raises:
        SolveError: If no patient of a whole run could be simulated.
    """
    system, method = system or System(), method or Method()
    people = cohort.people
    events = event_table(trial, people.covariates["body_weight"], people.covariates["body_surface"])
    periods = period_table(trial, events)
    if administered is not None:
        events = fixed_schedule(events, administered)
        periods = administered_periods(periods, administered, trial)
    plan = _plans(trial, people, cohort.seed) if administered is None else None
    sims = dataclasses.replace(_simulations(trial, cohort, events, periods), plan=plan)
    is_saved = _is_saved(people.ids, trajectories)
    grids = (np.asarray(trial.visits, float), np.asarray(trial.save_times, float))

    solve = functools.partial(
        simulate_batch,
        system=system,
        method=method,
        progress=progress,
        cache_dir=cache_dir,
        stage=stage,
    )
    result, snapshots, timing = _run(sims, is_saved, grids, len(trial.arms), solve)
    del sims  # its memory is needed for the dataset
    if result.ledger is not None:
        periods = administered_periods(periods, result.ledger, trial)
    labels = Labels(
        arms=tuple(arm.name for arm in trial.arms),
        patients=people.ids,
        time=grids[1],
        kept=is_saved,
        visits=grids[0],
        periods=periods,
        covariates=people.covariates,
        prevalence_weight=people.prevalence_weight,
        implausible=~cohort.plausible,
        cytokine_baseline=np.stack([p.model.cytokines.baseline for p in cohort.parameters]),
        saved=tuple(saveable()[path] for path in system.saved),
    )
    if whole:
        check_solved(outcomes(result, labels))
    record = dataclasses.replace(
        record or trial_record(trial),
        method=MethodRecord(method.solver, method.rtol, method.precision, timing.backend),
    )
    described = _attributes(record, trial, method, timing) | dict(attributes or {})
    with stage("results"):
        tree = to_dataset(result, snapshots, labels, _links(result, cohort), described)
        tree = with_mass_units(tree, trial.molecular_weight_kda)
        if result.ledger is None:
            return tree
        return with_decisions(tree, result.ledger, result.log, trial)


def _attributes(record: RunRecord, trial: Trial, method: Method, timing: Timing) -> dict[str, Any]:
    """Attributes of the results: the record, and scalars that describe the computation."""
    return {
        ATTRIBUTE: record.to_json(),
        "qsp_version": record.qsp_version,
        "model_version": record.model_version,
        "molecule": record.molecule,
        "molecular_weight_kda": record.molecular_weight_kda,
        "solver": method.solver,
        "rtol": method.rtol,
        "precision": method.precision,
        "chunk_size": CHUNK_SIZE,
        "backend": timing.backend,
        "compile_s": timing.compile_s,
        "wall_s": timing.compile_s + timing.run_s,
        "days": trial.days,
        "jax_version": jax.__version__,
    }


def check_solved(outcome: np.ndarray) -> None:
    """Check that at least one patient of a run could be simulated.

    The failure of one patient is recorded as an outcome; the failure of all patients is an error.

    Args:
        outcome: Outcome of every patient of the run; see `qsp.results`.

    Raises:
        SolveError: If no patient could be simulated.
    """
    if not np.any(outcome == OK):
        raise SolveError("no patient could be simulated: all simulations failed")


def _plans(trial: Trial, people: Population, seed: int) -> AdaptivePlan[np.ndarray] | None:
    """Return the plans of all simulations, arm by arm; None if no arm has rules."""
    widths = plan_widths(trial.arms)
    if widths is None:
        return None
    plans = [_plan(arm, widths, trial, people, seed) for arm in trial.arms]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *plans)


def _plan(
    arm: Arm, widths: Widths, trial: Trial, people: Population, seed: int
) -> AdaptivePlan[np.ndarray]:
    """Return the plan of an arm, with the attendance, errors and applied rules of each patient."""
    covariates, reaction = people.covariates, arm.reaction or Reaction(calendar=())
    plan = plan_table(arm, widths, covariates["body_weight"], covariates["body_surface"])
    attendance = adherence(
        people.ids,
        plan.visit[0],
        seed=seed,
        missed=reaction.missed,
        dropout=reaction.dropout,
        errors=reaction.errors,
        days=trial.days,
    )
    rules = [(rule.name, rule.probability) for rule in reaction.rules]
    applies = np.array(plan.applies)
    applies[:, :, : len(rules)] = applied_rules(people.ids, rules, applies.shape[1], seed=seed)
    return plan._replace(attended=attendance.attended, error=attendance.error, applies=applies)


def _simulations(
    trial: Trial, cohort: Cohort, events: Events[np.ndarray], periods: PeriodTable
) -> Simulation:
    """Return the simulations of all pairs of arm and patient, arm by arm, without plans."""
    arms, patients = events.time.shape[:2]
    levels = _thresholds(cohort.people, cohort.parameters, periods.label.shape[-1])

    def flat(values: np.ndarray) -> np.ndarray:
        return np.reshape(values, (arms * patients, *values.shape[2:]))

    plausible = flat(cohort.plausible)
    begin = np.full(arms * patients, float(trial.start))
    return Simulation(
        parameters=jax.tree.map(lambda *leaves: np.concatenate(leaves), *cohort.parameters),
        events=Events(*map(flat, events)),
        thresholds=flat(levels),
        begin=begin,
        end=np.where(plausible, float(trial.days), begin),
    )


def _thresholds(people: Population, parameters: tuple[Parameters, ...], periods: int) -> np.ndarray:
    """Return thresholds of the severity index (arm, patient, dose_period, grade) [1]."""
    with double():
        per_patient = jax.vmap(lambda xi, xi_dose, p: thresholds(xi, xi_dose, p.model.severity))
        return np.stack(
            [
                np.asarray(per_patient(people.xi_patient, people.xi_dose[:, :periods], p))
                for p in parameters
            ]
        )


def _is_saved(ids: np.ndarray, trajectories: np.ndarray | None) -> np.ndarray:
    """Return whether the trajectory of each patient is saved (patient,)."""
    if trajectories is None:
        return np.arange(len(ids)) < MOST_TRAJECTORIES
    return np.isin(ids, trajectories)


def _run(
    sims: Simulation,
    is_saved: np.ndarray,
    grids: tuple[np.ndarray, np.ndarray],
    arms: int,
    solve: Callable[..., tuple[SimulationResult, Timing]],
) -> tuple[SimulationResult, Any, Timing]:
    """Run simulations with and without saved trajectories, each by one program."""
    saves = np.tile(is_saved, arms)
    parts, timings, kinds = [], [], program_kinds(administered_kinds(sims))
    snapshots = None
    for save in (True, False):
        index = _sort_similar(np.flatnonzero(saves == save), sims, arms)
        if not len(index):
            continue
        part = jax.tree.map(lambda leaf, index=index: leaf[index], sims)
        result, timing = solve(Batch(part, grids if save else grids[:1]), kinds=kinds)
        if save:
            back = np.argsort(index)
            snapshots = jax.tree.map(
                lambda leaf, back=back: leaf[back].reshape((arms, -1, *leaf.shape[1:])),
                result.saved[1],
            )
        parts.append((index, dataclasses.replace(result, saved=result.saved[:1])))
        timings.append(timing)
        del part, result  # the trajectories of thousands of patients, while the others are solved
    order = np.argsort(np.concatenate([index for index, _ in parts]), kind="stable")

    def join(*leaves: np.ndarray) -> np.ndarray:
        rows = np.concatenate(leaves)[order]
        return rows.reshape((arms, len(is_saved), *rows.shape[1:]))

    whole = jax.tree.map(join, *(result for _, result in parts))
    return whole, snapshots, functools.reduce(Timing.add, timings)


def _sort_similar(index: np.ndarray, sims: Simulation, arms: int) -> np.ndarray:
    """Sort simulations so that those of one chunk have similar dosing and finish together.

    With rules, simulations are sorted by arm and then by the lowest CRS threshold; without rules,
    the order is unchanged.
    """
    if sims.plan is None:
        return index
    arm = index // (len(sims.begin) // arms)
    lowest = np.asarray(sims.thresholds)[index, :, 0].min(-1)
    return index[np.lexsort((lowest, arm))]


def administered_kinds(sims: Simulation) -> np.ndarray:
    """Return the kinds of all doses: scheduled, premedication, planned, and those given by rules.

    Args:
        sims: All simulations, with a leading axis.
    """
    kinds = [sims.events.kind]
    if sims.plan is not None:
        kinds += [sims.plan.rescues.kind, sims.plan.steps.ahead_kind, sims.plan.steps.kind]
    return np.unique(np.concatenate([np.unique(kind) for kind in kinds]))


def _links(result: SimulationResult, cohort: Cohort) -> CRSLinks:
    """Return probabilities of CRS in each dose period, by the logistic and the hazard link."""
    reductions = result.periods.reductions
    peak = np.asarray(reductions.peak.cytokines)[:, :, 1:, IL6]
    with double():
        per_patient = jax.vmap(lambda il6, p: logistic(il6, p.model.severity))
        by_peak = [
            np.asarray(per_patient(il6, p)) for il6, p in zip(peak, cohort.parameters, strict=True)
        ]
    hazard = np.asarray(reductions.area.hazard)[:, :, 1:]
    return CRSLinks(logistic=np.stack(by_peak), hazard=-np.expm1(-hazard))
