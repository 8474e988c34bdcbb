"""Elementary functions in arithmetic, beside those of the C library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.native import libm as elementary
from tests.native.compare import natively

CLOSE = 4.5e-16  # two units in the last place


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(3)
    return np.concatenate(
        [
            rng.uniform(-700.0, 700.0, 4000),
            rng.uniform(-1.0, 1.0, 4000),
            10.0 ** rng.uniform(-300, 2, 500),
        ]
    )


@pytest.mark.parametrize("way", ["as JAX", "native"])
def test_the_exponential_function(way, numbers):
    got = jax.vmap(elementary.exp)(numbers) if way == "as JAX" else natively(jnp.exp, numbers)
    np.testing.assert_allclose(got, np.exp(numbers), rtol=CLOSE)


def test_the_exponential_function_at_its_ends():
    x = np.array([-np.inf, -1e300, -709.0, -708.0, 0.0, -0.0, 709.0, 710.0, np.inf, np.nan])
    got = natively(jnp.exp, x)
    expected = [0.0, 0.0, 0.0, np.exp(-708.0), 1.0, 1.0, np.exp(709.0), np.inf, np.inf, np.nan]
    np.testing.assert_allclose(got, expected, rtol=1e-15)


def test_the_logarithm(numbers):
    positive = np.abs(numbers) + 1e-300
    np.testing.assert_allclose(
        natively(jnp.log, positive), np.log(positive), rtol=CLOSE, atol=1e-16
    )


def test_the_logarithm_at_its_ends():
    x = np.array([-1.0, 0.0, 1.0, np.inf, np.nan])
    np.testing.assert_array_equal(natively(jnp.log, x), [np.nan, -np.inf, 0.0, np.inf, np.nan])


def test_powers():
    rng = np.random.default_rng(4)
    x, y = 10.0 ** rng.uniform(-8, 8, 3000), rng.uniform(-3.0, 3.0, 3000)
    got = natively(lambda x, y: x**y, x, y)
    np.testing.assert_allclose(got, x**y, rtol=1e-13)  # |y ln x| is up to 55
    edges = natively(
        lambda x, y: x**y, np.array([0.0, 0.0, 5.0, np.inf]), np.array([0.5, 0, 0, -1])
    )
    np.testing.assert_array_equal(edges, [0.0, 1.0, 1.0, 0.0])


def test_the_next_number():
    x = np.array([1.0, 1.0, -1.0, -1.0, 0.0, 0.0, 3.0, np.nan, -5e-324, 1e300])
    towards = np.array([2.0, 0.0, 0.0, -2.0, 1.0, -1.0, 3.0, 1.0, 1.0, np.inf])
    got = natively(jnp.nextafter, x, towards)
    np.testing.assert_array_equal(got, np.nextafter(x, towards))
