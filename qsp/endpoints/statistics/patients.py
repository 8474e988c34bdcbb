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
from numpy.typing import NDArray

from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.blocks import Measure, blocks
from qsp.endpoints.statistics.pools import reduce_cells

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
    return bool(values.size and not _all_equal(values))


def _all_equal(values: NDArray[np.float64]) -> bool:
    """Equivalent of numpy.allclose with the first value, without its temporary arrays."""
    first, most = values[0], 1e-8 + 1e-5 * abs(values[0])
    return bool(values.max() - first <= most and first - values.min() <= most)


def counts(values: xr.DataArray, ok: xr.DataArray) -> dict[str, xr.DataArray]:
    """Count the evaluable, failed and unassessed patients, which add up to all patients.

    Args:
        values (..., arm, patient): Value of each patient, NaN if missing.
        ok (arm, patient): Whether the simulation succeeded.

    Returns:
        (..., arm): The three counts [1], by name.
    """
    ok = ok.drop_attrs()  # the attributes describe the codes of the outcome
    evaluable = (values.notnull() & ok).sum("patient")
    failed = (~ok).sum("patient") + xr.zeros_like(evaluable)
    unassessed = (ok.sum("patient") - evaluable).transpose(*evaluable.dims)
    return {
        name: number.assign_attrs(units="1", long_name=COUNTS[name])
        for name, number in zip(COUNTS, (evaluable, failed, unassessed), strict=True)
    }


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
        pooled = {"value": found.where(ok), "weight": weights(part)}
        return xr.Dataset({**pooled, **counted(found, ok)})

    parts = (ds,) if isinstance(values, xr.DataArray) else blocks(ds)
    ranked = reduce_cells(measured, parts, partial(_quantiles, levels=levels), over=over)
    ranked = ranked.rename(result="quantile").assign_coords(quantile=levels)
    value = ranked["value"].transpose("quantile", ...)
    return xr.Dataset({"value": value, **ranked.drop_vars("value").data_vars})


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
        _finite_quantiles,
        values.astype(float),
        weight,
        input_core_dims=[[dim], [dim]],
        output_core_dims=[["quantile"]],
        kwargs={"levels": levels},
        vectorize=True,
    )
    # The caller sets the unit; attributes carried through arithmetic may be those of an operand.
    result.attrs = {}
    return result.assign_coords(quantile=levels).transpose("quantile", ...)


def _finite_quantiles(
    values: NDArray[np.float64], weight: NDArray[np.float64], *, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    keep = np.isfinite(values) & (weight > 0)
    return _quantiles(values[keep], weight[keep], levels=levels)


def _quantiles(
    values: NDArray[np.float64], weight: NDArray[np.float64], *, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return quantiles of finite values with positive weights."""
    if not values.size:
        return np.full(levels.shape, np.nan)
    if _all_equal(weight):
        return np.quantile(values, levels)
    return np.quantile(values, levels, weights=weight, method="inverted_cdf")
