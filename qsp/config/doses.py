"""Doses of the molecule: from the text of a config to mg and days, with repeats expanded."""

from __future__ import annotations

import dataclasses
import math

from qsp.config import tables
from qsp.errors import ConfigError
from qsp.trial.protocol import Dose, repeated
from qsp.trial.regimen import Amount, parse_amount
from qsp.units import parse


def molecule_doses(table: tuple[tables.Dose, ...], where: str) -> tuple[Dose, ...]:
    """Return the doses of the molecule in one arm, repeats expanded.

    Args:
        table: Doses of the config.
        where: Key of the table.

    Raises:
        ConfigError: At the first key that breaks a rule.
    """
    doses: list[Dose] = []
    last = -math.inf
    for n, entry in enumerate(table):
        key = f"{where}.{n}"
        time = parse(entry.time, "day", where=f"{key}.time")
        if n and time < 0:
            rule = "the value must not be negative, because it counts from the first dose"
            todo = 'Write it without the sign, as in time = "7 day"'
            raise ConfigError(f"{key}.time", rule, repr(entry.time), todo)
        if time < last:
            todo = "List the doses in order of time"
            got = f"day {time:.6g} after day {last:.6g}"
            raise ConfigError(
                f"{key}.time", "the value must not be before the dose above", got, todo
            )
        last = time
        amount, duration = _amount_and_duration(entry, key)
        kind = "drug_sc" if entry.route == "sc" else "drug_iv"
        gap = duration_of(entry.min_interval, f"{key}.min_interval") if entry.min_interval else None
        dose = Dose(kind, time, amount, duration, "", key, min_interval=gap)
        doses.extend(_repeats(dose, entry, key))
    return tuple(doses)


def _amount_and_duration(entry: tables.Dose, key: str) -> tuple[Amount, float]:
    """Return total amount [mg] and duration [day] of a dose."""
    amount = amount_of(entry, key)
    duration = duration_of(entry.duration, f"{key}.duration")
    if entry.route == "civ":
        if not amount.is_rate:
            todo = 'Write "9 ug/day", or route = "iv" for a total amount'
            rule = 'the value must be a rate if route is "civ"'
            raise ConfigError(f"{key}.amount", rule, repr(entry.amount), todo)
        if not duration:
            todo = 'Write duration = "7 day", for example'
            rule = 'the value must be above 0 if route is "civ"'
            got = entry.duration or "missing"
            raise ConfigError(f"{key}.duration", rule, got, todo)
        return amount.over(duration), duration
    if amount.is_rate:
        todo = 'Write a total amount, or route = "civ" with a duration'
        rule = f'the value must be a total amount, not a rate, if route is "{entry.route}"'
        raise ConfigError(f"{key}.amount", rule, repr(entry.amount), todo)
    if entry.route == "sc" and duration:
        todo = "Remove the duration"
        rule = 'the value must be 0 if route is "sc"'
        raise ConfigError(f"{key}.duration", rule, repr(entry.duration), todo)
    if entry.route == "iv" and entry.duration is None:
        todo = 'Write "4 hour", or "0 hour" for a bolus'
        rule = 'the value must be given if route is "iv"'
        raise ConfigError(f"{key}.duration", rule, "missing", todo)
    return amount, duration


def _repeats(dose: Dose, entry: tables.Dose, key: str) -> tuple[Dose, ...]:
    """Return a dose and its repeats, each in its period."""
    labels = entry.period
    times = entry.repeat.times if entry.repeat else 1
    if len(labels) not in (1, times):
        rule = f"the value must name one period, or one for each dose ({times})"
        todo = "One name keeps all doses in one period"
        raise ConfigError(f"{key}.period", rule, f"{len(labels)} names", todo)
    if len(set(labels)) < len(labels):
        todo = "Give each period a unique name, or all doses one name"
        got = ", ".join(labels)
        raise ConfigError(f"{key}.period", "the value must not name a period twice", got, todo)
    return repeated(dose, interval_of(entry.repeat, key), times, labels * (times // len(labels)))


def amount_of(entry: tables.Dose | tables.Premedication | tables.Rescue, where: str) -> Amount:
    """Return the amount of a dose, with its cap if there is one.

    Raises:
        ConfigError: If the cap does not fit the amount.
    """
    amount = parse_amount(entry.amount, where=f"{where}.amount")
    if entry.cap is None:
        return amount
    key, got = f"{where}.cap", f"{entry.cap!r} with amount {entry.amount!r}"
    cap = parse_amount(entry.cap, where=key)
    if amount.per == "patient":
        rule = "the value must be used with an amount per kg or per m^2"
        raise ConfigError(key, rule, got, "Remove it, or write the lower of the two as amount")
    if cap.per != "patient" or not cap.value:
        rule = "the value must be above 0 and per patient"
        raise ConfigError(key, rule, got, 'Write cap = "800 mg", for example')
    if (cap.is_rate, cap.in_nmol) != (amount.is_rate, amount.in_nmol):
        rule = "the value must be a mass or moles, a total or a rate, like amount"
        todo = 'Write "800 mg" with "8 mg/kg", or "28 ug/day" with "15 ug/m^2/day"'
        raise ConfigError(key, rule, got, todo)
    return dataclasses.replace(amount, cap=cap.value)


def duration_of(text: str | None, where: str) -> float:
    """Return a duration [day], not negative; 0 if it is not given."""
    if text is None:
        return 0.0
    duration = parse(text, "day", where=where)
    if duration < 0:
        raise ConfigError(where, "the value must not be negative", repr(text), "Write 0 or more")
    return duration


def interval_of(repeat: tables.Repeat | None, where: str) -> float:
    """Return the interval between repeated doses [day], above 0; 0 if there are no repeats."""
    if repeat is None:
        return 0.0
    every = parse(repeat.every, "day", where=f"{where}.repeat.every")
    if every <= 0:
        got, todo = repr(repeat.every), 'Write every = "7 day", for example'
        raise ConfigError(f"{where}.repeat.every", "the value must be above 0", got, todo)
    return every
