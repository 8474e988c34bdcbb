"""Numerical guards for expressions that are singular at zero or overflow.

All guards of the model are here; each names the equations that use it, where a zero or a slightly
negative state can occur. Other equations have none. A guard is smooth where a gradient must
pass it (`capped` and `bounded` have a kink, with a finite gradient on both sides), and away from
the guarded point its value differs from the bare expression by less than the tolerance of any run.
States are not transformed.
"""

import jax
import jax.numpy as jnp

from qsp.libm import log
from qsp.typing import PerTissue, Scalar

TINY = 1e-12
"""Added to a number of cells [Mcell] that may be exactly zero."""

LEAST_DRUG = 1e-18
"""Added to a concentration of drug [nmol/L]: so little that activation is negligible at any slope.

With a Hill coefficient near one, 1e-12 nmol/L would recruit as many T cells as a solver resolves.
"""

SMALLEST = 1e-300
"""Added to the argument of a logarithm or square root, whose derivative at zero is infinite."""


def ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    r"""a / (b + tiny), so that zero over zero is zero in tissues without cells.

    Used in Eq. E6, E8, N1, N5, N13, N15, N21, N24, R2, T10, T11.

    Equations:
        Eq. X2: $$f(x, y) = \frac{x}{y + 10^{-12}}$$
        $x$ [any]: numerator.
        $y$ [any]: denominator.
        $f$ [any]: guarded value.
    """
    return numerator / (denominator + TINY)


def reciprocal(denominator: jax.Array) -> jax.Array:
    r"""1 / (b + tiny), for several numerators over one denominator; see `ratio`.

    Used in Eq. E2.

    Equations:
        Eq. X3: $$f(y) = \frac{1}{y + 10^{-12}}$$
        $y$ [any]: denominator.
        $f$ [any]: guarded value.
    """
    return 1.0 / (denominator + TINY)


def positive_concentration(free: jax.Array) -> jax.Array:
    r"""max(c, 0) + 1e-18 nmol/L, because the closed form of the trimers divides by the drug.

    The concentration is zero before the first dose, and a solver may try a slightly negative state.

    Used in Eq. S2, S3, S4, S5. The concentration in Eq. S9 and S11 to S16 has no guard.

    Equations:
        Eq. X4: $$f(x) = \max(x, 0) + 10^{-18}$$
        $x$ [nmol/L]: concentration.
        $f$ [nmol/L]: guarded value.
    """
    return jnp.where(free < 0.0, 0.0, free) + LEAST_DRUG


def geometric_mean(x: jax.Array, y: jax.Array) -> jax.Array:
    r"""sqrt(x*y) of two numbers that may both be zero, with a zero gradient there.

    Free target is zero on a cell without target. The bare root has an infinite derivative at zero,
    which would turn the derivatives of the rates into NaN.

    Used in the iteration of Eq. S2, S3, S4, S5 for two target arms.

    Equations:
        Eq. X5: $$f(x, y) = \sqrt{x y + 10^{-300}}$$
        $x$ [any]: first number.
        $y$ [any]: second number.
        $f$ [any]: guarded value.
    """
    return jnp.sqrt(x * y + SMALLEST)


def hill(x: jax.Array, half: jax.Array, n: jax.Array) -> jax.Array:
    r"""x^n / (half^n + x^n); for n > 1, value and gradient are zero at x = 0, and zero for x < 0.

    A solver may try a slightly negative state. The power is computed from logarithms because `pow`
    costs as much as a hundred multiplications.

    Used in Eq. C2, E3.

    Equations:
        Eq. X6: $$f(x) = \frac{\max(x, 0)^{n}}{y^{n} + \max(x, 0)^{n}}$$
        $x$ [any]: variable.
        $y$ [any]: value at half-maximum.
        $n$ [1]: Hill coefficient.
        $f$ [1]: guarded value.
    """
    power = jnp.exp(n * (log(jnp.where(x < 0.0, 0.0, x) + SMALLEST) - log(half)))
    return power / (1.0 + power)


def root(x: jax.Array) -> jax.Array:
    r"""sqrt(x + tiny), with a finite gradient at x = 0.

    Used in Eq. N16.

    Equations:
        Eq. X13: $$f(x) = \sqrt{x + 10^{-12}}$$
        $x$ [any]: variable, 0 or more.
        $f$ [any]: guarded value.
    """
    return jnp.sqrt(x + TINY)


def softplus_gain(x: jax.Array, low: jax.Array, scale: jax.Array) -> jax.Array:
    r"""sp(x) - sp(low) with sp(x) = s*ln(1 + exp(x/s)), for low <= 0.

    A threshold at zero, smooth over a width of `scale`; max(x, 0) in the limit of zero width.

    Used in Eq. T4, T5.

    Equations:
        Eq. X7: $$f(x) = w \ln\left(1 + \exp\left(\frac{x}{w}\right)\right) - w \ln\left(1 +
            \exp\left(\frac{\min(y, 0)}{w}\right)\right), \quad w = s + 10^{-12}$$
        $x$ [any]: variable.
        $y$ [any]: lower limit, at most 0.
        $s$ [any]: width, in Eq. T5 the threshold width times the number of cells.
        $w$ [any]: width above zero.
        $f$ [any]: guarded value.
    """
    s = scale + TINY
    x, low = x / s, jnp.minimum(low / s, 0.0)
    top = jnp.maximum(x, 0.0)  # factored out so that no exponential overflows
    return s * (top + log((1.0 + jnp.exp(x - 2.0 * top)) / (1.0 + jnp.exp(low))))


def positive_part(x: jax.Array) -> jax.Array:
    r"""max(0, x) of a fraction, smooth within about 0.01 of zero: (x + sqrt(x^2 + 1e-4)) / 2.

    Used in Eq. T9, which shows it.

    Equations:
        Eq. X8: $$f(x) = \frac{x + \sqrt{x^2 + 10^{-4}}}{2}$$
        $x$ [1]: fraction.
        $f$ [1]: guarded value.
    """
    return 0.5 * (x + jnp.sqrt(x * x + 1e-4))


def capped(x: PerTissue, limit: PerTissue) -> PerTissue:
    r"""min(x, limit), so that no more T cells are recruited than are resting.

    Used in Eq. T3, which shows it.

    Equations:
        Eq. X9: $$f(x) = \min(x, y)$$
        $x$ [any]: variable.
        $y$ [any]: limit.
        $f$ [any]: guarded value.
    """
    return jnp.minimum(x, limit)


def bounded(x: jax.Array, low: Scalar, high: Scalar) -> jax.Array:
    r"""Clip x to [low, high], for the relaxation rate of slowly dissociating arms.

    Used in Eq. S9, which shows it.

    Equations:
        Eq. X10: $$f(x) = \min(\max(x, x_{min}), x_{max})$$
        $x$ [any]: variable.
        $x_{min}$ [any]: lower limit.
        $x_{max}$ [any]: upper limit.
        $f$ [any]: guarded value.
    """
    return jnp.clip(x, low, high)
