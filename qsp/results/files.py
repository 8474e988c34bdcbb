"""Results as files: netCDF that appears whole or not at all."""

import os
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

# Level 1 saves as much as level 4, for most digits of a trajectory are noise to a compressor.
COMPRESSED = {"zlib": True, "complevel": 1, "shuffle": True}
LARGE = 100_000_000
"""Bytes of a file beyond which it is not loaded as a whole."""

CHUNK_CACHE = 1_000_000
"""Bytes that each variable of a large file may keep of what was read; the usual is 16 times that,
and there are dozens of variables, of which every block is read once."""

# Below this many values, a chunk costs more than it saves.
_WORTHWHILE = 1000


def trajectories(results: xr.DataTree) -> xr.Dataset | None:
    """Trajectories that are kept apart, None where those of all patients lie in the root."""
    if "trajectories" not in results.children:
        return None
    apart = results.children["trajectories"].to_dataset()
    own = {str(dim) for variable in apart.data_vars.values() for dim in variable.dims}
    return apart.drop_vars([name for name in apart.coords if name not in own])


def save(results: xr.DataTree, path: Path) -> None:
    """Write netCDF, compressed without loss; the file appears whole or not at all.

    Args:
        results: From `to_dataset`.
        path: The file; its folder exists.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        results.to_netcdf(partial, engine="netcdf4", encoding=_encoding(results))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _encoding(results: xr.DataTree) -> dict[str, Any]:
    """Compression of every large variable of numbers, by group."""
    return {
        node.path: {
            name: COMPRESSED
            for name, variable in node.data_vars.items()
            if variable.dtype.kind == "f" and variable.size >= _WORTHWHILE
        }
        for node in results.subtree
    }


def load(path: Path) -> xr.DataTree:
    """Read what was saved; of a large file each variable is read when it is used.

    Args:
        path: The file.

    Returns:
        The results. A large file is open until they are closed.
    """
    if path.stat().st_size > LARGE:
        return _opened(path)
    with xr.open_datatree(path, engine="netcdf4") as results:
        return results.load()


def _opened(path: Path) -> xr.DataTree:
    """Results of which no variable is read yet."""
    # Open as long as the results are: HDF5 crashes where a file that is open is opened often.
    file = netCDF4.Dataset(path)
    texts = {
        name: xr.Variable(
            stored.dimensions,
            indexing.LazilyIndexedArray(_Texts(stored)),
            {key: stored.getncattr(key) for key in stored.ncattrs()},
        )
        for name, stored in file.variables.items()
        if stored.dtype is str and "patient" in stored.dimensions
    }
    usual = netCDF4.get_chunk_cache()
    netCDF4.set_chunk_cache(CHUNK_CACHE)
    try:
        results = xr.open_datatree(path, engine="netcdf4", cache=False, drop_variables=[*texts])
    finally:
        netCDF4.set_chunk_cache(*usual)
    for name, values in texts.items():
        results[name] = values
    close = results._close

    def both() -> None:
        if close is not None:
            close()
        if file.isopen():
            file.close()

    results.set_close(both)
    return results


class _Texts(BackendArray):
    """Texts of a file, read when they are used: xarray reads all of them when it opens a file.

    Args:
        stored: The variable of an open file.
    """

    def __init__(self, stored: Any) -> None:
        self.shape, self.dtype = stored.shape, np.dtype(object)
        self._stored = stored

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(self._stored[key], dtype=object)
