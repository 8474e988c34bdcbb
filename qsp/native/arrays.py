"""Arrays of scalars: elementwise operations, sums and the like, and constants."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qsp.native.builder import Scalars
from qsp.native.instructions import Unsupported
from qsp.native.shape_ops import Indices


def constants(scalars: Scalars, values: np.ndarray) -> Indices:
    """Numbers of known values."""
    numbers = [scalars.constant(value, values.dtype) for value in values.ravel()]
    return np.array(numbers, np.int64).reshape(values.shape)


def elementwise(scalars: Scalars, op: str, args: Sequence[Indices], dtype: Any = None) -> Indices:
    """An operation on each element, of the type that is given or of the last array's."""
    shape = np.broadcast_shapes(*(x.shape for x in args))
    columns = [
        x.ravel().tolist() if x.shape == shape else np.broadcast_to(x, shape).ravel().tolist()
        for x in args
    ]
    apply = scalars.apply
    numbers = [apply(op, *each, dtype=dtype) for each in zip(*columns, strict=True)]
    return np.array(numbers, np.int64).reshape(shape)


def reduced(scalars: Scalars, op: str, axes: Sequence[int], x: Indices) -> Indices:
    """One operation over axes: in pairs, and pairs of pairs, so that few wait for each other."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose([*axes, *kept]).reshape(-1, *(x.shape[axis] for axis in kept))
    parts = list(rows)
    if not parts:
        raise Unsupported("a sum over nothing has no native form")
    while len(parts) > 1:
        pairs = itertools.zip_longest(parts[::2], parts[1::2])
        parts = [a if b is None else elementwise(scalars, op, [a, b]) for a, b in pairs]
    return parts[0]


def contracted(scalars: Scalars, dimensions: Any, a: Indices, b: Indices) -> Indices:
    """Sums of products over axes of two arrays."""
    (over_a, over_b), (same_a, same_b) = dimensions
    left, kept_a = _terms_last(a, over_a, same_a)
    right, kept_b = _terms_last(b, over_b, same_b)
    left, right = left[:, :, None], right[:, None]
    total = elementwise(scalars, "mul", [left[..., 0], right[..., 0]])
    for n in range(1, left.shape[-1]):
        product = elementwise(scalars, "mul", [left[..., n], right[..., n]])
        total = elementwise(scalars, "add", [total, product])
    return total.reshape([a.shape[i] for i in same_a] + kept_a + kept_b)


def _terms_last(x: Indices, over: Sequence[int], same: Sequence[int]) -> tuple[Indices, list[int]]:
    """An array of (what both have, what it alone has, terms), and the shape of the second."""
    own = [i for i in range(x.ndim) if i not in {*over, *same}]
    shape = [x.shape[i] for i in own]
    sizes = [math.prod(x.shape[i] for i in axes) for axes in (same, own, over)]
    return x.transpose([*same, *own, *over]).reshape(sizes), shape
