"""Input of the engine for a trial in a cohort: the simulations, and the batches they are solved in.

Simulations are ordered by arm, then by patient.
"""

import dataclasses
from collections.abc import Iterator

import jax
import numpy as np

from qsp.engine.batch import Batch
from qsp.engine.precision import double
from qsp.engine.trajectory import Simulation
from qsp.model.severity import AbstractSeverity
from qsp.populations import Population, adherence, applied_rules
from qsp.system import Parameters
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


def simulations(
    trial: Trial,
    cohort: Cohort,
    severity: AbstractSeverity,
    administered: AdministeredDoses | None = None,
) -> tuple[Simulation, PeriodTable]:
    """Return the simulations of all pairs of arm and patient, arm by arm, and their dose periods.

    Args:
        trial: Arms, length, visits and times.
        cohort: Patients.
        severity: Form of severity, which sets the thresholds of CRS.
        administered: Doses of another run, as for `simulate`.
    """
    people = cohort.people
    events = event_table(trial, people.covariates["body_weight"], people.covariates["body_surface"])
    periods = period_table(trial, events)
    if administered is not None:
        events = fixed_schedule(events, administered)
        periods = administered_periods(periods, administered, trial)
    plan = _plans(trial, people, cohort.seed) if administered is None else None
    sims = _simulations(trial, cohort, events, periods, severity)
    return dataclasses.replace(sims, plan=plan), periods


def _simulations(
    trial: Trial,
    cohort: Cohort,
    events: Events[np.ndarray],
    periods: PeriodTable,
    severity: AbstractSeverity,
) -> Simulation:
    """Return the simulations of all pairs of arm and patient, arm by arm, without plans."""
    arms, patients = events.time.shape[:2]
    count = periods.label.shape[-1]
    levels = _thresholds(severity, cohort.people, cohort.parameters, count)

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


def _thresholds(
    severity: AbstractSeverity, people: Population, parameters: tuple[Parameters, ...], periods: int
) -> np.ndarray:
    """Return thresholds of the events that start in each period (arm, patient, period, grade)."""
    with double():
        per_patient = jax.vmap(lambda xi, dose, p: severity.thresholds(xi, dose, p.model.severity))
        return np.stack(
            [
                np.asarray(per_patient(people.xi_patient, people.xi_dose[:, :periods], p))
                for p in parameters
            ]
        )


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


def saved_patients(ids: np.ndarray, trajectories: np.ndarray | None) -> np.ndarray:
    """Return whether the trajectory of each patient is saved (patient,).

    Args:
        ids: Ids of the patients.
        trajectories: Ids of the patients whose trajectories are saved, as for `simulate`.
    """
    if trajectories is None:
        return np.arange(len(ids)) < MOST_TRAJECTORIES
    return np.isin(ids, trajectories)


def batches(
    sims: Simulation, is_saved: np.ndarray, trial: Trial
) -> Iterator[tuple[bool, np.ndarray, Batch]]:
    """Yield the batches with and without saved trajectories, each computed by one program.

    Args:
        sims: All simulations, arm by arm.
        is_saved: Whether the trajectory of each patient is saved (patient,).
        trial: Arms, visits and times.

    Yields:
        Whether trajectories are saved, indices of the simulations, and the simulations.
    """
    arms = len(trial.arms)
    saves = np.tile(is_saved, arms)
    grids = (np.asarray(trial.visits, float), np.asarray(trial.save_times, float))
    for save in (True, False):
        index = _sort_similar(np.flatnonzero(saves == save), sims, arms)
        if len(index):
            # No name here keeps the simulations in memory once the caller has released them.
            yield (
                save,
                index,
                Batch(jax.tree.map(lambda leaf, index=index: leaf[index], sims), grids[: 1 + save]),
            )


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
