"""Who counts: solved and failed patients, their weights, and quantiles over them.

A failed patient stays in the Dataset with NaN values. No function here drops one silently: rates
and quantiles run over the patients with a value, and the number of failures stands beside each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.endpoint import require

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
    return bool(values.size and not np.allclose(values, values[0]))


def counts(values: xr.DataArray, ds: xr.Dataset) -> dict[str, xr.DataArray]:
    """Evaluable, failed and unassessed patients, which add up to all of them.

    Args:
        values (..., arm, patient): A value per patient, NaN where there is none.
        ds: Results.

    Returns:
        (..., arm): The three counts [1], by name.
    """
    ok, has = solved(ds), values.notnull()
    numbers = (
        (has & ok).sum("patient"),
        (~ok & xr.ones_like(has)).sum("patient"),
        (~has & ok).sum("patient"),
    )
    return {
        name: number.assign_attrs(units="1", long_name=COUNTS[name])
        for name, number in zip(COUNTS, numbers, strict=True)
    }


def spread(values: xr.DataArray, ds: xr.Dataset, quantiles: Sequence[float]) -> xr.Dataset:
    """Weighted quantiles over the solved patients, with their numbers.

    Args:
        values (..., arm, patient): A value per patient, NaN where there is none.
        ds: Results.
        quantiles: Between 0 and 1.

    Returns:
        Dataset: `value` (quantile, ..., arm) in the unit of the values, and the counts (..., arm).
    """
    ranked = quantile(values.where(solved(ds)), weights(ds), quantiles, "patient")
    return xr.Dataset({"value": ranked, **counts(values, ds)})


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
        _quantile_1d,
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


def _quantile_1d(
    values: NDArray[np.float64], weight: NDArray[np.float64], *, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    keep = np.isfinite(values) & (weight > 0)
    if not keep.any():
        return np.full(levels.shape, np.nan)
    values, weight = values[keep], weight[keep]
    if np.allclose(weight, weight[0]):
        return np.quantile(values, levels)
    return np.quantile(values, levels, weights=weight, method="inverted_cdf")
