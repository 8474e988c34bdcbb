"""Simulated counterparts of published values: the functions in column ``function`` of the table.

Each function evaluates a study for one row and returns a number in the unit of the row. CRS of a
dose period is the share of the patients dosed in it with an event that begins in it, under the
premedication and rescue of the arm; over all doses it is the worst grade of a patient. Onset counts
from the start of the dose period in which the event begins. Rates have a Monte Carlo interval
(Wilson, 95 %), which reflects only the number of virtual patients.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from qsp.drugs import RESCUE, STEROID
from qsp.endpoints import crs, cytokines, exposure
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import quantile, solved, weights
from qsp.endpoints.statistics.rates import rate
from qsp.units import parse
from qsp.validation import events
from qsp.validation.measured_response import RESPONSE_FUNCTIONS, Function
from qsp.validation.selected import (
    PERCENT,
    NotComputed,
    Simulated,
    middle,
    part,
    rate_of,
    received,
    without_rescued,
)
from qsp.validation.study import HOURS_PER_DAY, Study

if TYPE_CHECKING:
    from qsp.validation.targets import Target

DETECTABLE = 10.0
"""Lowest IL-6 concentration that could be digitized [pg/mL]."""
INFUSION_DAY = 16.0 / HOURS_PER_DAY
"""Rest of the day of an infusion that starts at 8 in the morning [day; assumed]."""
SAME_TIME = 0.02
"""Largest distance of a saved time from the time of a published value [day]."""


def _own(study: Study, row: Target) -> xr.Dataset:
    return part(study.results, row.arm, row.periods)


# === CRS ==========================================================================================


def crs_any(study: Study, row: Target, *, at_least: int = 1) -> Simulated:
    """Return the share of patients with CRS of at least a grade in the dose periods [%]."""
    rates = crs.incidence(_own(study, row), by="any", at_least=(at_least,))
    return rate_of(rates.isel(grade=0, arm=0))


def crs_g2(study: Study, row: Target) -> Simulated:
    """Return the share of patients with CRS of grade 2 or more in the dose periods [%]."""
    return crs_any(study, row, at_least=2)


def crs_g3(study: Study, row: Target) -> Simulated:
    """Return the share of patients with CRS of grade 3 or more in the dose periods [%]."""
    return crs_any(study, row, at_least=3)


def crs_period(study: Study, row: Target) -> Simulated:
    """Return the share of patients dosed in the periods with an event that begins in them [%]."""
    return crs_any(study, row)


def crs_recurrent(study: Study, row: Target) -> Simulated:
    """Return the share of patients with events in more than one dose period [%]."""

    def event(ds: xr.Dataset) -> xr.DataArray:
        grade = crs.grades(ds)
        repeated = ((grade >= 1).sum("dose_period") > 1).astype(float)
        return repeated.where(grade.notnull().any("dose_period"))

    return rate_of(rate(event, _own(study, row)).isel(arm=0))


def crs_on_infusion_day(study: Study, row: Target) -> Simulated:
    """Return the share of CRS events with onset on the day of the infusion [%]."""
    ds = _own(study, row)
    onset = ds["crs_onset"].where(crs.grades(ds) >= 1).values
    known = int(np.isfinite(onset).sum())
    early = int((onset <= INFUSION_DAY).sum())
    low, high = interval.wilson(early, known)
    share = early / known if known else math.nan
    return Simulated(PERCENT * share, PERCENT * float(low), PERCENT * float(high))


def onset_median(study: Study, row: Target) -> Simulated:
    """Return the median time from the start of the dose to the onset of CRS [hour]."""
    times = crs.onset(_own(study, row), by="any", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()))


def duration_median(study: Study, row: Target) -> Simulated:
    """Return the median duration of CRS [day]."""
    times = crs.duration(_own(study, row), by="any", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()) / HOURS_PER_DAY)


def rescue_share(study: Study, row: Target, *, drug: str, of_crs: bool) -> Simulated:
    """Return the share of patients, or of those with CRS, who receive a drug by a rule [%].

    Raises:
        NotComputed: If no rule of the study gives the drug.
    """
    given = received(study.results, drug).sel(arm=[row.arm])

    def event(ds: xr.Dataset) -> xr.DataArray:
        has = given.sel(patient=ds["patient"]).astype(float)
        return has.where((crs.grades(ds) >= 1).any("dose_period")) if of_crs else has

    return rate_of(rate(event, part(study.results, row.arm)).isel(arm=0))


def burden_odds_ratio(study: Study, row: Target) -> Simulated:
    """Return the odds ratio of CRS, upper against lower third of tumor burden [1]."""
    found = events.burden_odds_ratio(_own(study, row))
    return Simulated(found.value, found.lower, found.upper)


# === cytokines and cells ==========================================================================


def il6_median_peak(study: Study, row: Target) -> Simulated:
    """Return the median IL-6 peak in the periods, over the pooled patients of the arms [pg/mL]."""
    peaks, shares = [], []
    for arm, weight in row.arms.items():
        ds = part(study.results, arm, row.periods)
        peaks.append(ds["il6_peak"].max("dose_period").where(solved(ds)).isel(arm=0, drop=True))
        shares.append(weights(ds) * weight)
    values, weight = (
        xr.DataArray(np.concatenate([each.values for each in pieces]), dims="patient")
        for pieces in (peaks, shares)
    )
    return Simulated(float(quantile(values, weight, (0.5,), "patient").squeeze()))


def il6_median_peak_of_crs(study: Study, row: Target) -> Simulated:
    """Return the median IL-6 peak of patients with CRS who did not receive tocilizumab [pg/mL]."""
    ds = _own(study, row)
    chosen = (crs.grades(ds) >= 1).any("dose_period") & without_rescued(ds, RESCUE)
    return middle(ds["il6_peak"].max("dose_period").where(chosen), ds, mean=False)


def il6_peak_time(study: Study, row: Target) -> Simulated:
    """Return the median time from the start of the dose to the IL-6 peak [hour]."""
    times = cytokines.peak_times(_own(study, row), by="dose_period", quantiles=(0.5,))
    return Simulated(float(times["value"].squeeze()))


def il6_median(study: Study, row: Target) -> Simulated:
    """Return the median IL-6 concentration at a time [pg/mL]."""
    return level(study, row.arm, "il6", day_of(study, row))


def il6_median_detectable(study: Study, row: Target) -> Simulated:
    """Return the median IL-6 concentration at a time, of values above `DETECTABLE` [pg/mL]."""
    return level(study, row.arm, "il6", day_of(study, row), above=DETECTABLE)


def il6_mean(study: Study, row: Target, *, rescued: bool = True) -> Simulated:
    """Return the mean IL-6 concentration at a time [pg/mL].

    Args:
        study: Results of the study.
        row: Row of the table.
        rescued: Whether patients who received tocilizumab by a rule are included.
    """
    values = _at(study, row.arm, "il6", day_of(study, row))
    ds = part(study.results, row.arm)
    if not rescued:
        keep = without_rescued(ds, RESCUE).isel(arm=0, drop=True)
        values = values.where(keep.sel(patient=values["patient"]))
    weight = weights(ds).sel(patient=values["patient"])
    return Simulated(float(values.weighted(weight).mean("patient")))


def t_cells_relative(study: Study, row: Target) -> Simulated:
    """Return the median of T cells in blood at a time over those at the first dose [1]."""
    now = _at(study, row.arm, "t_cells_blood", day_of(study, row))
    before = _at(study, row.arm, "t_cells_blood", 0.0)
    weight = weights(study.results).sel(patient=now["patient"])
    return Simulated(float(quantile(now / before, weight, (0.5,), "patient").squeeze()))


def day_of(study: Study, row: Target) -> float:
    """Return the time of a row since the first dose [day]."""
    ds = part(study.results, row.arm, row.periods[:1])
    return float(ds["dose_time"].median()) + row.hours / HOURS_PER_DAY


def level(study: Study, arm: str, name: str, day: float, *, above: float = -math.inf) -> Simulated:
    """Return the median over patients of a trajectory at one time, in its unit.

    Args:
        study: Results of the study.
        arm: Name of the arm.
        name: Variable over time.
        day: Time [day].
        above: Lower limit of detection: only values above it are included.
    """
    values = _at(study, arm, name, day)
    weight = weights(study.results).sel(patient=values["patient"])
    return Simulated(
        float(quantile(values.where(values > above), weight, (0.5,), "patient").squeeze())
    )


def _at(study: Study, arm: str, name: str, day: float) -> xr.DataArray:
    """(patient,): Return a trajectory at a saved time."""
    found = study.trajectories[name].sel(arm=arm).sel(time=day, method="nearest")
    if abs(float(found["time"]) - day) > SAME_TIME:
        raise NotComputed(f"day {day:g} was not saved")
    return found


# === exposure =====================================================================================


def per_nanomolar(ds: xr.Dataset, unit: str) -> float:
    """Return the conversion factor from nmol/L to a unit of mass per volume."""
    return exposure.mass_per_molar(ds) * parse("1 ug/mL", unit, where="validation")


def concentration(study: Study, row: Target, *, metric: str, mean: bool) -> Simulated:
    """Return the mean or median over patients of `cmax` or `ctrough` of a dose period."""
    ds = _own(study, row)
    factor = per_nanomolar(ds, row.unit)
    return middle(ds[metric].isel(dose_period=0), ds, mean=mean, factor=factor)


def cavg_median(study: Study, row: Target) -> Simulated:
    """Return the median over patients of the average concentration in a dose period."""
    every, own = part(study.results, row.arm), _own(study, row)
    ends = every["dose_time"].shift(dose_period=-1)
    length = (ends - every["dose_time"]).sel(dose_period=own["dose_period"])
    average = (own["auc"] / length).isel(dose_period=0)
    return middle(average, own, mean=False, factor=per_nanomolar(own, row.unit))


def auc_mean(study: Study, row: Target) -> Simulated:
    """Return the mean over patients of the AUC over the dose periods [unit * day]."""
    ds = _own(study, row)
    factor = per_nanomolar(ds, row.unit.partition("*")[0] + "/mL")
    return middle(ds["auc"].sum("dose_period", min_count=1), ds, mean=True, factor=factor)


def serum(study: Study, arm: str, day: float, unit: str) -> Simulated:
    """Return the median free drug concentration in the central compartment at one time."""
    found = level(study, arm, "drug_central", day)
    return Simulated(found.value * per_nanomolar(study.results, unit))


# === response =====================================================================================


FUNCTIONS: Mapping[str, Function] = {
    "crs_any": crs_any,
    "crs_g2": crs_g2,
    "crs_g3": crs_g3,
    "crs_period": crs_period,
    "crs_recurrent": crs_recurrent,
    "crs_on_infusion_day": crs_on_infusion_day,
    "onset_median": onset_median,
    "duration_median": duration_median,
    "tocilizumab_share": functools.partial(rescue_share, drug=RESCUE, of_crs=False),
    "tocilizumab_share_of_crs": functools.partial(rescue_share, drug=RESCUE, of_crs=True),
    "steroid_share": functools.partial(rescue_share, drug=STEROID, of_crs=False),
    "steroid_share_of_crs": functools.partial(rescue_share, drug=STEROID, of_crs=True),
    "burden_odds_ratio": burden_odds_ratio,
    "il6_median_peak": il6_median_peak,
    "il6_median_peak_of_crs": il6_median_peak_of_crs,
    "il6_peak_time": il6_peak_time,
    "il6_median": il6_median,
    "il6_median_detectable": il6_median_detectable,
    "il6_mean": il6_mean,
    "il6_mean_without_tocilizumab": functools.partial(il6_mean, rescued=False),
    "t_cells_relative": t_cells_relative,
    "cmax_mean": functools.partial(concentration, metric="cmax", mean=True),
    "cmax_median": functools.partial(concentration, metric="cmax", mean=False),
    "ctrough_mean": functools.partial(concentration, metric="ctrough", mean=True),
    "ctrough_median": functools.partial(concentration, metric="ctrough", mean=False),
    # The steady state of a constant infusion is the highest concentration.
    "css_mean": functools.partial(concentration, metric="cmax", mean=True),
    "cavg_median": cavg_median,
    "auc_mean": auc_mean,
    **RESPONSE_FUNCTIONS,
}
"""Functions by their name in the table."""


def simulated(study: Study, row: Target) -> Simulated:
    """Return the simulated counterpart of a row.

    Args:
        study: Results of the study of the row.
        row: Row of the table.

    Raises:
        NotComputed: If the results do not have it.
    """
    return FUNCTIONS[row.function](study, row)
