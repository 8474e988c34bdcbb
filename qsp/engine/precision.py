"""Double or single precision, in a scope: the process around a run keeps whatever it had."""

from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

import jax
import numpy as np

Precision: TypeAlias = Literal["float64", "float32"]

SAME_TIME = {"float64": 1e-9, "float32": 1e-4}
"""Events closer than this [day] are at one time: sums of times round differently. In single
precision a day of the first year is known to 3e-5."""


def double() -> AbstractContextManager[None]:
    """Scope in which JAX computes in float64."""
    return jax.enable_x64(True)


def scope(precision: Precision) -> AbstractContextManager[None]:
    """Scope in which JAX computes in a precision."""
    return jax.enable_x64(precision == "float64")


def same_time(time: Any) -> float:
    """Resolution of times [day] of the type of `time`."""
    return SAME_TIME[np.dtype(time.dtype).name]  # pyright: ignore[reportArgumentType]
