"""Floating-point precision within a scope; the settings of the process are left unchanged."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

import equinox as eqx
import jax
import numpy as np

from qsp.engine.cache import jax_cache

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


def in_double(function: Callable[..., Any], reverse: bool, *arguments: Any) -> Any:
    """Return the value of a function in float64, with derivatives in float64.

    JAX transposes a program after the scope in which it was traced has ended, so reverse mode needs
    a rule that enters the scope again. A function with such a rule has no forward mode.

    Args:
        function: Function of trees of arrays.
        reverse: Whether derivatives are those of reverse mode.
        arguments: Arguments of the function.
    """
    if not reverse:
        with double(), jax_cache():
            return function(*arguments)
    variable, constant = eqx.partition(arguments, eqx.is_inexact_array)

    @jax.custom_vjp
    def call(variable: Any, constant: Any) -> Any:
        with double(), jax_cache():
            return function(*eqx.combine(variable, constant))

    def forward(variable: Any, constant: Any) -> Any:
        with double(), jax_cache():
            return jax.vjp(lambda v: function(*eqx.combine(v, constant)), variable)

    def backward(pull: Any, cotangent: Any) -> Any:
        with double(), jax_cache():
            return *pull(cotangent), None

    call.defvjp(forward, backward)
    return call(variable, constant)
