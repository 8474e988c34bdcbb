"""Values of all parameter files: shared physiology, molecules and populations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from qsp.molecules import Correlation, Entry, Molecule, ParameterFile, load, names, read_toml
from qsp.populations import Cohort, read_cohort
from qsp.populations.table_from_files import physiology, user_file


@dataclasses.dataclass(frozen=True)
class Files:
    """All parameter files.

    Args:
        molecules: Molecules by name.
        cohorts: Cohorts by name; empty without a folder of populations.
        entries: Entries of all files, starting with the user's own, then the shared physiology.
        own: The user's own files, by the name of the file.
        correlations: Correlations of all shipped files.
    """

    molecules: Mapping[str, Molecule]
    cohorts: Mapping[str, Cohort]
    entries: tuple[Entry, ...]
    own: Mapping[str, Molecule | Cohort | ParameterFile] = dataclasses.field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()

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
    correlations = tuple(item for file in files for item in file.correlations)
    return Files(molecules, cohorts, entries, correlations=correlations)


def with_own(files: Files, paths: Iterable[Path]) -> Files:
    """Put files of the user's choice first; they replace shipped files of the same name.

    Args:
        files: Shipped files.
        paths: Molecules, populations or files of parameters; without the suffix ``.toml`` also the
            names of shipped ones.

    Raises:
        ConfigError: If a file is missing or breaks a rule.
    """
    own = {parameters_of(item).name: item for item in (_read(path, files) for path in paths)}
    molecules = {item.name: item for item in own.values() if isinstance(item, Molecule)}
    cohorts = {item.name: item for item in own.values() if isinstance(item, Cohort)}
    first = (entry for item in own.values() for entry in parameters_of(item).entries.values())
    others = (entry for entry in files.entries if entry.file not in own)
    return Files(
        molecules={**files.molecules, **molecules},
        cohorts={**files.cohorts, **cohorts},
        entries=(*first, *others),
        own=own,
        correlations=files.correlations,
    )


def parameters_of(item: Molecule | Cohort | ParameterFile) -> ParameterFile:
    """Return the entries of a file itself, without those of a file that it extends."""
    if isinstance(item, ParameterFile):
        return item
    return item.parameters if isinstance(item, Molecule) else item.parameters[-1]


def _read(path: Path, files: Files) -> Molecule | Cohort | ParameterFile:
    known = {**files.molecules, **files.cohorts}
    if str(path) in known:
        return known[str(path)]
    keys = read_toml(path).keys()
    if keys & {"molecular_weight", "target", "routes"}:
        return load(path)
    return read_cohort(path) if keys & {"disease", "extends"} else user_file(path)


_SCALES = {"log_normal": " (log scale)", "logit_normal": " (logit scale)"}
"""Scale of the standard deviation of a distribution; a normal one has that of its value."""


def line(entry: Entry) -> str:
    """Describe an entry in one line, such as ``5.49 L, cv 31 %; published, Bender2024``."""
    scale = _SCALES.get(entry.distribution, "")
    spread = [
        f"{key} {getattr(entry, key)}{scale if key == 'sd' else ''}"
        for key in ("cv", "sd", "low", "high")
        if getattr(entry, key)
    ]
    spread += list(covariate_texts(entry))
    value = ", ".join([entry.value, *spread])
    origin = ", ".join(word for word in (entry.status, entry.source) if word)
    return f"{value}; {origin}" + (f": {entry.note}" if entry.note else "")


def covariate_texts(entry: Entry) -> Iterator[str]:
    """Describe each covariate model, such as ``age model (reference 60 year, exponent 0.5)``."""
    for model in entry.covariates:
        rest = ", ".join(f"{key} {value}" for key, value in model.items() if key != "covariate")
        yield f"{model.get('covariate')} model ({rest})"
