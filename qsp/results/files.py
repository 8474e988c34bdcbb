"""Results as files: netCDF that appears whole or not at all."""

import os
from pathlib import Path
from typing import Any

import netCDF4
import xarray as xr

from qsp.results.texts import LETTER, spelled

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
        written = results.map_over_datasets(spelled)
        written.to_netcdf(partial, engine="netcdf4", encoding=_encoding(written))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _encoding(results: xr.DataTree) -> dict[str, Any]:
    """Encoding of every large variable of numbers and of texts, by group."""
    return {
        node.path: {
            name: {**variable.encoding, **encoding(variable)}
            for name, variable in node.data_vars.items()
            if variable.size >= _WORTHWHILE or variable.dtype.kind == "S"
        }
        for node in results.subtree
    }


def encoding(values: xr.DataArray | xr.Variable) -> dict[str, Any]:
    """How a variable is stored: texts and fractions compressed, others as they are."""
    if values.dtype.kind == "S":
        return {**COMPRESSED, "char_dim_name": LETTER}
    return COMPRESSED if values.dtype.kind == "f" else {}


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
    usual = netCDF4.get_chunk_cache()
    netCDF4.set_chunk_cache(CHUNK_CACHE)
    try:
        return xr.open_datatree(path, engine="netcdf4", cache=False)
    finally:
        netCDF4.set_chunk_cache(*usual)
