"""Draws are those of `jax.random`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.populations import threefry
from qsp.populations.draws import normals, purpose

IDS = np.array([0, 1, 63, 64, 12345, 2**31, 2**32 - 1])
NAMES = [f"name {n}" for n in range(17)]


def of_jax(sample, seed):
    """Draws (patient, name) by a function of a key."""
    key = jax.random.key(seed, impl="threefry2x32")

    def one(patient, number):
        return sample(jax.random.fold_in(jax.random.fold_in(key, patient), number))

    numbers = np.array([purpose(name) for name in NAMES], np.uint32)
    rows = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
    return np.asarray(rows(IDS.astype(np.uint32), numbers))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_bits_and_normals_are_those_of_jax(seed):
    with jax.enable_x64(True):
        bits = of_jax(lambda key: jax.random.bits(key, dtype=jnp.uint64), seed)
        normal = of_jax(lambda key: jax.random.normal(key, dtype=jnp.float64), seed)
    numbers = np.array([purpose(name) for name in NAMES], np.uint32)
    keys = threefry.fold_in(threefry.key(seed), IDS.astype(np.uint32)[:, None])
    np.testing.assert_array_equal(threefry.bits(threefry.fold_in(keys, numbers)), bits)
    np.testing.assert_allclose(normals(seed, IDS, NAMES), normal, rtol=1e-14)
