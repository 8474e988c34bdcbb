"""Trials: `qsp.Trial` and `qsp.read`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsp.api.changes import number, shown
from qsp.api.drugs import molecule as molecule_of
from qsp.api.people import People
from qsp.api.populations import population as population_of
from qsp.api.quantities import Quantity
from qsp.api.regimens import Regimen
from qsp.api.tables import arm_tables, dump, people_tables, regimens_of, visit_texts
from qsp.config import Config, Source, checked, load
from qsp.config.config import local_population
from qsp.config.load import config_file
from qsp.config.toml_text import toml_text
from qsp.errors import ConfigError
from qsp.populations import check_draw_names

if TYPE_CHECKING:
    from qsp.api.results import Results
    from qsp.engine.progress import Progress

Arms = Regimen | Mapping[str, Regimen] | Sequence[tuple[str, Regimen]]
"""Regimens by name of the arm."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial: arms, patients, length and visits.

    Build one with `Trial.of`, or read a config with `qsp.read`; both hold the tables of a config.

    Args:
        config: Tables of the config, with every rule checked.
        people: Patients.
    """

    config: Config
    people: People

    @classmethod
    def of(
        cls,
        arms: Arms,
        people: People,
        *,
        days: float,
        visits: Sequence[Quantity] = (),
        title: str = "",
        author: str = "",
        name: str = "trial",
        method: Mapping[str, Any] | None = None,
        response: str | None = None,
        trajectories: int | Sequence[int] | None = None,
        reference: str | None = None,
        utility: Mapping[str, float] | None = None,
        observations: Mapping[str, Any] | None = None,
    ) -> Trial:
        """Return a trial; every rule of a config is checked.

        Args:
            arms: Regimens by name of the arm; a single regimen is an arm named "arm".
            people: Patients, each of whom is simulated in every arm.
            days: Length, from the first dose [day].
            visits: Times at which the tumor is measured, since the first dose: numbers [day] or
                text such as ``"6 week"``; the end of the trial by default.
            title: Title of reports.
            author: Author named in reports.
            name: Name of the run: letters, digits, dots, dashes and underscores.
            method: Keys of ``[method]`` of a config, such as ``{"rtol": 1e-7}``.
            response: Response criteria, "lugano" or "recist"; by default those of the population.
            trajectories: Patients whose time courses are saved: how many, or their ids; all by
                default, up to 2,000.
            reference: Arm with which the others are compared; the first by default.
            utility: Weights of ``[utility]`` of a config, such as ``{"grade3": -3}``.
            observations: Keys of ``[observations]`` of a config: a file, and its quantities, such
                as ``{"file": "pk.csv", "quantities": {"1": {"quantity": "il6", "unit":
                "pg/mL"}}}``.

        Raises:
            qsp.QSPError: At the first error of the arguments, before anything is simulated.
        """
        regimens = named_arms(arms)
        if not isinstance(people, People):
            todo = 'Write qsp.population("nhl").sample(200, molecule="mosunetuzumab")'
            raise ConfigError("trial", "people must be sampled patients", repr(people), todo)
        _check_days(regimens, days)
        tables: dict[str, Any] = {"name": name, **({"title": title} if title else {})}
        tables |= {"author": author} if author else {}
        tables |= people_tables(people)
        tables |= {"days": float(days), "visits": visit_texts(visits)}
        tables["response"] = response or people.population.cohort.response_criteria
        if trajectories is not None:
            key = "patients" if isinstance(trajectories, int) else "ids"
            value = trajectories if isinstance(trajectories, int) else list(trajectories)
            tables["trajectories"] = {key: value}
        tables |= {"reference": reference} if reference is not None else {}
        tables |= {"utility": dict(utility)} if utility else {}
        tables |= {"method": dict(method)} if method else {}
        tables |= {"observations": dict(observations)} if observations else {}
        tables |= arm_tables(regimens)
        source = Source(Path(name), toml_text(tables))
        return cls(checked(tables, source), people)

    @property
    def arms(self) -> dict[str, Regimen]:
        """Regimens by name of the arm; empty for a config with a dose table."""
        return regimens_of(self.config)

    @property
    def days(self) -> float:
        """Length, from the first dose [day]."""
        return self.config.days

    @property
    def visits(self) -> tuple[float, ...]:
        """Times at which the tumor is measured, since the first dose [day]."""
        return self.config.visit_times

    def to_toml(self, path: str | Path | None = None) -> str:
        """Return the trial as a config in TOML, and write it to a file.

        ``qsp run`` and `qsp.read` take the file; `qsp.read` gives an equal trial.

        Args:
            path: File to write, if any.
        """
        tables = self._tables()
        if path is not None:
            own = self.people.population.path
            found = local_population(tables["population"], Path(path).parent)
            if found is not None and not found.samefile(own):  # the name would mean another file
                tables["population"] = str(own)
        text = toml_text(tables)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def to_python(self) -> str:
        """Return Python source that builds the trial with the words of this package.

        The source defines `people`, `arms` and `trial`. Its trial has the same patients and the
        same schedule; times are written as protocol days, so they may differ in the last digit.

        Raises:
            qsp.QSPError: If the trial has a dose table, or a parameter with a distribution of its
                own, which only a config has.
        """
        from qsp.api.source import python_source

        return python_source(self)

    def simulate(self, *, save: Sequence[str] = (), progress: Progress | bool = True) -> Results:
        """Simulate the trial; see `qsp.simulate`."""
        from qsp.api.simulate import simulate_trial

        return simulate_trial(self, save=save, progress=progress)

    def _tables(self) -> dict[str, Any]:
        """Tables of the config, with paths that hold in every folder."""
        folder = self.config.source.file.parent
        tables = dump(self.config)
        tables["molecule"] = self.people.molecule.file
        tables["population"] = self.people.population.file
        if "cohort" in tables:
            tables["cohort"] = os.path.abspath(folder / tables["cohort"])
        if "dose_table" in tables:
            tables["dose_table"]["file"] = os.path.abspath(folder / tables["dose_table"]["file"])
        if "file" in tables.get("observations", {}):
            tables["observations"]["file"] = os.path.abspath(
                folder / tables["observations"]["file"]
            )
        return tables

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trial):
            return NotImplemented
        return self._tables() == other._tables() and self.people == other.people

    def __hash__(self) -> int:
        return hash((self.config.name, self.config.days, self.people.ids))

    def __repr__(self) -> str:
        names = ", ".join(self.config.arms) or "dose table"
        return f"Trial({self.config.name}: {names}; {self.people!r}; {self.days:g} days)"


def read(path: str | Path) -> Trial | Results:
    """Read a trial from a config, or results from the folder of a run.

    Args:
        path: TOML file, name of a config of the package, or folder of a run.

    Returns:
        A `Trial` for a config, `Results` for a folder.

    Raises:
        qsp.QSPError: If there is no such file, or it breaks a rule.

    Example:
        >>> qsp.read("trial.toml").simulate()
    """
    if Path(path).is_dir():
        from qsp.api.results import Results
        from qsp.run import read as read_run

        return Results(read_run(path), folder=Path(path))
    config = load(config_file(path))
    return Trial(config, _people(config))


def named_arms(arms: Arms) -> dict[str, Regimen]:
    """Return arms by name.

    Raises:
        ConfigError: If there is none, a name is given twice, or an arm is no regimen.
    """
    if isinstance(arms, Regimen):
        arms = {"arm": arms}
    pairs: Any = list(arms.items()) if isinstance(arms, Mapping) else arms
    todo = 'Write {"step": qsp.regimen(...)}'
    if not isinstance(pairs, list | tuple) or not all(_is_pair(pair) for pair in pairs):
        raise ConfigError("simulate", "arms must be regimens by name", repr(arms), todo)
    names = [name for name, _ in pairs]
    if not pairs:
        raise ConfigError("simulate", "arms must have at least one arm", "empty", todo)
    for name, regimen in pairs:
        if not isinstance(name, str) or not name:
            raise ConfigError("simulate", "the name of an arm must be text", repr(name), todo)
        if names.count(name) > 1:
            rule = "the name of an arm must be unique"
            raise ConfigError("simulate", rule, f"{name!r} twice", "Rename one of the arms")
        if not isinstance(regimen, Regimen):
            todo = "Write qsp.regimen(...) around its doses"
            raise ConfigError(f"arm {name!r}", "it must be a regimen", repr(regimen), todo)
    return dict(pairs)


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, list | tuple) and len(entry) == 2


def _check_days(arms: Mapping[str, Regimen], days: Any) -> None:
    """Check that the trial includes every planned dose, in the words of a protocol."""
    found = None if isinstance(days, str) else number(days)
    if found is None:
        todo = "Write days=84, for example"
        raise ConfigError("simulate", "days must be a number", shown(days), todo)
    for name, arm in arms.items():
        last = number(arm.last_day)
        if last is not None and last - 1.0 >= found:
            rule = f"days must be above {last - 1.0:.6g}, because arm {name!r} has a dose"
            got = f"{found:.6g}"
            todo = f"Its last dose is on day {last:.6g}: lengthen the trial or shorten the arm"
            raise ConfigError("simulate", f"{rule} on day {last:.6g}", got, todo)


def _people(config: Config) -> People:
    rows = config.dose_rows
    if rows is not None and rows.covariates:
        listed = ", ".join(f'"{name}"' for name in rows.covariates)
        rule = "the patients must be sampled, without covariates of their own"
        todo = f"Write ignore = [{listed}] in [dose_table], or use qsp run"
        raise ConfigError(rows.name, rule, f"with {', '.join(rows.covariates)}", todo)
    ids = tuple(config.patient_ids)
    people = People(
        molecule=molecule_of(config.molecule_file or config.molecule),
        population=population_of(config.population_file),
        ids=ids,
        seed=config.seed,
        changes=config.parameters,
        cohort=config.cohort_file,
    )
    if config.is_typical:
        return people.typical
    if not config.draws:
        return people
    check_draw_names(people.table, config.draws, where=f"{config.source.file}: draws")
    draws = {name: z * (len(ids) // len(z)) for name, z in config.draws.items()}
    return dataclasses.replace(people, draws=draws)
