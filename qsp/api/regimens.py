"""Regimens: the doses of an arm, its supportive drugs and its rules: `qsp.regimen`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from qsp.api.changes import is_traced, number, with_value
from qsp.api.doses import Dose
from qsp.api.rules import Rules
from qsp.api.supportive import SupportiveDose
from qsp.drugs import DRUG_BY_NAME
from qsp.errors import ConfigError


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
        parts = [f"{_amount(dose)} {dose.route}{_count(dose)}" for dose in self.doses]
        return f"Regimen({', '.join(parts)}{drugs}{rules})"


def regimen(
    *doses: Dose | SupportiveDose,
    before: SupportiveDose | Sequence[SupportiveDose] = (),
    rules: Rules | None = None,
    title: str = "",
    parameters: Mapping[str, str | float] | None = None,
) -> Regimen:
    """Return the treatment of an arm.

    Args:
        doses: Doses of the molecule, and supportive drugs at days of their own.
        before: Supportive drugs before doses of the molecule.
        rules: Rules that adapt dosing to the patient, from `qsp.rules`.
        title: Title in tables and figures; the name of the arm by default.
        parameters: Parameter values that differ in this arm by path: text with unit, or numbers in
            the canonical unit. A value is a new median, from which each patient keeps the
            deviation.

    Raises:
        qsp.QSPError: If the molecule has no dose, or none on day 1, a supportive drug has no time,
            or a parameter is unknown.

    Example:
        >>> qsp.regimen(
        ...     qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        ...     qsp.iv("60 mg", day=8, over="4 h", period="FD1"),
        ...     before=qsp.dexamethasone("20 mg", lead="1 h"),
        ... )
    """
    drugs: Any = before if isinstance(before, list | tuple) else (before,)
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
    for drug in drugs:
        if (drug.lead is None) == (drug.time is None):
            rule, got = (
                f"{drug.drug} must have lead or day",
                "neither" if drug.lead is None else "both",
            )
            todo = f'Write qsp.{drug.drug}("{DRUG_BY_NAME[drug.drug].example}", lead="1 h")'
            raise ConfigError("regimen", rule, got, todo)
    times = [number(dose.time) for dose in own]
    if None not in times:
        own = sorted(own, key=lambda dose: dose.time)
        if own[0].time != 0.0:
            todo = "Shift all days so that the first dose is on day 1"
            got = f"day {own[0].time + 1:.6g}"
            raise ConfigError("regimen", "the first dose must be on day 1", got, todo)
    return Regimen(_named(own), drugs, rules, title, _values(parameters or {}))


def _values(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Parameter values as text with unit."""
    entries: dict[str, Mapping[str, Any]] = {}
    for path, value in parameters.items():
        entries = with_value(entries, path, value, keep_spread=True, where="regimen")
    return {path: str(entry["value"]) for path, entry in entries.items()}


def _named(doses: Sequence[Dose]) -> tuple[Dose, ...]:
    """Doses with names of their periods: D1, D2, ... where none are given."""
    named, count = [], 0
    for dose in doses:
        names = dose.periods or tuple(f"D{count + n + 1}" for n in range(dose.times))
        count += 0 if dose.periods else dose.times
        named.append(dataclasses.replace(dose, periods=names))
    return tuple(named)


def _amount(dose: Dose) -> str:
    """Return the amount with its unit, which a plain number does not have."""
    if isinstance(dose.amount, str) or is_traced(dose.amount):
        return str(dose.amount)
    return f"{dose.amount:g} {'mg/day' if dose.route == 'civ' else 'mg'}"


def _count(dose: Dose) -> str:
    day = number(dose.time)
    start = "" if day is None else f" day {day + 1:.6g}"
    return start if dose.times == 1 else f"{start}, {dose.times} x every {dose.every}"
