"""Elementary functions in elementary arithmetic, which compilers vectorize.

For `exp` and `log` in float64, XLA and LLVM call the C library once per number. These functions
reduce the argument to a short interval and evaluate a polynomial there, which is several times
as fast on vector registers. Errors stay below two units in the last place.

The model uses `log`, which is differentiable. `qsp.native` replaces the primitives of JAX by the
other functions.
"""

import itertools
import math

import jax
import jax.numpy as jnp

_LOG2_E = 1.44269504088896338700
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_SQRT_HALF = 0x3FE6A09E00000000  # bits of the square root of 1/2
_ATANH = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
"""Minimax coefficients of the fdlibm logarithm (Sun Microsystems 1993)."""
_EXP = tuple(1.0 / math.factorial(n) for n in range(14))
"""Taylor coefficients; the remainder on [-ln(2)/2, ln(2)/2] is below 5e-18."""
_LARGEST = 709.0
"""Magnitude of the argument beyond which `exp` returns infinity or zero; 2^k must be normal."""
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer
_EXPONENT_BIAS = 1023
_SMALLEST_NORMAL = 2.2250738585072014e-308
_SMALLEST_SUBNORMAL = 5e-324


@jax.custom_jvp
def log(x: jax.Array) -> jax.Array:
    """Natural logarithm of a positive normal number, to one unit in the last place.

    The method of fdlibm: x = 2^k * m with m in [sqrt(1/2), sqrt(2)), and
    ln m = 2*atanh((m - 1)/(m + 1)) by a polynomial. In float32 it is `jnp.log`.
    """
    if x.dtype != jnp.float64:
        return jnp.log(x)
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    k = (bits - _SQRT_HALF) >> 52
    f = jax.lax.bitcast_convert_type(bits - (k << 52), jnp.float64) - 1.0
    s = f / (2.0 + f)
    z, tail = s * s, jnp.zeros_like(s)
    for coefficient in reversed(_ATANH):
        tail = (tail + coefficient) * z
    half, k = 0.5 * f * f, k.astype(jnp.float64)
    return k * _LN2_HIGH - ((half - (s * (half + tail) + k * _LN2_LOW)) - f)


@log.defjvp
def _log_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return log(primals[0]), tangents[0] / primals[0]


def log_ieee(x: jax.Array) -> jax.Array:
    """Natural logarithm with the special values of IEEE 754; subnormal numbers count as zero."""
    y = log(jnp.where(x < jnp.inf, x, 1.0))
    y = jnp.where(x < jnp.inf, y, x)
    return jnp.where(x < _SMALLEST_NORMAL, jnp.where(x < 0.0, jnp.nan, -jnp.inf), y)


def exp(x: jax.Array) -> jax.Array:
    """Exponential function: 2^k times that of r, with x = k*ln 2 + r; zero below -708."""
    low = jnp.where(x < 1.0 - _LARGEST, 1.0 - _LARGEST, x)
    clipped = jnp.where(low > _LARGEST, _LARGEST, low)
    rounded = clipped * _LOG2_E + _ROUND
    k = rounded - _ROUND
    r = (clipped - k * _LN2_HIGH) - k * _LN2_LOW
    y = _polynomial(r, _EXP) * _power_of_two(_bits(rounded) - _bits(jnp.float64(_ROUND)))
    return jnp.where(x > _LARGEST, jnp.inf, jnp.where(x < 1.0 - _LARGEST, 0.0, y))


def power(x: jax.Array, y: jax.Array) -> jax.Array:
    """x^y = exp(y ln x), with an error of about |y ln x| units in the last place."""
    magnitude = exp(y * log_ieee(jnp.where(x < 0.0, -x, x)))
    half = 0.5 * y
    signed = jnp.where(jnp.floor(half) == half, magnitude, -magnitude)  # an even or odd power
    of_negative = jnp.where(jnp.floor(y) == y, signed, jnp.nan)
    result = jnp.where(x < 0.0, of_negative, magnitude)
    return jnp.where((y == 0.0) | (x == 1.0), 1.0, result)


def next_after(x: jax.Array, towards: jax.Array) -> jax.Array:
    """Next representable number after x in the direction of `towards`."""
    bits = _bits(x)
    away_from_zero = (towards > x) == (x > 0.0)
    neighbor = _number(jnp.where(away_from_zero, bits + 1, bits - 1))
    smallest = jnp.where(towards > x, _SMALLEST_SUBNORMAL, -_SMALLEST_SUBNORMAL)
    following = jnp.where(x == 0.0, smallest, neighbor)
    is_nan = (x != x) | (towards != towards)
    return jnp.where(is_nan, jnp.nan, jnp.where(x == towards, towards, following))


def _polynomial(x: jax.Array, coefficients: tuple[float, ...]) -> jax.Array:
    """Evaluate a polynomial by Estrin's scheme, with a short chain of dependent operations."""
    terms = [jnp.float64(c) for c in coefficients]
    power = x
    while len(terms) > 1:
        pairs = itertools.zip_longest(terms[::2], terms[1::2])
        terms = [a if b is None else b * power + a for a, b in pairs]
        power = power * power
    return terms[0]


def _bits(x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(x, jnp.int64)


def _number(bits: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(bits, jnp.float64)


def _power_of_two(k: jax.Array) -> jax.Array:
    return _number((k + _EXPONENT_BIAS) << 52)
