"""A rate over patients, with both intervals and its counts: the form of every rate."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints import interval
from qsp.endpoints.patients import counts, solved, weights


def rate(
    event: xr.DataArray,
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
        event (..., arm, patient): 1 or 0 (or a probability) [1], NaN where the patient has no
            value.
        ds: Results the event comes from.
        trial_size: Patients of the trial of the prediction interval.
        level: Coverage of both intervals, between 0 and 1.

    Returns:
        Dataset over (..., arm) [1]: `value`; `lower`, `upper` (Monte Carlo, Wilson); `trial_lower`,
        `trial_upper` (prediction for a trial of `trial_size` patients); `events`, `evaluable`,
        `failed`, `unassessed` (unweighted counts) and `effective_size`.

    Source: Kish 1965, Survey Sampling, section 11.7, for the effective number.
    """
    seen = event.where(solved(ds)).astype(float)
    seen.attrs = {}
    weight = weights(ds).where(seen.notnull())
    total = weight.sum("patient")
    value = (weight * seen).sum("patient") / total
    size = (total**2 / (weight**2).sum("patient")).fillna(0.0)
    lower, upper = interval.wilson(value * size, size, level=level)
    trial_lower, trial_upper = interval.trial(value * size, size, trial_size, level=level)
    percent = f"{100 * level:g} %"
    bounds = {
        "lower": (lower, f"Lower Monte Carlo bound (Wilson, {percent})"),
        "upper": (upper, f"Upper Monte Carlo bound (Wilson, {percent})"),
        "trial_lower": (
            trial_lower,
            f"Lower prediction bound of a trial of {trial_size} ({percent})",
        ),
        "trial_upper": (
            trial_upper,
            f"Upper prediction bound of a trial of {trial_size} ({percent})",
        ),
    }
    labeled = {
        name: value.copy(data=data).assign_attrs(units="1", long_name=text)
        for name, (data, text) in bounds.items()
    }
    attrs = {"units": "1", "long_name": "Patients with the event"}
    events = seen.sum("patient").assign_attrs(attrs)
    effective = size.assign_attrs(units="1", long_name="Effective number of patients")
    numbers = {"events": events, **counts(event, ds), "effective_size": effective}
    described = value.assign_attrs(units="1", long_name="Share of the evaluable patients")
    return xr.Dataset(
        {"value": described, **labeled, **numbers}, attrs={"trial_size": trial_size, "level": level}
    )
