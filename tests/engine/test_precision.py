"""Double precision is set for a run, not for the process; single precision has a known error."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from qsp.engine.method import Method
from qsp.errors import ConfigError
from tests.engine.toy import EVERY, amounts
from tests.engine.whole import FLAT, STEP_UP, run, sim

ROOT = Path(__file__).parents[2]
GIVEN = (0.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 2)
SCRIPT = f"""
import jax, jax.numpy as jnp
import numpy as np
from tests.engine.toy import sim, run
assert jnp.asarray(1.0).dtype == np.float32
result = run(sim(*{GIVEN!r}))
assert result.final.amount.dtype == np.float64
print(jnp.asarray(1.0).dtype, jax.config.jax_enable_x64, repr(result.saved[0].amount[0].tolist()))
"""


def test_a_run_does_not_change_the_precision_of_the_process():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    kind, enabled, numbers = done.stdout.split(maxsplit=2)
    assert (kind, enabled) == ("float32", "False")
    expected = amounts(EVERY, *GIVEN)
    assert np.array(json.loads(numbers)) == pytest.approx(expected, rel=1e-7, abs=1e-6)


@pytest.fixture(scope="module")
def both(strict_types):
    sims = [sim(n, given) for given in (STEP_UP, FLAT) for n in range(4)]
    return tuple(
        run(*sims, method=Method(rtol=1e-4, precision=precision))
        for precision in ("float64", "float32")
    )


@pytest.mark.slow
def test_single_precision_uses_no_float64(both):
    kinds = [{leaf.dtype.itemsize for leaf in jax.tree.leaves(result.periods)} for result in both]
    assert 8 in kinds[0]
    assert 8 not in kinds[1]


@pytest.mark.slow
def test_single_precision_agrees_with_double_to_a_thousandth(both):
    double, single = both
    assert not single.failed.any()
    for name in ("cytokines", "severity"):
        peaks = [getattr(result.periods.reductions.peak, name) for result in (double, single)]
        np.testing.assert_allclose(peaks[1], peaks[0], rtol=2e-3)
    tumors = [result.end.tumor_volume for result in (double, single)]
    np.testing.assert_allclose(tumors[1], tumors[0], rtol=1e-3)
    areas = [result.periods.reductions.area.drug for result in (double, single)]
    np.testing.assert_allclose(areas[1], areas[0], rtol=1e-4, atol=1e-6)
    grades = [result.periods.reductions.crossing.grade for result in (double, single)]
    np.testing.assert_array_equal(grades[1], grades[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"precision": "float16"},
            "method: precision must be one of float64, float32, but is 'float16'. Leave it out.",
        ),
        (
            {"precision": "float32"},
            "method: rtol must be at least 3e-05 in single precision, but is 1e-05. "
            "Write rtol = 1e-4, or leave precision out.",
        ),
    ],
)
def test_invalid_precision_is_refused(arguments, message):
    with pytest.raises(ConfigError) as error:
        Method(**arguments)
    assert str(error.value) == message
