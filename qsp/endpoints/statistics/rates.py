"""Rates over patients with their Monte Carlo and prediction intervals and patient counts."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.blocks import Measure, add_blocks, blocks
from qsp.endpoints.statistics.patients import COUNTS, counts, solved, weights
from qsp.weights import effective_size


def rate(
    event: Measure,
    ds: xr.Dataset,
    *,
    trial_size: int = interval.TRIAL_SIZE,
    level: float = interval.LEVEL,
) -> xr.Dataset:
    """Return the proportion of the evaluable patients with an event, weighted by prevalence.

    ``value = sum(w e) / sum(w)``. The intervals use the effective sample size
    ``n_eff = sum(w)^2 / sum(w^2)`` (Kish), which is the number of patients if all weights are
    equal. If the event is given as a probability instead of 0 or 1, `value` is its mean and the
    Monte Carlo interval is conservative.

    Args:
        event: Function of a block of the results with values (..., arm, patient): 1 or 0 (or a
            probability) [1], NaN where the patient is not evaluable.
        ds: Results.
        trial_size: Number of patients in the trial of the prediction interval.
        level: Coverage of both intervals, between 0 and 1.

    Returns:
        Dataset over (..., arm) [1]: `value`; `lower`, `upper` (Monte Carlo, Wilson); `trial_lower`,
        `trial_upper` (prediction for a trial of `trial_size` patients); `events`, `evaluable`,
        `failed`, `unassessed` (unweighted counts) and `effective_size`.

    Source: Kish 1965, Survey Sampling, section 11.7, for the effective number.
    """
    summed = add_blocks(sums(event(part), part) for part in blocks(ds))
    return from_sums(summed, trial_size=trial_size, level=level)


def sums(event: xr.DataArray, part: xr.Dataset) -> xr.Dataset:
    """Return the sums over the patients of a block from which `from_sums` computes a rate.

    Args:
        event (..., arm, patient): 1 or 0 (or a probability) [1], NaN if not evaluable.
        part: Results of these patients.

    Returns:
        Dataset over (..., arm) [1]: `weighted`, `total` and `squares`, the sums of ``w e``, ``w``
        and ``w^2`` over the evaluable patients; `events` and the counts.
    """
    ok = solved(part)
    # Variables, because comparing the coordinates at every step takes longer than adding up.
    seen = event.variable.where(ok.variable).astype(float, copy=False)
    weight = weights(part).variable.where(seen.notnull())
    added = {
        "weighted": (weight * seen).sum("patient"),
        "total": weight.sum("patient"),
        "squares": (weight**2).sum("patient"),
        "events": seen.sum("patient"),
    }
    counted = {name: each.variable for name, each in counts(event, ok).items()}
    all_coords = {**ok.coords, **event.coords}
    coords = {name: each for name, each in all_coords.items() if "patient" not in each.dims}
    return xr.Dataset(
        {**{name: (each.dims, each.values) for name, each in added.items()}, **counted}, coords
    )


def from_sums(
    summed: xr.Dataset,
    *,
    trial_size: int = interval.TRIAL_SIZE,
    level: float = interval.LEVEL,
) -> xr.Dataset:
    """Return a rate, both intervals and the counts from the sums over all patients.

    Args:
        summed: Sums returned by `sums`, all of the same dimensions.
        trial_size: Number of patients in the trial of the prediction interval.
        level: Coverage of both intervals, between 0 and 1.

    Returns:
        Dataset with the variables of `rate`.
    """
    weighted, total, squares = (summed[name].variable for name in ("weighted", "total", "squares"))
    value = weighted / total
    size = effective_size(total, squares).fillna(0.0)
    lower, upper = interval.wilson(value * size, size, level=level)
    trial_lower, trial_upper = interval.trial(value * size, size, trial_size, level=level)
    percent = f"{100 * level:g} %"
    trial = f"prediction bound for a trial of {trial_size} patients ({percent})"
    described = {
        "value": (value.values, "Proportion of the evaluable patients"),
        "lower": (lower, f"Lower Monte Carlo bound (Wilson, {percent})"),
        "upper": (upper, f"Upper Monte Carlo bound (Wilson, {percent})"),
        "trial_lower": (trial_lower, f"Lower {trial}"),
        "trial_upper": (trial_upper, f"Upper {trial}"),
        "events": (summed["events"].transpose(*value.dims).values, "Patients with the event"),
        "effective_size": (size.values, "Effective sample size"),
    }
    rates = {
        name: (value.dims, data, {"units": "1", "long_name": text})
        for name, (data, text) in described.items()
    }
    found = summed[[*COUNTS]].assign(rates)
    order = ("value", "lower", "upper", "trial_lower", "trial_upper", "events", *COUNTS)
    found = found[[*order, "effective_size"]]
    return found.assign_attrs(trial_size=trial_size, level=level)
