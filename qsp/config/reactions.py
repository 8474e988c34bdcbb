"""Convert calendar, rules and rescue drugs of a config to those of a trial."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from qsp.config import tables
from qsp.config.doses import duration_of
from qsp.config.messages import dotted, shown
from qsp.config.premedication import kind_of, supportive_amount
from qsp.errors import ConfigError
from qsp.trial.plans import planned_doses
from qsp.trial.regimen import Arm, Regimen
from qsp.trial.rule_checks import check_reaction
from qsp.trial.rule_text import parse_conditions
from qsp.trial.rules import Reaction, Rescue, Rule
from qsp.units import parse

_MEASURED = ("il6", "tumor", "t_cells", "b_cells", "temperature")
MOST_VISITS = 1000
_USED_BY = {
    "days": ("delay", "split", "interval"),
    "doses": ("drop_back",),
    "parts": ("split",),
}
"""Acts for which each key of a rule is allowed."""
_DAYS = {
    "delay": ("7 day", "the time until the dose is due again"),
    "split": ("1 day", "the time between the parts of the dose"),
    "interval": ("14 day", "the time from each dose to the next"),
}
"""For each act that needs `days`: an example, and the meaning of the key."""


@dataclasses.dataclass(frozen=True)
class Reactions:
    """Settings that all arms with rules share.

    Args:
        calendar: Visits, or None if the config has no calendar.
        rescue: Supportive drugs that rules may give, by name.
        days: Length of the trial [day].
    """

    calendar: tables.Calendar | None
    rescue: Mapping[str, tables.Rescue]
    days: float

    def reacting(self, arm: Arm, rules: Sequence[tables.DosingRule], where: str) -> Arm:
        """Return an arm with its rules added and checked.

        Args:
            arm: Arm without rules.
            rules: Rules of the arm.
            where: Key of the rules.

        Raises:
            ConfigError: At the first invalid key.
        """
        if self.calendar is None:
            todo = 'Write [calendar] with visits = [{ every = "1 day", until = "28 day" }]'
            raise ConfigError(
                "calendar", "the value must be given if arms have rules", "missing", todo
            )
        read = tuple(_rule(rule, f"{where}.{n}", n) for n, rule in enumerate(rules))
        asked = {rule.drug for rule in read if rule.gives}
        for rule in read:
            if rule.gives and rule.drug not in self.rescue:
                must = "the value must be defined as [rescue.NAME]"
                todo = f"Defined: {', '.join(self.rescue) or 'none'}"
                raise ConfigError(f"{rule.where}.give", must, repr(rule.drug), todo)
        reaction = Reaction(
            calendar=_calendar(self.calendar, arm.regimens[0]),
            rules=read,
            rescues=tuple(
                _rescue(name, self.rescue[name]) for name in self.rescue if name in asked
            ),
            missed=_share(self.calendar.missed, "calendar.missed"),
            dropout=_share(self.calendar.dropout, "calendar.dropout"),
            errors=tuple(
                _share(getattr(self.calendar.assay, name) or "0 %", f"calendar.assay.{name}")
                for name in _MEASURED
            ),
        )
        arm = dataclasses.replace(arm, reaction=reaction)
        check_reaction(arm, self.days)
        return arm


def _calendar(table: tables.Calendar, regimen: Regimen) -> tuple[float, ...]:
    """Times of the visits in the table and of the planned doses, each once.

    A visit within 1e-6 days of a planned dose has exactly the time of the dose.
    """
    doses = [dose.time for dose in planned_doses(regimen)]
    times = list(doses)
    for n, entry in enumerate(table.visits):
        key = f"calendar.visits.{n}"
        every = duration_of(entry.every, f"{key}.every")
        if not every:
            todo = 'Write every = "1 day", for example'
            raise ConfigError(f"{key}.every", "the value must be above 0", repr(entry.every), todo)
        begins, length = _series(entry, key, regimen)
        count = math.floor(length / every + 1e-9) + 1
        total = count * len(begins)
        if total > MOST_VISITS:
            rule = f"the value must give at most {MOST_VISITS} visits"
            raise ConfigError(f"{key}.every", rule, total, "Take a longer interval")
        times += [begin + k * every for begin in begins for k in range(count)]
    return _distinct(times, set(doses))


def _series(entry: tables.Visits, key: str, regimen: Regimen) -> tuple[list[float], float]:
    """Begins of the series of visits of an entry, and their length [day]."""
    if entry.after:
        return _series_after(entry, key, regimen)
    if entry.length is not None or entry.until is None:
        if entry.length is not None:
            rule, todo = "the value must be given with for", 'Write after = ["SUD1"], for example'
            raise ConfigError(f"{key}.after", rule, "missing", todo)
        todo = 'Write until = "28 day", or for = "5 day" and after = ["SUD1", "SUD2"]'
        raise ConfigError(f"{key}.until", "the value must be given", "missing", todo)
    first = parse(entry.first, "day", where=f"{key}.from") if entry.first else 0.0
    until = parse(entry.until, "day", where=f"{key}.until")
    if first < 0.0 or until < first:
        rule = "the value must not be before the first visit, and no visit before the first dose"
        raise ConfigError(f"{key}.until", rule, repr(entry.until), "Correct from or until")
    return [first], until - first


def _series_after(entry: tables.Visits, key: str, regimen: Regimen) -> tuple[list[float], float]:
    """Planned times of the doses of the periods, which an arm may lack, and the length [day]."""
    for name, value in (("from", entry.first), ("until", entry.until)):
        if value is not None:
            rule, todo = "the value must not be given with after", 'Write for = "5 day"'
            raise ConfigError(f"{key}.{name}", rule, repr(value), todo)
    if entry.length is None:
        rule, todo = "the value must be given with after", 'Write for = "5 day", for example'
        raise ConfigError(f"{key}.for", rule, "missing", todo)
    begins = [
        dose.time
        for dose in planned_doses(regimen)
        if regimen.labels[dose.period - 1] in entry.after
    ]
    return begins, duration_of(entry.length, f"{key}.for")


def _distinct(times: Sequence[float], first: set[float]) -> tuple[float, ...]:
    distinct: list[float] = []
    for time in sorted(times, key=lambda t: (t not in first, t)):
        if all(abs(time - other) > 1e-6 for other in distinct):
            distinct.append(time)
    return tuple(sorted(distinct))


def _share(text: str, where: str) -> float:
    share = parse(text, "1", where=where)
    if not 0.0 <= share < 1.0:
        rule = "the value must be from 0 to below 1"
        raise ConfigError(where, rule, repr(text), 'Write "10 %", for example')
    return share


def _rescue(name: str, table: tables.Rescue) -> Rescue:
    where = dotted(("rescue", name))
    amount, duration = supportive_amount(table, where)
    return Rescue(
        name=name,
        kind=kind_of(table.drug),
        amount=amount,
        duration=duration,
        per_event=table.per_event,
        per_window=table.window.doses,
        window=_length(table.window.within, f"{where}.window.within"),
        min_interval=_length(table.min_interval, f"{where}.min_interval"),
        max_times=table.max_times,
    )


def _length(text: str, where: str) -> float:
    days = parse(text, "day", where=where)
    if not days > 0.0:
        todo = 'Write "8 hour" or "6 week", for example'
        raise ConfigError(where, "the value must be above 0", repr(text), todo)
    return days


def _rule(table: tables.DosingRule, where: str, n: int) -> Rule:
    if (table.do is None) == (table.give is None):
        got = "missing" if table.do is None else repr(table.do)
        without = "must be given, unless" if table.do is None else "must not be given, because"
        todo = 'Write do = "hold" for the dose, or give = "tocilizumab" for a drug'
        raise ConfigError(f"{where}.do", f"the value {without} give is", got, todo)
    for key, acts in _USED_BY.items():
        value = getattr(table, key)
        if value is not None and table.do not in acts:
            rule, todo = f"the value must only be given with do = {' or '.join(acts)}", "Remove it"
            raise ConfigError(f"{where}.{key}", rule, shown(value), todo)
    if table.do in _DAYS and table.days is None:
        example, meaning = _DAYS[table.do]
        must = f"the value must be given with do = {table.do}"
        raise ConfigError(f"{where}.days", must, "missing", f'Write days = "{example}", {meaning}')
    return Rule(
        name=table.name or f"rule {n + 1}",
        when=parse_conditions(table.when, where=f"{where}.when"),
        act=table.do or "give",
        days=parse(table.days, "day", where=f"{where}.days") if table.days else 0.0,
        doses=table.doses or 1,
        parts=table.parts or 2,
        drug=table.give or "",
        consecutive_visits=table.consecutive_visits,
        max_times=table.max_times,
        probability=table.with_probability,
        where=where,
    )
