"""Changes of parameter values: entries of a user file, as data."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from qsp.errors import ConfigError
from qsp.molecules import ParameterFile, parameter_file
from qsp.populations.paths import parameter_path
from qsp.units import parse

Changes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Entry by path, as below ``[parameters]`` of a config."""


def number(value: Any) -> float | None:
    """Return a value as a float, or None if it is not a number or JAX is tracing it.

    Args:
        value: Number, array of one number, tracer, or anything else that a user may write.
    """
    try:
        return float(value)
    except (TypeError, ValueError):  # tracers raise subclasses of TypeError
        return None


def is_traced(value: Any) -> bool:
    """Return whether JAX is tracing a value."""
    jax = sys.modules.get("jax")  # without jax there is no tracer, and importing it takes a second
    return jax is not None and isinstance(value, jax.core.Tracer)


def shown(value: Any) -> str:
    """Return a value for an error message; a value that JAX traces has no number to show."""
    return "a tracer of JAX" if is_traced(value) else repr(value)


def refuse_traced(paths: Iterable[str]) -> None:
    """Check that JAX traces no value of the patients.

    Args:
        paths: Paths of the traced values.

    Raises:
        ConfigError: If there is a path.
    """
    for path in paths:
        rule, todo = f"{path} must be a number", "Use qsp.trajectory for derivatives"
        raise ConfigError("people", rule, "a tracer of JAX", todo)


def with_value(
    changes: Changes, path: str, value: Any, *, keep_spread: bool, where: str
) -> dict[str, Mapping[str, Any]]:
    """Return the changes with a value that replaces earlier changes of its path.

    Args:
        changes: Earlier changes.
        path: Path of the parameter.
        value: Text with unit, or a number in the canonical unit.
        keep_spread: Whether the value is the median of the earlier distribution; if not, it is the
            value of all patients.
        where: Object that is changed, for error messages.

    Raises:
        ConfigError: If the path is unknown, or the value is no finite number in the right unit.
    """
    unit = parameter_path(path, where=where).unit
    text = value if isinstance(value, str) else _text(value, unit, f"{where}: {path}")
    parse(text, unit, where=f"{where}: {path}")
    entry: dict[str, Any] = {"value": text}
    if not keep_spread:
        entry["keep_spread"] = False
    return {**{known: old for known, old in changes.items() if known != path}, path: entry}


def with_scale(
    changes: Changes, path: str, factor: Any, *, where: str
) -> dict[str, Mapping[str, Any]]:
    """Return the changes with a factor, which multiplies earlier changes of its path.

    Args:
        changes: Earlier changes.
        path: Path of the parameter.
        factor: Number of 0 or more.
        where: Object that is changed, for error messages.

    Raises:
        ConfigError: If the path is unknown, or the factor is not a number of 0 or more.
    """
    parameter_path(path, where=where)
    found = number(factor)
    if found is None or not 0.0 <= found < math.inf:
        rule = "the factor must be a number of 0 or more"
        raise ConfigError(f"{where}: {path}", rule, shown(factor), "Write 0.5, for example")
    entry = dict(changes.get(path, {}))
    entry["scale"] = float(entry.get("scale", 1.0)) * found
    return {**changes, path: entry}


def files(changes: Changes, name: str) -> tuple[ParameterFile, ...]:
    """Return the changes as a user file; none if there are no changes."""
    return (parameter_file(changes, name, status="user"),) if changes else ()


def _text(value: Any, unit: str, where: str) -> str:
    found = number(value)
    if found is None or not math.isfinite(found):
        todo = "Derivatives need qsp.trajectory: set the value of its patient"
        todo = todo if is_traced(value) else f'Write "1 {unit}", for example'
        raise ConfigError(where, "the value must be a finite number", shown(value), todo)
    return repr(found) if unit == "1" else f"{found!r} {unit}"
