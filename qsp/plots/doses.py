"""Doses as text: small amounts in µg or ng, doses per kg, m² or day as prescribed.

Results hold the amount that each patient received, in mg. Regimens that prescribe a rate, or an
amount per kg or m², are shown as prescribed in the config.
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

# An amount below this is written in the next smaller unit.
SMALLEST = 0.1
_UNITS = (("mg", 1.0), ("µg", 1e3), ("ng", 1e6))
_AMOUNT = re.compile(r"\s*([\d.,]+(?:[eE][+-]?\d+)?)\s*mg\b(.*)")
_HOURS_PER_DAY = 24.0


@dataclass(frozen=True)
class DoseScale:
    """Doses of a run on a common scale.

    Args:
        unit: Unit of all texts; "" if the units differ and each text has its own.
        heights: Amounts by arm and label, in one unit.
        texts: Amounts as text, by arm and label.
    """

    unit: str
    heights: Mapping[tuple[str, str], float]
    texts: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Supportive:
    """A dose of a supportive drug.

    Args:
        drug: Name of the drug.
        time: Start [day since the first dose of the molecule].
    """

    drug: str
    time: float


def short(value: float) -> str:
    """Return a number with up to three significant digits: 0.16, 1.54, 60, 1,540."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def amount_text(amount: float, per: str = "") -> str:
    """Return an amount with its unit: 60 mg, 68 µg, 35 µg/m².

    Args:
        amount: Amount [mg].
        per: Denominator of the unit, such as "/kg".

    Returns:
        The text; "–" if the amount is not finite.
    """
    if not math.isfinite(amount):
        return "–"
    fits = ((unit, factor) for unit, factor in _UNITS if abs(amount) * factor >= SMALLEST)
    unit, factor = next(fits, _UNITS[-1]) if amount else _UNITS[0]
    return f"{short(amount * factor)} {unit}{per}"


def readable(amount: str) -> str:
    """Return an amount such as "0.035 mg/m^2" in a readable unit: 35 µg/m²."""
    found = _AMOUNT.fullmatch(amount)
    if not found:
        return _symbols(amount)
    return amount_text(float(found[1].replace(",", "")), _symbols(found[2]))


def _symbols(text: str) -> str:
    text = re.sub(r"m(\^|\*\*)2", "m²", text)
    return re.sub(r"\b(ug|mcg|microgram)\b", "µg", text)


def prescribed(config: str) -> dict[tuple[str, str], str]:
    """Return the amounts that a config prescribes per body size or per day.

    Args:
        config: Text of the config, as stored in the results.

    Returns:
        Amount by arm and label, such as "5 µg/m²/day". Labels with several doses are left out,
        because their amounts add up. Empty if the command line changed the doses of an arm.
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
            amounts = _labeled_amounts(source.get("doses", ()))
            count = Counter(label for label, _ in amounts)
            found |= {(name, k): text for k, text in amounts if count[k] == 1 and "/" in text}
    return found


def _labeled_amounts(doses: Any) -> list[tuple[str, str]]:
    """Return the label and the amount of each dose of an arm."""
    labeled = []
    for dose in doses:
        label, amount = dose.get("period", ""), _symbols(str(dose.get("amount", "")))
        amount += _symbols(f", at most {dose['cap']}") if "cap" in dose else ""
        names = label if isinstance(label, list) else [label]
        # Repeats under a single label are one period, in which the amounts add up.
        times = int(dose.get("repeat", {}).get("times", 1)) if len(names) == 1 else 1
        labeled += [(str(name), amount) for name in names for _ in range(times)]
    return labeled


def dose_texts(ds: xr.Dataset) -> dict[tuple[str, str], str]:
    """Return the dose of each step with its unit, by arm and label.

    Args:
        ds: Results.

    Returns:
        The prescribed dose if it is per body size or per day, otherwise the median amount.
    """
    written = prescribed(str(ds.attrs.get("config", "")))
    return {
        (step.arm, step.label): written.get((step.arm, step.label), amount_text(step.amount))
        for step in steps(ds)
    }


def dose_scale(ds: xr.Dataset) -> DoseScale:
    """Return the doses of all arms on a common scale, for bars that can be compared.

    Args:
        ds: Results.

    Returns:
        The scale; its unit is that of the prescription if all doses share one.
    """
    written, texts = prescribed(str(ds.attrs.get("config", ""))), dose_texts(ds)
    keys = {(step.arm, step.label): step for step in steps(ds)}
    units = {text.partition(" ")[2] for text in texts.values()}
    if len(units) != 1:
        own = {key: amount_text(step.amount) for key, step in keys.items()}
        return DoseScale("", {key: step.amount for key, step in keys.items()}, own)
    numbers = {key: text.partition(" ")[0] for key, text in texts.items()}
    heights = {key: _height(step, numbers[key], key in written) for key, step in keys.items()}
    return DoseScale(units.pop(), heights, numbers)


def _height(step: Step, number: str, is_written: bool) -> float:
    """Return the prescribed number, or the amount in mg if nothing is prescribed per size."""
    try:
        return float(number.replace(",", "")) if is_written else step.amount
    except ValueError:
        return step.amount


def supportive(ds: xr.Dataset) -> dict[str, list[Supportive]]:
    """Return the doses of supportive drugs by arm, from the attribute `doses`.

    Args:
        ds: Results.

    Returns:
        Doses in order, for each arm with supportive drugs.
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
