"""A file of results that grows along the patients, so that no run has to fit into memory."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import netCDF4
import xarray as xr

from qsp.results.files import encoding, trajectories
from qsp.results.schema import KEPT, bands
from qsp.results.texts import single, spelled, width

SUMMED = ("compile_s", "wall_s")
"""Attributes that add up over the parts of a run."""


def save_blocks(blocks: Iterable[xr.DataTree], path: Path) -> None:
    """Write a run part by part; the file appears whole or not at all.

    Args:
        blocks: Results of the same arms and times in other patients; at least one.
        path: The file; its folder exists.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        _written(iter(blocks), partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _written(blocks: Iterable[xr.DataTree], path: Path) -> None:
    kept: list[xr.Dataset] = []
    attributes: dict[str, Any] = {}
    is_first = True
    for tree in blocks:  # `enumerate` would hold each part while the next one is computed
        of_patients, shown = _split(tree)
        kept += [] if shown is None else [shown]
        so_far = {key: tree.attrs[key] + attributes.get(key, 0.0) for key in SUMMED}
        attributes = {**{str(key): value for key, value in tree.attrs.items()}, **so_far}
        (_begin if is_first else _append)(of_patients, path)
        is_first = False
        del tree, of_patients, shown
    if kept:
        together = xr.concat(kept, dim=KEPT)
        quantiles = xr.Dataset(bands(together.rename({KEPT: "patient"})))
        quantiles.to_netcdf(path, mode="a", engine="netcdf4")
        together.to_netcdf(path, mode="a", engine="netcdf4", group="trajectories")
    with netCDF4.Dataset(path, "a") as file:
        file.setncatts(attributes)


def _split(tree: xr.DataTree) -> tuple[xr.Dataset, xr.Dataset | None]:
    """What every patient has, and the trajectories of those who have one."""
    root = tree.to_dataset()
    apart = trajectories(tree)
    over_time = [name for name, values in root.data_vars.items() if "time" in values.dims]
    if apart is None and over_time:
        apart = root[over_time].rename(patient=KEPT)
    gone = [name for name in ("time", "quantile") if name in root.coords]
    return spelled(root.drop_vars([*over_time, *gone])), apart


def _growing(ds: xr.Dataset) -> dict[Any, dict[str, Any]]:
    """Chunks of one part each: those of a dimension without limit would be one patient wide."""
    return {
        name: {
            **values.encoding,
            **encoding(values),
            "chunksizes": (*values.shape, *width(values.dtype)),
        }
        for name, values in ds.variables.items()
        if "patient" in values.dims
    }


def _begin(ds: xr.Dataset, path: Path) -> None:
    """A new file; one that an earlier run left half-written is overwritten."""
    ds.to_netcdf(
        path, mode="w", engine="netcdf4", unlimited_dims=["patient"], encoding=_growing(ds)
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
                file.variables[str(name)][at] = single(values.values)
