"""Rows of an array in memory, read or written at an index that differs from lane to lane.

A short array is gone through row by row, each chosen or not. A long one stands in memory, and each
lane reads or writes at its own address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from qsp.native.builder import Scalars
from qsp.native.instructions import ADDRESS, SLOT, declared, in_memory, suffix
from qsp.native.shape_ops import Indices

MOST_CHOICES = 8
"""Choices between two values up to which an array is gone through."""
INTEGER = ir.IntType(64)


def read(scalars: Scalars, x: Indices, index: int, count: int) -> Indices:
    """Rows of an array, from one on.

    Args:
        scalars: What is being built.
        x: The array.
        index: Of the first row, in range.
        count: Of rows.
    """
    dtype = scalars.all[int(x.flat[0])].dtype
    wanted = np.empty((count, *x.shape[1:]), np.int64)
    if scalars.dry:
        wanted[...] = _either(scalars, x)
        return wanted
    first, width = _kept(scalars, x), x[0].size
    builder, types = scalars.builder, scalars.types
    kind = types.vector(in_memory(dtype))
    base = _addresses(scalars, index, first, width)
    for place in range(wanted.size):
        addresses = _beside(builder, types, base, place)
        function = ir.FunctionType(kind, [addresses.type, ir.IntType(32), _mask(types), kind])
        name = f"llvm.masked.gather.v{types.width}{suffix(kind)}.v{types.width}p0"
        arguments = [addresses, ir.IntType(32)(SLOT), _everywhere(types), ir.Constant(kind, None)]
        value = builder.call(declared(builder, name, function), arguments)
        value = types.from_memory(builder, value, dtype)
        wanted.flat[place] = scalars.new(dtype, value)
    return wanted


def written(
    scalars: Scalars, x: Indices, index: int, update: Indices, valid: int | None = None
) -> Indices | None:
    """An array whose rows are replaced from one on, in its place in memory.

    Args:
        scalars: What is being built.
        x: What a loop carries, as it came.
        index: Of the first row, in range.
        update: Rows.
        valid: Whether to replace them; always, if not given.

    Returns:
        The array, or none if it has no place in memory.
    """
    if scalars.dry:
        return np.stack([_either(scalars, np.concatenate([row[None], update])) for row in x])
    first = scalars.own_place(x)
    if first is None:
        return None
    result = scalars.renewed(x)
    builder, types = scalars.builder, scalars.types
    base = _addresses(scalars, index, first, x[0].size)
    mask = scalars.masks[-1]
    mask = _everywhere(types) if mask is None else mask
    mask = mask if valid is None else builder.and_(mask, scalars.register(valid))
    for place, i in enumerate(update.flat):
        value = types.to_memory(builder, scalars.register(int(i)))
        addresses = _beside(builder, types, base, place)
        kind = ir.FunctionType(
            ir.VoidType(), [value.type, addresses.type, ir.IntType(32), _mask(types)]
        )
        name = f"llvm.masked.scatter.v{types.width}{suffix(value.type)}.v{types.width}p0"
        builder.call(declared(builder, name, kind), [value, addresses, ir.IntType(32)(SLOT), mask])
    return result


def _either(scalars: Scalars, x: Indices) -> Indices:
    """What is known of a row when nothing is known of which it is."""
    same = (x == x[0]).all(0)
    return np.where(same, x[0], scalars.new(scalars.all[int(x.flat[0])].dtype, None))


def _kept(scalars: Scalars, x: Indices) -> int:
    """Where an array stands in memory; it is put there once."""
    numbers = [int(i) for i in x.flat]
    place = scalars.place(x)
    if place is not None:
        return place
    depth = max(scalars.all[i].depth for i in numbers)
    level = scalars.levels[depth]
    key = ("kept", tuple(numbers))
    if key not in level.known:
        first = scalars.room(len(numbers))
        for n, i in enumerate(numbers):
            scalars.types.store(level.builder, scalars.register(i), scalars.memory, first + n)
        level.known[key] = first
    return level.known[key]


def _addresses(scalars: Scalars, index: int, first: int, width: int) -> Any:
    """Of the first scalar of a row, in each lane."""
    builder, types = scalars.builder, scalars.types
    wide, stride = types.vector(np.dtype(np.int64)), SLOT * types.width
    row = scalars.register(scalars.apply("convert", index, dtype=np.int64))
    offset = builder.mul(row, ir.Constant(wide, [INTEGER(width * stride)] * types.width))
    own = [INTEGER(first * stride + SLOT * lane) for lane in range(types.width)]
    start = builder.ptrtoint(scalars.memory, INTEGER)
    one = builder.insert_element(ir.Constant(wide, ir.Undefined), start, ir.IntType(32)(0))
    same = ir.Constant(ir.VectorType(ir.IntType(32), types.width), [0] * types.width)
    everywhere = builder.shuffle_vector(one, ir.Constant(wide, ir.Undefined), same)
    return builder.add(builder.add(offset, ir.Constant(wide, own)), everywhere)


def _beside(builder: Any, types: Any, base: Any, place: int) -> Any:
    step = INTEGER(place * SLOT * types.width)
    moved = builder.add(base, ir.Constant(base.type, [step] * types.width))
    return builder.inttoptr(moved, ir.VectorType(ADDRESS, types.width))


def _mask(types: Any) -> Any:
    return types.vector(np.dtype(bool))


def _everywhere(types: Any) -> Any:
    return types.splat(True, np.dtype(bool))


def long(choices: int) -> bool:
    """Whether an array is better left in memory."""
    return choices > MOST_CHOICES


def along_first(shape: Sequence[int], part: Sequence[int]) -> bool:
    """Whether a part of an array is made of whole rows."""
    return tuple(shape[1:]) == tuple(part[1:])
