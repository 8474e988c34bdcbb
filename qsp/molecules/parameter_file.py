"""Parameter files: TOML tables that mirror the paths of the parameters, with one entry per value.

::

    [disposition]
    V1 = { value = "5.49 L", cv = "31 %", status = "published", source = "Bender2024" }

An entry has a value with a unit, its origin, and its variability between patients. A file may also
have `[[correlations]]` between entries and `[[mixtures]]` of subpopulations.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qsp.errors import ConfigError, suggest

STATUSES = ("published", "assumed", "tuned")
"""Read in the cited source; assumed or recalled; fitted or adjusted to data."""

_TEXTS = ("value", "source", "status", "note", "cv", "sd", "distribution", "low", "high")
_KEYS = (*_TEXTS, "covariates", "replaces", "keep_spread", "scale")
_TABLES = ("correlations", "mixtures")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A value of a parameter file.

    Args:
        path: Path of the parameter, such as ``disposition.V1``.
        value: Number with unit, as text.
        file: Name of the file.
        status: One of `STATUSES`, or ``user``.
        source: Key in references.bib.
        note: Explanation of the value.
        cv: Coefficient of variation between patients, as text.
        sd: Standard deviation between patients, as text; on the logit scale for ``logit_normal``.
        distribution: Distribution between patients; ``log_normal`` by default if there is a cv.
        low: Lower bound of sampled values, as text.
        high: Upper bound of sampled values, as text.
        covariates: Covariate models of the value.
        replaces: Whether the entry replaces that of an earlier file on purpose.
        keep_spread: False in a user file for a value that is the same in all patients,
            whatever spread and covariate models earlier files give.
        scale: Factor of the value of each patient. In a user file it may be given without a
            value: the value, spread and mixture of earlier files remain.
    """

    path: str
    value: str
    file: str
    status: str
    source: str = ""
    note: str = ""
    cv: str = ""
    sd: str = ""
    distribution: str = ""
    low: str = ""
    high: str = ""
    covariates: tuple[Mapping[str, Any], ...] = ()
    replaces: bool = False
    keep_spread: bool = True
    scale: float = 1.0

    @property
    def where(self) -> str:
        """File and path, for messages."""
        return f"{self.file}: {self.path}"


@dataclasses.dataclass(frozen=True)
class Correlation:
    """Correlation of two parameters between patients, on the scale where both are normal.

    Args:
        between: Paths of the two parameters.
        value: Coefficient, between -1 and 1.
        file: Name of the file.
        status: One of `STATUSES`; empty in a user file.
        source: Key in references.bib.
        note: Explanation of the value.
    """

    between: tuple[str, str]
    value: float
    file: str
    status: str = ""
    source: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Component:
    """A subpopulation of a mixture.

    Args:
        name: Description of the subpopulation.
        weight: Fraction of patients.
        values: Values that differ, by path: a median with an optional cv, or a factor.
    """

    name: str
    weight: float
    values: Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Subpopulations that exclude each other."""

    name: str
    components: tuple[Component, ...]
    file: str


@dataclasses.dataclass(frozen=True)
class ParameterFile:
    """The entries, correlations and mixtures of a parameter file."""

    name: str
    entries: Mapping[str, Entry]
    correlations: tuple[Correlation, ...] = ()
    mixtures: tuple[Mixture, ...] = ()


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: If the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(path.name, "the file must exist", "missing", "Check its path") from None
    except (OSError, UnicodeDecodeError):
        rule = "the file must be a text file"
        raise ConfigError(path.name, rule, "not readable as text", "Save it as TOML") from None
    except tomllib.TOMLDecodeError as error:
        todo = "Correct that line; text and quantities need quotes"
        raise ConfigError(path.name, "the file must be TOML", f"not: {error}", todo) from None


def parameter_file(
    table: Mapping[str, Any], name: str, *, header: Iterable[str] = (), status: str = ""
) -> ParameterFile:
    """Return the entries, correlations and mixtures of a file.

    Args:
        table: Content of the file.
        name: Name of the file, for messages.
        header: Keys at the top level that are not parameters.
        status: Status of entries without one; if it is empty, every entry must have a status.

    Raises:
        ConfigError: If an entry is invalid.
    """
    other_keys = (*header, *_TABLES)
    tree = {key: value for key, value in table.items() if key not in other_keys}
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            known = f"{', '.join(other_keys)}, and tables of parameters"
            todo = f"{suggest(key, other_keys)} Keys here: {known}".strip()
            raise ConfigError(name, f"{key} must be a known key", "unknown", todo)
    entries = {entry.path: entry for entry in _entries(tree, "", name, status)}
    return ParameterFile(
        name,
        entries,
        tuple(_correlation(item, name) for item in _items(table, "correlations", name)),
        tuple(_mixture(item, name) for item in _items(table, "mixtures", name)),
    )


def _entries(tree: Mapping[str, Any], prefix: str, file: str, status: str) -> Iterator[Entry]:
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, str) and status:
            yield Entry(path, value, file, status)
        elif not isinstance(value, Mapping):
            todo = 'Write { value = "1 L", status = "assumed" }'
            got = reprlib.repr(value)
            raise ConfigError(f"{file}: {path}", "the entry must be a table", got, todo)
        elif "value" in value or (status and "scale" in value):
            yield _entry(value, path, file, status)
        else:
            yield from _entries(value, f"{path}.", file, status)


def _entry(table: Mapping[str, Any], path: str, file: str, status: str) -> Entry:
    where = f"{file}: {path}"
    check_keys(table, _KEYS, where)
    for key in _TEXTS:
        if key in table and not isinstance(table[key], str):
            todo = f'Write {key} = "{table[key]}", with its unit'
            raise ConfigError(where, f"{key} must be text in quotes", repr(table[key]), todo)
    texts = {"status": status, "value": ""} | {
        key: table[key].strip() for key in _TEXTS if key in table
    }
    covariates = tuple(_items(table, "covariates", where))
    entry = Entry(
        path=path,
        file=file,
        covariates=covariates,
        replaces=table.get("replaces", False) is True,
        keep_spread=_keep_spread(table, where),
        scale=_scale(table, where),
        **texts,
    )
    _check_provenance(entry, user=bool(status))
    return entry


def _keep_spread(table: Mapping[str, Any], where: str) -> bool:
    keep = table.get("keep_spread", True)
    own = [key for key in ("cv", "sd", "distribution", "low", "high", "covariates") if key in table]
    if not isinstance(keep, bool):
        todo = "Write keep_spread = false"
        raise ConfigError(where, "keep_spread must be true or false", repr(keep), todo)
    if not keep and own:
        rule = f"keep_spread must be absent with {own[0]}"
        raise ConfigError(where, rule, "false", "Remove one of them")
    return keep


def _scale(table: Mapping[str, Any], where: str) -> float:
    factor = table.get("scale", 1.0)
    is_number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not is_number or not 0.0 <= factor < math.inf:
        rule = "scale must be a number of 0 or more"
        raise ConfigError(where, rule, repr(factor), "Write scale = 0.5, for example")
    if "value" not in table and set(table) != {"scale"}:
        rule = "scale must be alone in an entry without a value"
        raise ConfigError(where, rule, f"with {', '.join(sorted(set(table) - {'scale'}))}")
    return float(factor)


def _check_provenance(entry: Entry, *, user: bool) -> None:
    allowed = (*STATUSES, "user") if user else STATUSES
    if entry.status not in allowed:
        rule = f"status must be one of {', '.join(STATUSES)}"
        got = repr(entry.status) if entry.status else "missing"
        raise ConfigError(entry.where, rule, got, "It states the origin of the value")
    if entry.status == "published" and not entry.source:
        todo = "Write its key in references.bib, or status = 'assumed'"
        rule = "source must be given for a published value"
        raise ConfigError(entry.where, rule, "missing", todo)
    if (entry.status == "tuned" or entry.replaces) and not entry.note:
        rule = "note must be given for a tuned or replacing value"
        raise ConfigError(entry.where, rule, "missing", "Explain why the value differs")
    if entry.cv and entry.sd:
        rule, got = "the spread must be given once", "given as cv and as sd"
        raise ConfigError(entry.where, rule, got, "Remove one of them")


def _items(table: Mapping[str, Any], key: str, file: str) -> Sequence[Mapping[str, Any]]:
    items = table.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        got = reprlib.repr(items)
        raise ConfigError(file, f"{key} must be a list of tables", got, f"Write [[{key}]]")
    return items


def _correlation(item: Mapping[str, Any], file: str) -> Correlation:
    where = f"{file}: correlations"
    check_keys(item, ("between", "value", "status", "source", "note"), where)
    pair, value = item.get("between"), item.get("value")
    are_names = isinstance(pair, list) and all(isinstance(name, str) for name in pair)
    if not isinstance(pair, list) or not are_names or len(pair) != 2 or pair[0] == pair[1]:
        todo = 'Write between = ["disposition.CL_ss", "disposition.V1"]'
        raise ConfigError(where, "between must name two parameters", repr(pair), todo)
    if not isinstance(value, int | float) or not -1 < value < 1:
        rule = "value must be a number between -1 and 1"
        raise ConfigError(where, rule, repr(value), f"Check {' and '.join(pair)}")
    texts = {key: str(item.get(key, "")) for key in ("status", "source", "note")}
    return Correlation((pair[0], pair[1]), float(value), file, **texts)


def _mixture(item: Mapping[str, Any], file: str) -> Mixture:
    check_keys(item, ("name", "components", "status", "source", "note"), f"{file}: mixtures")
    name = str(item.get("name", ""))
    where = f"{file}: mixture {name!r}"
    components = tuple(_component(each, where) for each in _items(item, "components", where))
    total = sum(component.weight for component in components)
    if abs(total - 1.0) > 1e-9:
        rule = "the weights of the components must add up to 1"
        raise ConfigError(where, rule, f"{total:g}", "Check the weights")
    return Mixture(name, components, file)


def _component(item: Mapping[str, Any], where: str) -> Component:
    check_keys(item, ("name", "weight", "values"), where)
    weight, values = item.get("weight"), item.get("values", {})
    if not isinstance(weight, int | float) or not 0 <= weight <= 1:
        rule = "the weight of a component must be a number between 0 and 1"
        raise ConfigError(where, rule, repr(weight), "Write weight = 0.5")
    if not isinstance(values, Mapping) or not all(isinstance(v, Mapping) for v in values.values()):
        todo = 'Write values."tumor.cells" = { median = "1e4 Mcell" }'
        rule = "values must be tables by path"
        raise ConfigError(where, rule, reprlib.repr(values), todo)
    for path, change in values.items():
        check_keys(change, ("median", "cv", "factor"), f"{where}, {path}")
        if ("median" in change) == ("factor" in change):
            rule = "a component must have either a median or a factor"
            got = "given both" if "median" in change else "given neither"
            raise ConfigError(f"{where}, {path}", rule, got, "Write one of them")
    return Component(str(item.get("name", "")), float(weight), values)


def check_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Check that a table has only known keys.

    Raises:
        ConfigError: At the first unknown key.
    """
    for key in table:
        if key not in known:
            todo = f"{suggest(key, known)} Keys here: {', '.join(known)}"
            raise ConfigError(where, f"{key} must be a known key", "unknown", todo.strip())
