"""ROCK2 and ROCK4: order conditions of the tables, stability interval, error estimates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.engine.solvers.rock import ROCK2, ROCK2_TABLES, ROCK4, ROCK4_TABLES
from qsp.errors import ConfigError
from tests.engine.solvers import solver_checks as checks
from tests.engine.solvers.solver_checks import PI, I, amplification, measured_order, one_step, slope

# Ends of the intervals in the docstrings, rounded down.
BETA2 = {3: 6.1, 4: 11.8, 5: 19.0, 6: 27.9}
BETA4 = {5: 6.0, 6: 9.8, 7: 14.4, 8: 19.7}
EVERY = [ROCK2(s) for s in BETA2] + [ROCK4(s) for s in BETA4]
SOME = [ROCK2(3), ROCK2(6), ROCK4(5), ROCK4(8)]


def name(solver):
    return f"{type(solver).__name__}-{solver.stages}" if hasattr(solver, "stages") else None


def butcher(recurrence, finish=None):
    """Matrix A (s+1, s+1), whose last row holds the weights of the method, and embedded weights."""
    m = len(recurrence.mu)
    size = m + (5 if finish else 1)
    A = np.zeros((size, size))
    for j, (mu, kappa) in enumerate(zip(recurrence.mu, recurrence.kappa, strict=True), start=1):
        A[j] = (1 + kappa) * A[j - 1] - kappa * A[max(j - 2, 0)]
        A[j, j - 1] += mu
    if finish is None:
        return A, None
    for i, row in enumerate((finish.a2, finish.a3, finish.a4, finish.b, finish.b_hat), start=1):
        weights = A[m].copy()
        weights[m : m + len(row)] += row
        if i < 5:
            A[m + i] = weights
    weights[-1] += finish.b_hat_5
    return A, weights


def order_conditions(A, b, order):
    """Left minus right of the conditions of Butcher for every tree with up to `order` nodes."""
    c = A.sum(1)
    trees = {
        1: [b.sum() - 1],
        2: [b @ c - 1 / 2],
        3: [b @ c**2 - 1 / 3, b @ A @ c - 1 / 6],
        4: [
            b @ c**3 - 1 / 4,
            b @ (c * (A @ c)) - 1 / 8,
            b @ A @ c**2 - 1 / 12,
            b @ A @ A @ c - 1 / 24,
        ],
    }
    return np.array([term for n in range(1, order + 1) for term in trees[n]])


@pytest.mark.parametrize("s", BETA4)
def test_rock4_meets_the_conditions_of_order_4_and_its_embedded_method_those_of_3(s):
    A, embedded = butcher(*ROCK4_TABLES[s])
    assert A.shape == (s + 1, s + 1)
    assert np.abs(order_conditions(A, A[-1], 4)).max() < 1e-13
    assert np.abs(order_conditions(A, embedded, 3)).max() < 1e-13
    assert np.abs(order_conditions(A, embedded, 4)).max() > 1e-3


@pytest.mark.parametrize("s", BETA2)
def test_rock2_meets_the_conditions_of_order_2(s):
    A, _ = butcher(ROCK2_TABLES[s])
    assert A.shape == (s + 1, s + 1)
    assert np.abs(order_conditions(A, A[-1], 2)).max() < 1e-14
    assert np.abs(order_conditions(A, A[-1], 3)).max() > 1e-2


@pytest.mark.parametrize("solver", SOME, ids=name)
def test_error_falls_with_the_order(solver):
    end, dense = measured_order(solver, (20, 40, 80, 160))
    order = solver.order(None)
    assert order == (2 if isinstance(solver, ROCK2) else 4)
    assert end == pytest.approx(order, abs=0.15)
    assert dense == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("solver", SOME, ids=name)
def test_error_estimate_is_of_its_order_and_not_too_small(solver):
    steps = np.array([0.02, 0.01, 0.005])
    estimate, made = (e.max(1) for e in checks.error_estimates(solver, steps))
    assert slope(steps, estimate) == pytest.approx(solver.error_order(None), abs=0.15)
    assert slope(steps, made) == pytest.approx(solver.order(None) + 1, abs=0.15)
    assert (estimate > (0.5 if isinstance(solver, ROCK2) else 1.0) * made).all()


@pytest.mark.parametrize("solver", EVERY, ids=name)
def test_stable_on_the_interval_and_not_beyond(solver):
    beta = (BETA2 if isinstance(solver, ROCK2) else BETA4)[solver.stages]
    at = np.linspace(0.0, 1.02, 5001) * beta
    P = np.abs(next(amplification(solver, -at)))
    assert P[at <= beta].max() <= 1.0 + 1e-12
    assert P[(at >= 1.0) & (at <= 0.95 * beta)].max() < 0.951  # damped
    assert P.max() > 1.0


@pytest.mark.parametrize("solver", EVERY, ids=name)
def test_polynomials_in_time_are_exact_up_to_the_order(solver):
    t0, h, degree = 0.4, 0.8, np.arange(6)
    field = lambda t, y, args: t ** jnp.asarray(degree, float)
    y1, error = jax.jit(lambda: one_step(solver, field, jnp.full(6, 2.0), h, t0=t0)[:2])()
    off = np.abs(y1 - 2.0 - ((t0 + h) ** (degree + 1) - t0 ** (degree + 1)) / (degree + 1))
    # The error of ROCK4 is estimated by a method of order 3, that of ROCK2 as if y1 were exact.
    order, estimate_order = (2, 2) if isinstance(solver, ROCK2) else (4, 3)
    assert ((off < 1e-13) == (degree < order)).all()
    assert ((np.abs(error) < 1e-13) == (degree < estimate_order)).all()


@pytest.mark.parametrize(
    ("solver", "pid", "most"),
    [(ROCK2(4), PI, 2.5), (ROCK4(6), I, 4.0), (ROCK4(6), PI, 2.5)],
    ids=name,
)
def test_too_stiff_is_a_matter_of_steps(solver, pid, most):
    beta = (BETA2 if isinstance(solver, ROCK2) else BETA4)[solver.stages]
    checks.check_stiff(solver, beta, pid, most)


@pytest.mark.parametrize(
    "check",
    [
        checks.check_any_tree,
        checks.check_derivatives,
        checks.check_ends,
        checks.check_forward_under_control,
        checks.check_jump,
        checks.check_batch_axis,
        checks.check_stiff_nonlinear,
    ],
)
def test_rock4_as_every_solver(check):
    check(ROCK4(6))


@pytest.mark.parametrize("check", [checks.check_any_tree, checks.check_ends, checks.check_jump])
def test_rock2_as_every_solver(check):
    check(ROCK2(4))


def test_stages_without_a_table_are_refused():
    with pytest.raises(ConfigError, match="ROCK2: stages must be from 3 to 6, but is 2. There is"):
        ROCK2(2)
    with pytest.raises(ConfigError, match="ROCK4: stages must be from 5 to 8, but is 9. There is"):
        ROCK4(9)
