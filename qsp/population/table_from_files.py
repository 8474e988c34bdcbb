"""Assembly: shared physiology, molecule and cohort become one table of parameters.

Files are read in this order; a path given twice is an error unless the later file says that it
replaces the earlier value, and why. Values of the user come last and overrule without asking.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp.errors import ConfigError, PopulationError
from qsp.molecules import Entry, Mixture, Molecule, ParameterFile, parameter_file, read_toml
from qsp.population.cohort import Cohort
from qsp.population.correlations import check_correlations
from qsp.population.covariates import CovariateLaw, covariate_law, covariate_models
from qsp.population.distributions import Fixed, distribution
from qsp.population.mixtures import check_mixtures
from qsp.population.paths import address, antigen_of
from qsp.population.plausible import possible, rule, within
from qsp.population.table import ParameterTable, Row
from qsp.units import parse


def physiology() -> ParameterFile:
    """What all molecules and diseases share.

    Raises:
        ConfigError: If the file breaks a rule.
    """
    resource = importlib.resources.files("qsp.model") / "physiology.toml"
    with importlib.resources.as_file(resource) as path:
        return parameter_file(read_toml(path), path.name, header=("title",))


def user_file(path: Path) -> ParameterFile:
    """Values of the user: a file of the same form, which overrules all others.

    Raises:
        ConfigError: If the file breaks a rule.
    """
    return parameter_file(read_toml(path), path.name, status="user")


def nominal(
    molecule: Molecule, cohort: Cohort, overrides: Iterable[ParameterFile] = ()
) -> ParameterTable:
    """Table of parameters of a molecule in a cohort.

    Args:
        molecule: From `qsp.molecules.load`.
        cohort: From `read_cohort`.
        overrides: Values of the user, from `user_file`.

    Raises:
        ConfigError: If a path is unknown or given twice, or a value has the wrong unit.
        PopulationError: If the cohort does not fit the molecule, or a value is missing.
    """
    shipped = (physiology(), molecule.parameters, *cohort.parameters)
    files = (*shipped, *overrides)
    entries = _overruled(merged(shipped), files[len(shipped) :])
    _check_antigen(molecule, cohort, entries)
    here = {p: entry for p, entry in entries.items() if antigen_of(p) in ("", molecule.target)}
    rows = {path: row(entry) for path, entry in here.items()}
    check_clearance(molecule, rows.values())
    _check_whole(molecule, rows)
    _check_growth(cohort, rows)
    law = covariate_law(cohort)
    _check_covariates(law, rows.values(), cohort)
    own = {path for file in files[len(shipped) :] for path in file.entries}
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
        mixtures=check_mixtures([m for file in files for m in file.mixtures], rows, entries, own),
    )
    table.complete(table.given)  # a missing value is found here
    return table


def merged(files: Sequence[ParameterFile]) -> dict[str, Entry]:
    """Entries of files in order, each path once.

    Raises:
        ConfigError: If a path is unknown, or given twice without a word that it replaces.
    """
    entries: dict[str, Entry] = {}
    for file in files:
        for path, entry in file.entries.items():
            address(path, where=file.name)
            if path in entries and not entry.replaces:
                todo = 'Write replaces = true and the reason as note = "..."'
                must = "a value must be given once"
                got = f"given in {entries[path].file} too"
                raise ConfigError(entry.where, must, got, todo)
            if path not in entries and entry.replaces:
                must = "a replacing value must have one to replace"
                raise ConfigError(entry.where, must, "the first", "Remove replaces")
            entries[path] = entry
    return entries


def row(entry: Entry) -> Row:
    """An entry in canonical units.

    Raises:
        ConfigError: If path, unit, value, spread or a covariate model break a rule.
    """
    at = address(entry.path, where=entry.file)
    value = np.asarray(parse(entry.value, at.unit, where=entry.where))
    if not possible(entry.path, value):
        raise ConfigError(entry.where, f"the value must {rule(entry.path)}", repr(entry.value))
    law = distribution(entry, at.unit)
    return Row(entry.path, at.unit, at.meaning, law, covariate_models(entry), entry)


def _overruled(
    entries: Mapping[str, Entry], overrides: Sequence[ParameterFile]
) -> dict[str, Entry]:
    out = dict(entries)
    for file in overrides:
        for path, entry in file.entries.items():
            address(path, where=file.name)
            out[path] = _overruling(entry, out.get(path))
    return out


_SPREAD = ("cv", "sd", "distribution", "low", "high")


def _overruling(entry: Entry, before: Entry | None) -> Entry:
    """The user's entry; spread and covariate models stay unless it gives its own."""
    if before is None:
        return entry
    kept = {}
    if not any(getattr(entry, key) for key in _SPREAD):
        kept = {key: getattr(before, key) for key in _SPREAD}
    if not entry.covariates:
        kept["covariates"] = before.covariates
    return dataclasses.replace(entry, **kept)


def _varying(rows: Mapping[str, Row], files: Iterable[ParameterFile]) -> set[str]:
    mixed: Iterable[Mixture] = (mixture for file in files for mixture in file.mixtures)
    in_mixtures = {p for mixture in mixed for part in mixture.components for p in part.values}
    return {p for p, row in rows.items() if p in in_mixtures or not isinstance(row.law, Fixed)}


def _check_antigen(molecule: Molecule, cohort: Cohort, entries: Mapping[str, Entry]) -> None:
    antigens = sorted({antigen_of(path) for path in entries} - {""})
    if molecule.target not in antigens:
        must = f"antigens must have {molecule.target}, the target of {molecule.name}"
        got = f"only {', '.join(antigens)}" if antigens else "without any"
        todo = f"Choose another population, or add [antigens.{molecule.target}.copies]"
        raise PopulationError(f"{cohort.name}.toml", must, got, todo)


_NEEDS: Mapping[str, tuple[str, ...]] = {
    "disposition.Q": ("disposition.V2",),
    "disposition.V2": ("disposition.Q",),
    "disposition.ka": ("disposition.bioavailability",),
    "disposition.bioavailability": ("disposition.ka",),
    "disposition.competitor": ("binding.KD_competitor", "disposition.k_competitor"),
    "disposition.soluble_target": ("binding.KD_soluble",),
    "antigens.TARGET.soluble": ("binding.KD_soluble",),
}
"""Values that make sense only together; one alone would be taken for a process that is absent."""


def _check_growth(cohort: Cohort, rows: Mapping[str, Row]) -> None:
    path = "targets.linear_growth.tumor"
    if cohort.growth == "simeoni" and path not in rows:
        todo = 'Write [targets.linear_growth] with tumor = { value = "500 Mcell/day", ... }'
        raise PopulationError(f"{cohort.name}.toml", f"{path} must be given", "missing", todo)


def _check_whole(molecule: Molecule, rows: Mapping[str, Row]) -> None:
    if "sc" in molecule.routes and "disposition.ka" not in rows:
        must = "disposition.ka must be given for the route sc"
        todo = "Give it and disposition.bioavailability, or remove the route"
        raise ConfigError(molecule.parameters.name, must, "missing", todo)
    for path, given in rows.items():
        general = path.replace(f"antigens.{molecule.target}", "antigens.TARGET")
        for group, needed in _NEEDS.items():
            missing = [name for name in needed if name not in rows]
            if within(general, (group,)) and missing:
                must = f"{missing[0]} must be given with {path}"
                raise ConfigError(given.entry.file, must, "missing", "Give both, or neither")


def _check_covariates(law: CovariateLaw, rows: Iterable[Row], cohort: Cohort) -> None:
    have = {*law.numbers, "body_surface", "sex"}
    for given in rows:
        for model in given.covariates:
            if model.covariate not in have:
                must = f"covariates must have {model.covariate}"
                todo = f"The model of {given.path} needs it"
                raise PopulationError(f"{cohort.name}.toml", must, "without", todo)


def check_clearance(molecule: Molecule, rows: Iterable[Row]) -> None:
    """Refuse values that count target-mediated loss twice.

    A published time-varying clearance already holds it; a mechanistic one adds it to a constant.

    Raises:
        ConfigError: If a row belongs to the form of clearance that the molecule does not have.
    """
    wrong = {
        "time_varying": (
            "binding.k_int_CD3",
            "binding.k_int_target",
            "disposition.lost_on_death",
        ),
        "mechanistic": ("disposition.CL_base", "disposition.half_life_CL"),
    }[molecule.clearance]
    for given in rows:
        if given.path in wrong and given.value != 0.0:
            must = f"{given.path} must be absent where clearance is {molecule.clearance}"
            todo = "Else target-mediated loss counts twice: remove it, or choose the other form"
            raise ConfigError(given.entry.file, must, repr(given.entry.value), todo)
