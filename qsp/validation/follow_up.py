"""Trials that are longer than a config, and arms without step-up doses.

Response needs visits for one to two years, whereas the shipped configs end when CRS is over. Both
functions change the tables of a config, before they are checked.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from qsp.errors import ConfigError, suggest
from qsp.units import parse

CONTINUED = "continued"
"""Label of the dose period of the doses that are added to the end of the follow-up."""
_KEYS = ("days", "visits", "continue")


def followed(base: Mapping[str, Any], longer: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the tables of a config with a longer trial and other visits.

    Args:
        base: Tables of the config.
        longer: Table `follow_up`: `days`, `visits` and, if treatment goes on, `continue`: the
            interval at which the last dose of each arm is repeated to the end, or a list of tables
            with the interval `every` and, in all but the last one, the number of doses `times`.
        where: File of the table, for messages.

    Raises:
        ConfigError: If a key is unknown, or `times` is not in all but the last table.
    """
    for key in longer:
        if key not in _KEYS:
            todo = suggest(key, _KEYS) or f"Keys: {', '.join(_KEYS)}"
            raise ConfigError(where, "each key of follow_up must be a known one", repr(key), todo)
    found = copy.deepcopy(dict(base)) | {"days": longer["days"], "visits": longer["visits"]}
    for every, times in _intervals(longer.get("continue", ()), where):
        for arm in found["arms"].values():
            if "doses" in arm:
                arm["doses"] = _continued(arm["doses"], every, float(longer["days"]), times)
    return found


def without_steps(doses: Sequence[Mapping[str, Any]], days: float) -> list[dict[str, Any]]:
    """Return the doses from a day on, at times that are earlier by as much.

    The arm without step-up doses has as many full doses as the one with them, and the first one has
    the length of infusion that it has there.

    Args:
        doses: Doses of an arm, as in a config.
        days: Day of the first full dose.
    """
    kept = []
    for dose in doses:
        time = parse(dose["time"], "day", where="doses.time")
        if time >= days:
            kept.append({**dose, "time": f"{time - days:g} day"})
    return kept


def _intervals(
    value: str | Sequence[Mapping[str, Any]], where: str
) -> list[tuple[float, int | None]]:
    """Return the intervals [day] with their numbers of doses, None for as many as fit."""
    tables = [{"every": value}] if isinstance(value, str) else value
    place, found = f"{where}: follow_up.continue", []
    for n, table in enumerate(tables):
        keys = {"every"} if n == len(tables) - 1 else {"every", "times"}
        if set(table) != keys:
            rule = f"table {n + 1} must have the keys {' and '.join(sorted(keys))}"
            raise ConfigError(place, rule, ", ".join(sorted(table)), "Only the last has no times")
        found.append((parse(table["every"], "day", where=place), table.get("times")))
    return found


def _continued(
    doses: Sequence[Mapping[str, Any]], every: float, end: float, most: int | None
) -> list[dict[str, Any]]:
    """Return the doses with the last one repeated until the end, or until there are as many."""
    last = max(doses, key=_last_day)
    first = _last_day(last) + every
    times = int((end - first) // every) + (1 if (end - first) % every > 0.0 else 0)
    times = times if most is None else min(times, most)
    if times < 1:
        return [dict(dose) for dose in doses]
    repeat = {"every": f"{every:g} day", "times": times}
    added = {**last, "period": CONTINUED, "time": f"{first:g} day", "repeat": repeat}
    return [*(dict(dose) for dose in doses), added]


def _last_day(dose: Mapping[str, Any]) -> float:
    """Return the day of the last repeat of a dose."""
    day = parse(dose["time"], "day", where="doses.time")
    if "repeat" not in dose:
        return day
    every = parse(dose["repeat"]["every"], "day", where="doses.repeat.every")
    return day + every * (dose["repeat"]["times"] - 1)
