"""Floating-point precision within a scope; the settings of the process are left unchanged."""

from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

import jax
import numpy as np

Precision: TypeAlias = Literal["float64", "float32"]

SAME_TIME = {"float64": 1e-9, "float32": 1e-4}
"""Times closer than this are the same time [day], because sums of times round differently. In
single precision, a time within the first year has a resolution of 3e-5 days."""


def double() -> AbstractContextManager[None]:
    """Return a scope in which JAX computes in float64."""
    return jax.enable_x64(True)


def scope(precision: Precision) -> AbstractContextManager[None]:
    """Return a scope in which JAX computes in the given precision."""
    return jax.enable_x64(precision == "float64")


def same_time(time: Any) -> float:
    """Return the resolution of times [day] of the dtype of `time`, an array of NumPy or JAX."""
    return SAME_TIME[np.dtype(time.dtype).name]  # pyright: ignore[reportArgumentType]
