"""Step size control: one tolerance for each state, and rejection of steps that are not finite."""

import diffrax as dfx
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.engine.solvers.step_control import PerStateTolerance


def adapted(y1, error, atol=(1.0, 1.0), before=(1.0, 1.0, False)):
    """Whether a step from t = 0 to 1 is accepted, and the next step."""
    pid = dfx.PIDController(rtol=0.0, atol=1.0, pcoeff=0.4, icoeff=0.3, dtmin=1e-9, norm=jnp.abs)
    state = tuple(jnp.asarray(value) for value in before)
    keep, t0, t1, _, state, _ = PerStateTolerance(
        pid, 1e-3, jnp.asarray(atol), first_step=0.01
    ).adapt_step_size(
        jnp.asarray(0.0),
        jnp.asarray(1.0),
        jnp.zeros(2),
        jnp.asarray(y1),
        None,
        jnp.asarray(error),
        3.0,
        state,
    )
    return bool(keep), float(t0), float(t1), state


def test_the_worst_state_relative_to_its_tolerance_decides():
    assert adapted((0.0, 0.0), (0.5, 0.5))[0]
    assert not adapted((0.0, 0.0), (0.5, 0.5), atol=(1.0, 0.1))[0]
    assert adapted((0.0, 0.0), (0.5, 50.0), atol=(1.0, 100.0))[0]
    assert adapted((0.0, 0.0), (0.5, 50.0), atol=(1.0, np.inf))[0]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_step_that_is_not_finite_is_repeated_with_a_shorter_one(value):
    keep, t0, t1, state = adapted((value, 0.0), (np.inf, 0.0))  # the error of NaN is inf
    assert not keep
    assert t0 == 0.0
    assert 0.0 < t1 < 1.0
    assert np.isfinite([float(part) for part in state]).all()
