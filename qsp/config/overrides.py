"""Changes to a config from the command line: `--set arms.flat.doses.0.amount="30 mg"`.

The key is a TOML key, with numbers for the items of a list (from 0); a part with other characters
stands in quotes. The value is read as TOML, and as plain text where it is none, for a shell takes
quotes away.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from typing import Any

from qsp.config.messages import dotted, shown
from qsp.errors import ConfigError, suggest

# Entries of these tables are named by the user: a name nobody defined is a misspelt one.
_NAMED = ("arms", "premedication", "rescue")


def overridden(
    data: dict[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """The tables of a config with the overrides in place.

    Args:
        data: Tables as TOML gives them; left as they are.
        overrides: Texts KEY=VALUE, applied in order.

    Returns:
        The new tables, and key and text of each override.

    Raises:
        ConfigError: If an override is no KEY=VALUE or its key leads nowhere.
    """
    data = copy.deepcopy(data)
    applied = []
    for text in overrides:
        parts = _key(text)
        line = " ".join(text.splitlines())
        _set(data, parts, _value(text), f"--set {line}")
        applied.append((dotted(parts), line))
    return data, tuple(applied)


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
    # A path of parameters is one key, whether or not it is in quotes.
    if parts[0] == "arms" and parts[2:3] == ["parameters"] and len(parts) > 4:
        parts[3:] = [".".join(parts[3:])]
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
    """Make room for a key whose table the file leaves out, such as method.rtol."""
    key, part = dotted(parts), parts[-1]
    if len(parts) == 2 and parts[0] in _NAMED:
        todo = f"{suggest(part, node)} Known here: {', '.join(node) or 'none'}".strip()
        raise ConfigError(where, f"{key} must be in the file", "not", todo)
    if part == "doses":
        other = node.get("same_doses_as")
        todo = f"Change {dotted(('arms', other, 'doses'))}" if other else "Add doses to the file"
        raise ConfigError(where, f"{key} must be in the file", "not", todo)
    node[part] = {}
