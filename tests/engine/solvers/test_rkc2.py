"""RKC2: order, stability interval, error estimate, dense output, derivatives; stiff systems."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.chebyshev import Chebyshev

from qsp.engine.solvers.rkc2 import RKC2, coefficients
from qsp.errors import ConfigError
from tests.engine.solvers import solver_checks as checks
from tests.engine.solvers.solver_checks import (
    PI,
    I,
    amplification,
    error_estimates,
    measured_order,
    one_step,
    slope,
)

STAGES = (2, 4, 7)


@pytest.mark.parametrize("s", STAGES)
def test_error_falls_with_the_square_of_the_step(s):
    end, dense = measured_order(RKC2(s), (20, 40, 80, 160))
    assert end == pytest.approx(2.0, abs=0.15)
    assert dense == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("s", STAGES)
def test_error_estimate_is_of_order_three_and_on_the_safe_side(s):
    steps = np.array([0.01, 0.005, 0.0025])
    estimate, made = (e.max(1) for e in error_estimates(RKC2(s), steps))
    assert (RKC2(s).order(None), RKC2(s).error_order(None)) == (2, 3)
    assert slope(steps, estimate) == pytest.approx(3.0, abs=0.15)
    assert slope(steps, made) == pytest.approx(3.0, abs=0.15)
    assert ((estimate > made) & (estimate < 2.0 * made)).all()


@pytest.mark.parametrize("s", [2, 3, 4, 5, 6, 12])
def test_stable_on_the_interval_of_the_paper_and_not_beyond(s):
    w0 = 1 + 2 / 13 / s**2
    T = Chebyshev.basis(s)
    beta = (w0 + 1) * T.deriv(2)(w0) / T.deriv()(w0)
    assert beta == pytest.approx(2 / 3 * (s**2 - 1) * (1 - 2 / 15 * 2 / 13), rel=0.01)

    at = np.linspace(0.0, 1.25, 5001) * beta
    P, _ = amplification(RKC2(s), -at)
    inside = P[at <= beta]
    assert np.abs(inside).max() <= 1.0 + 1e-12
    assert inside.min() > 0.25  # a mode that decays keeps its sign
    assert np.abs(P).max() > 1.0


@pytest.mark.parametrize("s", STAGES)
def test_stability_polynomial_is_the_shifted_chebyshev_polynomial(s):
    w0 = 1 + 2 / 13 / s**2
    sinh, cosh, root = *(f(s * np.arccosh(w0)) for f in (np.sinh, np.cosh)), np.sqrt(w0**2 - 1)
    w1 = sinh * root**2 / (cosh * s * root - w0 * sinh)
    T = Chebyshev.basis(s)
    b = T.deriv(2)(w0) / T.deriv()(w0) ** 2
    z = -np.linspace(0.0, 0.7 * s**2, 50)
    P, error = amplification(RKC2(s), z)
    assert pytest.approx(1 - b * T(w0) + b * T(w0 + w1 * z), rel=1e-11, abs=1e-11) == P
    assert error == pytest.approx(0.8 * (1 - P) + 0.4 * z * (1 + P), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("s", STAGES)
def test_stages_are_where_a_linear_function_of_time_puts_them(s):
    mu, nu, mu_tilde, gamma_tilde, c = coefficients(s).T
    padded = np.concatenate([[0.0, 0.0], c])
    assert pytest.approx(mu * padded[1:-1] + nu * padded[:-2] + mu_tilde + gamma_tilde) == c
    assert c[-1] == pytest.approx(1.0, abs=1e-14)
    assert (np.diff(c) > 0).all()


@pytest.mark.parametrize("s", STAGES)
def test_exact_where_the_derivative_is_linear_in_time(s):
    slopes, h, t0 = jnp.array([3.0, -0.5]), 0.7, 1.3
    field = lambda t, y, args: slopes * t - 1.0
    y1, error, _, _ = one_step(RKC2(s), field, jnp.array([2.0, 5.0]), h, t0=t0)
    expected = np.array([2.0, 5.0]) + np.asarray(slopes) * ((t0 + h) ** 2 - t0**2) / 2 - h
    assert np.asarray(y1) == pytest.approx(expected, rel=1e-14)
    assert np.asarray(error) == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize(
    ("s", "beta", "pid", "most"), [(2, 1.963, I, 2.0), (4, 9.804, I, 4.0), (4, 9.804, PI, 2.0)]
)
def test_too_stiff_is_a_matter_of_steps(s, beta, pid, most):
    checks.check_stiff(RKC2(s), beta, pid, most)


@pytest.mark.parametrize(
    "check",
    [
        checks.check_any_tree,
        pytest.param(
            checks.check_derivatives, marks=pytest.mark.slow
        ),  # test_rock.py has it of ROCK4
        checks.check_ends,
        checks.check_forward_under_control,
        checks.check_in_the_engine,
        checks.check_jump,
        checks.check_jump_under_control,
        pytest.param(checks.check_batch_axis, marks=pytest.mark.slow),
        checks.check_reverse_under_control,
        checks.check_stiff_nonlinear,
    ],
)
def test_as_every_solver(check):
    check(RKC2(4))


def test_one_stage_is_refused():
    with pytest.raises(ConfigError, match="RKC2: stages must be 2 or more, but is 1. The default"):
        RKC2(1)
