"""Keys of earlier versions, read under their new names with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from qsp.config.messages import dotted
from qsp.errors import ConfigError, QSPWarning


class RenamedKey(NamedTuple):
    """A key with a new name.

    Args:
        table: Path of the table; `*` is the name or the number of any entry.
        old: Name of the key in earlier versions.
        new: Name of the key now.
        version: Last version in which the old name was the name.
    """

    table: str
    old: str
    new: str
    version: str


RENAMED = (
    RenamedKey("arms.*.doses.*", "least_gap", "min_interval", "0.1.0"),
    RenamedKey("arms.*.rules.*", "at_most", "max_times", "0.1.0"),
    RenamedKey("arms.*.rules.*", "confirmed", "consecutive_visits", "0.1.0"),
    RenamedKey("rescue.*", "apart", "min_interval", "0.1.0"),
    RenamedKey("rescue.*", "at_most", "max_times", "0.1.0"),
)
"""Every key that has been renamed. An old name works until it is removed from here."""


class RenamedKeyWarning(QSPWarning):
    """A config has keys of an earlier version."""


class Renaming(NamedTuple):
    """A key that was found under its old name.

    Args:
        key: Path of the key in the file.
        new: New name of the key.
    """

    key: str
    new: str


def with_new_keys(tables: Any, where: str) -> tuple[Any, tuple[Renaming, ...]]:
    """Return the tables of a config with every old key under its new name, in its old place.

    Args:
        tables: Tables as TOML gives them; they are not changed.
        where: File or option they come from, for messages.

    Raises:
        ConfigError: If a key is given under both names.
    """
    found: list[Renaming] = []
    return _renamed(tables, (), where, found), tuple(found)


def new_path(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the path of a key with the last part under its new name."""
    if not parts:
        return ()
    *table, name = parts
    return (*table, _new_names(table).get(name, name))


def warn_of_renamed(found: Sequence[Renaming], where: str) -> None:
    """Warn once about all keys of a config that have old names."""
    if found:
        listed = ", ".join(f"{key} is now {new}" for key, new in dict.fromkeys(found))
        warnings.warn(
            f"{where} has keys of an earlier version: {listed}. Old names will be refused later",
            RenamedKeyWarning,
            stacklevel=4,
        )


def _renamed(node: Any, parts: tuple[str | int, ...], where: str, found: list[Renaming]) -> Any:
    if isinstance(node, list):
        return [_renamed(item, (*parts, n), where, found) for n, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    names = _new_names(parts)
    result: dict[str, Any] = {}
    for key, value in node.items():
        new = names[key] if key in names else str(key)
        if new != key:
            written = dotted((*parts, key))
            if new in node:
                rule = f"{written} must be written as {new}"
                raise ConfigError(where, rule, "given under both names", f"Remove {key}")
            found.append(Renaming(written, new))
        result[new] = _renamed(value, (*parts, new), where, found)
    return result


def _new_names(table: Sequence[str | int]) -> dict[str, str]:
    return {entry.old: entry.new for entry in RENAMED if _matches(entry.table.split("."), table)}


def _matches(pattern: Sequence[str], table: Sequence[str | int]) -> bool:
    return len(pattern) == len(table) and all(
        expected in ("*", part) for expected, part in zip(pattern, table, strict=True)
    )
