"""Double precision is a scope of a run, not a setting of the process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.engine.toy import EVERY, amounts

ROOT = Path(__file__).parents[2]
GIVEN = (0.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 2)
SCRIPT = f"""
import jax, jax.numpy as jnp
import numpy as np
from tests.engine.toy import lane, run
assert jnp.asarray(1.0).dtype == np.float32
result = run(lane(*{GIVEN!r}))
assert result.final.amount.dtype == np.float64
print(jnp.asarray(1.0).dtype, jax.config.jax_enable_x64, repr(result.saved[0].amount[0].tolist()))
"""


def test_a_run_leaves_the_precision_of_the_process_alone():
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
