"""Supportive drugs: from the text of a config to doses, at fixed times or ahead of doses."""

from __future__ import annotations

import dataclasses
import math

from qsp.config import tables
from qsp.config.doses import amount_of, duration_of, interval_of
from qsp.config.messages import shown
from qsp.drugs import DRUG_BY_NAME
from qsp.errors import ConfigError
from qsp.trial.protocol import Dose, administered_before, repeated
from qsp.trial.regimen import Amount
from qsp.units import parse


def supportive_doses(
    table: tables.Premedication, where: str, molecule: tuple[Dose, ...]
) -> tuple[Dose, ...]:
    """Return the doses of a supportive drug in one arm.

    Args:
        table: Drug, amount and times.
        where: Key of the table.
        molecule: Doses of the molecule in the arm.

    Raises:
        ConfigError: At the first key that breaks a rule.
    """
    amount, duration = supportive_amount(table, where)
    drug = Dose(kind_of(table.drug), 0.0, amount, duration, "", where)
    if table.time is not None and table.before is None:
        return _at_times(table, where, drug, table.time)
    if table.before is not None and table.time is None:
        return _ahead(table, where, drug, molecule)
    if table.time is not None:
        rule, todo = "the value must not be given together with before", "Remove one of them"
        raise ConfigError(f"{where}.time", rule, repr(table.time), todo)
    todo = 'Write before = "1 hour", or time = "0 day"'
    raise ConfigError(f"{where}.time", "the value must be given, or before", "missing", todo)


def supportive_amount(
    table: tables.Premedication | tables.Rescue, where: str
) -> tuple[Amount, float]:
    """Return amount [mg] and duration [day] of a supportive drug.

    Args:
        table: Drug, amount, route and duration.
        where: Key of the table.

    Raises:
        ConfigError: At the first key that breaks a rule.
    """
    drug = DRUG_BY_NAME[table.drug]
    if table.route not in drug.routes:
        rule = f"the value must be {' or '.join(drug.routes)} for {table.drug}"
        todo = f'Write route = "{drug.routes[0]}"'
        raise ConfigError(f"{where}.route", rule, repr(table.route), todo)
    amount = amount_of(table, where)
    if amount.in_nmol:
        rule = "the value must be a mass for a supportive drug"
        raise ConfigError(f"{where}.amount", rule, repr(table.amount), 'Write "20 mg", for example')
    if amount.is_rate:
        rule = "the value must be a total amount, not a rate"
        todo = 'Write "20 mg", with a duration for an infusion'
        raise ConfigError(f"{where}.amount", rule, repr(table.amount), todo)
    duration = duration_of(table.duration, f"{where}.duration")
    if duration and table.route != "iv":
        todo, got = "Remove the duration", repr(table.duration)
        rule = f"the value must be 0 for {table.drug} by route {table.route}"
        raise ConfigError(f"{where}.duration", rule, got, todo)
    if not (duration or drug.has_bolus):
        got = "a bolus"
        todo = 'Write duration = "4 hour", for example'
        rule = f"the value must be above 0 for {table.drug}"
        raise ConfigError(f"{where}.duration", rule, got, todo)
    return amount.scaled(drug.equivalents.get(table.drug, 1.0)), duration


def kind_of(drug: str) -> str:
    """Return the kind of dose of a drug of a config; a steroid is dosed as its equivalent."""
    return DRUG_BY_NAME[drug].name


def _at_times(table: tables.Premedication, where: str, drug: Dose, time: str) -> tuple[Dose, ...]:
    """Return the doses of a drug that is given at fixed times."""
    for key, value in (("from", table.first), ("until", table.until), ("periods", table.periods)):
        if value:
            rule, todo = "the value must be used with before, not time", "Remove one of them"
            raise ConfigError(f"{where}.{key}", rule, shown(value), todo)
    first = dataclasses.replace(drug, time=parse(time, "day", where=f"{where}.time"))
    times = table.repeat.times if table.repeat else 1
    return repeated(first, interval_of(table.repeat, where), times)


def _ahead(
    table: tables.Premedication, where: str, drug: Dose, molecule: tuple[Dose, ...]
) -> tuple[Dose, ...]:
    """Return the doses of a drug that is given ahead of doses of the molecule."""
    if table.repeat:
        todo = "Select the doses with from and until, or with periods"
        rule = "the value must be used with time, not before"
        raise ConfigError(f"{where}.repeat", rule, "a table", todo)
    if table.periods and (table.first or table.until):
        rule, todo = "the value must not be used with from or until", "Remove one of them"
        raise ConfigError(f"{where}.periods", rule, shown(table.periods), todo)
    lead = duration_of(table.before, f"{where}.before")
    if not lead:
        todo = 'Write before = "1 hour", for example'
        raise ConfigError(f"{where}.before", "the value must be above 0", repr(table.before), todo)
    window = (
        parse(table.first, "day", where=f"{where}.from") if table.first else 0.0,
        parse(table.until, "day", where=f"{where}.until") if table.until else math.inf,
    )
    doses = administered_before(drug, molecule, lead, window, table.periods)
    if molecule and not doses:
        key = f"{where}.periods" if table.periods else f"{where}.from"
        rule = "the value must cover a dose of each arm with this premedication"
        got = ", ".join(table.periods) or f"day {window[0]:.6g} to day {window[1]:.6g}"
        raise ConfigError(key, rule, got, "Widen it, or remove the premedication from the arm")
    return doses
