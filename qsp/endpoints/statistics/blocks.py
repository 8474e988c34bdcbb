"""Results in blocks of patients, so that the memory of an endpoint does not grow with the run.

An endpoint is computed for one block of patients at a time; sums over patients are added up and
values per patient are concatenated here. Results with fewer patients than a block form one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import xarray as xr

CHUNK = 10_000
"""Patients per chunk of a results file; blocks are whole chunks, so that none is read twice."""
SIMULATIONS = 40_000
"""Simulations (patients times arms) in a block, rounded down to whole chunks, at least one."""
MOST = 100_000
"""Largest chunk that is read as a whole [patients]."""

Measure: TypeAlias = Callable[[xr.Dataset], xr.DataArray]
"""A quantity per patient of a block of the results, over (..., patient, ...)."""


def blocks(ds: xr.Dataset) -> tuple[xr.Dataset, ...]:
    """Split results into blocks of patients.

    Args:
        ds: Results. Variables that are read lazily from a file are not loaded.

    Returns:
        One or more blocks, each of whole chunks of patients, in order. Coordinates and variables
        without patients are the same in all blocks.
    """
    size = _size(ds)
    starts = range(0, ds.sizes["patient"], size)
    if len(starts) < 2:
        return (ds,)
    return tuple(ds.isel(patient=slice(start, start + size)) for start in starts)


def _size(ds: xr.Dataset) -> int:
    """Return the number of patients in a block: whole chunks of the file, up to `MOST`."""
    stored = ds["outcome"].encoding.get("preferred_chunks", {}) if "outcome" in ds else {}
    chunk = min(stored.get("patient", CHUNK), MOST)
    return chunk * max(1, SIMULATIONS // (chunk * ds.sizes.get("arm", 1)))


def add_blocks(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Add up the sums of the blocks.

    Args:
        parts: Sums of each block, at least one: the same variables without a patient dimension, at
            the same coordinates.

    Returns:
        The sums over all blocks, with the attributes of the first.

    Raises:
        ValueError: If the coordinates differ, or there is no block.
    """
    total: xr.Dataset | None = None
    for part in parts:
        total = part if total is None else _sum(total, part)
    if total is None:
        raise ValueError("there must be at least one block")
    return total


def _sum(one: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    # Without "exact", xarray would silently drop the entries of coordinates that differ.
    with xr.set_options(keep_attrs=True, arithmetic_join="exact"):
        return one + other


def map_blocks(measure: Measure, ds: xr.Dataset) -> xr.DataArray:
    """Compute a quantity per patient block by block and concatenate it.

    Args:
        measure: Function of a block of the results, with values over (..., patient, ...).
        ds: Results.

    Returns:
        The values of all patients, in memory.
    """
    found = [measure(part) for part in blocks(ds)]
    if len(found) == 1:
        return found[0]
    return xr.concat(found, dim="patient", coords="minimal", compat="override", join="exact")
