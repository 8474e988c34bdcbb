"""Changes to a config from the command line: `--set arms.flat.doses.0.amount="30 mg"`.

The key is a TOML key, with numbers (from 0) for the items of a list; a part with special characters
is written in quotes. The value is read as TOML, or as plain text if it is not TOML, because a shell
removes quotes.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple

from qsp.config.messages import dotted, shown
from qsp.config.renamed import Renaming, new_path
from qsp.errors import ConfigError, suggest

# Users name the entries of these tables, so a name that the file does not define is a typing error.
_NAMED = ("arms", "premedication", "rescue")


class Overridden(NamedTuple):
    """The tables of a config after the overrides.

    Args:
        tables: The new tables.
        applied: Key and text of each override, in order.
        renamed: Keys of overrides that were given under old names.
    """

    tables: dict[str, Any]
    applied: tuple[tuple[str, str], ...]
    renamed: tuple[Renaming, ...]


def overridden(data: dict[str, Any], overrides: Sequence[str]) -> Overridden:
    """Apply overrides to the tables of a config.

    Args:
        data: Tables as TOML gives them; they are not changed.
        overrides: Texts KEY=VALUE, applied in order.

    Raises:
        ConfigError: If a text is not KEY=VALUE or its key does not exist.
    """
    data = copy.deepcopy(data)
    applied, renamed = [], []
    for text in overrides:
        written = _key(text)
        parts = new_path(written)
        if parts != written:
            renamed.append(Renaming(dotted(written), parts[-1]))
        line = " ".join(text.splitlines())
        _set(data, parts, _value(text), f"--set {line}")
        applied.append((dotted(parts), line))
    return Overridden(data, tuple(applied), tuple(renamed))


def _key(text: str) -> tuple[str, ...]:
    key, equals, _ = text.partition("=")
    todo = "Write --set patients=200, for example"
    if not equals:
        raise ConfigError(f"--set {text}", "an override must be KEY=VALUE", repr(text), todo)
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        rule = "the key of an override must be names joined by dots"
        raise ConfigError(f"--set {text}", rule, repr(key), todo) from None
    parts = []
    while isinstance(inner, dict) and inner:
        part, inner = next(iter(inner.items()))
        parts.append(part)
    # The path of a parameter is one key, with or without quotes.
    if parts[0] == "arms" and parts[2:3] == ["parameters"] and len(parts) > 4:
        parts[3:] = [".".join(parts[3:])]
    if parts[0] in ("parameters", "draws") and len(parts) > 2:
        parts[1:] = [".".join(parts[1:])]
    return tuple(parts)


def _value(text: str) -> Any:
    written = text.partition("=")[2].strip()
    try:
        table = tomllib.loads(f"value = {written}")
    except tomllib.TOMLDecodeError:
        if written[:1] in ("[", "{", '"', "'"):
            rule, todo = "the value of an override must be TOML", "Put the whole override in quotes"
            raise ConfigError(f"--set {text}", rule, written, todo) from None
        return written
    return table["value"] if len(table) == 1 else written


def _set(data: dict[str, Any], parts: tuple[str, ...], value: Any, where: str) -> None:
    node: Any = data
    for depth, part in enumerate(parts):
        is_last = depth == len(parts) - 1
        key = dotted(parts[: depth + 1])
        if isinstance(node, list):
            if not (part.isdigit() and int(part) < len(node)):
                rule = f"{key} must be an item of the list, 0 to {len(node) - 1}"
                raise ConfigError(where, rule, part, "Items are counted from 0")
            index: Any = int(part)
        elif isinstance(node, dict):
            index = part
            if not is_last and part not in node:
                _add_table(node, parts[: depth + 1], where)
        else:
            above = dotted(parts[:depth])
            rule = f"{above} must be a table or a list to hold {part}"
            raise ConfigError(where, rule, shown(node), f"Set {above} itself")
        if is_last:
            node[index] = value
        else:
            node = node[index]


def _add_table(node: dict[str, Any], parts: tuple[str, ...], where: str) -> None:
    """Add the table of a key that the file does not have, such as `method` for method.rtol."""
    key, part = dotted(parts), parts[-1]
    if len(parts) == 2 and parts[0] in _NAMED:
        todo = f"{suggest(part, node)} Known here: {', '.join(node) or 'none'}".strip()
        raise ConfigError(where, f"{key} must be in the file", "missing", todo)
    if part == "doses":
        other = node.get("same_doses_as")
        todo = f"Change {dotted(('arms', other, 'doses'))}" if other else "Add doses to the file"
        raise ConfigError(where, f"{key} must be in the file", "missing", todo)
    node[part] = {}
