"""Doses of the molecule, from text to numbers: mg and days, with repeats written out."""

from __future__ import annotations

import dataclasses
import math

from qsp.config import tables
from qsp.errors import ConfigError
from qsp.trial.protocol import Dose, repeated
from qsp.trial.regimen import Amount, parse_amount
from qsp.units import parse


def molecule_doses(table: tuple[tables.Dose, ...], where: str) -> tuple[Dose, ...]:
    """The doses of the molecule of one arm, repeats written out.

    Raises:
        ConfigError: At the first key that breaks a rule.
    """
    doses: list[Dose] = []
    last = -math.inf
    for n, entry in enumerate(table):
        key = f"{where}.{n}"
        time = parse(entry.time, "day", where=f"{key}.time")
        if n and time < 0:
            rule = "the value must not be negative, for it counts from the first dose"
            todo = 'Write it without the sign, as in time = "7 day"'
            raise ConfigError(f"{key}.time", rule, repr(entry.time), todo)
        if time < last:
            todo = "List the doses in the order in which they are given"
            got = f"day {time:.6g} after day {last:.6g}"
            raise ConfigError(
                f"{key}.time", "the value must not be before the dose above", got, todo
            )
        last = time
        amount, duration = _given(entry, key)
        kind = "drug_sc" if entry.route == "sc" else "drug_iv"
        gap = duration_of(entry.min_interval, f"{key}.min_interval") if entry.min_interval else None
        dose = Dose(kind, time, amount, duration, "", key, min_interval=gap)
        doses.extend(_repeats(dose, entry, key))
    return tuple(doses)


def _given(entry: tables.Dose, key: str) -> tuple[Amount, float]:
    """Whole amount [mg] and duration [day] of a dose."""
    amount = amount_of(entry, key)
    duration = duration_of(entry.duration, f"{key}.duration")
    if entry.route == "civ":
        if not amount.is_rate:
            todo = 'Write "9 ug/day", or route = "iv" for a whole amount'
            rule = 'the value must be a rate where route is "civ"'
            raise ConfigError(f"{key}.amount", rule, repr(entry.amount), todo)
        if not duration:
            todo = 'Say how long it runs, as in "7 day"'
            rule = 'the value must be above 0 where route is "civ"'
            got = entry.duration or "missing"
            raise ConfigError(f"{key}.duration", rule, got, todo)
        return amount.over(duration), duration
    if amount.is_rate:
        todo = 'Write a whole amount, or route = "civ" with a duration'
        rule = f'the value must be a whole amount where route is "{entry.route}"'
        raise ConfigError(f"{key}.amount", rule, repr(entry.amount), todo)
    if entry.route == "sc" and duration:
        todo = "Leave the duration out"
        rule = 'the value must be 0 where route is "sc"'
        raise ConfigError(f"{key}.duration", rule, repr(entry.duration), todo)
    if entry.route == "iv" and entry.duration is None:
        todo = 'Write "4 hour", or "0 hour" for a bolus'
        rule = 'the value must be given where route is "iv"'
        raise ConfigError(f"{key}.duration", rule, "missing", todo)
    return amount, duration


def _repeats(dose: Dose, entry: tables.Dose, key: str) -> tuple[Dose, ...]:
    labels = entry.period
    times = entry.repeat.times if entry.repeat else 1
    if len(labels) not in (1, times):
        rule = f"the value must name one period, or one for each dose ({times})"
        todo = "One name keeps all doses in one period"
        raise ConfigError(f"{key}.period", rule, f"{len(labels)} names", todo)
    if len(set(labels)) < len(labels):
        todo = "Give each period a name of its own, or all doses one name"
        got = ", ".join(labels)
        raise ConfigError(f"{key}.period", "the value must not name a period twice", got, todo)
    return repeated(dose, interval_of(entry.repeat, key), times, labels * (times // len(labels)))


def amount_of(entry: tables.Dose | tables.Premedication | tables.Rescue, where: str) -> Amount:
    """What is given, as it was written, with the most that a patient gets where that is stated.

    Raises:
        ConfigError: If there is a cap that does not fit the amount.
    """
    amount = parse_amount(entry.amount, where=f"{where}.amount")
    if entry.cap is None:
        return amount
    key, got = f"{where}.cap", f"{entry.cap!r} beside {entry.amount!r}"
    cap = parse_amount(entry.cap, where=key)
    if amount.per == "patient":
        rule = "the value must stand beside an amount per kg or per m^2"
        raise ConfigError(key, rule, got, "Remove it, or write the lower of the two as amount")
    if cap.per != "patient" or not cap.value:
        rule = "the value must be above 0 and for the whole patient"
        raise ConfigError(key, rule, got, 'Write cap = "800 mg", for example')
    if (cap.is_rate, cap.in_nmol) != (amount.is_rate, amount.in_nmol):
        rule = "the value must be a mass or moles, whole or a rate, as amount is"
        todo = 'Write "800 mg" beside "8 mg/kg", or "28 ug/day" beside "15 ug/m^2/day"'
        raise ConfigError(key, rule, got, todo)
    return dataclasses.replace(amount, cap=cap.value)


def duration_of(text: str | None, where: str) -> float:
    """A duration [day], not negative; 0 where it is left out."""
    if text is None:
        return 0.0
    duration = parse(text, "day", where=where)
    if duration < 0:
        raise ConfigError(where, "the value must not be negative", repr(text), "Write 0 or more")
    return duration


def interval_of(repeat: tables.Repeat | None, where: str) -> float:
    """From one dose of a row to the next [day], above 0; 0 where there is no row."""
    if repeat is None:
        return 0.0
    every = parse(repeat.every, "day", where=f"{where}.repeat.every")
    if every <= 0:
        got, todo = repr(repeat.every), 'Write every = "7 day", for example'
        raise ConfigError(f"{where}.repeat.every", "the value must be above 0", got, todo)
    return every
