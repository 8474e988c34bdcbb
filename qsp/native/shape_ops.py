"""Primitives that rearrange elements, applied by NumPy to arrays of scalar ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qsp.native.instructions import Unsupported

ScalarIds = np.ndarray
"""Ids of scalars (int64), in the shape of the array whose elements they are."""


def _broadcast_in_dim(params: Mapping[str, Any], x: ScalarIds) -> ScalarIds:
    shape, dimensions = params["shape"], params["broadcast_dimensions"]
    aligned = np.ones(len(shape), int)
    for axis, to in enumerate(dimensions):
        aligned[to] = x.shape[axis]
    return np.broadcast_to(x.reshape(aligned), shape)


def _slice(params: Mapping[str, Any], x: ScalarIds) -> ScalarIds:
    strides = params["strides"] or (1,) * x.ndim
    bounds = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return x[tuple(slice(*bound) for bound in bounds)]


def _pad(params: Mapping[str, Any], x: ScalarIds, value: ScalarIds) -> ScalarIds:
    config = params["padding_config"]
    if any(low < 0 or high < 0 or interior for low, high, interior in config):
        raise Unsupported("negative or interior padding has no native form")
    widths = [(low, high) for low, high, _ in config]
    return np.pad(x, widths, constant_values=int(value))


SHAPE_OPS: Mapping[str, Callable[..., ScalarIds]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "slice": _slice,
    "reshape": lambda params, x: x.reshape(params["new_sizes"]),
    "squeeze": lambda params, x: np.squeeze(x, axis=params["dimensions"]),
    "expand_dims": lambda params, x: np.expand_dims(x, params["dimensions"]),
    "transpose": lambda params, x: x.transpose(params["permutation"]),
    "pad": _pad,
    "rev": lambda params, x: np.flip(x, params["dimensions"]),
    "concatenate": lambda params, *xs: np.concatenate(xs, axis=params["dimension"]),
    "stack": lambda params, *xs: np.stack(xs, axis=params["axis"]),
}


def gather_window(params: Mapping[str, Any], x: ScalarIds, start: Sequence[int]) -> ScalarIds:
    """Return the window of a `gather` at a constant index, which is clipped to the array."""
    numbers = params["dimension_numbers"]
    sizes = params["slice_sizes"]
    first = np.zeros(x.ndim, int)
    first[list(numbers.start_index_map)] = start
    window = x[_clipped_window(first, sizes, x.shape)]
    return np.squeeze(window, axis=numbers.collapsed_slice_dims)


def scatter_index(params: Mapping[str, Any], x: ScalarIds, start: Sequence[int]) -> Any:
    """Return the NumPy index of the window of a `scatter`, or None if it is out of range."""
    numbers = params["dimension_numbers"]
    inserted = numbers.inserted_window_dims
    first = np.zeros(x.ndim, int)
    first[list(numbers.scatter_dims_to_operand_dims)] = start
    if (first < 0).any() or (first >= x.shape).any():
        return None
    index = (slice(None) if axis not in inserted else int(at) for axis, at in enumerate(first))
    return tuple(index)


def update_window(x: ScalarIds, update: ScalarIds, start: Sequence[int]) -> ScalarIds:
    """Return the array with a window replaced; the window is clipped to the array."""
    result = x.copy()
    result[_clipped_window(np.asarray(start), update.shape, x.shape)] = update
    return result


def slice_window(params: Mapping[str, Any], x: ScalarIds, start: Sequence[int]) -> ScalarIds:
    """Return the window of a `dynamic_slice`, clipped to the array."""
    return x[_clipped_window(np.asarray(start), params["slice_sizes"], x.shape)]


def _clipped_window(start: Any, sizes: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    clipped = np.clip(start, 0, np.subtract(shape, sizes))
    return tuple(slice(int(at), int(at) + size) for at, size in zip(clipped, sizes, strict=True))
