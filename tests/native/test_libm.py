"""Elementary functions in arithmetic against those of NumPy, by JAX and natively."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp import libm
from tests.native.compare import natively

TWO_ULP = 4.5e-16  # two units in the last place, relative


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


@pytest.mark.parametrize("way", ["by JAX", "natively"])
def test_exp(way, numbers):
    found = jax.vmap(libm.exp)(numbers) if way == "by JAX" else natively(jnp.exp, numbers)
    np.testing.assert_allclose(found, np.exp(numbers), rtol=TWO_ULP)


def test_exp_at_the_ends_of_its_range():
    x = np.array([-np.inf, -1e300, -709.0, -708.0, 0.0, -0.0, 709.0, 710.0, np.inf, np.nan])
    expected = [0.0, 0.0, 0.0, np.exp(-708.0), 1.0, 1.0, np.exp(709.0), np.inf, np.inf, np.nan]
    np.testing.assert_allclose(natively(jnp.exp, x), expected, rtol=1e-15)


def test_log(numbers):
    positive = np.abs(numbers) + 1e-300
    np.testing.assert_allclose(
        natively(jnp.log, positive), np.log(positive), rtol=TWO_ULP, atol=1e-16
    )


def test_log_at_special_values():
    x = np.array([-1.0, 0.0, 1.0, np.inf, np.nan])
    np.testing.assert_array_equal(natively(jnp.log, x), [np.nan, -np.inf, 0.0, np.inf, np.nan])


def test_power():
    rng = np.random.default_rng(4)
    x, y = 10.0 ** rng.uniform(-8, 8, 3000), rng.uniform(-3.0, 3.0, 3000)
    found = natively(lambda x, y: x**y, x, y)
    np.testing.assert_allclose(found, x**y, rtol=1e-13)  # |y ln x| is up to 55
    edges = natively(
        lambda x, y: x**y, np.array([0.0, 0.0, 5.0, np.inf]), np.array([0.5, 0, 0, -1])
    )
    np.testing.assert_array_equal(edges, [0.0, 1.0, 1.0, 0.0])


def test_next_after():
    x = np.array([1.0, 1.0, -1.0, -1.0, 0.0, 0.0, 3.0, np.nan, -5e-324, 1e300])
    towards = np.array([2.0, 0.0, 0.0, -2.0, 1.0, -1.0, 3.0, 1.0, 1.0, np.inf])
    found = natively(jnp.nextafter, x, towards)
    np.testing.assert_array_equal(found, np.nextafter(x, towards))
