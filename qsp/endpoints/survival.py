"""Progression-free survival, duration of response and time to response, of runs with lesions.

Estimates are those of Kaplan and Meier with prevalence weights. Times that no proportion of the
patients reaches, and proportions at a time after the end of observation, are NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.kaplan_meier import KaplanMeier, kaplan_meier
from qsp.endpoints.statistics.patients import counts, solved, spread, weights

DAYS_PER_MONTH = 365.25 / 12.0
_PROGRESSION_FREE = {"progression_free_time": "day", "progression_free_event": "1", "outcome": "1"}
_DURATION = {"response_duration": "day", "response_duration_event": "1", "outcome": "1"}
_COMPLETE = {
    "complete_response_duration": "day",
    "complete_response_duration_event": "1",
    "outcome": "1",
}

Estimate = Callable[[KaplanMeier, np.ndarray], tuple[float, float, float]]
"""Function of an estimate and of the times of its patients: value, lower and upper bound."""


def median(found: KaplanMeier, _: np.ndarray) -> tuple[float, float, float]:
    """Return the median time with its interval [day]; NaN if not reached."""
    value, lower, upper = (time if np.isfinite(time) else np.nan for time in found.quantile())
    return value, lower, upper


def proportion_at(day: float) -> Estimate:
    """Return an estimate of the proportion without the event at a time [1].

    It is NaN if no patient was observed as long and not all had the event before.

    Args:
        day: Time [day].
    """

    def estimate(found: KaplanMeier, times: np.ndarray) -> tuple[float, float, float]:
        survival = float(found.at(day))
        if survival > 0.0 and not np.any(times >= day):
            return np.nan, np.nan, np.nan
        step = int(np.searchsorted(found.time, day, side="right"))
        if step == 0:
            known = found.patients > 0
            return (1.0, 1.0, 1.0) if known else (np.nan, np.nan, np.nan)
        return survival, float(found.lower[step - 1]), float(found.upper[step - 1])

    return estimate


def estimated(ds: xr.Dataset, time: str, event: str, estimate: Estimate) -> xr.Dataset:
    """Return an estimate of Kaplan and Meier by arm.

    Args:
        ds: Results.
        time: Variable of the times (arm, patient) [day]; NaN where the time does not apply.
        event: Variable of the indicators of the event (arm, patient) [1].
        estimate: Quantity of the estimate.

    Returns:
        Dataset over (arm): `value`, `lower` and `upper`; `events`, and the counts, where
        `evaluable` is the number of patients to whom the time applies.
    """
    ok, weight = solved(ds).transpose("arm", "patient"), weights(ds).values
    times = ds[time].transpose("arm", "patient").where(ok)
    happened = ds[event].transpose("arm", "patient").values == 1
    arms = [
        (kaplan_meier(own, did, weight, level=interval.LEVEL), own)
        for own, did in zip(times.values, happened, strict=True)
    ]
    values = np.array([estimate(found, own[weight > 0]) for found, own in arms]).reshape(-1, 3)
    bound = "bound of the interval of the estimate of Kaplan and Meier (95 %)"
    named = {"value": "", "lower": f"Lower {bound}", "upper": f"Upper {bound}"}
    data = {
        name: ("arm", values[:, n], {"long_name": text} if text else {})
        for n, (name, text) in enumerate(named.items())
    }
    events = np.array([found.events for found, _ in arms])
    data["events"] = ("arm", events, {"units": "1", "long_name": "Patients with the event"})
    return xr.Dataset({**data, **counts(times, ok)}, {"arm": ds["arm"]})


@endpoint(
    Meaning(
        units="day",
        long_name="Median progression-free survival",
        definition="Median time from the first dose to progression or death among all treated "
        "patients, by the estimate of Kaplan and Meier; NaN if not reached",
        needs=_PROGRESSION_FREE,
    )
)
def progression_free_median(ds: xr.Dataset) -> xr.Dataset:
    """Return the median progression-free survival.

    Args:
        ds: Results of a run with lesions.

    Returns:
        Dataset over (arm): `value`, `lower` and `upper` [day], `events` and the counts.
    """
    return estimated(ds, "progression_free_time", "progression_free_event", median)


@endpoint(
    Meaning(
        units="1",
        long_name="Progression-free survival rate",
        definition="Proportion of all treated patients without progression or death at the stated "
        "time, by the estimate of Kaplan and Meier; NaN if the trial is shorter",
        needs=_PROGRESSION_FREE,
    )
)
def progression_free_rate(ds: xr.Dataset, *, months: float = 6.0) -> xr.Dataset:
    """Return the progression-free survival rate at a time.

    Args:
        ds: Results of a run with lesions.
        months: Time since the first dose [month].

    Returns:
        Dataset over (arm): `value`, `lower` and `upper` [1], `events` and the counts.
    """
    at = proportion_at(months * DAYS_PER_MONTH)
    return estimated(ds, "progression_free_time", "progression_free_event", at)


@endpoint(
    Meaning(
        units="day",
        long_name="Median duration of response",
        definition="Median time from the first response to progression or death among responders, "
        "by the estimate of Kaplan and Meier; NaN if not reached",
        needs=_DURATION,
    )
)
def response_duration_median(ds: xr.Dataset) -> xr.Dataset:
    """Return the median duration of response (DoR).

    Args:
        ds: Results of a run with lesions.

    Returns:
        Dataset over (arm): `value`, `lower` and `upper` [day], `events` and the counts.
    """
    return estimated(ds, "response_duration", "response_duration_event", median)


@endpoint(
    Meaning(
        units="1",
        long_name="Complete responses that last",
        definition="Proportion of patients with a complete response who have no progression or "
        "death up to the stated time after it, by the estimate of Kaplan and Meier; NaN if none "
        "was observed as long",
        needs=_COMPLETE,
    )
)
def complete_response_rate_at(ds: xr.Dataset, *, months: float = 18.0) -> xr.Dataset:
    """Return the proportion of complete responses that last to a time (DoCR).

    Args:
        ds: Results of a run with lesions.
        months: Time since the first complete response [month].

    Returns:
        Dataset over (arm): `value`, `lower` and `upper` [1], `events` and the counts.
    """
    at = proportion_at(months * DAYS_PER_MONTH)
    return estimated(ds, "complete_response_duration", "complete_response_duration_event", at)


@endpoint(
    Meaning(
        units="day",
        long_name="Time to response",
        definition="Quantiles over responders of the time from the first dose to the first "
        "response",
        needs={"response_time": "day", "outcome": "1"},
    )
)
def time_to_response(
    ds: xr.Dataset, *, quantiles: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)
) -> xr.Dataset:
    """Return quantiles over responders of the time to response.

    Args:
        ds: Results of a run with lesions.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm) [day], and the counts.
    """
    return spread(lambda part: part["response_time"], ds, quantiles)
