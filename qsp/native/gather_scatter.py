"""Lowering of gathers, scatters and dynamic slices, at indices that may differ between lanes.

A short array is indexed by a chain of selects, one for each value of the index. A long array is
stored in spill slots, and each lane gathers or scatters at its own address.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode
from llvmlite import ir

from qsp.native import shape_ops
from qsp.native.arrays import elementwise
from qsp.native.builder import ScalarBuilder
from qsp.native.instructions import (
    ADDRESS,
    SLOT,
    Unsupported,
    declare,
    memory_dtype,
    type_suffix,
)
from qsp.native.shape_ops import ScalarIds

CLIPPING = (GatherScatterMode.CLIP, GatherScatterMode.PROMISE_IN_BOUNDS)
DROPPING = (GatherScatterMode.FILL_OR_DROP, GatherScatterMode.PROMISE_IN_BOUNDS)
"""Supported modes for an index out of range, of gathers and of scatters."""
MAX_SELECTS = 8
"""Most selects by which an array is indexed; a longer one is indexed in memory."""
INT64, INT32 = ir.IntType(64), ir.IntType(32)


# === primitives =================================================================================


def gather(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    """Lower `gather` of one window; the index is clipped."""
    x, start = args
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    if start.ndim != 1 or numbers.operand_batching_dims or eqn.params["mode"] not in CLIPPING:
        raise Unsupported("a gather of several windows, or with a fill, has no native form")
    values, axis = _constant_part(scalars, start)
    if axis is None:
        return [shape_ops.gather_window(eqn.params, x, values)]
    along = numbers.start_index_map[axis]
    last = x.shape[along] - sizes[along]
    index = _clip(scalars, int(start[axis]), last)
    is_row = along == 0 and sizes == (1, *x.shape[1:]) and numbers.collapsed_slice_dims == (0,)
    if is_row and x.size > MAX_SELECTS:
        return [_gather_rows(scalars, x, int(index), 1)[0]]

    def window(n: int) -> ScalarIds:
        return shape_ops.gather_window(eqn.params, x, _replaced(values, axis, n))

    return [_select_by_index(scalars, index, last + 1, window, window(0))]


def scatter(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    """Lower `scatter` or `scatter-add` of one whole row; an update out of range is dropped."""
    x, start, update = args
    numbers = eqn.params["dimension_numbers"]
    are_rows = set(numbers.scatter_dims_to_operand_dims) <= set(numbers.inserted_window_dims)
    if start.ndim != 1 or not are_rows or eqn.params["mode"] not in DROPPING:
        raise Unsupported("a scatter of several windows, or of parts of rows, has no native form")
    adds = eqn.primitive.name == "scatter-add"
    values, axis = _constant_part(scalars, start)

    def updated(n: int | None) -> ScalarIds | None:
        at = values if n is None or axis is None else _replaced(values, axis, n)
        place = shape_ops.scatter_index(eqn.params, x, at)
        if place is None:
            return None
        result = x.copy()
        result[place] = elementwise(scalars, "add", [x[place], update]) if adds else update
        return result

    if axis is None:
        result = updated(None)
        return [x if result is None else result]
    along = numbers.scatter_dims_to_operand_dims[axis]
    if along == 0 and update.shape == x.shape[1:] and not adds and x.size > MAX_SELECTS:
        index = _clip(scalars, int(start[axis]), x.shape[0] - 1)
        in_range = scalars.apply("eq", int(index), int(start[axis]))
        result = _scatter_rows(scalars, x, int(index), update[None], in_range)
        if result is not None:
            return [result]
    return [_select_by_index(scalars, start[axis], x.shape[along], updated, x)]


def dynamic_slice(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    """Lower `dynamic_slice`; the index is clipped."""
    x, start, sizes = args[0], np.array(args[1:], np.int64), eqn.params["slice_sizes"]
    values, axis = _constant_part(scalars, start)
    if axis is None:
        return [shape_ops.slice_window(eqn.params, x, values)]
    last = x.shape[axis] - sizes[axis]
    index = _clip(scalars, int(start[axis]), last)
    if axis == 0 and _are_rows(x.shape, sizes) and last * math.prod(sizes) > MAX_SELECTS:
        return [_gather_rows(scalars, x, int(index), sizes[0])]

    def window(n: int) -> ScalarIds:
        return shape_ops.slice_window(eqn.params, x, _replaced(values, axis, n))

    return [_select_by_index(scalars, index, last + 1, window, window(0))]


def dynamic_update_slice(
    scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]
) -> list[ScalarIds]:
    """Lower `dynamic_update_slice`; the index is clipped."""
    x, update, start = args[0], args[1], np.array(args[2:], np.int64)
    values, axis = _constant_part(scalars, start)
    if axis is None:
        return [shape_ops.update_window(x, update, values)]
    last = x.shape[axis] - update.shape[axis]
    index = _clip(scalars, int(start[axis]), last)
    if axis == 0 and _are_rows(x.shape, update.shape) and last * update.size > MAX_SELECTS:
        result = _scatter_rows(scalars, x, int(index), update)
        if result is not None:
            return [result]

    def updated(n: int) -> ScalarIds:
        return shape_ops.update_window(x, update, _replaced(values, axis, n))

    return [_select_by_index(scalars, index, last + 1, updated, x)]


# === indices ====================================================================================


def _constant_part(scalars: ScalarBuilder, start: ScalarIds) -> tuple[list[int], int | None]:
    """Return the constant values of an index, and the axis along which it is not constant."""
    ids = start.ravel().tolist()
    variable = [n for n, i in enumerate(ids) if not scalars.is_constant(i)]
    if len(variable) > 1:
        raise Unsupported("an index that varies along several axes has no native form")
    values = [int(scalars.value(i)) if scalars.is_constant(i) else 0 for i in ids]
    return values, variable[0] if variable else None


def _replaced(values: list[int], axis: int, n: int) -> list[int]:
    return [n if i == axis else value for i, value in enumerate(values)]


def _are_rows(shape: Sequence[int], window: Sequence[int]) -> bool:
    """Whether a window of an array consists of whole rows."""
    return tuple(shape[1:]) == tuple(window[1:])


def _clip(scalars: ScalarBuilder, index: int, last: int) -> ScalarIds:
    """Emit the index clipped to 0 to `last`."""
    dtype = scalars.all[index].dtype
    if last == 0:
        return np.array(scalars.constant(0, dtype))
    low = scalars.apply("max", index, scalars.constant(0, dtype))
    return np.array(scalars.apply("min", low, scalars.constant(last, dtype)))


def _select_by_index(
    scalars: ScalarBuilder,
    index: ScalarIds,
    count: int,
    result_at: Callable[[int], ScalarIds | None],
    default: ScalarIds,
) -> ScalarIds:
    """Emit a chain of selects over the values of an index.

    Args:
        scalars: Builder of the program.
        index: Index, which may differ between lanes.
        count: Number of values.
        result_at: Result at a value; None where the default applies.
        default: Result at other values.
    """
    result = default
    for n in range(count):
        value = result_at(n)
        if value is not None:
            constant = scalars.constant(n, scalars.all[int(index)].dtype)
            is_here = scalars.apply("eq", int(index), constant)
            result = elementwise(scalars, "select_n", [np.array(is_here), result, value])
    return result


# === rows in memory =============================================================================


def _gather_rows(scalars: ScalarBuilder, x: ScalarIds, index: int, count: int) -> ScalarIds:
    """Emit a gather of consecutive rows, the first of which is at an index in range."""
    dtype = scalars.all[int(x.flat[0])].dtype
    rows = np.empty((count, *x.shape[1:]), np.int64)
    if scalars.is_abstract:
        rows[...] = _abstract_row(scalars, x)
        return rows
    first, width = _spill(scalars, x), x[0].size
    builder, types = scalars.builder, scalars.types
    vector = types.vector(memory_dtype(dtype))
    base = _row_addresses(scalars, index, first, width)
    for place in range(rows.size):
        addresses = _element_addresses(builder, types, base, place)
        mask = _all_lanes(types)
        signature = ir.FunctionType(vector, [addresses.type, INT32, mask.type, vector])
        name = f"llvm.masked.gather.v{types.width}{type_suffix(vector)}.v{types.width}p0"
        arguments = [addresses, INT32(SLOT), mask, ir.Constant(vector, None)]
        value = builder.call(declare(builder, name, signature), arguments)
        rows.flat[place] = scalars.new(dtype, types.from_memory(builder, value, dtype))
    return rows


def _scatter_rows(
    scalars: ScalarBuilder, x: ScalarIds, index: int, update: ScalarIds, valid: int | None = None
) -> ScalarIds | None:
    """Emit a scatter of consecutive rows into the slots of an array.

    Args:
        scalars: Builder of the program.
        x: The array, part of the carry of the innermost loop.
        index: Index of the first row, in range.
        update: The new rows.
        valid: Predicate of the lanes to update; all if None.

    Returns:
        The updated array, or None if the innermost loop does not own its slots.
    """
    if scalars.is_abstract:
        return np.stack([_abstract_row(scalars, np.concatenate([row[None], update])) for row in x])
    first = scalars.owned_slot(x)
    if first is None:
        return None
    result = scalars.reload(x)
    builder, types = scalars.builder, scalars.types
    base = _row_addresses(scalars, index, first, x[0].size)
    mask = scalars.masks[-1]
    mask = _all_lanes(types) if mask is None else mask
    mask = mask if valid is None else builder.and_(mask, scalars.register(valid))
    for place, i in enumerate(update.flat):
        value = types.to_memory(builder, scalars.register(int(i)))
        addresses = _element_addresses(builder, types, base, place)
        arguments = [value, addresses, INT32(SLOT), mask]
        signature = ir.FunctionType(ir.VoidType(), [each.type for each in arguments])
        name = f"llvm.masked.scatter.v{types.width}{type_suffix(value.type)}.v{types.width}p0"
        builder.call(declare(builder, name, signature), arguments)
    return result


def _abstract_row(scalars: ScalarBuilder, x: ScalarIds) -> ScalarIds:
    """Abstract value of a row at an unknown index: the elements that all rows share are known."""
    same = (x == x[0]).all(0)
    return np.where(same, x[0], scalars.new(scalars.all[int(x.flat[0])].dtype, None))


def _spill(scalars: ScalarBuilder, x: ScalarIds) -> int:
    """Store an array once, at the outermost loop level at which it is known; return its slot."""
    ids = [int(i) for i in x.flat]
    slot = scalars.first_slot(x)
    if slot is not None:
        return slot
    level = scalars.levels[max(scalars.all[i].depth for i in ids)]
    key = ("spilled", tuple(ids))
    if key not in level.ids:
        first = scalars.allocate(len(ids))
        for n, i in enumerate(ids):
            scalars.types.store(level.builder, scalars.register(i), scalars.memory, first + n)
        level.ids[key] = first
    return level.ids[key]


def _row_addresses(scalars: ScalarBuilder, index: int, first: int, width: int) -> Any:
    """Emit the address of the first element of a row, as an integer in each lane.

    Args:
        scalars: Builder of the program.
        index: Index of the row.
        first: Slot of the array.
        width: Scalars of a row.
    """
    builder, types = scalars.builder, scalars.types
    vector, stride = types.vector(np.dtype(np.int64)), SLOT * types.width
    row = scalars.register(scalars.apply("convert", index, dtype=np.int64))
    offset = builder.mul(row, ir.Constant(vector, [INT64(width * stride)] * types.width))
    lanes = [INT64(first * stride + SLOT * lane) for lane in range(types.width)]
    pointer = builder.ptrtoint(scalars.memory, INT64)
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, pointer, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, types.width), [0] * types.width)
    broadcast = builder.shuffle_vector(one, undefined, zeros)
    return builder.add(builder.add(offset, ir.Constant(vector, lanes)), broadcast)


def _element_addresses(builder: Any, types: Any, base: Any, place: int) -> Any:
    """Emit the addresses of an element of a row, counted from its first."""
    step = INT64(place * SLOT * types.width)
    addresses = builder.add(base, ir.Constant(base.type, [step] * types.width))
    return builder.inttoptr(addresses, ir.VectorType(ADDRESS, types.width))


def _all_lanes(types: Any) -> Any:
    """Mask of all lanes."""
    return types.splat(True, np.dtype(bool))
