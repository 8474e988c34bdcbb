"""Trials: `qsp.Trial` and `qsp.read`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsp import shipped
from qsp.api.drugs import Molecule
from qsp.api.drugs import molecule as molecule_of
from qsp.api.people import People
from qsp.api.populations import population as population_of
from qsp.api.quantities import Quantity
from qsp.api.regimens import Regimen
from qsp.api.tables import arm_tables, dump, people_tables, regimens_of, visit_texts
from qsp.config import Config, Roster, Source, checked, load
from qsp.config.load import config_file
from qsp.config.toml_text import toml_text
from qsp.errors import ConfigError

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
        name: str = "trial",
        method: Mapping[str, Any] | None = None,
    ) -> Trial:
        """Return a trial; every rule of a config is checked.

        Args:
            arms: Regimens by name of the arm; a single regimen is an arm named "arm".
            people: Patients, each of whom is simulated in every arm.
            days: Length, from the first dose [day].
            visits: Times at which the tumor is measured, since the first dose: numbers [day] or
                text such as ``"6 week"``; the end of the trial by default.
            title: Title of reports.
            name: Name of the run: letters, digits, dots, dashes and underscores.
            method: Keys of ``[method]`` of a config, such as ``{"rtol": 1e-7}``.

        Raises:
            qsp.QSPError: At the first error of the arguments, before anything is simulated.
        """
        regimens = named_arms(arms)
        if not isinstance(people, People):
            todo = 'Write qsp.population("nhl").sample(200, molecule="mosunetuzumab")'
            raise ConfigError("trial", "people must be sampled patients", repr(people), todo)
        _check_days(regimens, days)
        tables: dict[str, Any] = {"name": name, **({"title": title} if title else {})}
        tables |= people_tables(people)
        tables |= {"days": float(days), "visits": visit_texts(visits)}
        tables["response"] = people.population.cohort.response_criteria
        tables |= {"method": dict(method)} if method else {}
        tables |= arm_tables(regimens)
        roster = Roster(people.ids, "people")
        source = Source(Path(name), toml_text(tables))
        return cls(checked(tables, source, roster), people)

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

        Raises:
            qsp.QSPError: If the patients cannot be written: patients at chosen draws, or with other
                numbers than 0, 1, 2, ...
        """
        people, text = self.people, None
        if people.draws is not None:
            rule, todo = "the patients must be sampled", "Write a trial of sampled patients"
            raise ConfigError("to_toml", rule, "patients at chosen draws", todo)
        if people.ids != tuple(range(len(people))) and self.config.dose_table is None:
            rule, todo = "the patient numbers must be 0, 1, 2, ...", "Sample without ids"
            raise ConfigError("to_toml", rule, f"{people.ids[0]}, ...", todo)
        text = toml_text(self._tables())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def simulate(self, *, save: Sequence[str] = (), progress: Progress | bool = True) -> Results:
        """Simulate the trial; see `qsp.simulate`."""
        from qsp.api.simulate import simulate_trial

        return simulate_trial(self, save=save, progress=progress)

    def _tables(self) -> dict[str, Any]:
        """Tables of the config, with paths that hold in every folder."""
        tables = dump(self.config)
        folder = self.config.source.file.parent
        if tables["molecule"].endswith(".toml"):
            tables["molecule"] = os.path.abspath(folder / tables["molecule"])
        tables["population"] = _population_name(self.config)
        if "dose_table" in tables:
            tables["dose_table"]["file"] = os.path.abspath(folder / tables["dose_table"]["file"])
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
    pairs = list(arms.items()) if isinstance(arms, Mapping) else list(arms)
    names = [name for name, _ in pairs]
    if not pairs:
        todo = 'Write {"step": qsp.regimen(...)}'
        raise ConfigError("simulate", "arms must have at least one arm", "empty", todo)
    for name, regimen in pairs:
        if names.count(name) > 1:
            rule = "the name of an arm must be unique"
            raise ConfigError("simulate", rule, f"{name!r} twice", "Rename one of the arms")
        if not isinstance(regimen, Regimen):
            todo = "Write qsp.regimen(...) around its doses"
            raise ConfigError(f"arm {name!r}", "it must be a regimen", repr(regimen), todo)
    return dict(pairs)


def _check_days(arms: Mapping[str, Regimen], days: Any) -> None:
    """Check that the trial includes every planned dose, in the words of a protocol."""
    from qsp.api.changes import number

    found = None if isinstance(days, str) else number(days)
    if found is None:
        todo = "Write days=84, for example"
        raise ConfigError("simulate", "days must be a number", repr(days), todo)
    for name, arm in arms.items():
        last = number(arm.last_day)
        if last is not None and last - 1.0 >= found:
            rule = f"days must be above {last - 1.0:.6g}, because arm {name!r} has a dose"
            got = f"{found:.6g}"
            todo = f"Its last dose is on day {last:.6g}: lengthen the trial or shorten the arm"
            raise ConfigError("simulate", f"{rule} on day {last:.6g}", got, todo)


def _population_name(config: Config) -> str:
    """Name of a population of the package, or the absolute path of another."""
    path = Path(os.path.abspath(config.population_file))
    root = shipped.folder("populations")
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix().removesuffix(".toml")
    return str(path)


def _people(config: Config) -> People:
    molecule = molecule_of(config.molecule_file or config.molecule)
    if config.molecule_file is None:
        molecule = Molecule(molecule.source, config.molecule)
    return People(
        molecule=molecule,
        population=population_of(_population_name(config)),
        ids=tuple(config.patient_ids),
        seed=config.seed,
        changes=config.parameters,
    )
