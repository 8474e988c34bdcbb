"""Results in blocks of patients, so that the memory a question takes does not grow with the run.

An endpoint is written for a part of the patients; what adds up over them is added here. Results of
fewer patients than a block are one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import xarray as xr

CHUNK = 10_000
"""Patients in a chunk of the file of a large run; a block that cut one would read it twice."""
SIMULATIONS = 40_000
"""Patients times arms of a block, if that is a chunk or more."""
MOST = 100_000
"""Patients of a chunk that is read as a whole."""

Measure: TypeAlias = Callable[[xr.Dataset], xr.DataArray]
"""Something about the patients of a part of the results, over (..., patient, ...)."""


def blocks(ds: xr.Dataset) -> tuple[xr.Dataset, ...]:
    """Parts of the results, each of other patients; at least one.

    Args:
        ds: Results. What is read from a file is not loaded by this.

    Returns:
        Parts of some chunks of patients each, in order; all else is the same in them.
    """
    size = _size(ds)
    starts = range(0, ds.sizes["patient"], size)
    if len(starts) < 2:
        return (ds,)
    return tuple(ds.isel(patient=slice(start, start + size)) for start in starts)


def _size(ds: xr.Dataset) -> int:
    """Patients of a block: whole chunks of what lies in a file, unless one is large."""
    lies = ds["outcome"].encoding.get("preferred_chunks", {}) if "outcome" in ds else {}
    chunk = min(lies.get("patient", CHUNK), MOST)
    return chunk * max(1, SIMULATIONS // (chunk * ds.sizes.get("arm", 1)))


def added(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Sums of what each part came to.

    Args:
        parts: At least one; the same variables without patients, at the same coordinates.

    Returns:
        The sums, with the attributes of the parts.
    """
    total: xr.Dataset | None = None
    for part in parts:
        total = part if total is None else _sum(total, part)
    if total is None:
        raise ValueError("results have at least one part")
    return total


def _sum(one: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    # Coordinates that differ would be dropped in silence otherwise, with what they hold.
    with xr.set_options(keep_attrs=True, arithmetic_join="exact"):
        return one + other


def joined(measure: Measure, ds: xr.Dataset) -> xr.DataArray:
    """What every patient has, computed block by block.

    Args:
        measure: Of a part of the results, over (..., patient, ...).
        ds: Results.

    Returns:
        The same of all patients, in memory.
    """
    found = [measure(part) for part in blocks(ds)]
    if len(found) == 1:
        return found[0]
    return xr.concat(found, dim="patient", coords="minimal", compat="override", join="exact")
