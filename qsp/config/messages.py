"""One-line messages for errors in a config file.

pydantic finds the key that breaks a rule; the text comes from the `Rule` of the field. Rules that
involve several values are checked while the trial is built, and their `ConfigError` names only the
key; `Source` adds the file, or the `--set` option from which the value came.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from qsp.config.tables import Rule
from qsp.errors import ConfigError, suggest

MOST_SHOWN = 8
"""Numbers of a list that a message repeats; a longer list is called a list."""
_SET = "--set "
_RULE = re.compile(r"arms\..+\.rules\.(\d+)(\..+)?")


@dataclasses.dataclass(frozen=True)
class Source:
    """Origin of a config.

    Args:
        file: Path of the file, as the user wrote it.
        text: TOML text of the file.
        overrides: Key and whole text of each `--set KEY=VALUE`, in order.
    """

    file: Path
    text: str
    overrides: tuple[tuple[str, str], ...] = ()

    @property
    def effective_text(self) -> str:
        """The TOML text, followed by the overrides as comments."""
        changes = [f"# --set {text}" for _, text in self.overrides]
        return "\n".join([self.text.rstrip("\n"), *changes]) + "\n"

    def where(self, key: str) -> str:
        """Return the override that set a key, or else the file."""
        for name, text in reversed(self.overrides):
            if key == name or key.startswith(f"{name}."):
                return f"{_SET}{text}"
        return str(self.file)

    def say(self, error: ConfigError) -> ConfigError:
        """Return an error with the file added to its key."""
        if error.rule.startswith("the value "):
            key, rule = error.where, error.rule.removeprefix("the value ")
        else:
            name, rule = error.rule.split(" ", 1)
            key = name if error.where == "trial" else f"{error.where}.{name}"
        todo = error.todo or 'Write a number and its unit, such as "7 day" or "1 mg"'
        return ConfigError(self.where(key), f"{numbered(key)} {rule}", error.got, todo)

    def shortened(self, error: ConfigError, days: int | None) -> ConfigError:
        """Attribute an error beyond the end of the trial to the override that moved the end.

        Args:
            error: Error from `say`; it is returned unchanged if no override moved the end.
            days: Minimum length of the trial [day], or None if it is unknown.
        """
        moved = self.where("days")
        if moved == str(self.file) or error.where.startswith(_SET):
            return error
        line = "" if error.where == str(self.file) else f"{error.where}: "
        beyond = f"{line}{error.rule.split(' ', 1)[0]} ({error.got}) is beyond the end"
        rule = "days must cover every dose and visit"
        rule += "" if days is None else f", which needs {days} or more"
        todo = f"{beyond}: lengthen the trial, or change that value too"
        return ConfigError(moved, rule, moved.partition("=")[2].strip(), todo)


def dotted(parts: Sequence[str | int]) -> str:
    """Join a key as in TOML and `--set`: arms.flat.doses.0.amount."""
    bare = re.compile(r"[A-Za-z0-9_-]+")
    return ".".join(
        str(part) if bare.fullmatch(str(part)) else json.dumps(part, ensure_ascii=False)
        for part in parts
    )


def numbered(key: str) -> str:
    """Add the number of the rule to a key; keys count rules from 0, messages from 1."""
    rule = _RULE.fullmatch(key)
    return f"{key} (rule {int(rule[1]) + 1})" if rule else key


def shown(value: object) -> str:
    """Format a value of a TOML file for a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        if 0 < len(value) <= MOST_SHOWN and all(type(item) in (int, float) for item in value):
            return f"[{', '.join(map(str, value))}]"
        return "a list" if value else "an empty list"
    return repr(value)


def first_error(error: ValidationError, model: type[BaseModel], source: Source) -> ConfigError:
    """Return the first error; an unknown key goes first, as it explains missing keys."""
    found = error.errors(include_url=False, include_context=False)
    worst = min(found, key=lambda e: e["type"] != "extra_forbidden")
    parts = tuple(part for part in worst["loc"] if part != "[key]")
    key = dotted(parts)
    where, key = source.where(key), numbered(key)
    if worst["type"] == "extra_forbidden":
        inside = f"{dotted(parts)}."
        where = next((f"{_SET}{t}" for k, t in source.overrides if k.startswith(inside)), where)
        known = _known_keys(model, parts[:-1])
        near = suggest(str(parts[-1]), known)
        todo = f"{near} Keys here: {', '.join(known)}".strip()
        if len(parts) == 1 and not near and isinstance(worst["input"], Mapping):
            todo += ". Values of the model go in [parameters], or in a file for --parameters"
        return ConfigError(where, f"{key} must be a known key", "unknown", todo)
    kind, rule = _descend(model, parts)
    advice = rule.todo.replace("KEY", next(str(p) for p in parts[::-1] if isinstance(p, str)))
    if worst["type"] == "missing":
        return ConfigError(where, f"{key} must be given", "missing", advice)
    todo = f"{_near(worst['input'], kind)} {advice}".strip()
    return ConfigError(where, f"{key} must {rule.must}", shown(worst["input"]), todo)


def _known_keys(model: type[BaseModel], parts: Sequence[str | int]) -> list[str]:
    table = _descend(model, parts)[0]
    return [field.alias or name for name, field in table.model_fields.items()]


def _near(value: object, kind: Any) -> str:
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return suggest(value, choices) if isinstance(value, str) else ""


def _descend(model: type[BaseModel], parts: Sequence[str | int]) -> tuple[Any, Rule]:
    """Return the type of a key, and the innermost rule on the path to it."""
    kind, rule = model, Rule("be a table", "Write it as [NAME]")
    for part in parts:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias or name: field for name, field in kind.model_fields.items()}
            field = fields[str(part)]
            rule = next((found for found in field.metadata if isinstance(found, Rule)), rule)
            kind = field.annotation
        else:  # an item of a list or an entry of a table of tables
            kind = next(inner for inner in get_args(kind)[::-1] if inner is not Ellipsis)
        kind, rule = _unwrapped(kind, rule)
    return kind, rule


def _unwrapped(kind: Any, rule: Rule) -> tuple[Any, Rule]:
    """Remove annotations and "or None" from a type."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        if get_origin(kind) is Annotated:
            rule = next((found for found in get_args(kind) if isinstance(found, Rule)), rule)
            kind = get_args(kind)[0]
        else:
            kind = next(inner for inner in get_args(kind) if inner is not type(None))
    return kind, rule
