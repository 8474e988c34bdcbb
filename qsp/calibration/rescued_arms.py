"""Simulation of an arm once more for each dose whose events are rescued with tocilizumab."""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr

from qsp import simulation
from qsp.calibration import rescue
from qsp.calibration.courses import courses_of
from qsp.calibration.events_by_shift import Course
from qsp.calibration.grade_probability import (
    GradeProbability,
    GradeThresholds,
    cells_of,
    patient_nodes,
)
from qsp.calibration.rescue import LEAST, Plan, Rescued, rescued_events
from qsp.engine.method import Method
from qsp.system import System
from qsp.trial import AdministeredDoses, Arm, Trial
from qsp.trial.events import PER, amount_per_patient, sizes
from qsp.trial.regimen import KINDS
from qsp.trial.schedule import infusion_rate


@dataclasses.dataclass(frozen=True)
class RescuedArm:
    """An arm without its rules, and the rescue of its trial.

    Args:
        arm: Arm without rules.
        plan: Rescue with tocilizumab.
    """

    arm: Arm
    plan: Plan

    @property
    def times(self) -> tuple[float, ...]:
        """Visits in the periods of the doses, at which trajectories must be saved [day]."""
        last = max(each.until for each in self.plan.triggers)
        visits = self.plan.visits
        return tuple(visits[(visits >= 0.0) & (visits <= last)].tolist())


def probability_under_rescue(  # noqa: PLR0913
    rescued: RescuedArm,
    results: xr.Dataset,
    trial: Trial,
    cohort: simulation.Cohort,
    *,
    system: System,
    method: Method,
) -> GradeProbability:
    """Return the probability of at least each grade in an arm under the rescue of its trial.

    Args:
        rescued: Arm and its rescue.
        results: Results of the arm without rules, with trajectories of fever and leak of all
            patients.
        trial: Trial of the results, whose arms contain the arm without rules.
        cohort: Patients of the trial, with the parameters of each of its arms.
        system: Equations.
        method: Solver and tolerance.
    """
    number = [arm.name for arm in trial.arms].index(rescued.arm.name)
    thresholds = GradeThresholds.of(cohort.parameters[number].model.severity)
    courses = courses_of(results, results, rescued.arm)
    found = _rescues(courses, rescued.plan, thresholds)
    if not found:
        return rescue.mixture(courses, {}, rescued.plan, thresholds)
    arms = tuple(dataclasses.replace(rescued.arm, name=f"rescue_{period + 1}") for period in found)
    doses = _administered(rescued.plan, list(found.values()), cohort)
    own = simulation.Cohort(
        people=cohort.people,
        parameters=(cohort.parameters[number],) * len(arms),
        plausible=cohort.plausible[[number] * len(arms)],
        seed=cohort.seed,
    )
    tree = simulation.simulate(
        dataclasses.replace(trial, arms=arms),
        own,
        system=system,
        method=method,
        administered=doses,
        trajectories=cohort.people.ids,
    )
    again = tree.to_dataset()
    paths = {period: courses_of(again, again, arm) for period, arm in zip(found, arms, strict=True)}
    return rescue.mixture(courses, paths, rescued.plan, thresholds)


def _rescues(courses: list[Course], plan: Plan, thresholds: GradeThresholds) -> dict[int, Rescued]:
    """Rescue of the events of each period in which it is not rare, by its index."""
    nodes, weights = patient_nodes()
    level = np.asarray(thresholds.level, float)
    known = [Course(c.time, np.nan_to_num(c.fever), np.nan_to_num(c.leak)) for c in courses]
    found = {}
    for period, course in enumerate(known):
        cells = cells_of(course, thresholds, nodes)
        each = rescued_events(known, period, cells, plan, level, weights)
        if each.share > LEAST:
            found[period] = each
    return found


def _administered(
    plan: Plan, rescues: list[Rescued], cohort: simulation.Cohort
) -> AdministeredDoses[np.ndarray]:
    """One administration of the drug in each arm and patient (arm, patient, row)."""
    covariates, drug = cohort.people.covariates, plan.drug
    size = sizes(
        {PER.index(drug.amount.per)}, covariates["body_weight"], covariates["body_surface"]
    )
    time = np.stack([each.time for each in rescues])[..., None]
    amount = np.broadcast_to(amount_per_patient(drug.amount, size)[:, None], time.shape)
    is_rescued = np.isfinite(time)
    duration = np.full(time.shape, drug.duration)
    none = np.full(time.shape, -1, np.int32)
    return AdministeredDoses(
        time=time,
        kind=np.where(is_rescued, KINDS.index(drug.kind), -1).astype(np.int32),
        amount=np.where(is_rescued, amount, 0.0),
        rate=np.where(is_rescued, infusion_rate(np.array(amount), duration), 0.0),
        duration=np.where(is_rescued, duration, 0.0),
        period=np.zeros(time.shape, np.int32),
        visit=none,
        step=none,
    )
