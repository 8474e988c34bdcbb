"""Evaluable and failed patients, prevalence weights, and quantiles over patients.

A patient whose simulation failed stays in the Dataset with NaN values. Rates and quantiles are over
the patients with a value, and every result reports how many failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.blocks import Measure, blocks
from qsp.endpoints.statistics.pools import reduce_cells
from qsp.weights import are_equal
from qsp.weights import quantiles as quantiles_of

COUNTS = {
    "evaluable": "Patients with a value",
    "failed": "Patients whose simulation failed",
    "unassessed": "Patients without a value, such as those who did not receive the dose",
}


def solved(ds: xr.Dataset) -> xr.DataArray:
    """Return whether each simulation succeeded (outcome 0), over (arm, patient)."""
    require(ds, "outcome", "1")
    # A file read back may hold the codes as floats, with NaN for the fill value.
    return ds["outcome"].fillna(-1) == 0


def weights(ds: xr.Dataset) -> xr.DataArray:
    """Return the prevalence weight (patient,) [1]; 1 if the Dataset has no weights."""
    if "prevalence_weight" not in ds:
        return xr.ones_like(ds["patient"], dtype=float)
    return ds["prevalence_weight"].astype(float).fillna(0.0)


def is_weighted(ds: xr.Dataset) -> bool:
    """Return whether the prevalence weights differ between patients."""
    values = weights(ds).values
    return bool(values.size and not are_equal(values))


def counts(values: xr.DataArray, ok: xr.DataArray) -> dict[str, xr.DataArray]:
    """Count the evaluable, failed and unassessed patients, which add up to all patients.

    Args:
        values (..., arm, patient): Value of each patient, NaN if missing.
        ok (arm, patient): Whether the simulation succeeded.

    Returns:
        (..., arm): The three counts [1], by name.
    """
    # Variables, because comparing the coordinates at every step takes longer than counting.
    everyone = ok.variable
    evaluable = (values.variable.notnull() & everyone).sum("patient")
    failed = (~everyone).sum("patient") + 0 * evaluable
    unassessed = (everyone.sum("patient") - evaluable).transpose(*evaluable.dims)
    all_coords = {**ok.coords, **values.coords}
    coords = {name: each for name, each in all_coords.items() if "patient" not in each.dims}
    return {
        name: xr.DataArray(number.values, coords, number.dims, attrs=_count_attributes(name))
        for name, number in zip(COUNTS, (evaluable, failed, unassessed), strict=True)
    }


def _count_attributes(name: str) -> dict[str, str]:
    return {"units": "1", "long_name": COUNTS[name]}


Counted: TypeAlias = Callable[[xr.DataArray, xr.DataArray], dict[str, xr.DataArray]]
"""Function with the signature of `counts`: from values and success to counts by name."""


def spread(
    values: Measure | xr.DataArray,
    ds: xr.Dataset,
    quantiles: Sequence[float],
    *,
    over: Sequence[str] = ("patient",),
    counted: Counted = counts,
) -> xr.Dataset:
    """Return weighted quantiles over patients, with the numbers of patients.

    Args:
        values: Values (..., arm, patient), NaN if missing: an array of all patients, or a function
            of a block of the results, which is evaluated block by block.
        ds: Results.
        quantiles: Levels between 0 and 1.
        over: Dimensions that are pooled: the patients, and any dimensions after them, in which
            each value has the weight of its patient.
        counted: Function that counts the patients of a block; its results are added up.

    Returns:
        Dataset: `value` (quantile, ..., arm) in the unit of the values, and the counts (..., arm).
    """
    levels = np.asarray(quantiles, float)

    def measured(part: xr.Dataset) -> xr.Dataset:
        found = values if isinstance(values, xr.DataArray) else values(part)
        ok = solved(part)
        pooled = {"value": found.where(ok), "weight": weights(part), **counted(found, ok)}
        # All have the same coordinates, which are not compared again.
        coords = {**ok.coords, **found.coords}
        return xr.Dataset({name: each.variable for name, each in pooled.items()}, coords)

    parts = (ds,) if isinstance(values, xr.DataArray) else blocks(ds)
    ranked = reduce_cells(measured, parts, partial(quantiles_of, levels=levels), over=over)
    value = ranked["value"].variable.transpose("result", ...)
    named = {"value": (("quantile", *value.dims[1:]), value.values)}
    found = ranked.drop_vars("value").assign_coords(quantile=levels).assign(named)
    return found[["value", *ranked.drop_vars("value").data_vars]]


def quantile(
    values: xr.DataArray, weight: xr.DataArray, quantiles: Sequence[float], dim: str
) -> xr.DataArray:
    """Return quantiles over one dimension, ignoring NaN.

    With equal weights, quantiles interpolate linearly between neighboring values; with unequal
    weights, they are the smallest value at which the cumulative weight reaches the level.

    Args:
        values (..., dim): Values in any unit.
        weight (dim,): Weights, not negative [1].
        quantiles: Levels between 0 and 1.
        dim: Dimension to reduce.

    Returns:
        (quantile, ...): Quantiles in the unit of the values, NaN where there is no value.
    """
    levels = np.asarray(quantiles, float)
    result = xr.apply_ufunc(
        quantiles_of,
        values.astype(float),
        weight,
        input_core_dims=[[dim], [dim]],
        output_core_dims=[["quantile"]],
        kwargs={"levels": levels},
    )
    # The caller sets the unit; attributes carried through arithmetic may be those of an operand.
    result.attrs = {}
    return result.assign_coords(quantile=levels).transpose("quantile", ...)
