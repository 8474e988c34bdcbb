"""Conditions of rules as text: "crs_grade >= 2 and il6 > 500 pg/mL"."""

from __future__ import annotations

import re
import typing

from qsp.errors import ConfigError, suggest
from qsp.trial.rules import CONDITIONS, NAMES, OBSERVABLES, Comparison, Condition
from qsp.units import parse

_ONE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|>|<|==|=|!=)\s*(\S.*?)\s*")
_EXAMPLE = 'Write "crs_grade >= 2" or "day < 28 day", several joined by "and"'


def parse_conditions(text: str, *, where: str) -> tuple[Condition, ...]:
    """Conditions that must all hold, from text.

    Args:
        text: Comparisons joined by "and"; each names an observable, one of >=, >, <=, < and a level
            with its unit. Grades, counts, steps and temperature (in degrees Celsius) have none; a
            change may be written in percent.
        where: Where it was written, for messages.

    Raises:
        ConfigError: If a comparison cannot be read, names nothing that is observed, or asks for
            what no value is.
    """
    if re.search(r"\s+or\s+", text):
        todo = "Write one rule for each"
        raise ConfigError(where, "the value must join comparisons by and", repr(text), todo)
    parts = re.split(r"\s+and\s+", text.strip())
    if len(parts) > CONDITIONS:
        rule = f"the value must hold at most {CONDITIONS} comparisons"
        raise ConfigError(where, rule, len(parts), "Make two rules of it")
    return tuple(_condition(part, where) for part in parts)


def _condition(text: str, where: str) -> Condition:
    found = _ONE.fullmatch(text)
    if not found:
        rule = "the value must be comparisons joined by and"
        raise ConfigError(where, rule, repr(text), _EXAMPLE)
    name, sign, level = found.groups()
    if sign not in typing.get_args(Comparison):
        raise ConfigError(where, "the value must compare by >=, >, <= or <", sign, _EXAMPLE)
    if name not in NAMES:
        todo = f"{suggest(name, NAMES)} Observed are {', '.join(NAMES)}".strip()
        raise ConfigError(where, "the value must name what is observed", repr(name), todo)
    observable = OBSERVABLES[NAMES.index(name)]
    value = _level(level, observable.unit, where)
    return Condition(name, typing.cast(Comparison, sign), value)


def _level(text: str, unit: str, where: str) -> float:
    """The level in the unit of the observable; a bare number where that has none."""
    if unit == "1":
        text = re.sub(r"\s*(degC|°C)$", "", text)
    return parse(text, unit, where=where)
