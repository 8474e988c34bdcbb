"""Rules that adapt dosing to the patient: `qsp.when` and `qsp.rules`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from qsp.api.quantities import Quantity, text_of
from qsp.api.supportive import SupportiveDose
from qsp.errors import ConfigError


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


def when(
    condition: str,
    do: str | None = None,
    *,
    give: SupportiveDose | None = None,
    name: str | None = None,
    days: Quantity | None = None,
    doses: int | None = None,
    parts: int | None = None,
    consecutive_visits: int = 1,
    max_times: int | None = None,
    with_probability: float = 1.0,
    limits: Mapping[str, Any] | None = None,
) -> Rule:
    """Return a rule: an action where conditions hold at a visit.

    Args:
        condition: Conditions such as ``"crs_grade >= 2"`` or
            ``"tumor_change <= -50 % and day >= 42 day"``.
        do: Action on the dose that is due: proceed, hold, delay, repeat, drop_back, restart, split,
            interval or stop.
        give: Supportive drug to give, in place of an action.
        name: Name of the rule in tables and figures.
        days: Time of the actions delay, split and interval: text, or number [day].
        doses: Steps of the action drop_back.
        parts: Parts of the action split.
        consecutive_visits: Visits in a row at which the conditions must hold.
        max_times: Maximum number of times that the rule acts in a patient.
        with_probability: Probability that the rule applies in a CRS event of a patient, above 0 and
            at most 1. It then applies throughout the event, or not at all.
        limits: Limits of the drug: ``per_event``, ``window`` (a table with ``doses`` and
            ``within``), ``min_interval`` and ``max_times``.

    Raises:
        qsp.QSPError: If not exactly one of `do` and `give` is given. Conditions are checked when a
            trial is built.

    Example:
        >>> qsp.when("crs_grade >= 2", give=qsp.tocilizumab("8 mg/kg", over="1 h", cap="800 mg"))
    """
    if (do is None) == (give is None):
        rule, todo = "one of do and give must be given", 'Write do="hold", for example'
        raise ConfigError("when", rule, "neither" if do is None else "both", todo)
    keys: dict[str, Any] = {"name": name, "do": do, "doses": doses, "parts": parts}
    keys["days"] = None if days is None else text_of(days, "day", "when: days")
    keys["max_times"] = max_times
    keys["consecutive_visits"] = None if consecutive_visits == 1 else consecutive_visits
    keys["with_probability"] = None if with_probability == 1 else with_probability
    keys = {key: value for key, value in keys.items() if value is not None}
    return Rule(condition, give, dict(limits or {}), keys)


def rules(
    *each: Rule,
    visits: Sequence[tuple[Quantity, float, float]] = (),
    visits_after: Sequence[tuple[Quantity, Quantity, Sequence[str]]] = (),
    missed: Quantity = "0 %",
    dropout: Quantity = "0 %",
    assay: Mapping[str, str] | None = None,
) -> Rules:
    """Return the rules of a regimen and the visits at which they apply.

    Args:
        each: Rules in order; the first that matches decides on the dose that is due.
        visits: Visits as (interval, first protocol day, last protocol day), such as
            ``("12 h", 1, 28)``. Planned doses are always visits.
        visits_after: Visits from each dose of some periods on, as (interval, length, periods), such
            as ``("6 h", "5 day", ["SUD1", "SUD2"])``. They follow the planned times of the doses.
        missed: Share of visits that are missed, such as ``"3 %"``, or a number.
        dropout: Share of patients that leave by the end of the trial.
        assay: Coefficient of variation of measurements: il6, tumor, t_cells, b_cells, temperature.

    Raises:
        qsp.QSPError: If an entry is no rule, or an entry of the visits does not have three parts.

    Example:
        >>> qsp.rules(qsp.when("crs_grade >= 1", "hold"), visits=[("1 day", 1, 28)])
    """
    for entry in each:
        if not isinstance(entry, Rule):
            todo = 'Write qsp.when("crs_grade >= 1", "hold"), for example'
            raise ConfigError("rules", "a rule must be one of qsp.when", repr(entry), todo)
    tables = [*map(_visits, visits), *map(_visits_after, visits_after)]
    calendar: dict[str, Any] = {"visits": tables}
    shares = {"missed": missed, "dropout": dropout}
    texts = {k: v if isinstance(v, str) else f"{float(v)!r}" for k, v in shares.items()}
    calendar |= {key: text for key, text in texts.items() if text != "0 %"}
    if assay:
        calendar["assay"] = dict(assay)
    return Rules(tuple(each), calendar)


def _visits(entry: tuple[Quantity, float, float]) -> dict[str, str]:
    if len(entry) != 3:
        rule = "visits must be (interval, first day, last day)"
        raise ConfigError("rules", rule, repr(entry), 'Write ("1 day", 1, 28), for example')
    every, first, last = entry
    table = {"every": text_of(every, "day", "rules: visits")}
    if first != 1:
        table["from"] = text_of(first - 1.0, "day", "rules: visits")
    return {**table, "until": text_of(last - 1.0, "day", "rules: visits")}


def _visits_after(entry: tuple[Quantity, Quantity, Sequence[str]]) -> dict[str, Any]:
    if len(entry) != 3 or isinstance(entry[2], str):
        rule, todo = (
            "visits_after must be (interval, length, periods)",
            '("6 h", "5 day", ["SUD1"])',
        )
        raise ConfigError("rules", rule, repr(entry), f"Write {todo}, for example")
    every, length, periods = entry
    days = {"every": every, "for": length}
    texts = {key: text_of(value, "day", "rules: visits_after") for key, value in days.items()}
    return {**texts, "after": list(periods)}
