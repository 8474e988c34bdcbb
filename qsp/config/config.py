"""The config of a run: the keys of the file with their defaults, and the trial it describes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from qsp import shipped
from qsp.config import observation_tables, tables
from qsp.config.arms import Protocol
from qsp.config.messages import Source
from qsp.config.patients import TYPICAL, Asked, Draws, of_patients
from qsp.config.reactions import Reactions
from qsp.config.tables import Rule
from qsp.errors import ConfigError, suggest
from qsp.molecules import ParameterFile, parameter_file
from qsp.observations import Observations
from qsp.trial import DoseRows, DoseTableFormat, Trial, arms_of_rows
from qsp.trial.regimen import Arm
from qsp.units import parse

if TYPE_CHECKING:
    from qsp.populations import CohortFile

LONGEST = 3650.0
"""Maximum length of a trial [day]."""


def _in_days(value: object) -> object:
    """Convert text with a unit to a number of days; a number is in days already."""
    return parse(value, "day", where="days") if isinstance(value, str) else value


class Config(tables.Table):
    """A config file, as `qsp.config.load` reads it.

    Quantities are text with units. Paths are relative to the file.
    """

    name: Annotated[
        str,
        Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
        Rule(
            "be letters, digits, dots, dashes and underscores",
            "It names the folder of the run; the default is the name of the file",
        ),
    ]
    title: Annotated[tables.Text | None, Rule("be text in quotes", "Describe the comparison")] = (
        None
    )
    author: Annotated[tables.Text | None, Rule("be text in quotes", "Name the author")] = None
    molecule: Annotated[
        tables.Text,
        Rule("be the name of a molecule or a .toml file", 'Write molecule = "mosunetuzumab"'),
    ]
    population: Annotated[
        tables.Text,
        Rule(
            "be the name or the .toml file of a population",
            'Write population = "nhl" for a shipped population, or the path of a file '
            "relative to the config",
        ),
    ]
    patients: Asked
    cohort: Annotated[
        tables.Text | None,
        Rule(
            "be the folder of a cohort, in quotes",
            'Write cohort = "cohorts/nhl", the folder that qsp populate wrote',
        ),
    ] = None
    seed: Annotated[
        int,
        Field(strict=True, ge=0, lt=2**32),
        Rule("be a whole number from 0 to 4294967295", "Write seed = 1, for example"),
    ] = 0
    days: Annotated[
        float,
        BeforeValidator(_in_days),
        Field(strict=True, gt=0, le=LONGEST),
        Rule(f"be above 0 and at most {LONGEST:g} days", 'Write days = 84 or days = "12 week"'),
    ]
    visits: Annotated[
        tuple[
            Annotated[
                tables.Text,
                Rule("be a time with its unit in quotes", 'Write "42 day", for example'),
            ],
            ...,
        ],
        Rule("be a list of times with units", 'Write visits = ["42 day", "84 day"], for example'),
    ] = ()
    parameters: Annotated[
        dict[str, dict[str, Any]],
        BeforeValidator(tables.parameter_values),
        Rule(
            "be a table of parameter values",
            'Write "t_cells.k_act" = "1.2 1/day" below [parameters], for example',
        ),
    ] = Field(default_factory=dict)
    draws: Annotated[
        dict[str, Draws],
        BeforeValidator(tables.flattened),
        Rule("be a table of draws", 'Write "t_cells.k_act" = [-1.0, 0.0, 1.0] below [draws]'),
    ] = Field(default_factory=dict)
    response: Annotated[
        Literal["lugano", "recist"],
        Rule(
            "be lugano or recist",
            'Write response = "lugano" for lymphoma, myeloma and leukemia, '
            '"recist" for solid tumors',
        ),
    ]
    premedication: Annotated[
        dict[str, tables.Premedication],
        Rule("be a table", "Write each drug as [premedication.NAME]"),
    ] = Field(default_factory=dict)
    calendar: Annotated[
        tables.Calendar | None, Rule("be a table", "Write [calendar] with visits")
    ] = None
    rescue: Annotated[
        dict[str, tables.Rescue], Rule("be a table", "Write each drug as [rescue.NAME]")
    ] = Field(default_factory=dict)
    arms: Annotated[dict[str, tables.Arm], Rule("be a table", "Write each arm as [arms.NAME]")] = (
        Field(default_factory=dict)
    )
    dose_table: Annotated[
        tables.DoseTable | None, Rule("be a table", 'Write [dose_table] with file = "doses.csv"')
    ] = None
    observations: Annotated[
        observation_tables.Observations | None,
        Rule("be a table", "Write [observations] with quantities"),
    ] = None
    reference: Annotated[
        tables.Text | None, Rule("be the name of an arm", 'Write reference = "flat", for example')
    ] = None
    utility: Annotated[tables.Utility, Rule("be a table", "Write [utility] with its weights")] = (
        tables.Utility()
    )
    method: Annotated[tables.Method, Rule("be a table", "Write [method] with solver and rtol")] = (
        tables.Method()
    )
    trajectories: Annotated[
        tables.Trajectories, Rule("be a table", "Write [trajectories] with patients or ids")
    ] = tables.Trajectories()

    _source: Source = PrivateAttr()
    _ids: Sequence[int] = PrivateAttr()
    _notes: tuple[str, ...] = PrivateAttr(default=())
    _dose_rows: DoseRows | None = PrivateAttr(default=None)
    _observed: Observations | None = PrivateAttr(default=None)
    _cohort: Any = PrivateAttr(default=None)
    # The arms of a large dose table take seconds: loading the config checks them, and a run uses
    # them. Molecular weight and days identify them.
    _table_arms: dict[tuple[float, float], tuple[Arm, ...]] = PrivateAttr(default_factory=dict)

    @property
    def source(self) -> Source:
        """File, text and overrides from which the config was read."""
        return self._source

    @property
    def patient_ids(self) -> Sequence[int]:
        """Ids of the patients of the run, in increasing order."""
        return self._ids

    @property
    def is_typical(self) -> bool:
        """Whether the run is of the typical patient alone, with all draws 0."""
        return self.patients == TYPICAL

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the patients of the run that the user should know."""
        return self._notes

    @property
    def dose_rows(self) -> DoseRows | None:
        """Rows of the dose table, if there is one."""
        return self._dose_rows

    @property
    def observed(self) -> Observations | None:
        """Observations of patients, if the config has a table [observations]."""
        return self._observed

    @property
    def cohort_file(self) -> CohortFile | None:
        """Chosen virtual patients, if the config has the key cohort."""
        return self._cohort

    @property
    def cohort_folder(self) -> Path | None:
        """Folder of the chosen virtual patients, if there is one."""
        return None if self.cohort is None else self.source.file.parent / self.cohort

    @property
    def observed_file(self) -> Path | None:
        """File with observations alone, if there is one."""
        name = self.observations.file if self.observations else None
        return None if name is None else self.source.file.parent / name

    @property
    def parameter_files(self) -> tuple[ParameterFile, ...]:
        """The parameter values of the config as a user file; empty if it has none.

        Raises:
            ConfigError: If an entry breaks a rule of parameter files.
        """
        if not self.parameters:
            return ()
        name = f"{self.source.file.name}: parameters"
        return (parameter_file(self.parameters, name, status="user"),)

    @property
    def visit_times(self) -> tuple[float, ...]:
        """Times of the visits [day]; the end of the trial by default."""
        if not self.visits:
            return (self.days,)
        return tuple(
            parse(visit, "day", where=f"visits.{n}") for n, visit in enumerate(self.visits)
        )

    @property
    def lesions_alone_after(self) -> float | None:
        """Time from which only lesions are computed [day]; None for none.

        Raises:
            ConfigError: If the tumor has no lesions, or the config has observations, which need the
                whole trial.
        """
        text, key = self.method.lesions_alone_after, "method.lesions_alone_after"
        if text is None:
            return None
        if self.method.tumor != "lesions":
            rule, todo = "the value must be given with lesions", 'Write tumor = "lesions" too'
            raise ConfigError(key, rule, f"tumor = {self.method.tumor!r}", todo)
        if self.observations is not None:
            rule, todo = "the value must not be given with observations", "Leave it out"
            raise ConfigError(key, rule, "given", todo)
        return parse(text, "day", where=key)

    @property
    def population_file(self) -> Path:
        """The file of the population.

        A name means `populations/NAME.toml` in the folder of the config or one folder above it, or
        else a population that ships with the package.

        Raises:
            ConfigError: If there is no such file.
        """
        if self.population.endswith(".toml"):
            return self._file_of("population")
        local = self._local_population()
        path = shipped.find("populations", self.population) if local is None else local
        if path is None:
            raise self._unknown_population()
        return path

    @property
    def has_shipped_population(self) -> bool:
        """Whether the population is named and ships with the package."""
        return not self.population.endswith(".toml") and self._local_population() is None

    @property
    def molecule_file(self) -> Path | None:
        """The file of the molecule, or None if the config names a shipped molecule.

        Raises:
            ConfigError: If there is no such file.
        """
        return self._file_of("molecule") if self.molecule.endswith(".toml") else None

    def trial(self, molecular_weight_kda: float) -> Trial:
        """Return the trial that the config describes.

        Args:
            molecular_weight_kda: Molecular weight of the molecule [kDa].

        Raises:
            ConfigError: At the first key, or line of a dose table, that breaks a rule.
        """
        return Trial(
            name=self.name,
            arms=self._trial_arms(molecular_weight_kda),
            days=self.days,
            visits=self.visit_times,
            patients=len(self.patient_ids),
            molecule=Path(self.molecule).stem if self.molecule_file else self.molecule,
            molecular_weight_kda=molecular_weight_kda,
            lesions_alone_after=self.lesions_alone_after,
        )

    def _trial_arms(self, molecular_weight_kda: float) -> tuple[Arm, ...]:
        table, rows = self.dose_table, self.dose_rows
        if table is None or rows is None:
            reactions = Reactions(self.calendar, self.rescue, self.days)
            protocol = Protocol(self.arms, self.premedication, reactions, self.days)
            return protocol.trial_arms(molecular_weight_kda)
        form = DoseTableFormat(
            table.time_unit,
            table.amount_unit,
            table.compartments,
            table.ignore,
            table.default_compartment,
        )
        key = molecular_weight_kda, self.days
        if key not in self._table_arms:
            self._table_arms.clear()
            self._table_arms[key] = arms_of_rows(
                rows, form, molecular_weight_kda=molecular_weight_kda, days=self.days
            )
        return tuple(of_patients(arm, self.patient_ids) for arm in self._table_arms[key])

    def _file_of(self, key: Literal["population", "molecule"]) -> Path:
        written = getattr(self, key)
        path = self.source.file.parent / written
        if path.is_file():
            return path
        near = suggest(path.name, [other.name for other in path.parent.glob("*.toml")])
        rule = f"the value must be a file that exists, relative to {self.source.file.name}"
        todo = f"{near} Check the path".strip()
        name = written.rpartition("populations/")[2].removesuffix(".toml")
        if key == "population" and shipped.find("populations", name):
            todo = f'Write population = "{name}" for the shipped population, or check the path'
        raise ConfigError(key, rule, repr(written), todo)

    def _local_population(self) -> Path | None:
        return local_population(self.population, self.source.file.parent)

    def _unknown_population(self) -> ConfigError:
        folders = _population_folders(self.source.file.parent)
        local = {path.stem for place in folders for path in place.glob("*.toml")}
        known = sorted({*local, *shipped.names("populations")})
        near = suggest(self.population, known) or shipped.suggestion("populations", self.population)
        rule = "the value must be the name or the .toml file of a population"
        todo = f"{near} Known names: {', '.join(known)}".strip()
        return ConfigError("population", rule, repr(self.population), todo)


def local_population(name: str, folder: Path) -> Path | None:
    """Return the file that a name of a population means in a folder; None if it means none there.

    Args:
        name: Name of a population.
        folder: Folder of a config.
    """
    paths = (place / f"{name}.toml" for place in _population_folders(folder))
    return next((path for path in paths if path.is_file()), None)


def _population_folders(folder: Path) -> tuple[Path, Path]:
    # The parent of Path(".") is itself, so the folder above is taken of the absolute path.
    return folder / "populations", Path(os.path.abspath(folder)).parent / "populations"
