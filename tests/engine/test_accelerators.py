"""A GPU and the CPU agree, if there is a GPU."""

import jax
import numpy as np
import pytest

from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.system import CORE_KINDS, System
from tests.engine.whole import FLAT, GRID, STEP_UP, sim, stacked

AGREE = 1e-6
"""Relative, of all reductions, at a tolerance of 1e-8: exponentials and sums round differently, and
step sizes follow from them."""


def solved(device):
    sims = stacked(*(sim(n, given) for given in (STEP_UP, FLAT) for n in range(4)))
    method = Method(rtol=1e-8, backend="xla")
    batch = Batch(sims, (np.asarray(GRID[[0, 4, 10]]),))
    return simulate(batch, System(), method, kinds=CORE_KINDS, workers=[device])[0]


@pytest.mark.gpu
def test_gpu_and_cpu_agree():
    try:
        gpu = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("needs a GPU that JAX sees: pip install '.[cuda12]' on a machine with one")
    on_gpu, on_cpu = solved(gpu), solved(jax.devices("cpu")[0])
    assert not on_gpu.failed.any()
    for name in ("peak", "area"):
        pairs = [jax.tree.leaves(getattr(r.periods.reductions, name)) for r in (on_gpu, on_cpu)]
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_allclose(one, other, rtol=AGREE, atol=1e-9)
    grades = [r.periods.reductions.crossing.grade for r in (on_gpu, on_cpu)]
    np.testing.assert_array_equal(*grades)
    np.testing.assert_allclose(on_gpu.end.tumor_volume, on_cpu.end.tumor_volume, rtol=AGREE)
