"""Dask arrays wrapped as lazily indexed arrays: a block is computed when used, and not cached.

Endpoints read a block of patients at a time. Wrapped this way, dask-backed results behave like
results opened from a file, and endpoints may use functions that dask does not implement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing


def without_dask(ds: xr.Dataset) -> xr.Dataset:
    """Return the same results with lazily indexed arrays in place of dask arrays.

    Args:
        ds: Results, with or without dask arrays.
    """
    chunked = {name: v for name, v in ds.variables.items() if v.chunks is not None}
    if not chunked:
        return ds
    return ds.assign({name: _lazy(values) for name, values in chunked.items()})


def _lazy(values: xr.Variable) -> xr.Variable:
    array = indexing.LazilyIndexedArray(_DaskArray(values.data))
    return xr.Variable(values.dims, array, values.attrs, values.encoding)


class _DaskArray(BackendArray):
    """A dask array of which only the indexed part is computed."""

    def __init__(self, array: Any) -> None:
        # NumPy cannot convert variable-width strings to fixed-width ones, only to objects.
        self.dtype = np.dtype(object) if array.dtype.kind == "T" else array.dtype
        self.shape = array.shape
        self._array = array

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._compute)

    def _compute(self, key: tuple[Any, ...]) -> np.ndarray:
        part = self._array
        for axis, index in enumerate(key):  # dask accepts one index array at a time
            part = part[(slice(None),) * axis + (_as_slice(index),)]
        plain = tuple(0 if isinstance(index, int | np.integer) else slice(None) for index in key)
        return np.asarray(part.compute(scheduler="synchronous"))[plain].astype(self.dtype)


def _as_slice(index: Any) -> Any:
    """Return an integer index as a slice of length one, which keeps its axis."""
    if isinstance(index, int | np.integer):
        return slice(index, index + 1) if index != -1 else slice(-1, None)
    return index
