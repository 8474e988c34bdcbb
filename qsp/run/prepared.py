"""Build the inputs of a simulation from a config.

Errors in the input are reported here, before anything is compiled.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from qsp import molecules
from qsp.config import Config, Roster, load
from qsp.drugs import COMPETITOR
from qsp.engine.method import Method
from qsp.engine_input import MOST_TRAJECTORIES, Cohort
from qsp.errors import ConfigError
from qsp.model.tumors import Lesions
from qsp.populations import (
    CohortFile,
    CovariateTable,
    ParameterTable,
    at_draws,
    check_draw_names,
    nominal,
    read_cohort,
    read_covariates,
    sample,
    typical,
    user_file,
)
from qsp.run import large_doses
from qsp.run.cohorts import check_cohort
from qsp.run.covariates import covariates_of_run
from qsp.run.record import Request
from qsp.run.structure import structure
from qsp.system import System
from qsp.trial import Trial, most_periods

BLOCK = 10_000
"""Number of patients in memory at a time."""

MOST_DESCRIBED = 2000
"""Number of patients up to which the parameter values of all are stored."""

FIRST = 64
"""Number of patients of a large run that are sampled to check the input."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run that is ready to be simulated.

    Args:
        request: Request of the command line; None for a trial from Python.
        config: Config with its overrides.
        table: Parameters of the molecule in the population.
        trial: Trial that the config describes.
        covariates: Covariates of the user's patients, if any.
        ids: (patient,): Ids of the patients.
        trajectories: Ids of the patients whose trajectories are stored.
        described: Ids of the patients whose parameter values are stored.
        system: Equations.
        method: Numerical method.
        typical: Whether the run is of the typical patient, who attends every visit.
        draws: Standard normal draws (patient,) by name in place of sampled ones; those that are not
            given are 0. None where patients are sampled.
        chosen: Cohort of the patients. None where patients are sampled, or have chosen draws.
    """

    request: Request | None
    config: Config
    table: ParameterTable
    trial: Trial
    covariates: CovariateTable | None
    ids: np.ndarray
    trajectories: np.ndarray
    described: np.ndarray
    system: System
    method: Method
    typical: bool = False
    draws: Mapping[str, np.ndarray] | None = None
    chosen: CohortFile | None = None

    @functools.cached_property
    def cohort(self) -> Cohort:
        """The patients of the run."""
        return _cohort(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the input that the user should know."""
        return (*self.config.notes, *large_doses.notes(self.trial))

    @property
    def file_request(self) -> Request:
        """The request of a run whose input is in files.

        Raises:
            ConfigError: If the trial comes from Python.
        """
        if self.request is None:
            rule, todo = "the trial must be in a config file", "Write it with Trial.to_toml"
            raise ConfigError(self.config.name, rule, "a trial from Python", todo)
        return self.request

    def some(self, most: int) -> "Prepared":
        """Return a run of the first patients if there are more than `most`, else the run itself."""
        if len(self.ids) <= most or self.is_individual:
            return self
        return self.of(self.ids[:FIRST])

    @property
    def has_lesions(self) -> bool:
        """Whether the tumor has lesions, each with its own cells."""
        return isinstance(self.system.structure.tumor, Lesions)

    @property
    def criteria(self) -> str:
        """Criteria of response: with lesions those of the disease, else those of the config."""
        own = self.table.cohort.lesion_criteria if self.has_lesions else ""
        return own or self.config.response

    @property
    def is_individual(self) -> bool:
        """Whether patients have individual doses."""
        return any(arm.is_individual for arm in self.trial.arms)

    def in_blocks(self, size: int = BLOCK) -> list["Prepared"]:
        """Split the run into blocks of at most `size` patients; results do not depend on `size`.

        Patients with individual doses stay together: the trial starts with the earliest dose of any
        of them.
        """
        if len(self.ids) <= size or self.is_individual:
            return [self]
        return [self.of(self.ids[first : first + size]) for first in range(0, len(self.ids), size)]

    def of(self, ids: np.ndarray) -> "Prepared":
        """Return a run of some of the patients, who must not have individual doses."""
        trial = dataclasses.replace(self.trial, patients=len(ids))
        covariates = self.covariates and self.covariates.subset(ids)
        part = dataclasses.replace(self, ids=ids, trial=trial, covariates=covariates)
        if self.draws is None:
            return part
        chosen = np.isin(self.ids, ids)
        draws = {name: values[chosen] for name, values in self.draws.items()}
        return dataclasses.replace(part, draws=draws)


def prepare(request: Request, *, in_parts: bool = False) -> Prepared:
    """Read and check the input of a run, and sample its patients.

    Args:
        request: Request of the run.
        in_parts: Whether the run is computed in parts, each of which samples its own patients.

    Raises:
        ConfigError: At the first error in the input.
    """
    _check_typical(request)
    covariates = None if request.covariates is None else read_covariates(request.covariates)
    config = load(request.config, request.overrides, _roster(covariates))
    covariates = covariates_of_run(covariates, config, request)
    molecule = molecules.load(config.molecule_file or config.molecule)
    own = () if request.parameters is None else (user_file(request.parameters),)
    overrides = (*config.parameter_files, *own)
    table = nominal(molecule, read_cohort(config.population_file), overrides)
    prepared = assemble(config, table, request=request, covariates=covariates)
    # Sampling finds errors in the patients; a run in one piece uses the same sample later.
    _ = prepared.some(FIRST if in_parts else BLOCK).cohort
    return prepared


def assemble(
    config: Config,
    table: ParameterTable,
    *,
    request: Request | None = None,
    covariates: CovariateTable | None = None,
) -> Prepared:
    """Combine a config and a parameter table to a run that is ready to be simulated.

    Args:
        config: Config with its overrides.
        table: Parameters of the molecule in the population.
        request: Request of the command line; None for a trial from Python.
        covariates: Covariates of the user's patients, if any.

    Raises:
        ConfigError: If the doses do not fit the molecule, the population or the method.
    """
    typical = config.is_typical or (request is not None and request.typical)
    molecule = table.molecule
    trial = config.trial(molecule.molecular_weight)
    if typical:
        trial = _of_typical(trial, config)
    _check_routes(trial, molecule, config)
    _check_competitor(trial, table, config)
    method = _method(config)
    ids = np.zeros(1, int) if typical else _array(config.patient_ids)
    trajectories = _trajectories(config, ids, typical_only=typical)
    return Prepared(
        request=request,
        config=config,
        table=table,
        trial=trial,
        covariates=covariates,
        ids=ids,
        trajectories=trajectories,
        described=ids if len(ids) <= MOST_DESCRIBED else trajectories,
        system=System(
            structure(config, method, table),
            integrates_attack=trial.lesions_alone_after is not None,
        ),
        method=method,
        typical=typical,
        draws=None if typical else _draws(config, table, len(ids)),
        chosen=None if typical else _chosen(config, table),
    )


def _chosen(config: Config, table: ParameterTable) -> CohortFile | None:
    """Return the cohort of a config, if it has one."""
    cohort = config.cohort_file
    if cohort is not None:
        check_cohort(cohort, table, where=f"{config.source.where('cohort')}: {cohort.name}")
    return cohort


def _draws(config: Config, table: ParameterTable, count: int) -> dict[str, np.ndarray] | None:
    """Return the draws (patient,) of a config by name; None where patients are sampled."""
    if not config.draws:
        return None
    check_draw_names(table, config.draws, where=f"{config.source.file}: draws")
    return {name: np.broadcast_to(z, count).copy() for name, z in config.draws.items()}


def _roster(covariates: CovariateTable | None) -> Roster | None:
    """Return the patients that a covariate file lists."""
    if covariates is None:
        return None
    return Roster(tuple(sorted(covariates.ids.tolist())), covariates.file)


def _method(config: Config) -> Method:
    chosen = config.method
    return Method(chosen.solver, chosen.rtol, precision=chosen.precision, backend=chosen.backend)


def _array(ids: Sequence[int]) -> np.ndarray:
    return np.arange(ids.start, ids.stop) if isinstance(ids, range) else np.array(ids)


def _trajectories(config: Config, ids: np.ndarray, *, typical_only: bool) -> np.ndarray:
    """Return the ids of the patients whose trajectories are stored."""
    chosen = config.trajectories
    if chosen.ids and not typical_only:
        return np.asarray(chosen.ids)
    wanted = None if typical_only else chosen.patients
    return ids[: MOST_TRAJECTORIES if wanted is None else min(wanted, MOST_TRAJECTORIES)]


def _check_typical(request: Request) -> None:
    """Refuse --typical, which simulates one patient, with options that choose patients."""
    if not request.typical:
        return
    patients = [text for text in request.overrides if text.partition("=")[0].strip() == "patients"]
    other = "--covariates" if request.covariates else "--patients" if patients else ""
    if other:
        rule = "the typical patient must be the only one"
        todo = "The typical patient has median values: leave one of the two options out"
        raise ConfigError("--typical", rule, f"combined with {other}", todo)


def _of_typical(trial: Trial, config: Config) -> Trial:
    several = [arm for arm in trial.arms if arm.is_individual]
    if several:
        table = config.dose_table.file if config.dose_table else trial.name
        rule = f"the number of IDs in {table} must be 1"
        todo = "Keep the doses of one ID, or leave --typical out"
        raise ConfigError("--typical", rule, len(several[0].regimens), todo)
    # The typical patient attends every visit, and observables are exact.
    arms = tuple(
        dataclasses.replace(arm, reaction=arm.reaction and arm.reaction.certain)
        for arm in trial.arms
    )
    return dataclasses.replace(trial, patients=1, arms=arms)


def _cohort(prepared: Prepared) -> Cohort:
    config, table = prepared.config, prepared.table
    periods = most_periods(prepared.trial)
    if prepared.typical:
        people = typical(table, periods=periods)
    elif prepared.chosen is not None:
        people = prepared.chosen.population(table, prepared.ids, seed=config.seed, periods=periods)
    elif prepared.draws is not None:
        people = at_draws(table, prepared.draws, ids=prepared.ids, periods=periods)
    else:
        people = sample(
            table, prepared.ids, seed=config.seed, periods=periods, covariates=prepared.covariates
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
        for dose in (dose for regimen in arm.regimens for dose in regimen.administrations):
            route = routes.get(dose.kind)
            if route and route not in molecule.routes:
                todo = f"{molecule.name} has pharmacokinetics for {' and '.join(molecule.routes)}"
                rule = "route must be covered by the molecule file"
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
        kinds = {dose.kind for regimen in arm.regimens for dose in regimen.administrations}
        kinds |= {rescue.kind for rescue in arm.reaction.rescues} if arm.reaction else set()
        lacking = [path for path in _COMPETITOR_PARAMETERS if path not in table.values]
        if COMPETITOR.name in kinds and lacking:
            rule = f"{COMPETITOR.name} must have its values in the population"
            todo = "Give them in the population or with --parameters; KD 1e9 nmol/L: other target"
            where = f"{config.source.file.name}: arms.{arm.name}"
            raise ConfigError(where, rule, f"without {', '.join(lacking)}", todo)
