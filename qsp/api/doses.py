"""Doses of the molecule: `qsp.iv`, `qsp.sc` and `qsp.civ`.

A word checks its own arguments and holds them as given; `Dose.table` is the table that a config
would have. Days count as in a protocol: day 1 has the first dose.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

from qsp.api.changes import is_traced, number
from qsp.api.quantities import Quantity, check_amount, days_of, text_of
from qsp.errors import ConfigError


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
    unit = "mg/day" if route == "civ" else "mg"
    check_amount(amount, unit, f"{route}: amount")
    if cap is not None:
        check_amount(cap, unit, f"{route}: cap")
    check_repeat(every, times, route)
    for key, value in (("over", over), ("min_interval", min_interval)):
        if value is not None:
            days_of(value, f"{route}: {key}")
    return Dose(
        route=route,
        amount=amount,
        time=start_of(day, f"{route}: day"),
        over=over,
        every=every,
        times=times,
        periods=_periods(period, times, route),
        cap=cap,
        min_interval=min_interval,
    )


def start_of(day: Any, where: str) -> Any:
    """Return the time since the first dose [day] of a protocol day, which JAX may trace.

    Raises:
        ConfigError: If the day is text, or not a finite number.
    """
    if is_traced(day):
        return day - 1
    found = None if isinstance(day, str) else number(day)
    if found is None or not math.isfinite(found):
        todo = "Write day=8 for the eighth day"
        raise ConfigError(where, "the value must be a finite number", repr(day), todo)
    return found - 1.0


def check_repeat(every: Quantity | None, times: int, where: str) -> None:
    """Check that an interval and a number of doses are given together.

    Raises:
        ConfigError: If one is given alone, the interval is not above 0 or the number below 1.
    """
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


def numbered(period: str, times: int) -> tuple[str, ...]:
    """Return the names of the periods of a row of doses: FD with 4 doses is FD1 to FD4."""
    return tuple(f"{period}{n + 1}" for n in range(times))


def _periods(period: str | Sequence[str] | None, times: int, where: str) -> tuple[str, ...]:
    """Names of the periods of a dose or a row of doses; none if they are not given."""
    if period is None:
        return ()
    if isinstance(period, str):
        return (period,) if times == 1 else numbered(period, times)
    names = tuple(period) if isinstance(period, Sequence) else (period,)
    if not all(isinstance(name, str) for name in names):
        todo = 'Write period="FD", for example'
        raise ConfigError(where, "period must be text, or a list of text", repr(period), todo)
    if len(names) not in (1, times):
        rule = f"period must have one name, or one for each dose ({times})"
        todo = f'Write period="{names[0] if names else "FD"}" for one name with numbers'
        raise ConfigError(where, rule, f"{len(names)} names", todo)
    return names
