"""Cytokine release syndrome (CRS): incidence, severity, onset and duration.

Grades follow the ASTCT consensus of 2019 (0, no CRS, to 4). An event is attributed to the dose
period in which it starts; the grade of a period is -1 if the period does not exist or the
simulation failed.

Every patient is simulated to the end of the trial. The duration of an event that is still running
then is censored: it counts with the time until the end, and `duration` reports the number of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.endpoint import Meaning, endpoint, require
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.blocks import Measure, add_blocks, blocks
from qsp.endpoints.statistics.patients import COUNTS, counts, solved, spread, weights
from qsp.endpoints.statistics.rates import from_sums, rate, sums
from qsp.endpoints.steps import Grouping, gather, grouped

GRADES = (1, 2, 3)
QUARTILES = (0.25, 0.5, 0.75)
HOURS_PER_DAY = 24.0
_ASTCT = "Lee et al. 2019, Biol Blood Marrow Transplant 25:625 (ASTCT consensus grading)"


def grades(ds: xr.Dataset) -> xr.DataArray:
    """Return the CRS grade (arm, patient, dose_period) [1], NaN if the period does not exist."""
    require(ds, "crs_grade", "1")
    grade = ds["crs_grade"].astype(float).fillna(-1.0)
    return grade.where((grade >= 0) & solved(ds))


@endpoint(
    Meaning(
        units="1",
        long_name="Incidence of CRS",
        definition="Proportion of the evaluable patients whose worst CRS grade in the dose period, "
        "or over all doses, is the stated grade or higher",
        needs={"crs_grade": "1", "outcome": "1"},
        source=_ASTCT,
    )
)
def incidence(
    ds: xr.Dataset,
    *,
    by: Grouping = "label",
    at_least: Sequence[int] = GRADES,
    trial_size: int = interval.TRIAL_SIZE,
) -> xr.Dataset:
    """Return the incidence of CRS by grade: ``sum(w [grade >= g]) / sum(w)``.

    Args:
        ds: Results.
        by: Grouping of dose periods; "any" takes the worst grade of a patient over all doses.
        at_least: Lowest grade counted; one rate for each.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (grade, arm[, label or dose_period]) [1], with the variables of `rates.rate`.

    Source: ASTCT consensus grading, Lee et al. 2019.
    """
    lowest = xr.DataArray(list(at_least), dims="grade", coords={"grade": list(at_least)})

    def event(part: xr.Dataset) -> xr.DataArray:
        worst = gather(grades(part), part, by)
        return (lowest <= worst).astype(float).where(worst.notnull())

    return rate(event, grouped(ds, by), trial_size=trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Patients by worst CRS grade",
        definition="Proportion of the evaluable patients whose worst grade over all doses is "
        "exactly the stated grade",
        needs={"crs_grade": "1", "outcome": "1"},
        source=_ASTCT,
    )
)
def worst_grade(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the distribution of the worst CRS grade: ``sum(w [max grade = g]) / sum(w)``.

    Args:
        ds: Results.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (grade, arm) [1] for grades 0 to 4; the values add up to 1.

    Source: ASTCT consensus grading, Lee et al. 2019.
    """
    exact = xr.DataArray(np.arange(5), dims="grade", coords={"grade": np.arange(5)})

    def event(part: xr.Dataset) -> xr.DataArray:
        worst = gather(grades(part), part, "any")
        return (exact == worst).astype(float).where(worst.notnull())

    return rate(event, ds, trial_size=trial_size)


@endpoint(
    Meaning(
        units="hour",
        long_name="Time to onset of CRS",
        definition="Time from the start of the dose period to the onset of CRS, among patients "
        "with CRS; over all doses, the events of all dose periods are pooled",
        needs={"crs_grade": "1", "crs_onset": "day"},
    )
)
def onset(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = QUARTILES
) -> xr.Dataset:
    """Return the median and quartiles of the time to onset of CRS.

    Args:
        ds: Results.
        by: Grouping of dose periods; "any" pools the events of all doses.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm[, label or dose_period]) [hour], and the counts; `evaluable`
        is the number of events with a known onset.
    """
    return event_times(ds, lambda part: part["crs_onset"], by, quantiles)


@endpoint(
    Meaning(
        units="hour",
        long_name="Duration of CRS",
        definition="Duration of the CRS that started in the dose period, among patients with CRS; "
        "over all doses, the events of all dose periods are pooled; an event that lasts beyond the "
        "end of the trial counts until the end, and as censored",
        needs={"crs_grade": "1", "crs_duration": "day"},
    )
)
def duration(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = QUARTILES
) -> xr.Dataset:
    """Return the median and quartiles of the duration of CRS.

    Args:
        ds: Results.
        by: Grouping of dose periods; "any" pools the events of all doses.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm[, label or dose_period]) [hour], and the counts; `evaluable`
        is the number of events with a known duration, and `censored` (arm[, label or dose_period])
        [1] the number of those that last beyond the end of the trial; results of earlier
        versions do not have it.
    """
    found = event_times(ds, lambda part: part["crs_duration"], by, quantiles)
    if "crs_censored" not in ds:
        return found
    number = add_blocks(_censored(part, by) for part in blocks(grouped(ds, by)))
    return found.assign(number)


def _censored(part: xr.Dataset, by: Grouping) -> xr.Dataset:
    """Count the events (arm[, label or dose_period]) that last beyond the end of the trial."""
    events = ((part["crs_censored"] == 1) & (grades(part) >= 1)).astype(float)
    number = gather(events, part, by, "sum").sum("patient").astype(int)
    long_name = "Events that last beyond the end of the trial"
    return xr.Dataset({"censored": number.assign_attrs(units="1", long_name=long_name)})


def event_times(
    ds: xr.Dataset, days: Measure, by: Grouping, quantiles: Sequence[float]
) -> xr.Dataset:
    """Return quantiles of a time of CRS events among patients with CRS.

    Args:
        ds: Results.
        days: Function of a block with the time (arm, patient, dose_period) [day].
        by: Grouping of dose periods; "any" pools the events of all doses.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm[, label or dose_period]) [hour], and the counts of events.
    """

    def hours(part: xr.Dataset) -> xr.DataArray:
        return (days(part) * HOURS_PER_DAY).where(grades(part) >= 1)

    if by == "any":
        # A patient may have several events; each has the weight of the patient.
        over = ("patient", "dose_period")
        return spread(hours, ds, quantiles, over=over, counted=_pooled_counts)
    return spread(lambda part: gather(hours(part), part, by), grouped(ds, by), quantiles)


def _pooled_counts(hours: xr.DataArray, ok: xr.DataArray) -> dict[str, xr.DataArray]:
    """Count failed and unassessed patients, but events as `evaluable`."""
    numbers = counts(hours.max("dose_period"), ok)
    events = hours.notnull().sum(["patient", "dose_period"])
    return numbers | {
        "evaluable": events.assign_attrs(units="1", long_name=f"{COUNTS['evaluable']} (events)")
    }


def first_event(ds: xr.Dataset, *, at_least: int = 1) -> xr.DataArray:
    """Return the onset of the first CRS event of each patient that reaches a grade.

    Args:
        ds: Results with `crs_grade`, `crs_onset` and `dose_time`.
        at_least: Lowest grade counted.

    Returns:
        (arm, patient): Onset [day since the first dose]; infinite if there is no such event, NaN
        if the simulation failed.
    """
    require(ds, "crs_onset", "day")
    require(ds, "dose_time", "day")
    grade = grades(ds)
    start = (ds["dose_time"] + ds["crs_onset"]).where(grade >= at_least)
    first = start.min("dose_period").fillna(np.inf)
    return first.where(grade.notnull().any("dose_period"))


@endpoint(
    Meaning(
        units="1",
        long_name="Cumulative incidence of first CRS",
        definition="Proportion of the evaluable patients whose first CRS event of the stated grade "
        "or higher has started by the stated time",
        needs={"crs_grade": "1", "crs_onset": "day", "dose_time": "day"},
    )
)
def cumulative_incidence(
    ds: xr.Dataset,
    *,
    times: Sequence[float] | None = None,
    at_least: int = 1,
    trial_size: int = interval.TRIAL_SIZE,
) -> xr.Dataset:
    """Return the cumulative incidence of first CRS, ``sum(w [T <= t]) / sum(w)``, uncensored.

    Args:
        ds: Results.
        times: Times [day since the first dose]; by default every quarter of a day to the end of
            the run.
        at_least: Lowest grade counted.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (time, arm) [1].
    """
    days = np.asarray(times if times is not None else _quarter_days(ds), float)
    grid = xr.DataArray(days, dims="time", coords={"time": ("time", days, {"units": "day"})})
    summed = add_blocks(_sums_by_time(part, grid, at_least) for part in blocks(ds))
    return from_sums(summed.assign_coords(time=grid["time"]), trial_size=trial_size)


def _sums_by_time(part: xr.Dataset, grid: xr.DataArray, at_least: int) -> xr.Dataset:
    """Return the sums (time, arm) of `rates.sums` for the event "first CRS by this time".

    The weights of the patients whose first event falls between two times are accumulated along the
    times, so that no array has both a patient and a time dimension.
    """
    first = first_event(part, at_least=at_least).transpose("arm", "patient")
    known = xr.ones_like(first).where(first.notnull())
    all_patients = sums(known, part).expand_dims(time=grid["time"])
    seen = first.where(solved(part)).values
    started = {
        name: (("time", "arm"), _cumulative_weight(seen, each, grid.values))
        for name, each in (("weighted", weights(part).values), ("events", np.ones(seen.shape[1])))
    }
    return all_patients.assign(started)


def _cumulative_weight(
    first: NDArray[np.float64], weight: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(time, arm): Total weight of the patients whose first event is at or before each time."""
    order = np.argsort(times, kind="stable")
    # Events after the last time and NaN fall into an extra bin at the end, which is dropped.
    places = np.searchsorted(times[order], first)
    started = [np.bincount(own, weight, times.size + 1)[:-1].cumsum() for own in places]
    found = np.empty((times.size, first.shape[0]))
    found[order] = np.transpose(started)
    return found


def _quarter_days(ds: xr.Dataset) -> np.ndarray:
    end = float(ds.attrs["days"] if "days" in ds.attrs else ds["time"].max())
    return np.arange(0.0, end + 0.25, 0.25)
