"""Simulated counterparts of published values: one function per kind of value.

Each function evaluates one arm of a study and returns a number in the unit of the table. Rates have
a Monte Carlo interval (Wilson, 95 %), which reflects only the number of virtual patients.
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
"""Rest of the day of an infusion that starts at 8 in the morning [day; assumed]."""

Metric = Literal["cmax", "ctrough"]


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A simulated value, in the unit of the published value.

    Args:
        value: Simulated value; NaN if no patient is evaluable.
        lower: Lower Monte Carlo bound of a rate; NaN for other quantities.
        upper: Upper Monte Carlo bound of a rate; NaN for other quantities.
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan


def part(ds: xr.Dataset, arm: str, labels: Sequence[str] = ()) -> xr.Dataset:
    """Select an arm, and the dose periods with one of the labels; all periods without labels."""
    chosen = ds.sel(arm=[arm])
    if not labels:
        return chosen
    names = chosen["dose_label"].isel(arm=0, patient=0).values.astype(str)
    return chosen.isel(dose_period=np.flatnonzero(np.isin(names, list(labels))))


# === CRS ==========================================================================================


def crs_rate(study: Study, arm: str, labels: Sequence[str], at_least: int) -> Simulated:
    """Return the incidence of CRS of at least a grade in the dose periods [%]."""
    rates = crs.incidence(part(study.results, arm, labels), by="any", at_least=(at_least,))
    return _rate(rates.isel(grade=0, arm=0))


def crs_exactly(study: Study, arm: str, grade: int) -> Simulated:
    """Return the proportion of patients whose worst CRS grade over all doses is `grade` [%]."""
    return _rate(crs.worst_grade(part(study.results, arm)).sel(grade=grade).isel(arm=0))


def crs_onset(study: Study, arm: str, labels: Sequence[str]) -> Simulated:
    """Return the median time from the start of the dose to the onset of CRS [hour]."""
    times = crs.onset(part(study.results, arm, labels), by="any", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()))


def crs_duration(study: Study, arm: str) -> Simulated:
    """Return the median duration of CRS [day]."""
    times = crs.duration(part(study.results, arm), by="any", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()) / HOURS_PER_DAY)


def crs_on_infusion_day(study: Study, arm: str) -> Simulated:
    """Return the proportion of CRS events with onset on the day of the infusion [%]."""
    ds = part(study.results, arm)
    onset = ds["crs_onset"].where(crs.grades(ds) >= 1).values
    events = int(np.isfinite(onset).sum())
    early = int((onset <= INFUSION_DAY).sum())
    low, high = interval.wilson(early, events)
    share = early / events if events else math.nan
    return Simulated(PERCENT * share, PERCENT * float(low), PERCENT * float(high))


# === cytokines ====================================================================================


def il6_peak(study: Study, arms: Mapping[str, float], labels: Sequence[str]) -> Simulated:
    """Return the median IL-6 peak in the dose periods, over patients of several arms [pg/mL].

    Args:
        study: Results of the study.
        arms: Weight of each arm, such as its number of patients in the publication.
        labels: Labels of the dose periods.
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
    """Return the median time from the start of the dose to the IL-6 peak [hour]."""
    times = cytokines.peak_times(
        part(study.results, arm, labels), by="dose_period", quantiles=(0.5,)
    )
    return Simulated(float(times["value"].squeeze()))


def level(study: Study, arm: str, name: str, day: float, *, above: float = -math.inf) -> Simulated:
    """Return the median over patients of a trajectory at one time, in its unit.

    Args:
        study: Results of the study.
        arm: Name of the arm.
        name: Variable over time.
        day: Time [day].
        above: Lower limit of detection: only values above it are included.
    """
    values = study.trajectories[name].sel(arm=arm).sel(time=day, method="nearest")
    weight = weights(study.results).sel(patient=values["patient"])
    return Simulated(
        float(quantile(values.where(values > above), weight, (0.5,), "patient").squeeze())
    )


# === exposure =====================================================================================


def per_nanomolar(ds: xr.Dataset, unit: str) -> float:
    """Return the conversion factor from nmol/L to a unit of mass per volume."""
    return exposure.mass_per_molar(ds) * parse("1 ug/mL", unit, where="validation")


def concentration(
    study: Study, arm: str, labels: Sequence[str], metric: Metric, *, mean: bool, unit: str
) -> Simulated:
    """Return the mean or median over patients of the Cmax or Ctrough of a dose period."""
    ds = part(study.results, arm, labels)
    return _middle(ds[metric].isel(dose_period=0), ds, mean, per_nanomolar(ds, unit))


def area(study: Study, arm: str, labels: Sequence[str], *, mean: bool, unit: str) -> Simulated:
    """Return the mean or median over patients of the AUC over the dose periods [unit * day]."""
    ds = part(study.results, arm, labels)
    total = ds["auc"].sum("dose_period", min_count=1)
    return _middle(total, ds, mean, per_nanomolar(ds, unit))


def serum(study: Study, arm: str, day: float, unit: str) -> Simulated:
    """Return the median free drug concentration in the central compartment at one time."""
    found = level(study, arm, "drug_central", day)
    return Simulated(found.value * per_nanomolar(study.results, unit))


# === response =====================================================================================


def responders(study: Study, arm: str, *, complete: bool) -> Simulated:
    """Return the complete or the objective response rate [%]."""
    rate = response.complete_response if complete else response.objective_response
    return _rate(rate(part(study.results, arm)).isel(arm=0))


def _rate(rate: xr.Dataset) -> Simulated:
    value, lower, upper = (PERCENT * float(rate[name]) for name in ("value", "lower", "upper"))
    return Simulated(value, lower, upper)


def _middle(values: xr.DataArray, ds: xr.Dataset, mean: bool, factor: float) -> Simulated:
    """Return the mean or median over the patients of the arm, times a factor."""
    known = values.where(solved(ds)).isel(arm=0, drop=True)
    if mean:
        return Simulated(factor * float(known.weighted(weights(ds)).mean("patient")))
    return Simulated(factor * float(quantile(known, weights(ds), (0.5,), "patient").squeeze()))
