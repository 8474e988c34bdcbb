"""Rules as text: conditions such as "crs_grade >= 2 and il6 > 500 pg/mL" are read, rules are said.

A rule is said in the words of its config, so that a reader finds each name and number there again.
"""

from __future__ import annotations

import re
import typing

from qsp.errors import ConfigError, UnitError, suggest
from qsp.trial.rules import (
    CONDITIONS,
    NAMES,
    OBSERVABLES,
    PERCENT,
    Comparison,
    Condition,
    Observable,
    Rule,
)
from qsp.trial.trial import protocol_day
from qsp.units import parse

_ONE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|>|<|==|=|!=)\s*(\S.*?)\s*")
_EXAMPLE = 'Write "crs_grade >= 2" or "day < 28 day", several joined by "and"'
_BARE = re.compile(r"[-+.0-9eE]+")


def parse_conditions(text: str, *, where: str) -> tuple[Condition, ...]:
    """Conditions that must all hold, from text.

    Args:
        text: Comparisons joined by "and"; each names an observable, one of >=, >, <=, < and a level
            with its unit. Grades, counts, steps and temperature (in degrees Celsius) have none; a
            change is in percent.
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
    value = _level(level, OBSERVABLES[NAMES.index(name)], text, where)
    return Condition(name, typing.cast(Comparison, sign), value)


def _level(level: str, observable: Observable, text: str, where: str) -> float:
    """The level in the unit of the observable; a bare number where a rule writes no unit."""
    name, is_bare = observable.name, _BARE.fullmatch(level) is not None
    if observable.written == PERCENT and is_bare:
        # 50 would be fifty times the size at the start, where half as much again is meant.
        rule = f"the value must give {name} in percent of the size at the start"
        todo = f'Write "{name} <= -50 %" for half of it, "{name} >= 50 %" for half as much again'
        raise UnitError(where, rule, repr(text.strip()), todo)
    if not observable.written and level.endswith(PERCENT):
        todo = f'Write a bare number, as in "{name} >= 2"'
        raise UnitError(where, f"the value must give {name} without a unit", repr(text), todo)
    if observable.unit == "1":
        level = re.sub(r"\s*(degC|°C)$", "", level)
    return parse(level, observable.unit, where=where)


def sentence(rule: Rule) -> str:
    """A rule in a sentence: when it acts, what it does, and how often."""
    when = " and ".join(map(_said, rule.when))
    in_a_row = (
        f" at {rule.consecutive_visits} visits in a row" if rule.consecutive_visits > 1 else ""
    )
    times = "once" if rule.max_times == 1 else f"at most {rule.max_times} times"
    often = "" if rule.max_times is None else f", {times} in a patient"
    return f"if {when}{in_a_row}, {_act(rule)}{often}"


def _said(condition: Condition) -> str:
    """A condition, with the day as protocols count it."""
    is_day = condition.observable == "day"
    return f"{condition} (protocol {protocol_day(condition.level)})" if is_day else str(condition)


def _act(rule: Rule) -> str:
    days = _count(rule.days, "day")
    return {
        "proceed": "give the dose as planned",
        "hold": "hold the dose until the next visit",
        "delay": f"put the dose off by {days}",
        "repeat": "give the last dose once more",
        "drop_back": f"go back {_count(rule.doses, 'dose')} from the last one",
        "restart": "begin anew with the first dose",
        "split": f"give the dose in {rule.parts} parts, {days} apart",
        "interval": f"give the dose, and from it on one every {days}",
        "stop": "end the treatment",
        "give": f"give {rule.drug}",
    }[rule.act]


def _count(number: float, what: str) -> str:
    return f"{number:.6g} {what}{'' if number == 1 else 's'}"
