"""Results as netCDF files that appear whole or not at all, written at once or block by block."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from qsp.results import legacy
from qsp.results.disk import writing
from qsp.results.schema import KEPT, bands
from qsp.results.text_encoding import LETTER, encode_texts, single_letters, width

# Level 1 saves as much as level 4: most digits of a trajectory are noise to a compressor.
COMPRESSED = {"zlib": True, "complevel": 1, "shuffle": True}

LARGE = 100_000_000
"""Size of a file beyond which its variables are read on first use [byte]."""

CHUNK_CACHE = 1_000_000
"""Cache of each variable of a large file [byte]. The default of netCDF is 16 times as large, and
results have dozens of variables whose chunks are each read once."""

SUMMED = ("compile_s", "wall_s")
"""Attributes that add up over the blocks of a run."""

# Below this number of values, a chunk costs more than it saves.
_WORTHWHILE = 1000


def trajectories(results: xr.DataTree) -> xr.Dataset | None:
    """Return trajectories that are stored in a group; None where the root has those of everyone."""
    if "trajectories" not in results.children:
        return None
    group = results.children["trajectories"].to_dataset()
    used = {str(dim) for variable in group.data_vars.values() for dim in variable.dims}
    return group.drop_vars([name for name in group.coords if name not in used])


def load(path: Path) -> xr.DataTree:
    """Read results; the variables of a large file are read on first use.

    A file of qsp 0.1.0 is read under the names of this version, with a warning.

    Args:
        path: The file.

    Returns:
        The results. A large file stays open until they are closed.
    """
    if path.stat().st_size > LARGE:
        return legacy.upgraded(_opened(path))
    with xr.open_datatree(path, engine="netcdf4") as results:
        return legacy.upgraded(results.load())


def _opened(path: Path) -> xr.DataTree:
    """Open results without reading a variable."""
    usual = netCDF4.get_chunk_cache()
    netCDF4.set_chunk_cache(CHUNK_CACHE)
    try:
        return xr.open_datatree(path, engine="netcdf4", cache=False)
    finally:
        netCDF4.set_chunk_cache(*usual)


def save(results: xr.DataTree, path: Path) -> None:
    """Write results in one piece, compressed without loss.

    Args:
        results: Results, as `to_dataset` returns them.
        path: The file; its folder exists.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing(path.parent):
            _save(results, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _save(results: xr.DataTree, path: Path) -> None:
    stored = results.map_over_datasets(encode_texts)
    stored.to_netcdf(path, engine="netcdf4", encoding=_encodings(stored))


def save_blocks(blocks: Iterable[xr.DataTree], path: Path) -> None:
    """Write a run block by block along the patients, so that one block is in memory at a time.

    Args:
        blocks: Results with the same arms and times for different patients; at least one.
        path: The file; its folder exists.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing(path.parent):
            _write_blocks(blocks, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _write_blocks(blocks: Iterable[xr.DataTree], path: Path) -> None:
    groups: list[xr.Dataset] = []
    weights: list[np.ndarray] = []
    described: list[xr.Dataset] = []
    attributes: dict[str, Any] = {}
    is_first = True
    for tree in blocks:  # `enumerate` would hold each block while the next one is computed
        per_patient, over_time = _split(tree)
        if over_time is not None:
            groups.append(over_time)
            own = tree.to_dataset()["prevalence_weight"].sel(patient=over_time[KEPT].values)
            weights.append(own.values)
        described += _described(tree)
        sums = {key: tree.attrs[key] + attributes.get(key, 0.0) for key in SUMMED}
        attributes = {**{str(key): value for key, value in tree.attrs.items()}, **sums}
        (_create if is_first else _append)(per_patient, path)
        is_first = False
        del tree, per_patient, over_time
    if groups:
        joined = xr.concat(groups, dim=KEPT)
        quantiles = xr.Dataset(bands(joined.rename({KEPT: "patient"}), np.concatenate(weights)))
        quantiles.to_netcdf(path, mode="a", engine="netcdf4")
        joined.to_netcdf(path, mode="a", engine="netcdf4", group="trajectories")
    if described:
        _write_parameters(xr.concat(described, dim=KEPT, data_vars="minimal"), path)
    with netCDF4.Dataset(path, "a") as file:
        file.setncatts(attributes)


def _split(tree: xr.DataTree) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Split a block into variables of every patient and stored trajectories."""
    root = tree.to_dataset()
    group = trajectories(tree)
    over_time = [name for name, values in root.data_vars.items() if "time" in values.dims]
    if group is None and over_time:
        group = root[over_time].rename(patient=KEPT)
    unused = [name for name in ("time", "quantile") if name in root.coords]
    return encode_texts(root.drop_vars([*over_time, *unused])), group


def _described(tree: xr.DataTree) -> list[xr.Dataset]:
    """Parameter values of a block, if it has some."""
    if "parameters" not in tree.children:
        return []
    values = tree.children["parameters"].to_dataset()
    if "patient" in values.dims:
        values = values.rename(patient=KEPT)
    # A group inherits coordinates of the root, which it does not use.
    return [values.drop_vars([name for name in values.coords if name not in (KEPT, "arm")])]


def _write_parameters(values: xr.Dataset, path: Path) -> None:
    """Write the group `parameters`; one of all patients has their dimension."""
    with netCDF4.Dataset(path) as file:
        is_whole = len(file.dimensions["patient"]) == values.sizes[KEPT]
    values = values.rename({KEPT: "patient"}) if is_whole else values
    encoding = {name: COMPRESSED for name in values.data_vars if values[name].size >= _WORTHWHILE}
    values.to_netcdf(path, mode="a", engine="netcdf4", group="parameters", encoding=encoding)


def _create(ds: xr.Dataset, path: Path) -> None:
    """Create the file; one that an earlier run left unfinished is overwritten."""
    ds.to_netcdf(
        path, mode="w", engine="netcdf4", unlimited_dims=["patient"], encoding=_block_encoding(ds)
    )


def _append(ds: xr.Dataset, path: Path) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        file.set_auto_chartostring(False)
        first = len(file.dimensions["patient"])
        rows = slice(first, first + ds.sizes["patient"])
        for name, values in ds.variables.items():
            if "patient" in values.dims:
                at = tuple(rows if dim == "patient" else slice(None) for dim in values.dims)
                file.variables[str(name)][at] = single_letters(values.values)


def _block_encoding(ds: xr.Dataset) -> dict[Any, dict[str, Any]]:
    """Encode with one chunk for each block: along an unlimited dimension it would be one row."""
    return {
        name: {
            **values.encoding,
            **_encoding(values),
            "chunksizes": (*values.shape, *width(values.dtype)),
        }
        for name, values in ds.variables.items()
        if "patient" in values.dims
    }


def _encodings(results: xr.DataTree) -> dict[str, Any]:
    """Encoding of every text and of every large variable, by group."""
    return {
        node.path: {
            name: {**_fill(variable), **_encoding(variable)}
            for name, variable in node.data_vars.items()
            if variable.size >= _WORTHWHILE or variable.dtype.kind == "S"
        }
        for node in results.subtree
    }


def _fill(values: xr.DataArray) -> dict[str, Any]:
    """Type and fill value of a variable that was read; its layout in that file does not matter."""
    keys = ("dtype", "_FillValue", "char_dim_name")
    return {key: values.encoding[key] for key in keys if key in values.encoding}


def _encoding(values: xr.DataArray | xr.Variable) -> dict[str, Any]:
    """Encoding of a variable: texts and floating-point numbers are compressed, others are not."""
    if values.dtype.kind == "S":
        return {**COMPRESSED, "char_dim_name": LETTER}
    return COMPRESSED if values.dtype.kind == "f" else {}


def as_computed(ds: xr.Dataset) -> xr.Dataset:
    """Restore integer types, which reading makes floating point, and drop file encodings.

    Args:
        ds: Results, in memory; variables that were not read from a file do not change.
    """
    coords = {name: _restored(ds[name]) for name in ds.coords}
    data = {name: _restored(values) for name, values in ds.data_vars.items()}
    return ds.assign_coords(coords).assign(data)


def _restored(values: xr.DataArray) -> xr.Variable:
    fill, kind = (values.encoding.get(key) for key in ("_FillValue", "dtype"))
    variable = values.variable.copy(deep=False)
    is_whole = kind is not None and np.issubdtype(kind, np.integer)
    if is_whole and fill is not None and variable.dtype.kind == "f":
        variable = variable.fillna(fill).astype(kind)
    has_fill = fill is not None and variable.dtype.kind in "iu"
    variable.attrs, variable.encoding = values.attrs, {"_FillValue": fill} if has_fill else {}
    return variable
