"""Who counts: solved and failed patients, their weights, and quantiles over them.

A failed patient stays in the Dataset with NaN values. No function here drops one silently: rates
and quantiles run over the patients with a value, and the number of failures stands beside each.
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
from qsp.endpoints.statistics.pools import by_cell

COUNTS = {
    "evaluable": "Patients with a value",
    "failed": "Patients whose simulation failed",
    "unassessed": "Patients simulated without a value, such as a dose never given",
}


def solved(ds: xr.Dataset) -> xr.DataArray:
    """Whether the simulation of a patient ended well (outcome 0), over (arm, patient)."""
    require(ds, "outcome", "1")
    # A file read back may hold the codes as floats with NaN for the fill value.
    return ds["outcome"].fillna(-1) == 0


def weights(ds: xr.Dataset) -> xr.DataArray:
    """Prevalence weight (patient,) [1]; all 1 where the Dataset has none."""
    if "prevalence_weight" not in ds:
        return xr.ones_like(ds["patient"], dtype=float)
    return ds["prevalence_weight"].astype(float).fillna(0.0)


def is_weighted(ds: xr.Dataset) -> bool:
    """Whether the patients differ in their prevalence weight."""
    values = weights(ds).values
    return bool(values.size and not _alike(values))


def _alike(values: NDArray[np.float64]) -> bool:
    """As numpy.allclose with the first value, without an array for each of its steps."""
    first, most = values[0], 1e-8 + 1e-5 * abs(values[0])
    return bool(values.max() - first <= most and first - values.min() <= most)


def counts(values: xr.DataArray, ok: xr.DataArray) -> dict[str, xr.DataArray]:
    """Evaluable, failed and unassessed patients, which add up to all of them.

    Args:
        values (..., arm, patient): A value per patient, NaN where there is none.
        ok (arm, patient): Whether he was solved.

    Returns:
        (..., arm): The three counts [1], by name.
    """
    ok = ok.drop_attrs()  # what the codes of the outcome mean
    evaluable = (values.notnull() & ok).sum("patient")
    failed = (~ok).sum("patient") + xr.zeros_like(evaluable)
    unassessed = (ok.sum("patient") - evaluable).transpose(*evaluable.dims)
    return {
        name: number.assign_attrs(units="1", long_name=COUNTS[name])
        for name, number in zip(COUNTS, (evaluable, failed, unassessed), strict=True)
    }


Counted: TypeAlias = Callable[[xr.DataArray, xr.DataArray], dict[str, xr.DataArray]]
"""Counts of a part: from a value per patient and whether he was solved, as `counts`."""


def spread(
    values: Measure | xr.DataArray,
    ds: xr.Dataset,
    quantiles: Sequence[float],
    *,
    over: Sequence[str] = ("patient",),
    counted: Counted = counts,
) -> xr.Dataset:
    """Weighted quantiles over the solved patients, with their numbers.

    Args:
        values: Of a part of the results, (..., arm, patient): a value per patient, NaN where there
            is none. An array of all patients is taken as a whole, a function block by block.
        ds: Results.
        quantiles: Between 0 and 1.
        over: Dimensions of the values that are pooled: the patients, and any behind them, in which
            each value has the weight of its patient.
        counted: The counts (..., arm) of a part, which add up.

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
    ranked = by_cell(measured, parts, partial(_ranked, levels=levels), over=over)
    ranked = ranked.rename(result="quantile").assign_coords(quantile=levels)
    value = ranked["value"].transpose("quantile", ...)
    return xr.Dataset({"value": value, **ranked.drop_vars("value").data_vars})


def quantile(
    values: xr.DataArray, weight: xr.DataArray, quantiles: Sequence[float], dim: str
) -> xr.DataArray:
    """Quantiles over one dimension, NaN left out.

    Equal weights interpolate between neighbors (the usual definition); unequal ones take the
    smallest value at which the share of the weight is reached.

    Args:
        values (..., dim): Values in any unit.
        weight (dim,): Not negative [1].
        quantiles: Between 0 and 1.
        dim: Dimension to reduce.

    Returns:
        (quantile, ...): In the unit of the values, NaN where there is no value.
    """
    levels = np.asarray(quantiles, float)
    result = xr.apply_ufunc(
        _of_known,
        values.astype(float),
        weight,
        input_core_dims=[[dim], [dim]],
        output_core_dims=[["quantile"]],
        kwargs={"levels": levels},
        vectorize=True,
    )
    # The caller knows the unit; what arithmetic carried along may be that of another quantity.
    result.attrs = {}
    return result.assign_coords(quantile=levels).transpose("quantile", ...)


def _of_known(
    values: NDArray[np.float64], weight: NDArray[np.float64], *, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    keep = np.isfinite(values) & (weight > 0)
    return _ranked(values[keep], weight[keep], levels=levels)


def _ranked(
    values: NDArray[np.float64], weight: NDArray[np.float64], *, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of finite values in patients of some weight."""
    if not values.size:
        return np.full(levels.shape, np.nan)
    if _alike(weight):
        return np.quantile(values, levels)
    return np.quantile(values, levels, weights=weight, method="inverted_cdf")
