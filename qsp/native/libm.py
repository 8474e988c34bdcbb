"""Elementary functions written in arithmetic, which fills vector registers.

The argument is reduced to a short interval, on which a polynomial serves; errors stay below two
units in the last place.
"""

import itertools
import math

import jax
import jax.numpy as jnp

from qsp.model.logarithm import log as _log_of_normal

_LOG2_E = 1.44269504088896338700
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_EXP = tuple(1.0 / math.factorial(n) for n in range(14))
"""Of the Taylor series, whose remainder on [-ln(2)/2, ln(2)/2] is below 5e-18."""
_LARGEST = 709.0
"""Beyond it the exponential function is infinite, or zero: 2^k has to be a normal number."""
_ROUND = 6755399441055744.0  # 1.5 * 2^52: a sum with it is a whole number
_ONE_BITS = 1023
_SUBNORMAL = 2.2250738585072014e-308


def exp(x: jax.Array) -> jax.Array:
    """Exponential function from -708 to 709: 2^k times that of r, with x = k*ln 2 + r."""
    low = jnp.where(x < 1.0 - _LARGEST, 1.0 - _LARGEST, x)
    near = jnp.where(low > _LARGEST, _LARGEST, low)
    rounded = near * _LOG2_E + _ROUND
    k = rounded - _ROUND
    r = (near - k * _LN2_HIGH) - k * _LN2_LOW
    y = _polynomial(r, _EXP) * _power_of_two(_bits(rounded) - _bits(jnp.float64(_ROUND)))
    return jnp.where(x > _LARGEST, jnp.inf, jnp.where(x < 1.0 - _LARGEST, 0.0, y))


def _polynomial(x: jax.Array, coefficients: tuple[float, ...]) -> jax.Array:
    """In pairs, and pairs of pairs: few operations wait for each other."""
    terms = [jnp.float64(c) for c in coefficients]
    power = x
    while len(terms) > 1:
        pairs = itertools.zip_longest(terms[::2], terms[1::2])
        terms = [a if b is None else b * power + a for a, b in pairs]
        power = power * power
    return terms[0]


def log(x: jax.Array) -> jax.Array:
    """Natural logarithm."""
    y = _log_of_normal(jnp.where(x < jnp.inf, x, 1.0))
    y = jnp.where(x < jnp.inf, y, x)
    return jnp.where(x < _SUBNORMAL, jnp.where(x < 0.0, jnp.nan, -jnp.inf), y)


def power(x: jax.Array, y: jax.Array) -> jax.Array:
    """x^y by way of logarithms: to |y ln x| units in the last place."""
    size = exp(y * log(jnp.where(x < 0.0, -x, x)))
    half = 0.5 * y
    signed = jnp.where(jnp.floor(half) == half, size, -size)  # an even or an odd power
    of_negative = jnp.where(jnp.floor(y) == y, signed, jnp.nan)
    power = jnp.where(x < 0.0, of_negative, size)
    return jnp.where((y == 0.0) | (x == 1.0), 1.0, power)


def next_after(x: jax.Array, towards: jax.Array) -> jax.Array:
    """The next number in a direction."""
    bits = _bits(x)
    away = (towards > x) == (x > 0.0)
    beside = _number(jnp.where(away, bits + 1, bits - 1))
    least = jnp.where(towards > x, 5e-324, -5e-324)
    moved = jnp.where(x == 0.0, least, beside)
    nothing = (x != x) | (towards != towards)
    return jnp.where(nothing, jnp.nan, jnp.where(x == towards, towards, moved))


def _bits(x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(x, jnp.int64)


def _number(bits: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(bits, jnp.float64)


def _power_of_two(k: jax.Array) -> jax.Array:
    return _number((k + _ONE_BITS) << 52)
