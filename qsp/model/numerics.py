"""The guards of the model, each with the edge it protects; every other equation is written bare.

States are not transformed. A guard is smooth where a gradient must pass it (`capped` and `bounded`
have an edge, with a finite gradient on both sides), and its value away from the edge differs from
the unguarded one by less than the tolerance of any run.
"""

import jax
import jax.numpy as jnp

from qsp.libm import log
from qsp.typing import PerTissue, Scalar

TINY = 1e-12
"""Added to a concentration (nmol/L) or a number of cells (Mcell) that may be exactly zero."""

SMALLEST = 1e-300
"""Added under a logarithm or a root that may be of zero: their derivatives are infinite there."""


def ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """a / (b + tiny): zero over zero is zero, for tissues without cells (TCE-42 A9)."""
    return numerator / (denominator + TINY)


def reciprocal(denominator: jax.Array) -> jax.Array:
    """1 / (b + tiny), for several numerators over one denominator, each zero where it is."""
    return 1.0 / (denominator + TINY)


def positive_concentration(free: jax.Array) -> jax.Array:
    """max(c, 0) + 1e-12 nmol/L: the closed form divides by the drug (4.2).

    There is none before the first dose, and a solver may try a state a little below zero.
    """
    return jnp.where(free < 0.0, 0.0, free) + TINY


def geometric_mean(x: jax.Array, y: jax.Array) -> jax.Array:
    """sqrt(x*y) of two numbers that may both be zero, with gradient zero there.

    A cell without target has no free target. The bare root has an infinite derivative there, which
    turns the derivatives of the rates into NaN.
    """
    return jnp.sqrt(x * y + SMALLEST)


def hill(x: jax.Array, half: jax.Array, n: jax.Array) -> jax.Array:
    """x^n / (half^n + x^n), with value and gradient zero at x = 0 for n > 1, and zero below.

    A solver may try a state a little below zero. The logarithms save the power, which costs as much
    as a hundred multiplications.
    """
    power = jnp.exp(n * (log(jnp.where(x < 0.0, 0.0, x) + SMALLEST) - log(half)))
    return power / (1.0 + power)


def softplus_gain(x: jax.Array, low: jax.Array, scale: jax.Array) -> jax.Array:
    """sp(x) - sp(low) with sp(x) = s*ln(1 + exp(x/s)), for low <= 0 (TCE-42 S7).

    A threshold rounded over `scale`: max(x, 0) for scale zero.
    """
    s = scale + TINY
    x, low = x / s, jnp.minimum(low / s, 0.0)
    top = jnp.maximum(x, 0.0)  # taken out, so that no exponential overflows
    return s * (top + log((1.0 + jnp.exp(x - 2.0 * top)) / (1.0 + jnp.exp(low))))


def positive_part(x: jax.Array) -> jax.Array:
    """max(0, x) of a fraction, rounded within 0.01 of zero: (x + sqrt(x^2 + 1e-4)) / 2."""
    return 0.5 * (x + jnp.sqrt(x * x + 1e-4))


def capped(x: PerTissue, limit: PerTissue) -> PerTissue:
    """min(x, limit): no more cells are recruited than rest (TCE-42 S7)."""
    return jnp.minimum(x, limit)


def bounded(x: jax.Array, low: Scalar, high: Scalar) -> jax.Array:
    """x kept within [low, high]: the relaxation rate of slow arms (TCE-42 4.2)."""
    return jnp.clip(x, low, high)
