"""Build the parameter table of a molecule in a cohort from its files.

Shared physiology, molecule and cohort are read in this order. A path in two files is an error
unless the later entry has ``replaces = true`` and a note with the reason. User files come last
and override earlier values without ``replaces``. An input in `BY_SIZE` also replaces the parameter
that follows from it if an earlier file gives that parameter.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp.errors import ConfigError, PopulationError
from qsp.molecules import Entry, Mixture, Molecule, ParameterFile, parameter_file, read_toml
from qsp.populations.cohort import Cohort
from qsp.populations.correlations import check_correlations
from qsp.populations.covariates import CovariateLaw, covariate_law, covariate_models
from qsp.populations.derived import BY_SIZE
from qsp.populations.distributions import distribution
from qsp.populations.mixtures import check_mixtures
from qsp.populations.parameter_table import ParameterRow, ParameterTable
from qsp.populations.paths import antigen_of, parameter_path
from qsp.populations.plausible import possible, rule, within
from qsp.units import parse


def physiology() -> ParameterFile:
    """Read the parameters shared by all molecules and diseases.

    Raises:
        ConfigError: If the file breaks a rule.
    """
    resource = importlib.resources.files("qsp.model") / "physiology.toml"
    with importlib.resources.as_file(resource) as path:
        return parameter_file(read_toml(path), path.name, header=("title",))


def user_file(path: Path) -> ParameterFile:
    """Read a user file, whose values override those of all other files.

    Raises:
        ConfigError: If the file breaks a rule.
    """
    return parameter_file(read_toml(path), path.name, status="user")


def nominal(
    molecule: Molecule, cohort: Cohort, overrides: Iterable[ParameterFile] = ()
) -> ParameterTable:
    """Build the parameter table of a molecule in a cohort.

    Args:
        molecule: From `qsp.molecules.load`.
        cohort: From `read_cohort`.
        overrides: User files, from `user_file`.

    Raises:
        ConfigError: If a path is unknown or given twice, or a value has the wrong unit.
        PopulationError: If the cohort lacks the target of the molecule, or a value is missing.
    """
    shipped = (physiology(), molecule.parameters, *cohort.parameters)
    user_files = tuple(overrides)
    files = (*shipped, *user_files)
    entries = _by_size(_overridden(merged(shipped), user_files), files)
    _check_antigen(molecule, cohort, entries)
    rows = {
        path: row(entry)
        for path, entry in entries.items()
        if antigen_of(path) in ("", molecule.target)
    }
    check_clearance(molecule, rows.values())
    _check_groups(molecule, rows)
    law = covariate_law(cohort)
    _check_covariates(law, rows.values(), cohort)
    replaced = {path for file in user_files for path, entry in file.entries.items() if entry.value}
    table = ParameterTable(
        molecule=molecule,
        cohort=cohort,
        rows=rows,
        covariates=law,
        correlations=check_correlations(
            [item for file in files for item in file.correlations],
            varying=(*_varying(rows, files), *law.names),
            known=(*entries, *law.names),
        ),
        mixtures=check_mixtures(
            [m for file in files for m in file.mixtures], rows, entries, replaced
        ),
        overrides=user_files,
    )
    table.complete(table.values)  # raises if a value is missing
    return table


def merged(files: Sequence[ParameterFile]) -> dict[str, Entry]:
    """Return the entries of all files by path, in the order of the files.

    Raises:
        ConfigError: If a path is unknown, or is in two files without ``replaces = true``.
    """
    entries: dict[str, Entry] = {}
    for file in files:
        for path, entry in file.entries.items():
            parameter_path(path, where=file.name)
            if path in entries and not entry.replaces:
                todo = 'Write replaces = true and the reason as note = "..."'
                must = "a value must be given once"
                got = f"also given in {entries[path].file}"
                raise ConfigError(entry.where, must, got, todo)
            if path not in entries and entry.replaces:
                must = "a value with replaces = true must replace a value of an earlier file"
                raise ConfigError(entry.where, must, "the first one", "Remove replaces")
            entries[path] = entry
    return entries


def row(entry: Entry) -> ParameterRow:
    """Convert an entry to canonical units.

    Raises:
        ConfigError: If path, unit, value, spread or a covariate model breaks a rule.
    """
    known = parameter_path(entry.path, where=entry.file)
    value = np.asarray(parse(entry.value, known.unit, where=entry.where))
    if not possible(entry.path, value * entry.scale):
        raise ConfigError(entry.where, f"the value must {rule(entry.path)}", repr(entry.value))
    law = distribution(entry, known.unit)
    models = covariate_models(entry) if entry.keep_spread else ()
    return ParameterRow(entry.path, known.unit, known.meaning, law, models, entry)


def _overridden(
    entries: Mapping[str, Entry], overrides: Sequence[ParameterFile]
) -> dict[str, Entry]:
    """Return entries in which those of user files replace earlier ones."""
    out = dict(entries)
    for file in overrides:
        for path, entry in file.entries.items():
            unit = parameter_path(path, where=file.name).unit
            out[path] = _overriding(entry, out.get(path), unit)
    return out


_SPREAD = ("cv", "sd", "distribution", "low", "high")


def _overriding(entry: Entry, before: Entry | None, unit: str) -> Entry:
    """Entry of the user, with the earlier spread and covariate models unless it has its own.

    An amount of 0 has no spread: 0 times any deviation is 0.
    """
    if not entry.value:
        return _scaled(entry, before)
    if before is None:
        return entry
    inherited = {}
    if not any(getattr(entry, key) for key in _SPREAD):
        inherited = {key: getattr(before, key) for key in _SPREAD}
    if not entry.covariates:
        inherited["covariates"] = before.covariates
    changed = dataclasses.replace(entry, **inherited)
    if "distribution" in inherited and changed.distribution != "normal":
        is_zero = parse(entry.value, unit, where=entry.where) == 0.0
        changed = dataclasses.replace(changed, keep_spread=entry.keep_spread and not is_zero)
    return changed


def _scaled(entry: Entry, before: Entry | None) -> Entry:
    """The earlier entry, times the scale of an entry without a value."""
    if before is None:
        rule, todo = "scale must apply to a value in an earlier file", "Give the value"
        raise ConfigError(entry.where, rule, "without a value", todo)
    return dataclasses.replace(
        before, scale=before.scale * entry.scale, file=entry.file, status=entry.status
    )


def _by_size(entries: Mapping[str, Entry], files: Sequence[ParameterFile]) -> Mapping[str, Entry]:
    """Return entries without the values that inputs of a later file determine.

    Raises:
        ConfigError: If the same file gives an input and the parameter that follows from it.
    """

    def last(path: str) -> int:
        return max((n for n, file in enumerate(files) if path in file.entries), default=-1)

    replaced = set()
    for source, path in BY_SIZE.items():
        if last(source) > last(path):
            replaced.add(path)
        elif source in entries and last(source) == last(path):
            must = f"{path} must be absent with {source}, from which it is derived"
            raise ConfigError(entries[path].file, must, "given", "Remove one of them")
    return {path: entry for path, entry in entries.items() if path not in replaced}


def _varying(rows: Mapping[str, ParameterRow], files: Iterable[ParameterFile]) -> set[str]:
    """Return the paths of values that differ between patients."""
    mixtures: Iterable[Mixture] = (mixture for file in files for mixture in file.mixtures)
    in_mixtures = {p for mixture in mixtures for part in mixture.components for p in part.values}
    return {p for p, row in rows.items() if p in in_mixtures or row.has_draw}


def _check_antigen(molecule: Molecule, cohort: Cohort, entries: Mapping[str, Entry]) -> None:
    antigens = sorted({antigen_of(path) for path in entries} - {""})
    if molecule.target not in antigens:
        must = f"the list of antigens must include {molecule.target}, the target of {molecule.name}"
        got = f"only {', '.join(antigens)}" if antigens else "an empty list"
        todo = f"Choose another population, or add [antigens.{molecule.target}.copies]"
        raise PopulationError(f"{cohort.name}.toml", must, got, todo)


_OF_SIZE = ("tumor.reference_cells", "tumor.size_exponent", *BY_SIZE)

_REQUIRES: Mapping[str, tuple[str, ...]] = {
    "disposition.Q": ("disposition.V2",),
    "disposition.V2": ("disposition.Q",),
    "disposition.ka": ("disposition.bioavailability",),
    "disposition.bioavailability": ("disposition.ka",),
    "disposition.competitor": ("binding.KD_competitor", "disposition.k_competitor"),
    "disposition.soluble_target": ("binding.KD_soluble",),
    "antigens.TARGET.soluble": ("binding.KD_soluble",),
    **{path: ("tumor.cells", *_OF_SIZE) for path in _OF_SIZE},
}
"""Parameters that each parameter requires; without them its process would be absent."""


def _check_groups(molecule: Molecule, rows: Mapping[str, ParameterRow]) -> None:
    """Check that the parameters of a process are given together."""
    if "sc" in molecule.routes and "disposition.ka" not in rows:
        must = "disposition.ka must be given for the sc route"
        todo = "Give it and disposition.bioavailability, or remove the route"
        raise ConfigError(molecule.parameters.name, must, "missing", todo)
    for path, item in rows.items():
        general = path.replace(f"antigens.{molecule.target}", "antigens.TARGET")
        for group, required in _REQUIRES.items():
            missing = [name for name in required if name not in rows]
            if within(general, (group,)) and missing:
                must = f"{missing[0]} must be given with {path}"
                raise ConfigError(item.entry.file, must, "missing", "Give both, or neither")


def _check_covariates(law: CovariateLaw, rows: Iterable[ParameterRow], cohort: Cohort) -> None:
    available = {*law.numbers, "body_surface", "sex"}
    for item in rows:
        for model in item.covariates:
            if model.covariate not in available:
                must = f"covariates.{model.covariate} must be given"
                todo = f"Add it to [covariates]; the covariate model of {item.path} needs it"
                raise PopulationError(f"{cohort.name}.toml", must, "missing", todo)


def check_clearance(molecule: Molecule, rows: Iterable[ParameterRow]) -> None:
    """Check that target-mediated loss is not counted twice.

    A published time-varying clearance already contains this loss; with mechanistic clearance the
    model adds it to a constant clearance.

    Raises:
        ConfigError: If a row belongs to a form of clearance that the molecule does not use.
    """
    wrong = {
        "time_varying": (
            "binding.k_int_CD3",
            "binding.k_int_target",
            "disposition.lost_on_death",
        ),
        "mechanistic": ("disposition.CL_base", "disposition.half_life_CL"),
    }[molecule.clearance]
    for item in rows:
        if item.path in wrong and item.value != 0.0:
            must = f"{item.path} must be absent with {molecule.clearance} clearance"
            todo = (
                "Remove it or choose the other form of clearance; together they count "
                "target-mediated loss twice"
            )
            raise ConfigError(item.entry.file, must, repr(item.entry.value), todo)
