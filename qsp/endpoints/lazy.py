"""Results by dask, as results of a file: a part is computed when it is used, and not kept.

An endpoint asks for a part of the patients at a time. So written, it needs neither a graph nor the
functions that dask knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing


def by_part(ds: xr.Dataset) -> xr.Dataset:
    """The same results without dask; those without it as they are.

    Args:
        ds: Results.
    """
    chunked = {name: v for name, v in ds.variables.items() if v.chunks is not None}
    if not chunked:
        return ds
    return ds.assign({name: _lazy(values) for name, values in chunked.items()})


def _lazy(values: xr.Variable) -> xr.Variable:
    array = indexing.LazilyIndexedArray(_Computed(values.data))
    return xr.Variable(values.dims, array, values.attrs, values.encoding)


class _Computed(BackendArray):
    """An array of dask of which a part is computed when it is asked for."""

    def __init__(self, array: Any) -> None:
        # numpy's texts of any length turn into no other kind of text but objects.
        self.dtype = np.dtype(object) if array.dtype.kind == "T" else array.dtype
        self.shape = array.shape
        self._array = array

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._computed)

    def _computed(self, key: tuple[Any, ...]) -> np.ndarray:
        part = self._array
        for axis, index in enumerate(key):  # dask takes one list at a time
            part = part[(slice(None),) * axis + (_kept(index),)]
        plain = tuple(0 if isinstance(index, int | np.integer) else slice(None) for index in key)
        return np.asarray(part.compute(scheduler="synchronous"))[plain].astype(self.dtype)


def _kept(index: Any) -> Any:
    """An index that keeps its axis."""
    if isinstance(index, int | np.integer):
        return slice(index, index + 1) if index != -1 else slice(-1, None)
    return index
