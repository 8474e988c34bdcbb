"""A molecule: the properties of a drug that do not depend on the disease.

The package has molecules in ``qsp/molecules/NAME.toml``; users add files of the same form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qsp.errors import ConfigError, suggest
from qsp.molecules.parameter_file import Entry, ParameterFile, check_keys, parameter_file, read_toml
from qsp.units import parse

CLEARANCES = ("time_varying", "mechanistic")
SYNAPSES = ("equilibrium", "plateau", "relaxed", "relaxed_by_cd3", "kinetic")
ROUTES = ("iv", "sc")
GROUPS = ("disposition", "binding", "synapse")
"""The groups of parameters a molecule may set."""

_HEADER = (
    "title",
    "target",
    "format",
    "molecular_weight",
    "routes",
    "clearance",
    "synapse_form",
    "in_vitro",
)
_EFFECTS = ("activation", "killing")
_FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Molecule:
    """One drug.

    Args:
        name: Name of its file without the suffix.
        title: Name in reports and figures.
        target: Antigen, by its name in the populations.
        format: Format of the protein, in words.
        molecular_weight: Molecular weight [kDa].
        routes: Routes of administration that its pharmacokinetics cover.
        clearance: ``time_varying`` (empirical, falls with time, contains the loss with target
            cells) or ``mechanistic`` (linear clearance, internalization with receptors, and
            loss of the drug on dying cells).
        synapse: Form of the bridges: ``equilibrium``, ``plateau``, ``relaxed``,
            ``relaxed_by_cd3`` or ``kinetic``.
        parameters: Entries of the file.
        in_vitro: Measured half-effect concentrations (``activation``, ``killing``), for comparison
            only; no parameter is derived from them.
    """

    name: str
    title: str
    target: str
    format: str
    molecular_weight: float
    routes: tuple[str, ...]
    clearance: str
    synapse: str
    parameters: ParameterFile
    in_vitro: Mapping[str, Entry]


def names() -> tuple[str, ...]:
    """Return the names of the shipped molecules."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load(name: str | Path) -> Molecule:
    """Read a shipped molecule by name, or a molecule from a file.

    Args:
        name: A name such as ``mosunetuzumab``, or the path of a TOML file.

    Raises:
        ConfigError: If there is no such molecule, or its file breaks a rule.
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        return read(Path(name))
    check_name(name)
    return read(_FOLDER / f"{name}.toml")


def check_name(name: str, folder: Path | None = None) -> None:
    """Check that a molecule of this name ships with the package.

    Args:
        name: Name of a molecule.
        folder: Folder of the config; the message suggests a molecule file in it that has this name.

    Raises:
        ConfigError: If there is none; the message lists the names.
    """
    if name not in names():
        rule = "the value must be the name of a molecule or a TOML file"
        known = f"Known names: {', '.join(names())}; qsp new NAME writes a file for a new molecule"
        todo = f"{suggest(name, names())} {known}"
        if folder is not None and (folder / f"{name}.toml").is_file():
            todo = f'Write molecule = "{name}.toml" to use this file'
        raise ConfigError("molecule", rule, repr(name), todo.strip())


def read(path: Path) -> Molecule:
    """Read a molecule from its file.

    Raises:
        ConfigError: If the file breaks a rule.
    """
    table, where = read_toml(path), path.name
    check_keys(table, (*_HEADER, *GROUPS, "correlations", "mixtures"), where)
    routes = table.get("routes", [])
    if not isinstance(routes, list) or not routes or not all(r in ROUTES for r in routes):
        rule = f"routes must be a list of {' and '.join(ROUTES)}"
        raise ConfigError(where, rule, repr(routes), 'Write routes = ["iv"], for example')
    weight = table.get("molecular_weight", {})
    return Molecule(
        name=path.stem,
        title=_text(table, "title", where),
        target=_text(table, "target", where),
        format=_text(table, "format", where),
        molecular_weight=_weight(weight, f"{where}: molecular_weight"),
        routes=tuple(routes),
        clearance=_choice(table, "clearance", CLEARANCES, where),
        synapse=_choice(table, "synapse_form", SYNAPSES, where),
        parameters=parameter_file(table, where, header=_HEADER),
        in_vitro=_in_vitro(table.get("in_vitro", {}), where),
    )


def _in_vitro(table: Any, file: str) -> Mapping[str, Entry]:
    """Return the half-effect concentrations by effect."""
    check_keys(table, _EFFECTS, f"{file}: in_vitro")
    entries = parameter_file({"in_vitro": table}, file).entries
    for entry in entries.values():
        parse(entry.value, "ng/mL", where=entry.where)
    return {path.rpartition(".")[2]: entry for path, entry in entries.items()}


def _weight(entry: Any, where: str) -> float:
    text = entry.get("value", "") if isinstance(entry, dict) else entry
    weight = parse(text, "kDa", where=where)
    if weight <= 0:
        raise ConfigError(where, "the value must be positive", repr(text), 'Write "146 kDa"')
    return weight


def _text(table: dict[str, Any], key: str, where: str) -> str:
    text = table.get(key)
    if not isinstance(text, str) or not text:
        got = "missing" if text is None else repr(text)
        raise ConfigError(where, f"{key} must be given", got, f'Write {key} = "..."')
    return text


def _choice(table: dict[str, Any], key: str, known: tuple[str, ...], where: str) -> str:
    text = _text(table, key, where)
    if text not in known:
        todo = f"{suggest(text, known)} Choose one".strip()
        raise ConfigError(where, f"{key} must be one of {', '.join(known)}", repr(text), todo)
    return text
