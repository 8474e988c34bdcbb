"""Studies of CRS and cytokines in a fit, and what they share with those of response.

Every study is simulated in the same patients at every evaluation, without rules, until the last
dose that the published values need. The approved arm is simulated once more under the rescue of its
trial.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from qsp import run as runs
from qsp import simulation
from qsp.calibration.event_probability import Thresholds
from qsp.calibration.grade_probability import GradeProbability
from qsp.calibration.least_squares import Experiment
from qsp.calibration.parameters import CRS, Parameter, overriding
from qsp.calibration.rates import rates_of
from qsp.calibration.rescue import TOLERANCE, Plan, plan_of
from qsp.calibration.rescued_arms import RescuedArm, probability_under_rescue
from qsp.calibration.residuals import Residual, residuals
from qsp.populations import Population
from qsp.populations.parameter_digest import described, digest
from qsp.trial import Arm, Trial
from qsp.validation.study import HOURS_PER_DAY, Study, prepare
from qsp.validation.targets import Target, targets
from qsp.validation.validate import saved_times

APPROVED, UNRESCUED = "approved", "without_rescue"
"""Arms of a study with the regimen of the label; without rules, both are the same."""
AFTER_DOSE = (*range(0, 48, 6), *range(48, 169, 12))
"""Hours after a dose at which fever is followed, to find its trough before the peak."""
OBSERVED = 7.0
"""Days in which CRS is observed after the last dose of a published rate; assumed."""
STUDIES = (
    *("mosunetuzumab_iv", "glofitamab", "epcoritamab_dlbcl", "epcoritamab_fl", "teclistamab"),
    *("elranatamab", "talquetamab_weekly", "talquetamab_every_other_week", "tarlatamab"),
    *("tebentafusp", "blinatumomab_all", "blinatumomab_mrd", "blinatumomab", "mosunetuzumab"),
)
"""Studies with published values of CRS or cytokines that may be used."""


@dataclasses.dataclass(frozen=True)
class TunedStudy:
    """A study in fixed patients, evaluated at changed parameter values.

    Args:
        name: Name of the study.
        prepared: Study with its patients.
        parameters: Parameters that apply to it.
        rows: Published values.
        rescued: Arms whose rates are those under the rescue of their trial.
    """

    name: str
    prepared: runs.Prepared
    parameters: tuple[Parameter, ...]
    rows: tuple[Target, ...]
    rescued: tuple[RescuedArm, ...] = ()

    @property
    def experiment(self) -> Experiment:
        """The study as an experiment of the fit."""
        names = tuple(parameter.name for parameter in self.parameters)
        return Experiment(self.name, names, self._values, f"{code_version()} {self.version}")

    @property
    def version(self) -> str:
        """Hash of all that sets the residuals apart from the parameters of the fit."""
        people = self.prepared.cohort.people
        of_study = {
            "parameters": repr(self.parameters),
            "seed": self.prepared.config.seed,
            "criteria": self.prepared.criteria,
            "trial": repr(self.prepared.trial),
            "rows": [dataclasses.astuple(row) for row in self.rows],
            "method": repr(self.prepared.method),
            "structure": repr(self.prepared.system.structure),
            "molecule": people.table.molecule.name,
            "table": digest(described(people.table)),
        }
        if self.rescued:
            of_study["rescued"] = repr(self.rescued)
        text = json.dumps(of_study, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _values(self, z: np.ndarray) -> np.ndarray:
        return np.array([each.robust for each in self.residuals(z)])

    def residuals(self, z: np.ndarray) -> list[Residual]:
        """Return the residuals at whitened parameters, in the order of `parameters`."""
        cohort = self.cohort(z)
        people, study = cohort.people, self._study(cohort)
        severity = people.parameters.model.severity
        level = np.asarray(severity.level)[0]
        thresholds = Thresholds(
            fever=float(level[0]),
            leak=float(level[1]),
            sd_patient=float(np.asarray(severity.sd_level)[0]),
            sd_event=float(np.asarray(severity.sd_level_event)[0]),
        )
        rates = rates_of(study, self.prepared.trial.arms, thresholds)
        rescued = None
        if self.rescued:
            rescued = rates.under_rescue(self._under_rescue(study, cohort))
        return list(residuals(study, rates, self.rows, people.table.molecule.name, rescued))

    def simulated(self, z: np.ndarray) -> tuple[Population, Study]:
        """Return the patients and the results at whitened parameters."""
        cohort = self.cohort(z)
        return cohort.people, self._study(cohort)

    def cohort(self, z: np.ndarray) -> simulation.Cohort:
        """Return the patients of every arm at whitened parameters."""
        named = dict(zip((each.name for each in self.parameters), z, strict=True))
        people = self.prepared.cohort.people.overridden(overriding(self.parameters, named))
        arms = self.prepared.trial.arms
        changed = [people.changed(arm.parameters, where=self.name) for arm in arms]
        return simulation.Cohort(
            people=people,
            parameters=tuple(each.parameters for each in changed),
            plausible=np.stack([each.plausible for each in changed]),
            seed=self.prepared.config.seed,
        )

    def _study(self, cohort: simulation.Cohort) -> Study:
        tree = simulation.simulate(
            self.prepared.trial, cohort, system=self.prepared.system, method=self.prepared.method
        )
        runs.check_failures(tree, allow=False)
        ds = tree.to_dataset()
        return Study(ds, ds)

    def _under_rescue(self, study: Study, cohort: simulation.Cohort) -> dict[str, GradeProbability]:
        """Probabilities of the arms with rescue, by arm."""
        prepared = self.prepared
        return {
            each.arm.name: probability_under_rescue(
                each,
                study.results,
                prepared.trial,
                cohort,
                system=prepared.system,
                method=prepared.method,
            )
            for each in self.rescued
        }


@functools.cache
def code_version() -> str:
    """Return a hash of the code of the package, on which residuals depend."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def crs_studies(
    parameters: Sequence[Parameter],
    *,
    patients: int,
    seed: int,
    days: float,
    names: Sequence[str] = STUDIES,
    with_rescue: bool = True,
) -> Iterator[TunedStudy]:
    """Prepare the studies of CRS and cytokines.

    Args:
        parameters: Parameters of the fit.
        patients: Number of patients of each study.
        seed: Seed of the patients.
        days: Day to which each study is simulated at least; longer for read rates of later doses.
        names: Names of the studies.
        with_rescue: Whether the rates of the approved arm are those under the rescue of its rules
            with tocilizumab (`qsp.calibration.rescue`); otherwise those without rules.
    """
    for name in names:
        prepared = prepare(name, patients=patients, seed=seed)
        table = prepared.table
        molecule, disease = table.molecule.name, table.cohort.disease
        own = tuple(p for p in parameters if p.applies(molecule, disease, CRS))
        rows = tuple(row for row in targets() if row.config == name and row.use == "fit")
        plan = plan_of(prepared.trial.arms[0]) if with_rescue else None
        until = max(days, _last_observed(prepared.trial.arms, rows))
        prepared = dataclasses.replace(prepared, trial=_short(prepared, rows, until))
        study = TunedStudy(name, prepared, own, rows)
        yield study if plan is None else _rescued(study, plan)


def _last_observed(arms: Sequence[Arm], rows: Sequence[Target]) -> float:
    """Day to which the doses of the read rates of CRS are observed."""
    found = [0.0]
    for arm in arms:
        own = [row for row in rows if row.arm == arm.name and row.is_read]
        wanted = {label for row in own if row.statistic == "crs_period" for label in row.periods}
        periods = {n for n, label in enumerate(arm.labels, start=1) if label in wanted}
        found += [dose.time + OBSERVED for dose in arm.administrations if dose.period in periods]
    return max(found)


def _rescued(study: TunedStudy, plan: Plan) -> TunedStudy:
    """The study with rescue in its approved arm, and trajectories at the visits of the rules."""
    trial = study.prepared.trial
    arm = RescuedArm(next(each for each in trial.arms if each.name == APPROVED), plan)
    saved = np.array(trial.save_times)
    visits = [t for t in arm.times if t <= trial.days and np.abs(saved - t).min() > TOLERANCE]
    trial = dataclasses.replace(trial, save_times=tuple(sorted([*trial.save_times, *visits])))
    prepared = dataclasses.replace(study.prepared, trial=trial)
    return dataclasses.replace(study, prepared=prepared, rescued=(arm,))


def _short(prepared: runs.Prepared, rows: Sequence[Target], days: float) -> Trial:
    """The trial up to a day, with trajectories after the doses and at published times."""
    trial = prepared.trial
    arms = tuple(_short_arm(arm, days) for arm in trial.arms if arm.name != UNRESCUED)
    starts = {dose.time for arm in arms for dose in arm.administrations if dose.period}
    after = {start + hours / HOURS_PER_DAY for start in starts for hours in AFTER_DOSE}
    wanted = {time for time in saved_times(prepared, rows) if time <= days}
    visits = tuple(visit for visit in trial.visits if visit <= days) or (days,)
    after = {time for time in after if time <= days}
    times = tuple(sorted({0.0, *starts, *after, *wanted}))
    return dataclasses.replace(trial, arms=arms, days=days, visits=visits, save_times=times)


def _short_arm(arm: Arm, days: float) -> Arm:
    regimens = []
    for regimen in arm.regimens:
        doses = tuple(dose for dose in regimen.administrations if dose.time < days)
        count = max(dose.period or 0 for dose in doses)
        regimens.append(
            dataclasses.replace(
                regimen, administrations=doses, labels=tuple(regimen.labels[:count])
            )
        )
    return dataclasses.replace(arm, regimens=tuple(regimens), reaction=None)
