"""Values of all parameter files: shared physiology, molecules and populations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from qsp.molecules import Entry, Molecule, load, names
from qsp.populations import Cohort, read_cohort
from qsp.populations.table_from_files import physiology


@dataclasses.dataclass(frozen=True)
class Files:
    """All parameter files.

    Args:
        molecules: Molecules by name.
        cohorts: Cohorts by name; empty without a folder of populations.
        entries: Entries of all files, starting with the shared physiology.
    """

    molecules: Mapping[str, Molecule]
    cohorts: Mapping[str, Cohort]
    entries: tuple[Entry, ...]

    def of(self, path: str) -> Iterator[Entry]:
        """Yield the entries of a path, or of the elements of an array at that path."""
        return (e for e in self.entries if e.path == path or e.path.startswith(f"{path}."))


def shipped(populations: Path) -> Files:
    """Read all parameter files.

    Args:
        populations: Folder of population files; it may be missing.

    Raises:
        ConfigError: If a file breaks a rule.
    """
    molecules = {name: load(name) for name in names()}
    cohorts = {path.stem: read_cohort(path) for path in sorted(populations.glob("*.toml"))}
    files = (
        physiology(),
        *(molecule.parameters for molecule in molecules.values()),
        *(cohort.parameters[-1] for cohort in cohorts.values()),
    )
    entries = tuple(entry for file in files for entry in file.entries.values())
    return Files(molecules, cohorts, entries)


def line(entry: Entry) -> str:
    """Describe an entry in one line, such as ``5.49 L, sd 0.313; published, Bender2024``."""
    spread = [f"{key} {getattr(entry, key)}" for key in ("cv", "sd") if getattr(entry, key)]
    spread += [f"{model.get('covariate')} model" for model in entry.covariates]
    value = ", ".join([entry.value, *spread])
    origin = ", ".join(word for word in (entry.status, entry.source) if word)
    return f"{value}; {origin}" + (f": {entry.note}" if entry.note else "")
