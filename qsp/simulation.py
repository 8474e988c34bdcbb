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

from qsp.engine.batch import CHUNK_SIZE, Timing
from qsp.engine.batch import simulate as simulate_batch
from qsp.engine.cache import CacheDir
from qsp.engine.method import Method
from qsp.engine.progress import Progress
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.engine_input import Cohort, administered_kinds, batches, saved_patients, simulations
from qsp.errors import SolveError
from qsp.lesions_alone import with_lesions_alone
from qsp.results import (
    OK,
    Labels,
    RunRecord,
    outcomes,
    to_dataset,
    with_decisions,
    with_mass_units,
)
from qsp.results.before_treatment import target_baseline
from qsp.results.record import ATTRIBUTE, MethodRecord
from qsp.results.trial_record import trial_record
from qsp.stages import Stage, unmeasured
from qsp.system import System, program_kinds, saveable
from qsp.trial import AdministeredDoses, Trial, administered_periods


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
        ConfigError: If lesions shall be alone after a time, but the system is not one for it.
    """
    system, method = system or System(), method or Method()
    people, solved = cohort.people, trial.solved
    sims, periods = simulations(solved, cohort, system.structure.severity, administered)
    is_saved = saved_patients(people.ids, trajectories)

    solve = functools.partial(
        simulate_batch,
        system=system,
        method=method,
        progress=progress,
        cache_dir=cache_dir,
        stage=stage,
    )
    result, snapshots, timing = _run(sims, is_saved, solved, solve)
    del sims  # its memory is needed for the dataset
    if result.ledger is not None:
        periods = administered_periods(periods, result.ledger, solved)
    if trial.lesions_alone_after is not None:
        with stage("lesions"):
            result = with_lesions_alone(result, periods, trial, cohort, system)
    labels = Labels(
        arms=tuple(arm.name for arm in trial.arms),
        patients=people.ids,
        time=np.asarray(solved.save_times, float),
        kept=is_saved,
        visits=np.asarray(trial.visits, float),
        periods=periods,
        covariates=people.covariates,
        prevalence_weight=people.prevalence_weight,
        implausible=~cohort.plausible,
        cytokine_baseline=np.stack([p.model.cytokines.baseline for p in cohort.parameters]),
        target_baseline=target_baseline(cohort.parameters),
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
        tree = to_dataset(result, snapshots, labels, described)
        tree = with_mass_units(tree, trial.molecular_weight_kda)
        if result.ledger is None:
            return tree
        return with_decisions(tree, result.ledger, result.log, solved)


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


def _run(
    sims: Simulation,
    is_saved: np.ndarray,
    trial: Trial,
    solve: Callable[..., tuple[SimulationResult, Timing]],
) -> tuple[SimulationResult, Any, Timing]:
    """Run simulations with and without saved trajectories, each by one program."""
    arms, parts, timings = len(trial.arms), [], []
    kinds = program_kinds(administered_kinds(sims))
    snapshots = None
    for save, index, batch in batches(sims, is_saved, trial):
        result, timing = solve(batch, kinds=kinds)
        if save:
            back = np.argsort(index)
            snapshots = jax.tree.map(
                lambda leaf, back=back: leaf[back].reshape((arms, -1, *leaf.shape[1:])),
                result.saved[1],
            )
        parts.append((index, dataclasses.replace(result, saved=result.saved[:1])))
        timings.append(timing)
        del batch, result  # the trajectories of thousands of patients, while others are solved
    order = np.argsort(np.concatenate([index for index, _ in parts]), kind="stable")

    def join(*leaves: np.ndarray) -> np.ndarray:
        rows = np.concatenate(leaves)[order]
        return rows.reshape((arms, len(is_saved), *rows.shape[1:]))

    whole = jax.tree.map(join, *(result for _, result in parts))
    return whole, snapshots, functools.reduce(Timing.add, timings)
