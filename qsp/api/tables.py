"""Regimens and people as the tables of a config, and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qsp.api.changes import refuse_traced
from qsp.api.doses import Dose
from qsp.api.people import People
from qsp.api.quantities import Quantity, text_of
from qsp.api.regimens import Regimen
from qsp.api.rules import Rule, Rules
from qsp.api.supportive import SupportiveDose
from qsp.config import Config, tables
from qsp.errors import ConfigError
from qsp.units import parse


def people_tables(people: People) -> dict[str, Any]:
    """Return molecule, population, patients, seed and parameters as keys of a config.

    Raises:
        ConfigError: If JAX traces a value of the patients.
    """
    refuse_traced(people.traced)
    keys: dict[str, Any] = {
        "molecule": _path(people.molecule.file),
        "population": _path(people.population.file),
        "patients": _patients(people),
        "seed": people.seed,
    }
    if people.cohort is not None:
        keys["cohort"] = os.path.abspath(people.cohort.name)
        keys["patients"] = list(people.ids)
    if people.draws:
        keys["draws"] = {name: list(numbers) for name, numbers in people.draws.items()}
    if people.changes:
        keys["parameters"] = {path: dict(entry) for path, entry in people.changes.items()}
    return keys


def _patients(people: People) -> int | str | list[int]:
    """Key `patients` of a config: a number if the ids are 0, 1, 2, ..., else a list of ids."""
    if people.is_typical:
        return "typical"
    return len(people) if people.ids == tuple(range(len(people))) else list(people.ids)


def arm_tables(arms: Mapping[str, Regimen]) -> dict[str, Any]:
    """Return arms, premedication, rescue drugs and calendar as keys of a config.

    Raises:
        ConfigError: If JAX traces a dose, or arms have different calendars.
    """
    premedication: dict[str, Any] = {}
    rescue: dict[str, Any] = {}
    calendars = [arm.rules.calendar for arm in arms.values() if arm.rules]
    if any(calendar != calendars[0] for calendar in calendars):
        todo = "Give all qsp.rules the same visits, missed, dropout and assay"
        raise ConfigError("trial", "arms must have the same visits of rules", "different", todo)
    keys: dict[str, Any] = {"arms": {}}
    for name, arm in arms.items():
        table: dict[str, Any] = {"title": arm.title} if arm.title else {}
        table["doses"] = [dose.table() for dose in arm.doses]
        if arm.before:
            drugs = (_entry(premedication, drug.drug, drug.table()) for drug in arm.before)
            table["premedication"] = list(drugs)
        if arm.parameters:
            table["parameters"] = dict(arm.parameters)
        if arm.rules:
            table["rules"] = [_rule_table(rule, rescue) for rule in arm.rules.rules]
        keys["arms"][name] = table
    for key, value in (("premedication", premedication), ("rescue", rescue)):
        keys |= {key: value} if value else {}
    return keys | ({"calendar": dict(calendars[0])} if calendars else {})


def visit_texts(visits: Sequence[Quantity]) -> list[str]:
    """Return the times of visits as text.

    Raises:
        ConfigError: If the visits are not a list of times.
    """
    if isinstance(visits, str) or not isinstance(visits, Iterable):
        todo = 'Write visits=[42, 84] or ["6 week"], for example'
        raise ConfigError("simulate", "visits must be a list of times", repr(visits), todo)
    return [text_of(visit, "day", f"visits.{n}") for n, visit in enumerate(visits)]


def regimens_of(config: Config) -> dict[str, Regimen]:
    """Return the regimens of the arms of a config by name; empty for a dose table."""
    return {name: _regimen(config, arm) for name, arm in config.arms.items()}


def _regimen(config: Config, arm: tables.Arm) -> Regimen:
    source = arm if arm.same_doses_as is None else config.arms[arm.same_doses_as]
    return Regimen(
        doses=tuple(_dose(dose) for dose in source.doses),
        before=tuple(_supportive(config.premedication[name]) for name in arm.premedication),
        rules=None if arm.rules is None else _rules(config, arm.rules),
        title=arm.title or "",
        parameters=dict(arm.parameters),
    )


def _dose(table: tables.Dose) -> Dose:
    return Dose(
        route=table.route,
        amount=table.amount,
        time=parse(table.time, "day", where="time"),
        over=table.duration,
        every=table.repeat.every if table.repeat else None,
        times=table.repeat.times if table.repeat else 1,
        periods=table.period,
        cap=table.cap,
        min_interval=table.min_interval,
    )


def _supportive(table: tables.Premedication) -> SupportiveDose:
    return SupportiveDose(
        drug=table.drug,
        route=table.route,
        amount=table.amount,
        over=table.duration,
        cap=table.cap,
        lead=table.before,
        time=_days(table.time),
        every=table.repeat.every if table.repeat else None,
        times=table.repeat.times if table.repeat else 1,
        first=_days(table.first),
        until=_days(table.until),
        periods=table.periods,
    )


def _rules(config: Config, found: Sequence[tables.DosingRule]) -> Rules:
    calendar = {} if config.calendar is None else dump(config.calendar)
    return Rules(tuple(_rule(config, rule) for rule in found), {"visits": [], **calendar})


def _rule(config: Config, table: tables.DosingRule) -> Rule:
    keys = dump(table)
    condition, given = keys.pop("when"), keys.pop("give", None)
    if given is None:
        return Rule(condition, keys=keys)
    rescue = config.rescue[given]
    drug = SupportiveDose(
        rescue.drug, rescue.route, rescue.amount, over=rescue.duration, cap=rescue.cap
    )
    limits = {key: value for key, value in dump(rescue).items() if key not in drug.table()}
    return Rule(condition, drug, limits, keys)


def dump(table: tables.Table) -> dict[str, Any]:
    """Return the keys of a table that differ from their defaults, as TOML has them."""
    return table.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _rule_table(rule: Rule, rescue: dict[str, Any]) -> dict[str, Any]:
    table = {"when": rule.condition, **rule.keys}
    if rule.give is not None:
        table["give"] = _entry(rescue, rule.give.drug, {**rule.give.table(), **rule.limits})
    return table


def _entry(entries: dict[str, Any], name: str, table: dict[str, Any]) -> str:
    """Name of a table among named ones, which is added under a new name if it is not there."""
    for known, other in entries.items():
        if other == table:
            return known
    taken = sum(known == name or known.startswith(f"{name}_") for known in entries)
    key = f"{name}_{taken + 1}" if taken else name
    entries[key] = table
    return key


def _days(text: str | None) -> float | None:
    return None if text is None else parse(text, "day", where="time")


def _path(name: str) -> str:
    """A name, or a path that holds in every folder."""
    return os.path.abspath(name) if name.endswith(".toml") else name
