"""Results as files: netCDF that appears whole or not at all."""

import os
from pathlib import Path
from typing import Any

import xarray as xr

# Level 1 saves as much as level 4, for most digits of a trajectory are noise to a compressor.
COMPRESSED = {"zlib": True, "complevel": 1, "shuffle": True}
LARGE = 100_000_000
"""Bytes of a file beyond which it is not loaded as a whole."""

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
    """Read what was saved; of a large file each variable is read when it is used."""
    if path.stat().st_size > LARGE:
        return xr.open_datatree(path, engine="netcdf4", cache=False)
    with xr.open_datatree(path, engine="netcdf4") as results:
        return results.load()
