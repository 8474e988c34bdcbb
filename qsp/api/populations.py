"""Populations: `qsp.population`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qsp import shipped
from qsp.api import changes as edits
from qsp.api.changes import Changes
from qsp.api.drugs import Molecule, plain
from qsp.api.people import People
from qsp.errors import ConfigError, suggest
from qsp.molecules import GROUPS
from qsp.populations import Cohort, physiology, read_cohort, read_cohort_file
from qsp.populations.draws import check_ids
from qsp.populations.paths import parameter_path
from qsp.run.cohorts import check_cohort

MOST_PATIENTS = 10_000_000
"""Largest sample: the numbers and draws of its patients are in memory together."""


@dataclasses.dataclass(frozen=True)
class Population:
    """A disease with its patients, from which virtual patients are sampled.

    Build one with `qsp.population`. Objects are immutable: `set` and `scale` return a changed copy.

    Args:
        cohort: Content of the file and of the files it extends.
        file: Name, or absolute path of a file that does not ship with the package.
        changes: Changed entries by path.
    """

    cohort: Cohort
    file: str
    changes: Changes = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.cohort.name

    @property
    def path(self) -> Path:
        """File of the population."""
        return shipped.find("populations", self.file) or Path(self.file)

    def set(self, path: str, value: str | float, *, keep_spread: bool = True) -> Population:
        """Return the population with another value of a parameter of disease or physiology.

        Args:
            path: Path such as ``"t_cells.k_act"`` or ``"tumor.cells"``.
            value: Text with unit such as ``"0.48 1/hour"``, or a number in the canonical unit.
            keep_spread: True for a new median, from which each patient keeps the deviation; False
                for the same value in all patients. Both replace a mixture of the population, such
                as that of the B cells of `nhl`, by one distribution.

        Returns:
            A changed copy.

        Raises:
            qsp.QSPError: If the path is unknown or belongs to the molecule, or the value has the
                wrong unit.
        """
        self._check_owner(path)
        new = edits.with_value(
            self.changes, path, value, keep_spread=keep_spread, where=self._where
        )
        return dataclasses.replace(self, changes=new)

    def scale(self, path: str, factor: float) -> Population:
        """Return the population with a parameter multiplied by a factor in every patient.

        The spread, a mixture and bounds scale with it.

        Args:
            path: Path such as ``"t_cells.k_act"``.
            factor: Number of 0 or more.

        Raises:
            qsp.QSPError: If the path is unknown or belongs to the molecule, or the factor is
                negative.
        """
        self._check_owner(path)
        new = edits.with_scale(self.changes, path, factor, where=self._where)
        return dataclasses.replace(self, changes=new)

    def sample(
        self,
        n: int,
        *,
        molecule: Molecule | str | Path,
        seed: int = 0,
        ids: Sequence[int] | None = None,
    ) -> People:
        """Sample virtual patients.

        A patient depends on the seed and the patient number only: the first 50 of 200 patients are
        the 50 patients of a smaller sample.

        Args:
            n: Number of patients, at least 1.
            molecule: Molecule they are treated with, or its name; the parameters of patients
                include those of the molecule.
            seed: Seed, a whole number from 0 to 4294967295.
            ids: Patient numbers; 0 to n - 1 by default.

        Raises:
            qsp.QSPError: If a number is out of range, or the population lacks the target of the
                molecule.

        Example:
            >>> people = qsp.population("nhl").sample(200, molecule="mosunetuzumab", seed=1)
        """
        drug = plain(molecule)
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            todo = "Write sample(200, ...), for example"
            rule = "n must be a whole number of at least 1"
            raise ConfigError("sample", rule, edits.shown(n), todo)
        if n > MOST_PATIENTS:
            rule, todo = f"n must be at most {MOST_PATIENTS}", "Larger samples exceed the memory"
            raise ConfigError("sample", rule, n, todo)
        if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
            rule = "seed must be a whole number from 0 to 4294967295"
            raise ConfigError("sample", rule, edits.shown(seed), "Write seed=1, for example")
        numbers = np.arange(n) if ids is None else check_ids(ids)
        if len(numbers) != n:
            rule = f"ids must be as many as n ({n})"
            raise ConfigError("sample", rule, len(numbers), "Correct n or ids")
        people = People(
            molecule=dataclasses.replace(drug, changes={}),
            population=dataclasses.replace(self, changes={}),
            ids=tuple(sorted(numbers.tolist())),
            seed=int(seed),
            changes={**self.changes, **drug.changes},
        )
        _ = people.table  # raises an error if the files do not fit each other
        return people

    def from_cohort(
        self, folder: str | Path, *, molecule: Molecule | str | Path, seed: int = 0
    ) -> People:
        """Return the patients that `qsp.populate` or the resampling of `qsp.weigh` chose.

        Args:
            folder: Folder of the cohort.
            molecule: Molecule they are treated with, or its name, as in the config of the cohort.
            seed: Seed of their random events: effects of doses, missed visits and errors of
                measurement.

        Raises:
            qsp.QSPError: If there is no such cohort, or it is of another disease or version of the
                model, or of other parameters.

        Example:
            >>> people = qsp.population("nhl").from_cohort("cohorts/nhl", molecule="mosunetuzumab")
        """
        cohort = read_cohort_file(Path(folder), where=f"from_cohort: {folder}")
        people = self.sample(1, molecule=molecule, seed=seed)
        check_cohort(cohort, people.table, where=f"from_cohort: {folder}")
        return dataclasses.replace(people, ids=tuple(cohort.ids.tolist()), cohort=cohort)

    @property
    def _where(self) -> str:
        return f"population {self.name}"

    def _check_owner(self, path: str) -> None:
        parameter_path(path, where=self._where)
        known = {path for file in self.cohort.parameters for path in file.entries}
        known |= set(physiology().entries)
        if path in known or path.partition(".")[0] not in GROUPS:
            return
        rule = f"{path} must be a parameter of the population"
        todo = "Change it with qsp.molecule(...).set or .scale, or on the sampled people"
        raise ConfigError(self._where, rule, "one of the molecule", todo)

    def __repr__(self) -> str:
        changed = f"; changed: {', '.join(self.changes)}" if self.changes else ""
        return f"Population({self.name}: {self.cohort.title}{changed})"


def population(name: str | Path) -> Population:
    """Return a population.

    Args:
        name: Name of a population of the package, such as ``"nhl"``, or the path of a TOML file of
            the same form.

    Raises:
        qsp.QSPError: If there is no such population, with the nearest names, or the file breaks a
            rule.

    Example:
        >>> qsp.population("nhl").scale("t_cells.k_act", 0.5)
    """
    text = str(name)
    path = Path(name) if text.endswith(".toml") else shipped.find("populations", text)
    if path is None:
        known = shipped.names("populations")
        todo = f"{suggest(text, known)} Known are {', '.join(known)}".strip()
        rule = "the name must be a population or a TOML file"
        raise ConfigError("population", rule, repr(text), todo)
    path = Path(os.path.abspath(path))
    return Population(read_cohort(path), shipped.name_of("populations", path))
