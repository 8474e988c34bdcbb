"""Batch axis last: the same values, derivatives and steps as one simulation at a time."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.engine.solvers.batched import BatchLast, batch_last
from qsp.engine.solvers.rkc2 import RKC2
from qsp.engine.solvers.rock import ROCK2, ROCK4


def decay(time, x, k):
    """Three compartments in series; broadcasts from the right, and reduces over the first axis."""
    flow = k * x
    return jnp.stack([-flow[0], flow[0] - flow[1], flow[1]]) + 0.0 * (time + x.sum(0))


@pytest.fixture(scope="module")
def sims(strict_types):
    rng = np.random.default_rng(3)
    return tuple(jnp.asarray(rng.uniform(0.5, 2.0, shape)) for shape in ((7,), (7, 3), (7, 3)))


def test_equations_see_the_batch_axis_last_and_results_have_it_first(sims):
    shapes = []

    def recorded(time, x, k):
        shapes.append((time.shape, x.shape, k.shape))
        return decay(time, x, k)

    got = jax.vmap(batch_last(recorded))(*sims)
    assert shapes[-1] == ((7,), (3, 7), (3, 7))
    np.testing.assert_array_equal(got, jax.vmap(decay)(*sims))


def test_shared_arguments_are_broadcast(sims):
    _, x, k = sims
    got = jax.vmap(batch_last(decay), in_axes=(None, 0, None))(jnp.asarray(1.0), x, k[0])
    np.testing.assert_array_equal(got, jax.vmap(lambda x: decay(1.0, x, k[0]))(x))


def test_without_vmap_the_function_is_unchanged(sims):
    one = [leaf[0] for leaf in sims]
    np.testing.assert_array_equal(batch_last(decay)(*one), decay(*one))


@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_derivatives_are_those_of_the_equations(mode, sims):
    got = jax.vmap(mode(batch_last(decay), argnums=2))(*sims)
    np.testing.assert_allclose(got, jax.vmap(mode(decay, argnums=2))(*sims), rtol=1e-15)


@pytest.mark.parametrize(
    "solver",
    [ROCK4(), *(pytest.param(other, marks=pytest.mark.slow) for other in (ROCK2(), RKC2()))],
)
def test_a_solver_takes_the_same_steps(solver, sims):
    _, x, k = sims

    def solved(solver, x, k):
        return dfx.diffeqsolve(
            dfx.ODETerm(decay),
            solver,
            t0=0.0,
            t1=3.0,
            dt0=0.01,
            y0=x,
            args=k,
            saveat=dfx.SaveAt(ts=jnp.linspace(0.0, 3.0, 4)),
            stepsize_controller=dfx.PIDController(rtol=1e-6, atol=1e-9),
            adjoint=dfx.ForwardMode(),
        )

    plain = jax.vmap(lambda x, k: solved(solver, x, k))(x, k)
    wrapped = jax.vmap(lambda x, k: solved(BatchLast(solver), x, k))(x, k)
    np.testing.assert_array_equal(wrapped.stats["num_steps"], plain.stats["num_steps"])
    np.testing.assert_allclose(wrapped.ys, plain.ys, rtol=1e-13)


def test_a_solver_renews_the_derivative_after_each_jump(sims):
    _, x, k = sims
    controller = dfx.ClipStepSizeController(
        dfx.PIDController(rtol=1e-6, atol=1e-9), jump_ts=jnp.asarray([1.0])
    )

    def jumping(time, x, k):
        return decay(time, x, k) + jnp.where(time > 1.0, 1.0, 0.0)

    def solved(solver, x, k):
        return dfx.diffeqsolve(
            dfx.ODETerm(jumping),
            solver,
            t0=0.0,
            t1=3.0,
            dt0=0.01,
            y0=x,
            args=k,
            stepsize_controller=controller,
            adjoint=dfx.ForwardMode(),
        ).ys

    plain = jax.vmap(lambda x, k: solved(ROCK4(), x, k))(x, k)
    np.testing.assert_allclose(
        jax.vmap(lambda x, k: solved(BatchLast(ROCK4()), x, k))(x, k), plain, rtol=1e-13
    )
