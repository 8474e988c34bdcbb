"""Quantiles over time, from stored trajectories or from stored quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from qsp.endpoints.endpoint import HasDataset, dataset
from qsp.endpoints.statistics.patients import quantile, solved, weights
from qsp.errors import ConfigError, suggest

RANGE = (0.05, 0.5, 0.95)


def has_trajectory(results: xr.Dataset | HasDataset, name: str) -> bool:
    """Return whether the results hold a variable over time, or its quantiles."""
    ds = dataset(results)
    return name in ds or f"{name}_quantiles" in ds


def bands(
    results: xr.Dataset | HasDataset, name: str, *, quantiles: Sequence[float] = RANGE
) -> xr.DataArray:
    """Return quantiles over patients of a variable over time.

    Args:
        results: Results. Large runs store `<name>_quantiles` instead of the trajectories.
        name: Variable over (arm, patient, time), such as "il6".
        quantiles: Levels between 0 and 1; the nearest stored levels where only quantiles are
            stored.

    Returns:
        (quantile, arm, time): Quantiles in the unit of the variable, with its long_name.

    Raises:
        ConfigError: If the results hold neither the variable nor its quantiles.
    """
    ds = dataset(results)
    if name in ds:
        ranked = quantile(ds[name].where(solved(ds)), weights(ds), quantiles, "patient")
        return ranked.assign_attrs(ds[name].attrs).transpose("quantile", "arm", "time")
    if f"{name}_quantiles" in ds:
        stored = ds[f"{name}_quantiles"].sel(quantile=list(quantiles), method="nearest")
        return stored.assign_coords(quantile=list(quantiles)).transpose("quantile", "arm", "time")
    rule = f"{name} or {name}_quantiles must be present"
    known = [str(each) for each, values in ds.data_vars.items() if "time" in values.dims]
    raise ConfigError("results", rule, "missing", suggest(name.lower().replace("-", ""), known))
