"""Times of CRS that plan a hospital stay: onset after given hours, and time to resolution.

Both are measured from the start of the dose period in which the event starts.
"""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from qsp.endpoints.crs import HOURS_PER_DAY, QUARTILES, event_times, grades
from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.rates import rate
from qsp.endpoints.steps import Grouping, gather, grouped

HOURS = (24, 48, 72)
"""Lengths of observation after the start of a dose [hour]."""


@endpoint(
    Meaning(
        units="hour",
        long_name="Time to resolution of CRS",
        definition="Time from the start of the dose period to the end of the CRS that started in "
        "it, among patients with CRS; over all doses, the events of all dose periods are pooled",
        needs={"crs_grade": "1", "crs_onset": "day", "crs_duration": "day"},
    )
)
def resolution(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = QUARTILES
) -> xr.Dataset:
    """Return quantiles of the time from the start of the dose period to the end of CRS.

    Args:
        ds: Results.
        by: Grouping of dose periods; "any" pools the events of all doses.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm[, label or dose_period]) [hour], and the counts; `evaluable`
        is the number of events with a known end.
    """
    return event_times(ds, lambda part: part["crs_onset"] + part["crs_duration"], by, quantiles)


@endpoint(
    Meaning(
        units="1",
        long_name="Late onset of CRS",
        definition="Proportion of the evaluable patients whose CRS starts later than the stated "
        "number of hours after the start of the dose period; over all doses, after any of them",
        needs={"crs_grade": "1", "crs_onset": "day", "outcome": "1"},
    )
)
def late_onset(
    ds: xr.Dataset,
    *,
    by: Grouping = "label",
    hours: Sequence[float] = HOURS,
    at_least: int = 1,
    trial_size: int = interval.TRIAL_SIZE,
) -> xr.Dataset:
    """Return the proportion of patients with CRS that starts after an observation period.

    These are the patients whose CRS would start at home if they were discharged after that time.

    Args:
        ds: Results.
        by: Grouping of dose periods; "any" counts patients with such an event after any dose.
        hours: Lengths of observation after the start of the dose period [hour].
        at_least: Lowest grade counted.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (hour, arm[, label or dose_period]) [1], with the variables of `rates.rate`.
    """
    limit = xr.DataArray([float(h) for h in hours], dims="hour", coords={"hour": list(hours)})

    def event(part: xr.Dataset) -> xr.DataArray:
        grade = grades(part)
        late = (grade >= at_least) & (part["crs_onset"] * HOURS_PER_DAY > limit)
        return gather(late.astype(float).where(grade.notnull()), part, by)

    return rate(event, grouped(ds, by), trial_size=trial_size)
