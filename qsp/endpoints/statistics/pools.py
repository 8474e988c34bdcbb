"""All values of a cell (an arm, a dose period ...) together, drawn from blocks of patients.

A median cannot be added up: it takes every value of its cell. Cells are drawn a few at a time, so
that of a large run only theirs are in memory; the results are then read once for every few cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.statistics.blocks import added

MEMORY = 48_000_000
"""Bytes of values and weights drawn at a time, where the results are more than one block."""

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class _Pool:
    """Values of one cell and the weights of their patients, piece by piece."""

    values: list[Floats] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)

    def add(self, values: Floats, weight: Floats) -> None:
        keep = np.isfinite(values) & (weight > 0)
        self.values.append(_short(values[keep]))
        self.weights.append(_short(weight[keep]))


def _short(piece: Floats) -> Floats:
    """The same values; where all are one, such as the time of a dose, that one is kept once."""
    if piece.size and (piece == piece[0]).all():
        return np.broadcast_to(piece[0].copy(), piece.shape)
    return piece


def by_cell(
    measure: Callable[[xr.Dataset], xr.Dataset],
    parts: Sequence[xr.Dataset],
    reduce: Callable[[Floats, Floats], Floats],
    *,
    over: Sequence[str] = ("patient",),
) -> xr.Dataset:
    """Reduce all values of each cell at once; add up what comes with them.

    Args:
        measure: Of a part of the results: `value` over the cells and `over`, NaN where there is
            none; `weight` (patient,); and any sums over its patients.
        parts: Results in blocks of patients.
        reduce: From the finite values of a cell in patients of some weight, in the order of the
            patients, and these weights, to a row of results; it may be given none.
        over: Dimensions that are reduced: the patients, and any others behind them.

    Returns:
        `value` (..., result) over the cells, without attributes; and the sums of the others.
    """
    first = measure(parts[0])
    cells = first["value"].count(list(over))
    at_once = _at_once(parts, first, cells.size)
    rows: list[Floats] = []
    sums: list[xr.Dataset] = []
    for start in range(0, max(cells.size, 1), at_once):
        pools = [_Pool() for _ in range(start, min(start + at_once, cells.size))]
        found = (first if part is parts[0] else measure(part) for part in parts)
        sums.append(added(_drawn(part, pools, over, start) for part in found))
        rows += [_reduced(pool, reduce) for pool in pools]
    width = reduce(np.empty(0), np.empty(0)).size
    results = np.reshape(rows, (*cells.shape, width))
    value = xr.DataArray(results, dims=(*cells.dims, "result"), coords=cells.coords)
    return xr.Dataset({"value": value, **sums[0].data_vars})


def _at_once(parts: Sequence[xr.Dataset], first: xr.Dataset, cells: int) -> int:
    """Cells drawn in one pass through the results; all where these are one block."""
    if len(parts) == 1:
        return max(cells, 1)
    patients = sum(part.sizes["patient"] for part in parts)
    equal = not np.ptp(first["weight"].values)  # equal weights take no room
    return max(1, MEMORY // (8 * patients * (1 if equal else 2)))


def _drawn(
    found: xr.Dataset, pools: Sequence[_Pool], over: Sequence[str], start: int
) -> xr.Dataset:
    """Sums of a part, whose values go to the pools of the cells from `start` on."""
    values = found["value"].transpose(..., *over)
    behind = values.ndim - len(over)
    apiece = math.prod(values.shape[behind + 1 :])
    weight = np.repeat(found["weight"].values, apiece)
    rows = values.values.reshape(math.prod(values.shape[:behind]), weight.size)
    for pool, row in zip(pools, rows[start : start + len(pools)], strict=True):
        pool.add(row.astype(float), weight)
    return found.drop_dims(list(over))


def _reduced(pool: _Pool, reduce: Callable[[Floats, Floats], Floats]) -> Floats:
    values, weights = np.concatenate(pool.values), np.concatenate(pool.weights)
    pool.values.clear()
    pool.weights.clear()
    return reduce(values, weights)
