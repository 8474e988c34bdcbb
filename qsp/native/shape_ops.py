"""Primitives that only move elements: applied to the numbers of scalars, as arrays of numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qsp.native.instructions import Unsupported

Indices = np.ndarray
"""Numbers of scalars (int64), in the shape of the array they are the elements of."""


def _broadcast(params: Mapping[str, Any], x: Indices) -> Indices:
    shape, dimensions = params["shape"], params["broadcast_dimensions"]
    aligned = np.ones(len(shape), int)
    for axis, to in enumerate(dimensions):
        aligned[to] = x.shape[axis]
    return np.broadcast_to(x.reshape(aligned), shape)


def _sliced(params: Mapping[str, Any], x: Indices) -> Indices:
    strides = params["strides"] or (1,) * x.ndim
    bounds = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return x[tuple(slice(*bound) for bound in bounds)]


def _padded(params: Mapping[str, Any], x: Indices, value: Indices) -> Indices:
    if any(low < 0 or high < 0 or inside for low, high, inside in params["padding_config"]):
        raise Unsupported("padding that cuts or spreads has no native form")
    widths = [(low, high) for low, high, _ in params["padding_config"]]
    return np.pad(x, widths, constant_values=int(value))


MOVES: Mapping[str, Callable[..., Indices]] = {
    "broadcast_in_dim": _broadcast,
    "slice": _sliced,
    "reshape": lambda params, x: x.reshape(params["new_sizes"]),
    "squeeze": lambda params, x: np.squeeze(x, axis=params["dimensions"]),
    "expand_dims": lambda params, x: np.expand_dims(x, params["dimensions"]),
    "transpose": lambda params, x: x.transpose(params["permutation"]),
    "pad": _padded,
    "rev": lambda params, x: np.flip(x, params["dimensions"]),
    "concatenate": lambda params, *xs: np.concatenate(xs, axis=params["dimension"]),
    "stack": lambda params, *xs: np.stack(xs, axis=params["axis"]),
}


def gathered(params: Mapping[str, Any], x: Indices, start: Sequence[int]) -> Indices:
    """One window of an array, from an index on; an index out of range is moved into it."""
    numbers = params["dimension_numbers"]
    sizes = params["slice_sizes"]
    first = np.zeros(x.ndim, int)
    first[list(numbers.start_index_map)] = start
    window = x[_window(first, sizes, x.shape)]
    return np.squeeze(window, axis=numbers.collapsed_slice_dims)


def scattered(params: Mapping[str, Any], x: Indices, start: Sequence[int]) -> Any:
    """Where one window lies in an array, as an index of numpy; none if it does not fit."""
    numbers = params["dimension_numbers"]
    inserted = numbers.inserted_window_dims
    first = np.zeros(x.ndim, int)
    first[list(numbers.scatter_dims_to_operand_dims)] = start
    if (first < 0).any() or (first >= x.shape).any():
        return None
    whole = (slice(None) if axis not in inserted else int(at) for axis, at in enumerate(first))
    return tuple(whole)


def updated(x: Indices, update: Indices, start: Sequence[int]) -> Indices:
    """An array in which a window is replaced; a window out of range is moved into it."""
    result = x.copy()
    result[_window(np.asarray(start), update.shape, x.shape)] = update
    return result


def windowed(params: Mapping[str, Any], x: Indices, start: Sequence[int]) -> Indices:
    """A window of an array; one out of range is moved into it."""
    return x[_window(np.asarray(start), params["slice_sizes"], x.shape)]


def _window(start: Any, sizes: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    inside = np.clip(start, 0, np.subtract(shape, sizes))
    return tuple(slice(int(at), int(at) + size) for at, size in zip(inside, sizes, strict=True))
