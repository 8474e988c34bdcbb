"""Double precision, in a scope: the process around a run keeps whatever it had."""

from contextlib import AbstractContextManager

import jax


def double() -> AbstractContextManager[None]:
    """Scope in which JAX computes in float64."""
    return jax.enable_x64(True)
