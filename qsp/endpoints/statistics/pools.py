"""Reductions, such as quantiles, that need all values of a cell (arm, dose period ...) at once.

Quantiles do not add up over blocks of patients. The values of a few cells at a time are therefore
collected from all blocks, which bounds the memory; the results are read once per group of cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.statistics.blocks import add_blocks

MEMORY = 48_000_000
"""Bytes of values and weights held at a time, if the results are more than one block."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class _Pool:
    """Values of one cell and the weights of their patients, one array per block."""

    values: list[Floats] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)

    def add(self, values: Floats, weight: Floats) -> None:
        keep = np.isfinite(values) & (weight > 0)
        self.values.append(_compact(values[keep]))
        self.weights.append(_compact(weight[keep]))


def _compact(piece: Floats) -> Floats:
    """Return the same values; a constant array, such as a dose time, is stored as one number."""
    if piece.size and (piece == piece[0]).all():
        return np.broadcast_to(piece[0].copy(), piece.shape)
    return piece


def reduce_cells(
    measure: Callable[[xr.Dataset], xr.Dataset],
    parts: Sequence[xr.Dataset],
    reduce: Callable[[Floats, Floats], Floats],
    *,
    over: Sequence[str] = ("patient",),
) -> xr.Dataset:
    """Reduce all values of each cell, and add up the sums over patients.

    Args:
        measure: Function of a block of the results that returns `value` over the cells and `over`,
            NaN if missing; `weight` (patient,); and any sums over the patients of the block.
        parts: Results in blocks of patients.
        reduce: Function of values (cell, value), NaN if missing, and of the weights (value,) of
            their patients, not negative; returns results (cell, result) of the finite values with
            positive weight.
        over: Dimensions that are reduced: the patients, and any dimensions after them.

    Returns:
        `value` (..., result) over the cells, without attributes; and the sums of the other
        variables.
    """
    first = measure(parts[0])
    values, weight = _rows(first, over)
    if len(parts) == 1:
        found, summed = reduce(values, weight), first.drop_dims(list(over))
    else:
        found, summed = _reduce_blocks(measure, parts, first, reduce, over)
    cells = [dim for dim in first["value"].dims if dim not in over]
    shape = (*(first.sizes[dim] for dim in cells), found.shape[-1])
    return summed.assign(value=((*cells, "result"), found.reshape(shape)))


def _reduce_blocks(
    measure: Callable[[xr.Dataset], xr.Dataset],
    parts: Sequence[xr.Dataset],
    first: xr.Dataset,
    reduce: Callable[[Floats, Floats], Floats],
    over: Sequence[str],
) -> tuple[Floats, xr.Dataset]:
    """Return the results (cell, result) of several blocks, and their sums."""
    cells = len(_rows(first, over)[0])
    at_once = _cells_per_pass(parts, first)
    rows: list[Floats] = [reduce(np.empty((0, 0)), np.empty(0))]
    sums: list[xr.Dataset] = []
    for start in range(0, max(cells, 1), at_once):
        pools = [_Pool() for _ in range(start, min(start + at_once, cells))]
        found = (first if part is parts[0] else measure(part) for part in parts)
        sums.append(add_blocks(_collect(part, pools, over, start) for part in found))
        rows += [_reduce_pool(pool, reduce) for pool in pools]
    return np.concatenate(rows), sums[0]


def _cells_per_pass(parts: Sequence[xr.Dataset], first: xr.Dataset) -> int:
    """Return the number of cells collected in one pass."""
    patients = sum(part.sizes["patient"] for part in parts)
    equal = not np.ptp(first["weight"].values)  # equal weights are stored as one number
    return max(1, MEMORY // (8 * patients * (1 if equal else 2)))


def _rows(found: xr.Dataset, over: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the values of a block (cell, value), and the weight of each value."""
    values = found["value"].variable.transpose(..., *over)
    patient_axis = values.ndim - len(over)
    values_per_patient = math.prod(values.shape[patient_axis + 1 :])
    weight = np.repeat(found["weight"].values, values_per_patient)
    return values.values.reshape(math.prod(values.shape[:patient_axis]), weight.size), weight


def _collect(
    found: xr.Dataset, pools: Sequence[_Pool], over: Sequence[str], start: int
) -> xr.Dataset:
    """Add the values of a block to the pools of the cells from `start` on; return its sums."""
    rows, weight = _rows(found, over)
    for pool, row in zip(pools, rows[start : start + len(pools)], strict=True):
        pool.add(row.astype(float), weight)
    return found.drop_dims(list(over))


def _reduce_pool(pool: _Pool, reduce: Callable[[Floats, Floats], Floats]) -> Floats:
    values, weights = np.concatenate(pool.values), np.concatenate(pool.weights)
    pool.values.clear()
    pool.weights.clear()
    return reduce(values[None], weights)
