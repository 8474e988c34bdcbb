"""Runs of the members of an ensemble: the same trial and patients at other parameter values."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from qsp import shipped
from qsp.calibration.ensemble import Ensemble, read_ensemble
from qsp.errors import ConfigError
from qsp.molecules import ParameterFile
from qsp.populations import ParameterTable, nominal, physiology
from qsp.run.prepared import BLOCK, Prepared

OPTION = "--uncertainty"


@dataclasses.dataclass(frozen=True)
class Members:
    """Members of the ensemble for a run.

    Args:
        prepared: The run.
        ensemble: The ensemble.
        number: Number of members that are simulated, the first of the ensemble.
        molecule: Name of the molecule in the fit; "" for one that is not shipped.
        disease: Disease in the fit; "" for a population that is not shipped.
    """

    prepared: Prepared
    ensemble: Ensemble
    number: int
    molecule: str
    disease: str

    def runs(self) -> Iterator[Prepared]:
        """Yield the run at the values of each member, without time courses.

        Values in the user's files, in `[parameters]` or in arms do not change.
        """
        table = self.prepared.table
        for n in range(self.number):
            own = self._file(n)
            changed = nominal(table.molecule, table.cohort, (own, *table.overrides))
            yield dataclasses.replace(
                self.prepared, table=changed, trajectories=np.empty(0, int), described=_NOBODY
            )

    def _file(self, member: int) -> ParameterFile:
        """Return the values of a member that replace those of shipped files."""
        found = self.ensemble.file(member, self.molecule, self.disease)
        own = {path for path, row in self._before.rows.items() if row.entry.file in self._of_user}
        entries = {path: entry for path, entry in found.entries.items() if path not in own}
        return ParameterFile(found.name, entries)

    @functools.cached_property
    def _before(self) -> ParameterTable:
        """Table of the run without the files that override."""
        return nominal(self.prepared.table.molecule, self.prepared.table.cohort)

    @property
    def _of_user(self) -> set[str]:
        """Names of the files of a molecule and a population that are not shipped."""
        table = self.prepared.table
        own = set() if self.molecule else {table.molecule.parameters.name}
        own |= set() if self.disease else {each.name for each in table.cohort.parameters}
        return own - {physiology().name}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on parameters that the ensemble does not vary."""
        table, known = self.prepared.table, self.ensemble.parameters
        found = []
        if not any(self.molecule in each.molecules for each in known):
            found.append(
                f"{table.molecule.name} is not in the fit: alpha and beta50 are fixed at the "
                "values of its file, and the intervals are too narrow"
            )
        drawn = [each for each in self.ensemble.unseen if each.endswith(f"_{self.molecule}")]
        if self.molecule and drawn:
            found.append(
                f"No published rate of {table.molecule.name} is used: {', '.join(drawn)} are drawn "
                "with the spread between the molecules of the fit"
            )
        if not any(self.disease in each.diseases for each in known):
            found.append(
                f"The population {table.cohort.name} is not in the fit: its own values are fixed, "
                "and the intervals are too narrow"
            )
        return tuple(found)


_NOBODY = np.empty(0, int)


def members(prepared: Prepared, number: int, *, ensemble: Ensemble | None = None) -> Members:
    """Return the members of the ensemble for a run, before anything is compiled.

    Args:
        prepared: The run.
        number: Number of members.
        ensemble: The ensemble; that of the package by default.

    Raises:
        ConfigError: If there are fewer members, the run is of the typical patient or of more than
            10,000, or the ensemble is of other parameter values.
    """
    ensemble = read_ensemble() if ensemble is None else ensemble
    if not 1 <= number <= len(ensemble):
        rule = f"the number of members must be from 1 to {len(ensemble)}, as the ensemble has"
        raise ConfigError(OPTION, rule, number, "Name such a number")
    if prepared.typical:
        todo = "Leave one of the two options out"
        raise ConfigError(OPTION, "a run must have patients", "the typical patient", todo)
    if len(prepared.ids) > BLOCK:
        rule = f"a run must have at most {BLOCK:,} patients"
        raise ConfigError(OPTION, rule, f"{len(prepared.ids):,}", "Choose fewer with --patients")
    config = prepared.config
    population = shipped.name_of("populations", config.population_file)
    return Members(
        prepared,
        ensemble,
        number,
        molecule="" if config.molecule_file else prepared.table.molecule.name,
        disease=prepared.table.cohort.disease if population in shipped.names("populations") else "",
    )
