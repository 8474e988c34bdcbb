"""From a config to everything a simulation needs.

Whatever is wrong is said here, before anything is compiled.
"""

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

import qsp
from qsp import molecules
from qsp.config import Config, Roster, load
from qsp.drugs import COMPETITOR
from qsp.engine.method import Method
from qsp.errors import ConfigError
from qsp.model import ModelStructure
from qsp.model.synapse import AbstractSynapse, Equilibrium, Kinetic, Relaxed
from qsp.model.t_cells import MassAction, Threshold
from qsp.model.targets import AbstractGrowth, Logistic, Simeoni
from qsp.population import (
    CovariateTable,
    ParameterTable,
    nominal,
    read_cohort,
    read_covariates,
    sample,
    typical,
    user_file,
)
from qsp.run import listing
from qsp.run.provenance import git_commit
from qsp.run.request import Request
from qsp.simulation import MOST_TRAJECTORIES, Cohort
from qsp.system import System
from qsp.trial import Trial, most_periods

BLOCK = 10_000
"""Patients that are in memory at a time."""

FIRST = 64
"""Patients of a large run that are drawn to see whether that can be done."""

REFINEMENTS = 6
"""Refinements of the free target of a 2:1 molecule; see `qsp.model.synapse.trimers`."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run that can start."""

    request: Request
    config: Config
    table: ParameterTable
    trial: Trial
    given: CovariateTable | None
    ids: np.ndarray
    trajectories: np.ndarray
    system: System
    method: Method

    @functools.cached_property
    def cohort(self) -> Cohort:
        """The patients of the run."""
        return _cohort(self)

    def some(self, most: int) -> "Prepared":
        """The first patients, if there are more than so many; with their draws if there are not."""
        if len(self.ids) <= most or self.is_individual:
            return self
        return self.of(self.ids[:FIRST])

    @property
    def is_individual(self) -> bool:
        """Whether patients have doses of their own."""
        return any(arm.is_individual for arm in self.trial.arms)

    def in_blocks(self, size: int = BLOCK) -> list["Prepared"]:
        """The run in parts of at most so many patients; a patient is the same in any part.

        Patients with doses of their own stay together: their trial begins with the first of them.
        """
        if len(self.ids) <= size or self.is_individual:
            return [self]
        return [self.of(self.ids[first : first + size]) for first in range(0, len(self.ids), size)]

    def of(self, ids: np.ndarray) -> "Prepared":
        """The run of some of its patients, none of whom has doses of his own."""
        trial = dataclasses.replace(self.trial, patients=len(ids))
        given = self.given and self.given.subset(ids)
        return dataclasses.replace(self, ids=ids, trial=trial, given=given)


def prepare(request: Request, *, in_parts: bool = False) -> Prepared:
    """Read, check and sample.

    Args:
        request: What to run.
        in_parts: Whether only parts of it will be computed, which draw their patients themselves.

    Raises:
        ConfigError: At the first thing that is wrong.
    """
    _check_typical(request)
    given = None if request.covariates is None else read_covariates(request.covariates)
    who = None if given is None else Roster(tuple(sorted(given.ids.tolist())), given.file)
    config = load(request.config, request.overrides, who)
    molecule = molecules.load(config.molecule_file or config.molecule)
    own = () if request.parameters is None else (user_file(request.parameters),)
    table = nominal(molecule, read_cohort(config.population_file), own)
    trial = config.trial(molecule.molecular_weight)
    if request.typical:
        trial = _of_typical(trial, config)
    _check_routes(trial, molecule, config)
    _check_competitor(trial, table, config)
    asked = config.method
    method = Method(asked.solver, asked.rtol, precision=asked.precision, backend=asked.backend)
    ids = np.zeros(1, int) if request.typical else _array(config.patient_ids)
    prepared = Prepared(
        request=request,
        config=config,
        table=table,
        trial=trial,
        given=given,
        ids=ids,
        trajectories=_trajectories(config, ids, typical_only=request.typical),
        system=System(_structure(config, method, table)),
        method=method,
    )
    # What is wrong with the patients is found here; who is computed in one piece is drawn once.
    _ = prepared.some(FIRST if in_parts else BLOCK).cohort
    return prepared


def _array(ids: Sequence[int]) -> np.ndarray:
    return np.arange(ids.start, ids.stop) if isinstance(ids, range) else np.array(ids)


def _trajectories(config: Config, ids: np.ndarray, *, typical_only: bool) -> np.ndarray:
    """Ids whose trajectories are kept."""
    chosen = config.trajectories
    if chosen.ids and not typical_only:
        return np.asarray(chosen.ids)
    wanted = None if typical_only else chosen.patients
    return ids[: MOST_TRAJECTORIES if wanted is None else min(wanted, MOST_TRAJECTORIES)]


def _check_typical(request: Request) -> None:
    """He is one patient without variability: nothing else may say who is in the run."""
    if not request.typical:
        return
    patients = [text for text in request.overrides if text.partition("=")[0].strip() == "patients"]
    beside = "--covariates" if request.covariates else "--patients" if patients else ""
    if beside:
        rule = "the typical patient must be the only one"
        todo = "He has medians in place of covariates and draws: leave one of the two options out"
        raise ConfigError("--typical", rule, f"beside {beside}", todo)


def _of_typical(trial: Trial, config: Config) -> Trial:
    several = [arm for arm in trial.arms if arm.is_individual]
    if several:
        table = config.dose_table.file if config.dose_table else trial.name
        rule = f"the doses in {table} must be those of one ID"
        todo = "Which are the typical patient's? Keep one ID, or leave --typical out"
        raise ConfigError("--typical", rule, f"of {len(several[0].regimens)} IDs", todo)
    # He comes to every visit, and what is measured there is exact.
    arms = tuple(
        dataclasses.replace(arm, reaction=arm.reaction and arm.reaction.certain)
        for arm in trial.arms
    )
    return dataclasses.replace(trial, patients=1, arms=arms)


def _cohort(prepared: Prepared) -> Cohort:
    config, table = prepared.config, prepared.table
    periods = most_periods(prepared.trial)
    if prepared.request.typical:
        people = typical(table, periods=periods)
    else:
        people = sample(
            table, prepared.ids, seed=config.seed, periods=periods, covariates=prepared.given
        )
    file = config.source.file.name
    changed = [
        people.changed(arm.parameters, where=f"{file}: arms.{arm.name}.parameters")
        for arm in prepared.trial.arms
    ]
    return Cohort(
        people=people,
        parameters=tuple(person.parameters for person in changed),
        plausible=np.stack([person.plausible for person in changed]),
        seed=config.seed,
    )


def _check_routes(trial: Trial, molecule: molecules.Molecule, config: Config) -> None:
    routes = {"drug_iv": "iv", "drug_sc": "sc"}
    for arm in trial.arms:
        for given in (g for regimen in arm.regimens for g in regimen.administrations):
            route = routes.get(given.kind)
            if route and route not in molecule.routes:
                todo = f"{molecule.name} has pharmacokinetics for {' and '.join(molecule.routes)}"
                rule = "route must be one the molecule file covers"
                raise ConfigError(
                    f"{config.source.file.name}: arms.{arm.name}", rule, repr(route), todo
                )


_COMPETITOR_PARAMETERS = (
    *("binding.KD_competitor", "disposition.V_competitor", "disposition.k_competitor"),
    "targets.depletion50",
)


def _check_competitor(trial: Trial, table: ParameterTable, config: Config) -> None:
    """Require a population to state whether the competitor binds the target of the molecule."""
    for arm in trial.arms:
        kinds = {given.kind for regimen in arm.regimens for given in regimen.administrations}
        kinds |= {rescue.kind for rescue in arm.reaction.rescues} if arm.reaction else set()
        lacking = [path for path in _COMPETITOR_PARAMETERS if path not in table.values]
        if COMPETITOR.name in kinds and lacking:
            rule = f"{COMPETITOR.name} must have its values in the population"
            todo = "Give them in the population or with --parameters; KD 1e9 nmol/L: other target"
            where = f"{config.source.file.name}: arms.{arm.name}"
            raise ConfigError(where, rule, f"without {', '.join(lacking)}", todo)


def _structure(config: Config, method: Method, table: ParameterTable) -> ModelStructure:
    return ModelStructure(
        synapse=_synapse(table.molecule, method, table),
        recruitment=MassAction() if config.method.recruitment == "mass_action" else Threshold(),
        growth=_growth(table),
    )


def _growth(table: ParameterTable) -> AbstractGrowth:
    return Simeoni() if table.cohort.growth == "simeoni" else Logistic()


def _synapse(
    molecule: molecules.Molecule, method: Method, table: ParameterTable
) -> AbstractSynapse:
    valency = float(table.values["binding.valency"])
    refinements = 0 if valency == 1.0 else REFINEMENTS
    if molecule.synapse == "kinetic":
        if valency != 1.0:
            todo = 'Write synapse_form = "equilibrium" or "relaxed"'
            raise ConfigError(molecule.name, "the kinetic form must have valency 1", valency, todo)
        if not method.is_implicit:
            todo = 'Write [method] solver = "Kvaerno5"'
            rule = "solver must be implicit for the kinetic form"
            raise ConfigError("method", rule, repr(method.solver), todo)
        return Kinetic()
    return Relaxed(refinements) if molecule.synapse == "relaxed" else Equilibrium(refinements)


def attributes(prepared: Prepared, command: str) -> dict[str, Any]:
    """What the results record of their input."""
    config, table = prepared.config, prepared.table
    return {
        "title": config.title or config.name,
        "config": config.source.effective_text,
        "config_name": config.name,
        "molecule": table.molecule.name,
        "molecular_weight_kda": table.molecule.molecular_weight,
        "population": table.cohort.name,
        "disease": table.cohort.disease,
        "response_criteria": config.response,
        "seed": config.seed,
        "qsp_version": qsp.__version__,
        "git_commit": git_commit(),
        "command": command,
        "notes": "\n".join(config.notes),
        "arm_titles": json.dumps({arm.name: arm.title or arm.name for arm in prepared.trial.arms}),
        "doses": json.dumps(listing.dose_rows(prepared.trial)),
        "parameters": json.dumps(listing.parameter_rows(table)),
        "limits": json.dumps(listing.limits(table.cohort.card)),
    }
