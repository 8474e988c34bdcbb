"""Parameters derived from others stay differentiable when a value is a JAX array."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp import molecules
from qsp.populations.cohort import read_cohort
from qsp.populations.parameter_table import to_parameters
from qsp.populations.table_from_files import nominal

NHL = Path(__file__).parents[2] / "populations" / "nhl.toml"


@pytest.fixture(scope="module")
def table():
    return nominal(molecules.load("mosunetuzumab"), read_cohort(NHL))


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("path", ["tumor.cells", "targets.density", "binding.KD_CD3"])
def test_every_leaf_has_the_slope_of_its_differences(path, flag, table):
    value = float(table.values[path])

    def parameters(x):
        return to_parameters(table.complete(table.values | {path: x}))

    with jax.enable_x64(flag), jax.numpy_dtype_promotion("standard"):
        at = jnp.asarray(value)
        slopes = jax.jvp(parameters, (at,), (jnp.ones_like(at),))[1]
    step = 1e-3 * value
    low, high = (parameters(np.asarray(value + sign * step)) for sign in (-1, 1))
    moved = 0
    for slope, a, b in zip(*map(jax.tree.leaves, (slopes, low, high)), strict=True):
        difference = (np.asarray(b) - np.asarray(a)) / (2 * step)
        assert np.asarray(slope) == pytest.approx(difference, rel=1e-5, abs=1e-12)
        moved += bool(np.any(difference != 0.0))
    assert moved >= 1


def test_numbers_give_numpy_arrays_of_the_same_bits(table):
    expected = table.nominal()
    found = to_parameters(table.complete({k: jnp.asarray(v) for k, v in table.values.items()}))
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        assert isinstance(a, np.ndarray)
        assert a.dtype == b.dtype == np.float64
        assert np.asarray(b) == pytest.approx(a, rel=1e-15)
