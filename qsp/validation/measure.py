"""What a published figure is in a simulation: one function a kind of figure.

Each looks at one arm of a study and gives a number in the unit of the table. Rates have their
Monte Carlo interval (Wilson, 95 %), which speaks of the number of virtual patients alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from qsp.endpoints import crs, cytokines, exposure, response
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import quantile, solved, weights
from qsp.units import parse
from qsp.validation.study import Study

PERCENT = 100.0
HOURS_PER_DAY = 24.0
INFUSION_DAY = 16.0 / HOURS_PER_DAY
"""What is left of the day of an infusion that starts at 8 in the morning [day; assumed]."""

Metric = Literal["cmax", "ctrough"]


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A simulated figure, in the unit of the published one.

    Args:
        value: NaN where no patient has one.
        lower: Of the Monte Carlo interval of a rate; NaN for others.
        upper: As `lower`.
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan


def part(ds: xr.Dataset, arm: str, labels: Sequence[str] = ()) -> xr.Dataset:
    """One arm, and of its dose periods those with a label; all of them where none is named."""
    chosen = ds.sel(arm=[arm])
    if not labels:
        return chosen
    given = chosen["dose_label"].isel(arm=0, patient=0).values.astype(str)
    return chosen.isel(dose_period=np.flatnonzero(np.isin(given, list(labels))))


# === CRS ==========================================================================================


def crs_rate(study: Study, arm: str, labels: Sequence[str], at_least: int) -> Simulated:
    """Patients whose worst CRS in these periods is of a grade or more [%]."""
    rates = crs.incidence(part(study.results, arm, labels), by="any", at_least=(at_least,))
    return _rate(rates.isel(grade=0, arm=0))


def crs_exactly(study: Study, arm: str, grade: int) -> Simulated:
    """Patients whose worst CRS over all doses is of a grade [%]."""
    return _rate(crs.worst_grade(part(study.results, arm)).sel(grade=grade).isel(arm=0))


def crs_onset(study: Study, arm: str, labels: Sequence[str]) -> Simulated:
    """Median onset after the start of the dose, among events [hour]."""
    times = crs.onset(part(study.results, arm, labels), by="any", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()))


def crs_duration(study: Study, arm: str) -> Simulated:
    """Median duration of an event [day]."""
    times = crs.duration(part(study.results, arm), by="any", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()) / HOURS_PER_DAY)


def crs_on_infusion_day(study: Study, arm: str) -> Simulated:
    """Events that start on the day of the infusion [%]."""
    ds = part(study.results, arm)
    onset = ds["crs_onset"].where(crs.grades(ds) >= 1).values
    events = int(np.isfinite(onset).sum())
    early = int((onset <= INFUSION_DAY).sum())
    low, high = interval.wilson(early, events)
    share = early / events if events else math.nan
    return Simulated(PERCENT * share, PERCENT * float(low), PERCENT * float(high))


# === cytokines ====================================================================================


def il6_peak(study: Study, arms: Mapping[str, float], labels: Sequence[str]) -> Simulated:
    """Median peak of IL-6 in these periods over the patients of several arms [pg/mL].

    Args:
        study: Results.
        arms: Weight of each arm, such as its number of patients in the publication.
        labels: Dose periods.
    """
    peaks, shares = [], []
    for arm, weight in arms.items():
        ds = part(study.results, arm, labels)
        peaks.append(ds["il6_peak"].max("dose_period").where(solved(ds)).isel(arm=0, drop=True))
        shares.append(weights(ds) * weight)
    values, weight = (
        xr.DataArray(np.concatenate([each.values for each in pieces]), dims="patient")
        for pieces in (peaks, shares)
    )
    return Simulated(float(quantile(values, weight, (0.5,), "patient").squeeze()))


def il6_peak_time(study: Study, arm: str, labels: Sequence[str]) -> Simulated:
    """Median time of the peak of IL-6 after the start of the dose [hour]."""
    times = cytokines.peak_times(
        part(study.results, arm, labels), by="dose_period", quantiles=(0.5,)
    )
    return Simulated(float(times["value"].squeeze()))


def level(study: Study, arm: str, name: str, day: float, *, above: float = -math.inf) -> Simulated:
    """Median over patients of a trajectory at one time, in its unit.

    Args:
        study: Results.
        arm: Name of the arm.
        name: Variable over time.
        day: The time [day].
        above: Only values above this count, as where a publication could not read lower ones.
    """
    values = study.trajectories[name].sel(arm=arm).sel(time=day, method="nearest")
    weight = weights(study.results).sel(patient=values["patient"])
    return Simulated(
        float(quantile(values.where(values > above), weight, (0.5,), "patient").squeeze())
    )


# === exposure =====================================================================================


def per_nanomolar(ds: xr.Dataset, unit: str) -> float:
    """Factor from nmol/L to a unit of mass in volume."""
    return exposure.mass_per_molar(ds) * parse("1 ug/mL", unit, where="validation")


def concentration(
    study: Study, arm: str, labels: Sequence[str], metric: Metric, *, mean: bool, unit: str
) -> Simulated:
    """Mean or median over patients of the largest or last concentration of a period."""
    ds = part(study.results, arm, labels)
    return _middle(ds[metric].isel(dose_period=0), ds, mean, per_nanomolar(ds, unit))


def area(study: Study, arm: str, labels: Sequence[str], *, mean: bool, unit: str) -> Simulated:
    """Mean or median over patients of the area under the curve of these periods [unit * day]."""
    ds = part(study.results, arm, labels)
    total = ds["auc"].sum("dose_period", min_count=1)
    return _middle(total, ds, mean, per_nanomolar(ds, unit))


def serum(study: Study, arm: str, day: float, unit: str) -> Simulated:
    """Median concentration of the drug in plasma at one time."""
    found = level(study, arm, "drug_central", day)
    return Simulated(found.value * per_nanomolar(study.results, unit))


# === response =====================================================================================


def responders(study: Study, arm: str, *, complete: bool) -> Simulated:
    """Patients with a complete, or any, response as best response [%]."""
    rate = response.complete_response if complete else response.objective_response
    return _rate(rate(part(study.results, arm)).isel(arm=0))


def _rate(rate: xr.Dataset) -> Simulated:
    value, lower, upper = (PERCENT * float(rate[name]) for name in ("value", "lower", "upper"))
    return Simulated(value, lower, upper)


def _middle(values: xr.DataArray, ds: xr.Dataset, mean: bool, factor: float) -> Simulated:
    """Mean or median over the patients of one arm, times a factor."""
    known = values.where(solved(ds)).isel(arm=0, drop=True)
    if mean:
        return Simulated(factor * float(known.weighted(weights(ds)).mean("patient")))
    return Simulated(factor * float(quantile(known, weights(ds), (0.5,), "patient").squeeze()))
