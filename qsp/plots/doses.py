"""Doses and units as text: small amounts in µg or ng, doses per kg, m² or day as prescribed.

Results hold the amount that each patient received, in mg. Regimens that prescribe a rate, or an
amount per kg or m², are shown as prescribed in the config.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp.endpoints import exposure
from qsp.endpoints.statistics.blocks import blocks
from qsp.endpoints.steps import Step, steps
from qsp.results.record import DoseRecord, record_of

# An amount below this is written in the next smaller unit.
SMALLEST = 0.1
_UNITS = (("mg", 1.0), ("µg", 1e3), ("ng", 1e6))
_AMOUNT = re.compile(r"\s*([\d.,]+(?:[eE][+-]?\d+)?)\s*mg\b(.*)")
_SIZES = {"patient": "", "kg": "/kg", "m2": "/m²"}


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
        return readable_unit(amount)
    return amount_text(float(found[1].replace(",", "")), readable_unit(found[2]))


def readable_unit(text: str) -> str:
    """Return a unit such as "ug/m^2" with the symbols of figures: µg/m²."""
    text = re.sub(r"m(\^|\*\*)2", "m²", text)
    return re.sub(r"\b(ug|mcg|microgram)\b", "µg", text)


def prescribed(ds: xr.Dataset) -> dict[tuple[str, str], str]:
    """Return amounts that the protocol gives by size or by day.

    Args:
        ds: Results with a record.

    Returns:
        Amount by arm and label, such as "5 µg/m²/day". Labels of several doses are left out,
        because these add up, and so are arms whose patients have individual doses.
    """
    found: dict[tuple[str, str], str] = {}
    for arm in record_of(ds).arms:
        if len(arm.regimens) == 1:
            doses = [dose for dose in arm.regimens[0].doses if dose.is_molecule]
            count = Counter(dose.period for dose in doses)
            found |= {
                (arm.name, dose.period): _prescribed(dose)
                for dose in doses
                if count[dose.period] == 1 and (dose.per != "patient" or dose.is_rate)
            }
    return found


def _prescribed(dose: DoseRecord) -> str:
    """Amount of a dose for each kg or m², and for each day of a long infusion."""
    days, per_day = (dose.duration, "/day") if dose.is_rate else (1.0, "")
    text = amount_text(dose.amount_mg / days, _SIZES[dose.per] + per_day)
    if dose.cap_mg is None:
        return text
    return f"{text}, at most {amount_text(dose.cap_mg / days, per_day)}"


def dose_texts(ds: xr.Dataset) -> dict[tuple[str, str], str]:
    """Return the dose of each step with its unit, by arm and label.

    Args:
        ds: Results.

    Returns:
        The prescribed dose if it is per body size or per day, otherwise the median amount.
    """
    written = prescribed(ds)
    return {
        (step.arm, step.label): written.get((step.arm, step.label), amount_text(step.amount))
        for step in steps(ds)
    }


def mass_unit(ds: xr.Dataset) -> tuple[float, str]:
    """Return the unit in which the highest concentration of a run is a readable number.

    Args:
        ds: Results with `cmax` and the attribute `molecular_weight_kda`.

    Returns:
        Conversion factor from ug/mL, and the unit.
    """
    peaks = [float(part["cmax"].max()) for part in blocks(ds)]
    highest = float(np.fmax.reduce(peaks)) * exposure.mass_per_molar(ds)
    if not highest > 0 or highest >= 0.1:
        return 1.0, "µg/mL"
    return (1e3, "ng/mL") if highest >= 1e-4 else (1e6, "pg/mL")


def dose_scale(ds: xr.Dataset) -> DoseScale:
    """Return the doses of all arms on a common scale, for bars that can be compared.

    Args:
        ds: Results.

    Returns:
        The scale; its unit is that of the prescription if all doses share one.
    """
    written, texts = prescribed(ds), dose_texts(ds)
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
    """Return the planned supportive drugs of each arm.

    Args:
        ds: Results with a record.

    Returns:
        Doses in order of time of each arm that has some and whose patients share one regimen.
    """
    found: dict[str, list[Supportive]] = {}
    for arm in record_of(ds).arms:
        if len(arm.regimens) == 1:
            doses = [dose for dose in arm.regimens[0].doses if not dose.is_molecule]
            found |= {arm.name: [Supportive(d.drug, d.time) for d in doses]} if doses else {}
    return found
