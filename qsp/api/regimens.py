"""Regimens: doses of the molecule and of supportive drugs, and rules, as words.

A word checks its own arguments and holds them as given; `Dose.table` and `SupportiveDose.table` are
the tables that a config would have. Days count as in a protocol: day 1 has the first dose.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from qsp.api.changes import number
from qsp.drugs import DRUG_BY_NAME
from qsp.errors import ConfigError
from qsp.trial import parse_amount
from qsp.units import parse

Quantity = str | float
"""Text with unit, or a number in the default unit of the argument."""


@dataclasses.dataclass(frozen=True)
class Dose:
    """A dose of the molecule, or a row of doses at equal intervals; see `qsp.iv`.

    Args:
        route: "iv", "civ" or "sc".
        amount: Amount, or rate of a continuous infusion: text, or number [mg or mg/day].
        time: Start, since the first dose [day].
        over: Duration: text, or number [day]; None for an injection.
        every: Interval from start to start: text, or number [day]; None for a single dose.
        times: Number of doses.
        periods: Name of each dose, or one name for all; empty until `qsp.regimen` names it.
        cap: Largest amount per patient of an amount per kg or m^2.
        min_interval: Minimum time after the previous dose if a rule has delayed that dose.
    """

    route: Literal["iv", "civ", "sc"]
    amount: Any
    time: Any
    over: Quantity | None = None
    every: Quantity | None = None
    times: int = 1
    periods: tuple[str, ...] = ()
    cap: Quantity | None = None
    min_interval: Quantity | None = None

    @property
    def last(self) -> Any:
        """Start of the last dose, since the first dose of the regimen [day]."""
        return self.time + (self.times - 1) * days_of(self.every or 0.0, f"{self.route}: every")

    def table(self) -> dict[str, Any]:
        """Return the dose as a table of a config.

        Raises:
            ConfigError: If JAX traces amount or time.
        """
        rate = "mg/day" if self.route == "civ" else "mg"
        names = self.periods
        table = {
            "period": names[0] if len(names) == 1 else list(names),
            "time": text_of(self.time, "day", f"{self.route}: day"),
            "amount": text_of(self.amount, rate, f"{self.route}: amount"),
            "route": self.route,
        }
        for key, value, unit in (
            ("cap", self.cap, rate),
            ("duration", self.over, "day"),
            ("min_interval", self.min_interval, "day"),
        ):
            if value is not None:
                table[key] = text_of(value, unit, f"{self.route}: {key}")
        if self.every is not None:
            every = text_of(self.every, "day", f"{self.route}: every")
            table["repeat"] = {"every": every, "times": self.times}
        return table


@dataclasses.dataclass(frozen=True)
class SupportiveDose:
    """A supportive drug before doses of the molecule, at times of its own, or given by a rule.

    Args:
        drug: Name of the drug.
        route: "iv", "sc" or "oral".
        amount: Amount: text, or number [mg].
        over: Duration of an infusion: text, or number [day]; None for a bolus.
        cap: Largest amount per patient of an amount per kg or m^2.
        lead: Time before each dose of the molecule: text, or number [day].
        time: Start, since the first dose of the molecule [day].
        every: Interval from start to start: text, or number [day].
        times: Number of doses at times of its own.
        first: Earliest dose of the molecule that it precedes, since the first dose [day].
        until: Latest dose of the molecule that it precedes, since the first dose [day].
        periods: Dose periods before which it is given once.
    """

    drug: str
    route: str
    amount: Quantity
    over: Quantity | None = None
    cap: Quantity | None = None
    lead: Quantity | None = None
    time: float | None = None
    every: Quantity | None = None
    times: int = 1
    first: float | None = None
    until: float | None = None
    periods: tuple[str, ...] = ()

    def table(self) -> dict[str, Any]:
        """Return the drug as a table of a config, below ``[premedication.NAME]``."""
        table: dict[str, Any] = {"drug": self.drug, "route": self.route}
        for key, value, unit in (
            ("amount", self.amount, "mg"),
            ("cap", self.cap, "mg"),
            ("duration", self.over, "day"),
            ("before", self.lead, "day"),
            ("time", self.time, "day"),
            ("from", self.first, "day"),
            ("until", self.until, "day"),
        ):
            if value is not None:
                table[key] = text_of(value, unit, f"{self.drug}: {key}")
        if self.every is not None:
            every = text_of(self.every, "day", f"{self.drug}: every")
            table["repeat"] = {"every": every, "times": self.times}
        if self.periods:
            table["periods"] = list(self.periods)
        return table


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule that adapts dosing at a visit; see `qsp.when`.

    Args:
        condition: Conditions.
        give: Supportive drug that is given, if any.
        limits: Limits of this drug.
        keys: Other keys of the rule in a config.
    """

    condition: str
    give: SupportiveDose | None = None
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    keys: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Rules:
    """Rules of an arm and the visits at which they apply; see `qsp.rules`.

    Args:
        rules: Rules in order; the first that matches decides on the dose that is due.
        calendar: Visits, missed visits, dropout and errors, as a table of a config.
    """

    rules: tuple[Rule, ...]
    calendar: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Regimen:
    """Treatment of an arm; see `qsp.regimen`.

    Args:
        doses: Doses of the molecule.
        before: Supportive drugs.
        rules: Rules that adapt dosing, if any.
        title: Title in tables and figures.
        parameters: Parameter values that differ in the arm: text with unit by path.
    """

    doses: tuple[Dose, ...]
    before: tuple[SupportiveDose, ...] = ()
    rules: Rules | None = None
    title: str = ""
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def last_day(self) -> Any:
        """Protocol day of the last planned dose of the molecule."""
        return max(dose.last for dose in self.doses) + 1

    @property
    def periods(self) -> tuple[str, ...]:
        """Names of the dose periods in order."""
        return tuple(dict.fromkeys(name for dose in self.doses for name in dose.periods))

    def __repr__(self) -> str:
        drugs = f"; {', '.join(drug.drug for drug in self.before)}" if self.before else ""
        rules = f"; {len(self.rules.rules)} rules" if self.rules else ""
        parts = [f"{dose.amount} {dose.route}{_count(dose)}" for dose in self.doses]
        return f"Regimen({', '.join(parts)}{drugs}{rules})"


def iv(
    amount: Quantity,
    day: float = 1,
    over: Quantity | None = None,
    *,
    every: Quantity | None = None,
    times: int = 1,
    period: str | Sequence[str] | None = None,
    cap: Quantity | None = None,
    min_interval: Quantity | None = None,
) -> Dose:
    """Return an intravenous dose of the molecule, or a row of them.

    Args:
        amount: Text such as ``"1 mg"``, ``"0.06 mg/kg"`` or ``"7 nmol"``, or a number [mg].
        day: Protocol day of the (first) dose; day 1 has the first dose of the regimen.
        over: Duration such as ``"4 h"``, or a number [day]; a bolus by default.
        every: Interval from start to start, such as ``"21 day"``; required with `times`.
        times: Number of doses.
        period: Name of the dose period; with `times=4`, ``"FD"`` gives FD1 to FD4, a list gives a
            name to each dose, and a list of one name makes one period of all. Periods without a
            name are D1, D2, ...
        cap: Largest amount per patient of an amount per kg or m^2, such as ``"800 mg"``.
        min_interval: In a regimen with rules, keep the dose on its day after a delay of the
            previous one, at least this long after it.

    Raises:
        qsp.QSPError: If an argument is no finite quantity in the right unit, or there are not as
            many names as doses.

    Example:
        >>> qsp.iv("60 mg", day=15, over="4 h", every="21 day", times=4, period="FD")
    """
    over = "0 h" if over is None else over
    return _dose("iv", amount, day, over, every, times, period, cap, min_interval)


def sc(
    amount: Quantity,
    day: float = 1,
    *,
    every: Quantity | None = None,
    times: int = 1,
    period: str | Sequence[str] | None = None,
    cap: Quantity | None = None,
    min_interval: Quantity | None = None,
) -> Dose:
    """Return a subcutaneous dose of the molecule, or a row of them.

    Args:
        amount: Text such as ``"5 mg"`` or ``"0.06 mg/kg"``, or a number [mg].
        day: Protocol day of the (first) dose.
        every: Interval from start to start; required with `times`.
        times: Number of doses.
        period: Name of the dose period, as in `qsp.iv`.
        cap: Largest amount per patient of an amount per kg or m^2.
        min_interval: As in `qsp.iv`.

    Raises:
        qsp.QSPError: As `qsp.iv`.

    Example:
        >>> qsp.sc("5 mg", day=1, period="SUD1")
    """
    return _dose("sc", amount, day, None, every, times, period, cap, min_interval)


def civ(
    rate: Quantity,
    day: float = 1,
    over: Quantity = "7 day",
    *,
    every: Quantity | None = None,
    times: int = 1,
    period: str | Sequence[str] | None = None,
    cap: Quantity | None = None,
    min_interval: Quantity | None = None,
) -> Dose:
    """Return a continuous intravenous infusion of the molecule, or a row of them.

    Args:
        rate: Text such as ``"9 ug/day"`` or ``"15 ug/m^2/day"``, or a number [mg/day].
        day: Protocol day of the (first) start.
        over: Duration such as ``"7 day"``, or a number [day].
        every: Interval from start to start; required with `times`.
        times: Number of infusions.
        period: Name of the dose period, as in `qsp.iv`.
        cap: Largest rate per patient of a rate per kg or m^2, such as ``"28 ug/day"``.
        min_interval: As in `qsp.iv`.

    Raises:
        qsp.QSPError: As `qsp.iv`.

    Example:
        >>> qsp.civ("9 ug/day", day=1, over="7 day", period="C1")
    """
    return _dose("civ", rate, day, over, every, times, period, cap, min_interval)


def regimen(
    *doses: Dose | SupportiveDose,
    before: SupportiveDose | Sequence[SupportiveDose] = (),
    rules: Rules | None = None,
    title: str = "",
    parameters: Mapping[str, str] | None = None,
) -> Regimen:
    """Return the treatment of an arm.

    Args:
        doses: Doses of the molecule, and supportive drugs at days of their own.
        before: Supportive drugs before doses of the molecule.
        rules: Rules that adapt dosing to the patient, from `qsp.rules`.
        title: Title in tables and figures; the name of the arm by default.
        parameters: Parameter values that differ in this arm, as text with unit by path. A value is
            a new median, from which each patient keeps the deviation.

    Raises:
        qsp.QSPError: If the molecule has no dose, or none on day 1.

    Example:
        >>> qsp.regimen(
        ...     qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        ...     qsp.iv("60 mg", day=8, over="4 h", period="FD1"),
        ...     before=qsp.dexamethasone("20 mg", lead="1 h"),
        ... )
    """
    drugs = (before,) if isinstance(before, SupportiveDose) else tuple(before)
    for each in (*doses, *drugs):
        if not isinstance(each, Dose | SupportiveDose):
            todo = 'Write qsp.iv("1 mg", over="4 h"), for example'
            rule = "a dose must come from qsp.iv, sc, civ or a supportive drug"
            raise ConfigError("regimen", rule, repr(each), todo)
    own = [dose for dose in doses if isinstance(dose, Dose)]
    drugs = (*(dose for dose in doses if isinstance(dose, SupportiveDose)), *drugs)
    if not own:
        todo = 'Write qsp.regimen(qsp.iv("1 mg", over="4 h")), for example'
        raise ConfigError("regimen", "a regimen must have a dose of the molecule", "empty", todo)
    times = [number(dose.time) for dose in own]
    if None not in times:
        own = sorted(own, key=lambda dose: dose.time)
        if own[0].time != 0.0:
            todo = "Shift all days so that the first dose is on day 1"
            got = f"day {own[0].time + 1:.6g}"
            raise ConfigError("regimen", "the first dose must be on day 1", got, todo)
    return Regimen(_named(own), drugs, rules, title, dict(parameters or {}))


def supportive(
    drug: str,
    amount: Quantity,
    *,
    lead: Quantity | None = None,
    day: float | None = None,
    over: Quantity | None = None,
    route: str | None = None,
    cap: Quantity | None = None,
    every: Quantity | None = None,
    times: int = 1,
    from_day: float | None = None,
    until_day: float | None = None,
    periods: Sequence[str] = (),
) -> SupportiveDose:
    """Return a supportive drug; see `qsp.dexamethasone` and its siblings for the arguments."""
    _check_amount(amount, "mg", f"{drug}: amount")
    _check_repeat(every, times, drug)
    for key, value in (("lead", lead), ("over", over)):
        if value is not None:
            days_of(value, f"{drug}: {key}")
    return SupportiveDose(
        drug=drug,
        route=route or DRUG_BY_NAME[drug].routes[0],
        amount=amount,
        over=over,
        cap=cap,
        lead=lead,
        time=_time(day),
        every=every,
        times=times,
        first=_time(from_day),
        until=_time(until_day),
        periods=(periods,) if isinstance(periods, str) else tuple(periods),
    )


def text_of(value: Any, unit: str, where: str) -> str:
    """Return a quantity as text with a unit.

    Args:
        value: Text, or number in `unit`.
        unit: Unit of a number.
        where: Argument, for error messages.

    Raises:
        ConfigError: If the value is not finite, or JAX traces it.
    """
    if isinstance(value, str):
        return value
    found = number(value)
    if found is None:
        rule = "the value must be a number"
        todo = "Use qsp.trajectory for derivatives; qsp.simulate takes numbers"
        raise ConfigError(where, rule, "a tracer of JAX", todo)
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


def _dose(
    route: Literal["iv", "civ", "sc"],
    amount: Quantity,
    day: Any,
    over: Quantity | None,
    every: Quantity | None,
    times: int,
    period: str | Sequence[str] | None,
    cap: Quantity | None,
    min_interval: Quantity | None,
) -> Dose:
    _check_amount(amount, "mg/day" if route == "civ" else "mg", f"{route}: amount")
    _check_repeat(every, times, route)
    if over is not None:
        days_of(over, f"{route}: over")
    return Dose(
        route=route,
        amount=amount,
        time=_start(day, f"{route}: day"),
        over=over,
        every=every,
        times=times,
        periods=_periods(period, times, route),
        cap=cap,
        min_interval=min_interval,
    )


def _start(day: Any, where: str) -> Any:
    """Time since the first dose [day] of a protocol day, which JAX may trace."""
    found = None if isinstance(day, str) else number(day)
    if isinstance(day, str) or (found is not None and not math.isfinite(found)):
        todo = "Write day=8 for the eighth day"
        raise ConfigError(where, "the value must be a finite number", repr(day), todo)
    return day - 1 if found is None else found - 1.0


def _check_amount(amount: Any, unit: str, where: str) -> None:
    if isinstance(amount, str):
        parse_amount(amount, where=where)
    elif number(amount) is not None:
        parse_amount(text_of(amount, unit, where), where=where)


def _check_repeat(every: Quantity | None, times: int, where: str) -> None:
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        todo = "Count all doses, the first included"
        rule = "times must be a whole number of at least 1"
        raise ConfigError(where, rule, repr(times), todo)
    if (every is None) != (times == 1):
        got = "times alone" if every is None else "every alone"
        todo = 'Write every="7 day", times=3, for example'
        raise ConfigError(where, "every and times must be given together", got, todo)
    if every is not None and not days_of(every, f"{where}: every"):
        todo = 'Write every="7 day", for example'
        raise ConfigError(f"{where}: every", "the value must be above 0", repr(every), todo)


def _periods(period: str | Sequence[str] | None, times: int, where: str) -> tuple[str, ...]:
    """Names of the periods of a row of doses: FD with 4 doses is FD1 to FD4."""
    if period is None:
        return ()
    if isinstance(period, str):
        return (period,) if times == 1 else tuple(f"{period}{n + 1}" for n in range(times))
    names = tuple(period)
    if len(names) not in (1, times):
        rule = f"period must have one name, or one for each dose ({times})"
        todo = f'Write period="{names[0] if names else "FD"}" for one name with numbers'
        raise ConfigError(where, rule, f"{len(names)} names", todo)
    return names


def _named(doses: Sequence[Dose]) -> tuple[Dose, ...]:
    """Doses with names of their periods: D1, D2, ... where none are given."""
    named, count = [], 0
    for dose in doses:
        names = dose.periods or tuple(f"D{count + n + 1}" for n in range(dose.times))
        count += 0 if dose.periods else dose.times
        named.append(dataclasses.replace(dose, periods=names))
    return tuple(named)


def _time(day: float | None) -> float | None:
    """Time since the first dose [day] of a protocol day."""
    return None if day is None else float(day) - 1.0


def _count(dose: Dose) -> str:
    day = number(dose.time)
    start = "" if day is None else f" day {day + 1:.6g}"
    return start if dose.times == 1 else f"{start}, {dose.times} x every {dose.every}"
