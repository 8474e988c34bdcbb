"""Quantities in arguments: text with a unit, or a number in the unit of the argument."""

from __future__ import annotations

import math
from typing import Any

from qsp.api.changes import is_traced, number, shown
from qsp.errors import ConfigError
from qsp.trial import parse_amount
from qsp.units import parse

Quantity = str | float
"""Text with unit, or a number in the default unit of the argument."""


def text_of(value: Any, unit: str, where: str) -> str:
    """Return a quantity as text with a unit.

    Args:
        value: Text, or number in `unit`.
        unit: Unit of a number.
        where: Argument, for error messages.

    Raises:
        ConfigError: If the value is not a finite number, or JAX traces it.
    """
    if isinstance(value, str):
        return value
    found = number(value)
    if found is None:
        rule = "the value must be a number"
        todo = "Use qsp.trajectory for derivatives; qsp.simulate takes numbers"
        todo = todo if is_traced(value) else f'Write "1 {unit}", for example'
        raise ConfigError(where, rule, shown(value), todo)
    if not math.isfinite(found):
        todo = f'Write "1 {unit}", for example'
        raise ConfigError(where, "the value must be finite", repr(found), todo)
    return f"{plain_number(found)} {unit}"


def plain_number(value: float) -> str:
    """Return the shortest text that gives the number again, without a trailing ``.0``."""
    return repr(value).removesuffix(".0")


def days_of(value: Quantity, where: str) -> float:
    """Return a duration in days.

    Raises:
        ConfigError: If it is negative, not finite, or not a time.
    """
    days = parse(text_of(value, "day", where), "day", where=where)
    if days < 0:
        raise ConfigError(where, "the value must not be negative", repr(value), "Write 0 or more")
    return days


def check_amount(amount: Any, unit: str, where: str) -> None:
    """Check an amount, unless JAX traces it.

    Args:
        amount: Text with unit, number, or tracer.
        unit: Unit of a number.
        where: Argument, for error messages.

    Raises:
        ConfigError: If it is negative, not a finite number, or in a wrong unit.
    """
    if not is_traced(amount):
        parse_amount(text_of(amount, unit, where), where=where)
