"""A rate over patients, with both intervals and its counts: the form of every rate."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.blocks import Measure, added, blocks
from qsp.endpoints.statistics.patients import COUNTS, counts, solved, weights


def rate(
    event: Measure,
    ds: xr.Dataset,
    *,
    trial_size: int = interval.TRIAL_SIZE,
    level: float = interval.LEVEL,
) -> xr.Dataset:
    """Share of the evaluable patients with an event, weighted by prevalence.

    ``value = sum(w e) / sum(w)``. Weighted patients count as ``n_eff = sum(w)^2 / sum(w^2)`` in the
    intervals (Kish), which is their number where the weights are equal. Where the event is a
    probability between 0 and 1 instead of 0 or 1, `value` is its mean and the Monte Carlo interval
    is wider than needed.

    Args:
        event: Of a part of the results, (..., arm, patient): 1 or 0 (or a probability) [1], NaN
            where the patient has no value.
        ds: Results.
        trial_size: Patients of the trial of the prediction interval.
        level: Coverage of both intervals, between 0 and 1.

    Returns:
        Dataset over (..., arm) [1]: `value`; `lower`, `upper` (Monte Carlo, Wilson); `trial_lower`,
        `trial_upper` (prediction for a trial of `trial_size` patients); `events`, `evaluable`,
        `failed`, `unassessed` (unweighted counts) and `effective_size`.

    Source: Kish 1965, Survey Sampling, section 11.7, for the effective number.
    """
    summed = added(sums(event(part), part) for part in blocks(ds))
    return from_sums(summed, trial_size=trial_size, level=level)


def sums(event: xr.DataArray, part: xr.Dataset) -> xr.Dataset:
    """What a rate needs of a part of the patients, and what adds up over the parts.

    Args:
        event (..., arm, patient): 1 or 0 (or a probability) [1], NaN where there is no value.
        part: Results of these patients.

    Returns:
        Dataset over (..., arm) [1]: `weighted`, `total` and `squares`, the sums of ``w e``, ``w``
        and ``w^2`` over the evaluable; `events` and the counts.
    """
    ok = solved(part)
    seen = event.where(ok).astype(float, copy=False)
    seen.attrs = {}
    weight = weights(part).where(seen.notnull())
    return xr.Dataset(
        {
            "weighted": (weight * seen).sum("patient"),
            "total": weight.sum("patient"),
            "squares": (weight**2).sum("patient"),
            "events": seen.sum("patient"),
            **counts(event, ok),
        }
    )


def from_sums(
    summed: xr.Dataset,
    *,
    trial_size: int = interval.TRIAL_SIZE,
    level: float = interval.LEVEL,
) -> xr.Dataset:
    """Rate, both intervals and counts from the sums of all patients.

    Args:
        summed: As `sums` gives them, all of the same dimensions.
        trial_size: Patients of the trial of the prediction interval.
        level: Coverage of both intervals, between 0 and 1.

    Returns:
        As `rate`.
    """
    total = summed["total"]
    value = summed["weighted"] / total
    size = (total**2 / summed["squares"]).fillna(0.0)
    lower, upper = interval.wilson(value * size, size, level=level)
    trial_lower, trial_upper = interval.trial(value * size, size, trial_size, level=level)
    percent = f"{100 * level:g} %"
    trial = f"prediction bound of a trial of {trial_size} ({percent})"
    bounds = {
        "lower": (lower, f"Lower Monte Carlo bound (Wilson, {percent})"),
        "upper": (upper, f"Upper Monte Carlo bound (Wilson, {percent})"),
        "trial_lower": (trial_lower, f"Lower {trial}"),
        "trial_upper": (trial_upper, f"Upper {trial}"),
    }
    labeled = {
        name: value.copy(data=data).assign_attrs(units="1", long_name=text)
        for name, (data, text) in bounds.items()
    }
    events = summed["events"].assign_attrs(units="1", long_name="Patients with the event")
    effective = size.assign_attrs(units="1", long_name="Effective number of patients")
    counted = {name: summed[name] for name in COUNTS}
    numbers = {"events": events, **counted, "effective_size": effective}
    described = value.assign_attrs(units="1", long_name="Share of the evaluable patients")
    return xr.Dataset(
        {"value": described, **labeled, **numbers}, attrs={"trial_size": trial_size, "level": level}
    )
