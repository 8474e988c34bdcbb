"""Quantiles over patients of several rows at once."""

import numpy as np
import pytest
import xarray as xr

from qsp.endpoints.statistics.patients import quantile

LEVELS = (0.05, 0.5, 0.95)


def _rows(missing: bool) -> xr.DataArray:
    """Three arms at four times; with gaps, patients differ between arms and times."""
    values = np.random.default_rng(2).normal(size=(3, 4, 50))
    if missing:
        values[1, :, 7] = np.nan
        values[2, 3, 20:] = np.inf
        values[0, 2] = np.nan
    return xr.DataArray(values, dims=("arm", "time", "patient"))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_quantiles_of_all_rows_are_those_of_each_row(missing, weighted):
    values = _rows(missing)
    weight = np.arange(50.0) if weighted else np.full(50, 2.0)
    found = quantile(values, xr.DataArray(weight, dims="patient"), LEVELS, "patient")
    assert found.dims == ("quantile", "arm", "time")
    for arm in range(3):
        for time in range(4):
            own = values.values[arm, time]
            keep = np.isfinite(own) & (weight > 0)
            method = {"method": "inverted_cdf", "weights": weight[keep]} if weighted else {}
            expected = np.quantile(own[keep], LEVELS, **method) if keep.any() else [np.nan] * 3
            np.testing.assert_array_equal(found[:, arm, time], expected)
