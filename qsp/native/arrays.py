"""Array operations on scalar ids: constants, elementwise operations, reductions, contractions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qsp.native.builder import ScalarBuilder
from qsp.native.instructions import Unsupported
from qsp.native.shape_ops import ScalarIds


def constants(scalars: ScalarBuilder, values: np.ndarray) -> ScalarIds:
    """Return the ids of an array of constants."""
    ids = [scalars.constant(value, values.dtype) for value in values.ravel()]
    return np.array(ids, np.int64).reshape(values.shape)


def elementwise(
    scalars: ScalarBuilder, op: str, args: Sequence[ScalarIds], dtype: Any = None
) -> ScalarIds:
    """Broadcast the arguments and apply an operation to each element.

    Args:
        scalars: Builder of the program.
        op: Name of the operation.
        args: Arrays that broadcast against each other.
        dtype: Type of the result, by default that of the last argument.
    """
    shape = np.broadcast_shapes(*(x.shape for x in args))
    columns = [
        x.ravel().tolist() if x.shape == shape else np.broadcast_to(x, shape).ravel().tolist()
        for x in args
    ]
    apply = scalars.apply
    ids = [apply(op, *operands, dtype=dtype) for operands in zip(*columns, strict=True)]
    return np.array(ids, np.int64).reshape(shape)


def reduce(scalars: ScalarBuilder, op: str, axes: Sequence[int], x: ScalarIds) -> ScalarIds:
    """Reduce over axes as a balanced tree, which keeps the chain of dependent operations short."""
    remaining = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose([*axes, *remaining]).reshape(-1, *(x.shape[axis] for axis in remaining))
    terms = list(rows)
    if not terms:
        raise Unsupported("a reduction of an empty array has no native form")
    while len(terms) > 1:
        pairs = itertools.zip_longest(terms[::2], terms[1::2])
        terms = [a if b is None else elementwise(scalars, op, [a, b]) for a, b in pairs]
    return terms[0]


def contract(scalars: ScalarBuilder, dimensions: Any, a: ScalarIds, b: ScalarIds) -> ScalarIds:
    """Sum the products of two arrays over their contracting axes, as `dot_general`."""
    (contracting_a, contracting_b), (batch_a, batch_b) = dimensions
    left, free_a = _contracting_last(a, contracting_a, batch_a)
    right, free_b = _contracting_last(b, contracting_b, batch_b)
    left, right = left[:, :, None], right[:, None]
    total = elementwise(scalars, "mul", [left[..., 0], right[..., 0]])
    for n in range(1, left.shape[-1]):
        product = elementwise(scalars, "mul", [left[..., n], right[..., n]])
        total = elementwise(scalars, "add", [total, product])
    return total.reshape([a.shape[i] for i in batch_a] + free_a + free_b)


def _contracting_last(
    x: ScalarIds, contracting: Sequence[int], batch: Sequence[int]
) -> tuple[ScalarIds, list[int]]:
    """Return the array as (batch, free, contracting), and the shape of the free axes."""
    free = [i for i in range(x.ndim) if i not in {*contracting, *batch}]
    shape = [x.shape[i] for i in free]
    sizes = [math.prod(x.shape[i] for i in axes) for axes in (batch, free, contracting)]
    return x.transpose([*batch, *free, *contracting]).reshape(sizes), shape
