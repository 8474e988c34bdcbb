"""Rules as text: parsing of conditions such as "crs_grade >= 2 and il6 > 500 pg/mL", and sentences.

The sentence of a rule uses the names and numbers of its config.
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
    """Parse conditions that must all hold.

    Args:
        text: Comparisons joined by "and". Each consists of an observable, one of >=, >, <=, <, and
            a level with its unit. Grades, counts, steps and temperature (in degrees Celsius) have
            no unit; changes are in percent.
        where: Place in the config, for error messages.

    Raises:
        ConfigError: If the text is not a list of comparisons, an observable is unknown, or a level
            has the wrong unit.
    """
    if re.search(r"\s+or\s+", text):
        todo = "Write one rule for each comparison"
        raise ConfigError(where, "the value must join comparisons by and", repr(text), todo)
    parts = re.split(r"\s+and\s+", text.strip())
    if len(parts) > CONDITIONS:
        rule = f"the value must hold at most {CONDITIONS} comparisons"
        raise ConfigError(where, rule, len(parts), "Split it into two rules")
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
        todo = f"{suggest(name, NAMES)} Observables: {', '.join(NAMES)}".strip()
        raise ConfigError(where, "the value must name an observable", repr(name), todo)
    value = _level(level, OBSERVABLES[NAMES.index(name)], text, where)
    return Condition(name, typing.cast(Comparison, sign), value)


def _level(level: str, observable: Observable, text: str, where: str) -> float:
    """Level in the unit of the observable; a bare number if rules write no unit."""
    name, is_bare = observable.name, _BARE.fullmatch(level) is not None
    if observable.written == PERCENT and is_bare:
        # 50 would mean fifty times the size at the start, but an increase by half is meant.
        rule = f"the value must give {name} in percent of the size at the start"
        todo = f'Write "{name} <= -50 %" for a decrease by half, or "{name} >= 50 %"'
        raise UnitError(where, rule, repr(text.strip()), todo)
    if not observable.written and level.endswith(PERCENT):
        todo = f'Write a bare number, as in "{name} >= 2"'
        raise UnitError(where, f"the value must give {name} without a unit", repr(text), todo)
    if observable.unit == "1":
        level = re.sub(r"\s*(degC|°C)$", "", level)
    return parse(level, observable.unit, where=where)


def sentence(rule: Rule) -> str:
    """Return a rule as a sentence: conditions, probability, act, and limit of its number."""
    when = " and ".join(map(_condition_text, rule.when))
    in_a_row = (
        f" at {rule.consecutive_visits} consecutive visits" if rule.consecutive_visits > 1 else ""
    )
    chance = (
        f", with a probability of {100 * rule.probability:.6g} % per CRS event"
        if rule.probability < 1.0
        else ""
    )
    times = "once" if rule.max_times == 1 else f"at most {rule.max_times} times"
    limit = "" if rule.max_times is None else f", {times} per patient"
    return f"if {when}{in_a_row}{chance}, {_act_text(rule)}{limit}"


def _condition_text(condition: Condition) -> str:
    """Condition as text; a day is also shown as protocols count it."""
    is_day = condition.observable == "day"
    return f"{condition} (protocol {protocol_day(condition.level)})" if is_day else str(condition)


def _act_text(rule: Rule) -> str:
    days = _count(rule.days, "day")
    return {
        "proceed": "give the dose as planned",
        "hold": "hold the dose until the next visit",
        "delay": f"delay the dose by {days}",
        "repeat": "repeat the last dose",
        "drop_back": f"go back {_count(rule.doses, 'dose')} from the last dose",
        "restart": "restart with the first dose",
        "split": f"give the dose in {rule.parts} parts, {days} apart",
        "interval": f"give the dose, and later doses every {days}",
        "stop": "stop the treatment",
        "give": f"give {rule.drug}",
    }[rule.act]


def _count(number: float, noun: str) -> str:
    return f"{number:.6g} {noun}{'' if number == 1 else 's'}"
