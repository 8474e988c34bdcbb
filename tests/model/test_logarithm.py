"""The logarithm against that of the C library, over all normal numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.libm import log

SMALLEST_NORMAL, LARGEST = np.finfo(float).tiny, np.finfo(float).max


@pytest.mark.usefixtures("double_precision")
def test_it_is_the_logarithm_to_one_unit_in_the_last_place():
    rng = np.random.default_rng(1)
    points = [
        10.0 ** rng.uniform(-307, 308, 100_000),
        rng.uniform(0.5, 2.0, 100_000),
        1.0 + rng.uniform(-1e-9, 1e-9, 10_000),
        np.array([SMALLEST_NORMAL, 1e-300, 0.5, np.sqrt(0.5), 1.0, np.sqrt(2.0), 2.0, LARGEST]),
    ]
    x = np.concatenate(points)
    true = np.log(x)
    assert np.max(np.abs(np.asarray(jax.jit(log)(x)) - true) / np.spacing(np.abs(true))) <= 1.0


@pytest.mark.usefixtures("double_precision")
def test_its_slope_is_the_reciprocal():
    x = jnp.asarray([1e-300, 1e-3, 1.0, 7.0, 1e300])
    assert np.asarray(jax.vmap(jax.grad(log))(x)) == pytest.approx(1.0 / np.asarray(x), rel=1e-15)


def test_in_single_precision_it_is_the_ordinary_one():
    x = jnp.asarray([1e-30, 0.7, 3.0], jnp.float32)
    assert np.array_equal(np.asarray(log(x)), np.asarray(jnp.log(x)))
