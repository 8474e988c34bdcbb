"""Windows of arrays at an index that may differ from lane to lane."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from qsp.native import rows
from qsp.native import shape_ops as moves
from qsp.native.arrays import elementwise
from qsp.native.builder import Scalars
from qsp.native.instructions import Unsupported
from qsp.native.shape_ops import Indices

MOVED_IN = (GatherScatterMode.CLIP, GatherScatterMode.PROMISE_IN_BOUNDS)
DROPPED = (GatherScatterMode.FILL_OR_DROP, GatherScatterMode.PROMISE_IN_BOUNDS)
"""What the engine asks for where an index is out of range."""


def _chosen(
    scalars: Scalars, index: Indices, most: int, of: Callable[[int], Indices | None], base: Indices
) -> Indices:
    """What an index of each lane gives, of what every index would give."""
    result = base
    for n in range(most):
        value = of(n)
        if value is not None:
            here = scalars.apply(
                "eq", int(index), scalars.constant(n, scalars.all[int(index)].dtype)
            )
            result = elementwise(scalars, "select_n", [np.array(here), result, value])
    return result


def _index(scalars: Scalars, start: Indices) -> tuple[list[int], int | None]:
    """Values of an index, and the axis along which it is not known."""
    numbers = start.ravel().tolist()
    open_ = [n for n, i in enumerate(numbers) if not scalars.is_constant(i)]
    if len(open_) > 1:
        raise Unsupported("an index along several axes has no native form")
    values = [int(scalars.value(i)) if scalars.is_constant(i) else 0 for i in numbers]
    return values, open_[0] if open_ else None


def _at(values: list[int], axis: int, n: int) -> list[int]:
    return [n if i == axis else value for i, value in enumerate(values)]


def _clipped(scalars: Scalars, index: int, most: int) -> Indices:
    dtype = scalars.all[index].dtype
    if most == 0:
        return np.array(scalars.constant(0, dtype))
    low = scalars.apply("max", index, scalars.constant(0, dtype))
    return np.array(scalars.apply("min", low, scalars.constant(most, dtype)))


def gather(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    """One window of an array; one out of range is moved into it."""
    x, start = args
    numbers = eqn.params["dimension_numbers"]
    if start.ndim != 1 or numbers.operand_batching_dims or eqn.params["mode"] not in MOVED_IN:
        raise Unsupported("a gather of several windows, or with a fill, has no native form")
    values, axis = _index(scalars, start)
    if axis is None:
        return [moves.gathered(eqn.params, x, values)]
    along = numbers.start_index_map[axis]
    most = x.shape[along] - eqn.params["slice_sizes"][along]
    where = _clipped(scalars, int(start[axis]), most)
    one_row = along == 0 and eqn.params["slice_sizes"] == (1, *x.shape[1:])
    if one_row and numbers.collapsed_slice_dims == (0,) and rows.long(x.size):
        return [rows.read(scalars, x, int(where), 1)[0]]

    def window(n: int) -> Indices:
        return moves.gathered(eqn.params, x, _at(values, axis, n))

    return [_chosen(scalars, where, most + 1, window, window(0))]


def scatter(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    """An array in which one row, of any axes, is replaced or added to; one out of range is not."""
    x, start, update = args
    numbers = eqn.params["dimension_numbers"]
    are_rows = set(numbers.scatter_dims_to_operand_dims) <= set(numbers.inserted_window_dims)
    if start.ndim != 1 or not are_rows or eqn.params["mode"] not in DROPPED:
        raise Unsupported("a scatter of several windows, or of parts of rows, has no native form")
    adds = eqn.primitive.name == "scatter-add"
    values, axis = _index(scalars, start)

    def landed(n: int | None) -> Indices | None:
        at = values if n is None or axis is None else _at(values, axis, n)
        place = moves.scattered(eqn.params, x, at)
        if place is None:
            return None
        result = x.copy()
        result[place] = elementwise(scalars, "add", [x[place], update]) if adds else update
        return result

    if axis is None:
        result = landed(None)
        return [x if result is None else result]
    along = numbers.scatter_dims_to_operand_dims[axis]
    if along == 0 and update.shape == x.shape[1:] and not adds and rows.long(x.size):
        where = _clipped(scalars, int(start[axis]), x.shape[0] - 1)
        inside = scalars.apply("eq", int(where), int(start[axis]))
        changed = rows.written(scalars, x, int(where), update[None], inside)
        if changed is not None:
            return [changed]
    return [_chosen(scalars, start[axis], x.shape[along], landed, x)]


def dynamic_slice(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    """A window of an array; one out of range is moved into it."""
    x, start = args[0], np.array(args[1:], np.int64)
    values, axis = _index(scalars, start)
    if axis is None:
        return [moves.windowed(eqn.params, x, values)]
    most = x.shape[axis] - eqn.params["slice_sizes"][axis]
    where = _clipped(scalars, int(start[axis]), most)
    sizes = eqn.params["slice_sizes"]
    if axis == 0 and rows.along_first(x.shape, sizes) and rows.long(most * math.prod(sizes)):
        return [rows.read(scalars, x, int(where), sizes[0])]

    def window(n: int) -> Indices:
        return moves.windowed(eqn.params, x, _at(values, axis, n))

    return [_chosen(scalars, where, most + 1, window, window(0))]


def dynamic_update(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    """An array in which a window is replaced; one out of range is moved into it."""
    x, update, start = args[0], args[1], np.array(args[2:], np.int64)
    values, axis = _index(scalars, start)
    if axis is None:
        return [moves.updated(x, update, values)]
    most = x.shape[axis] - update.shape[axis]
    where = _clipped(scalars, int(start[axis]), most)
    if axis == 0 and rows.along_first(x.shape, update.shape) and rows.long(most * update.size):
        changed = rows.written(scalars, x, int(where), update)
        if changed is not None:
            return [changed]

    def replaced(n: int) -> Indices:
        return moves.updated(x, update, _at(values, axis, n))

    return [_chosen(scalars, where, most + 1, replaced, x)]
