"""Doses as people write them: small ones in ug, those by surface or day as they were prescribed.

Results hold what each patient got, in mg. Where the config states a rate, or an amount for each kg
or m^2, that is what a reader knows the regimen by.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from qsp.endpoints.steps import Step, steps
from qsp.plots.names import arm_titles, config_of, overrides

# Below this, an amount is easier to read in the next smaller unit.
SMALLEST = 0.1
_UNITS = (("mg", 1.0), ("µg", 1e3), ("ng", 1e6))
_AMOUNT = re.compile(r"\s*([\d.,]+(?:[eE][+-]?\d+)?)\s*mg\b(.*)")
_HOURS_PER_DAY = 24.0


@dataclass(frozen=True)
class DoseScale:
    """Doses of a run on one scale.

    Args:
        unit: Unit of all amounts; "" where they differ, and the texts hold it.
        heights: Amounts by arm and label; they compare.
        texts: The same as text.
    """

    unit: str
    heights: Mapping[tuple[str, str], float]
    texts: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Supportive:
    """A dose of a supportive drug.

    Args:
        drug: Its name.
        time: Start [day since the first dose of the molecule].
    """

    drug: str
    time: float


def short(value: float) -> str:
    """Number of at most three digits that count, without zeros behind: 0.16, 1.54, 60, 1,540."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def amount_text(amount: float, per: str = "") -> str:
    """An amount with its unit: 60 mg, 68 µg, 35 µg/m².

    Args:
        amount: In mg.
        per: What it is counted for, such as "/kg".

    Returns:
        The text; "–" where there is no amount.
    """
    if not math.isfinite(amount):
        return "–"
    fits = ((unit, factor) for unit, factor in _UNITS if abs(amount) * factor >= SMALLEST)
    unit, factor = next(fits, _UNITS[-1]) if amount else _UNITS[0]
    return f"{short(amount * factor)} {unit}{per}"


def readable(amount: str) -> str:
    """An amount such as "0.035 mg/m^2" as a reader wants it: 35 µg/m²."""
    found = _AMOUNT.fullmatch(amount)
    if not found:
        return _symbols(amount)
    return amount_text(float(found[1].replace(",", "")), _symbols(found[2]))


def _symbols(text: str) -> str:
    text = re.sub(r"m(\^|\*\*)2", "m²", text)
    return re.sub(r"\b(ug|mcg|microgram)\b", "µg", text)


def prescribed(config: str) -> dict[tuple[str, str], str]:
    """Amounts that a config gives by size or by day, as it writes them.

    Args:
        config: The config as the results keep it.

    Returns:
        Amount by arm and label, such as "5 µg/m²/day". Labels of several doses are left out, for
        these add up; and so are all where the command line changed what an arm is given.
    """
    if any(key.startswith("arms.") and not key.endswith(".title") for key in overrides(config)):
        return {}
    arms = config_of(config).get("arms")
    if not isinstance(arms, Mapping):
        return {}
    found: dict[tuple[str, str], str] = {}
    for name, arm in arms.items():
        if isinstance(arm, Mapping):
            source = arms.get(arm.get("same_doses_as"), arm)
            given = _given(source.get("doses", ()))
            often = Counter(label for label, _ in given)
            found |= {(name, k): text for k, text in given if often[k] == 1 and "/" in text}
    return found


def _given(doses: Any) -> list[tuple[str, str]]:
    """Label and amount of each dose of an arm."""
    given = []
    for dose in doses:
        label, amount = dose.get("period", ""), _symbols(str(dose.get("amount", "")))
        amount += _symbols(f", at most {dose['cap']}") if "cap" in dose else ""
        names = label if isinstance(label, list) else [label]
        # One name for several repeats is one period, in which they add up.
        times = int(dose.get("repeat", {}).get("times", 1)) if len(names) == 1 else 1
        given += [(str(name), amount) for name in names for _ in range(times)]
    return given


def dose_texts(ds: xr.Dataset) -> dict[tuple[str, str], str]:
    """Dose of each step with its unit, by arm and label.

    Args:
        ds: Results.

    Returns:
        As prescribed where that was by size or by day, otherwise what the middle patient got.
    """
    written = prescribed(str(ds.attrs.get("config", "")))
    return {
        (step.arm, step.label): written.get((step.arm, step.label), amount_text(step.amount))
        for step in steps(ds)
    }


def dose_scale(ds: xr.Dataset) -> DoseScale:
    """Doses of all arms on one scale, for bars that compare.

    Args:
        ds: Results.

    Returns:
        The scale; its unit is that of the prescription where all doses share one.
    """
    written, given = prescribed(str(ds.attrs.get("config", ""))), dose_texts(ds)
    keys = {(step.arm, step.label): step for step in steps(ds)}
    units = {text.partition(" ")[2] for text in given.values()}
    if len(units) != 1:
        own = {key: amount_text(step.amount) for key, step in keys.items()}
        return DoseScale("", {key: step.amount for key, step in keys.items()}, own)
    numbers = {key: text.partition(" ")[0] for key, text in given.items()}
    heights = {key: _height(step, numbers[key], key in written) for key, step in keys.items()}
    return DoseScale(units.pop(), heights, numbers)


def _height(step: Step, number: str, is_written: bool) -> float:
    """Amount in mg, or the number prescribed; arms with both share no unit."""
    try:
        return float(number.replace(",", "")) if is_written else step.amount
    except ValueError:
        return step.amount


def supportive(ds: xr.Dataset) -> dict[str, list[Supportive]]:
    """Supportive drugs by arm, as the attribute `doses` lists them.

    Args:
        ds: Results.

    Returns:
        Doses of each arm that has some, in order.
    """
    try:
        rows = json.loads(str(ds.attrs.get("doses", "[]")))
    except json.JSONDecodeError:
        return {}
    titles = arm_titles(ds)
    names = {title: name for name, title in titles.items()} | {name: name for name in titles}
    found: dict[str, list[Supportive]] = {}
    for row in rows:
        if row.get("period") or row.get("drug") == ds.attrs.get("molecule"):
            continue
        day = re.fullmatch(r"day (-?\d+)", str(row.get("day", "")))
        if day and row.get("arm") in names:
            ordinal = int(day[1])
            start = ordinal - 1 if ordinal > 0 else ordinal
            dose = Supportive(str(row["drug"]), start + float(row["hour"]) / _HOURS_PER_DAY)
            found.setdefault(names[row["arm"]], []).append(dose)
    return found
