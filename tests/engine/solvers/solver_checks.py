"""Checks of a solver that do not depend on the method; test_rkc2.py and test_rock.py use them."""

import dataclasses
import functools

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.engine.method import Method
from tests.engine.toy import EVERY, amounts, run, sim

I = {"pcoeff": 0.0, "icoeff": 1.0}
PI = {"pcoeff": 0.4, "icoeff": 0.3}


def kaps(t, y, k):
    """Nonlinear, coupled, with time in it and a fast mode -(k + 2)*(1 + t); see `kaps_exact`."""
    return (1 + t) * jnp.stack([-(k + 2) * y[0] + k * y[1] ** 2, y[0] - y[1] * (1 + y[1])])


def kaps_exact(t):
    """Solution of `kaps` from (1, 1), whatever k."""
    tau = t + t**2 / 2
    return np.stack([np.exp(-2 * tau), np.exp(-tau)])


def one_step(solver, field, y0, h, args=None, t0=0.0):
    """y1, error, dense information and state after one step."""
    term, t0, y0 = dfx.ODETerm(field), jnp.asarray(t0), jax.tree.map(jnp.asarray, y0)
    f0 = solver.init(term, t0, t0 + h, y0, args)
    return solver.step(term, t0, t0 + h, y0, args, f0, False)[:4]


def fixed_steps(solver, count, k, y0=(1.0, 1.0), saves=2, adjoint=None):
    """`kaps` from 0 to 1 in equal steps; `count` may be traced."""
    return dfx.diffeqsolve(
        dfx.ODETerm(kaps),
        solver,
        t0=0.0,
        t1=1.0,
        dt0=1.0 / count,
        y0=jnp.asarray(y0),
        args=k,
        saveat=dfx.SaveAt(ts=jnp.linspace(0.0, 1.0, saves)),
        max_steps=256,
        adjoint=adjoint or dfx.ForwardMode(),
    ).ys


def controlled(solver, k, rtol, *, field=kaps, y0=(1, 1), saves=2, adjoint=None, pid=I, jump=()):
    """Solution from 0 to 1 and steps, controlled by the largest error; `jump` lists times."""
    controller = dfx.PIDController(
        rtol=rtol, atol=rtol, norm=lambda error: jnp.abs(error).max(), **pid
    )
    if jump:
        controller = dfx.ClipStepSizeController(controller, jump_ts=jnp.asarray(jump))
    solution = dfx.diffeqsolve(
        dfx.ODETerm(field),
        solver,
        t0=0.0,
        t1=1.0,
        dt0=0.01,
        y0=jnp.asarray(y0, float),
        args=k,
        saveat=dfx.SaveAt(ts=jnp.linspace(0.0, 1.0, saves)),
        stepsize_controller=controller,
        max_steps=30_000,
        adjoint=adjoint or dfx.ForwardMode(),
    )
    return solution.ys, solution.stats


def evenly(solver):
    """Solutions at 1, one for each rate, by 1,000 equal steps, which do not depend on rounding."""

    def solve(k):
        term, start = dfx.ODETerm(kaps), jnp.ones(2)
        return dfx.diffeqsolve(term, solver, 0.0, 1.0, 1e-3, start, k, max_steps=1001).ys[-1]

    return jax.jit(jax.vmap(solve))


def slope(step, error):
    """Slope of log(error) against log(step), by least squares."""
    return np.polyfit(np.log(step), np.log(error), 1)[0]


def measured_order(solver, counts):
    """Slope of the error at the end, and of the worst error of dense output."""
    solve = jax.jit(lambda count: fixed_steps(solver, count, 1.0, saves=38))
    exact = kaps_exact(np.linspace(0.0, 1.0, 38))
    off = [np.abs(np.asarray(solve(float(n))).T - exact) for n in counts]
    steps = 1.0 / np.asarray(counts)
    return slope(steps, [e[:, -1].max() for e in off]), slope(steps, [e.max() for e in off])


def error_estimates(solver, steps):
    """Estimates of one step of `kaps` by step, and the errors made: (step, component) each."""
    step = jax.jit(lambda h: one_step(solver, kaps, jnp.ones(2), h, 1.0)[:2])
    y1, error = map(np.asarray, zip(*(step(h) for h in steps), strict=True))
    return np.abs(error), np.abs(y1 - np.stack([kaps_exact(h) for h in steps]))


def amplification(solver, z):
    """Stability polynomial at z, by one step of y' = z*y, and the error estimate."""
    z = jnp.asarray(z)
    step = jax.jit(lambda: one_step(solver, lambda t, y, args: z * y, jnp.ones_like(z), 1.0)[:2])
    return map(np.asarray, step())


def check_jump(solver):
    """A stale derivative is used unless a jump was made, and is renewed after one."""
    term, y0, t0, h = dfx.ODETerm(kaps), jnp.array([1.0, 0.7]), jnp.asarray(0.2), 0.1

    @jax.jit
    def step(f0, made_jump):
        return solver.step(term, t0, t0 + h, y0, 1.0, f0, made_jump)[0]

    fresh, stale = kaps(t0, y0, 1.0), jnp.array([5.0, -5.0])
    expected = np.asarray(step(fresh, False))
    assert np.array_equal(step(stale, True), expected)
    assert np.abs(step(stale, False) - expected).max() > 0.01


def check_jump_under_control(solver):
    """y' = -y + (t > 1/2), with a controller that knows the jump: fewer rejections."""
    field = lambda t, y, args: -y + jnp.where(t > 0.5, 1.0, 0.0)
    solve = lambda *jump: controlled(solver, None, 1e-8, field=field, y0=(1.0,), jump=jump)
    (informed, stats), (_, blind) = solve(0.5), solve()
    assert float(informed[-1, 0]) == pytest.approx(np.exp(-1) + 1 - np.exp(-0.5), abs=1e-6)
    assert stats["num_rejected_steps"] < blind["num_rejected_steps"]


def check_stiff(solver, beta, pid, most):
    """Rates from gentle to 2e4: bounded and accurate, at `most` times the steps of stability.

    y' = -k*(y - cos t) - sin t, whose solution from 1 is cos t, from 2 nearly so.
    """
    rates = jnp.array([1.0, 1e2, 1e3, 2e4])
    field = lambda t, y, k: -k * (y - jnp.cos(t)) - jnp.sin(t)
    solve = jax.jit(
        jax.vmap(lambda k: controlled(solver, k, 1e-4, y0=(2.0,), saves=41, field=field, pid=pid))
    )
    y, stats = solve(rates)
    times = np.linspace(0.0, 1.0, 41)
    exact = np.cos(times) + np.exp(-np.outer(rates, times))
    assert np.abs(np.asarray(y)[..., 0] - exact).max() < 2e-3
    assert 0.7 < stats["num_steps"][-1] * beta / rates[-1] < most


def check_stiff_nonlinear(solver):
    """`kaps` with a fast mode a thousand times beyond the slow one."""
    y, _ = jax.jit(lambda k: controlled(solver, k, 1e-5, saves=21))(5e3)
    assert np.abs(np.asarray(y).T - kaps_exact(np.linspace(0.0, 1.0, 21))).max() < 1e-4


def check_derivatives(solver):
    """Forward and reverse mode against central differences of the same equal steps, to 1e-6."""
    inputs = jnp.array([2.0, 1.0, 0.6])  # k and the initial values, off the known solution

    def end(inputs, adjoint):
        return fixed_steps(solver, 20, inputs[0], inputs[1:], adjoint=adjoint)[-1]

    f = functools.partial(end, adjoint=dfx.ForwardMode())
    both = jax.jit(jax.vmap(lambda at, along: jax.jvp(f, (at,), (along,))))
    units, d = jnp.eye(3), 1e-5
    around = jnp.concatenate([inputs + 0 * units, inputs + d * units, inputs - d * units])
    value, forward = map(np.asarray, both(around, jnp.tile(units, (3, 1))))
    central = (value[3:6] - value[6:]) / (2 * d)
    reverse = jax.jit(jax.jacrev(functools.partial(end, adjoint=dfx.RecursiveCheckpointAdjoint())))
    assert np.abs(central).min() > 1e-3
    assert forward[:3] == pytest.approx(central, rel=1e-6)
    assert pytest.approx(central, rel=1e-6) == np.asarray(reverse(inputs)).T


def logistic_end(solver, adjoint):
    """Function of a rate: logistic curve from 0.1, at 1, under tight control."""
    grow = lambda t, y, k: k * y * (1 - y)
    return lambda k: controlled(solver, k, 3e-10, y0=(0.1,), adjoint=adjoint, field=grow)[0][-1, 0]


LOGISTIC_SLOPE = 9 * np.exp(-1.5) / (1 + 9 * np.exp(-1.5)) ** 2  # its derivative at rate 1.5


def check_forward_under_control(solver):
    slope = jax.jit(lambda k: jax.jvp(logistic_end(solver, dfx.ForwardMode()), (k,), (1.0,))[1])
    assert float(slope(1.5)) == pytest.approx(LOGISTIC_SLOPE, rel=1e-6)


def check_reverse_under_control(solver):
    slope = jax.jit(jax.grad(logistic_end(solver, dfx.RecursiveCheckpointAdjoint())))
    assert float(slope(1.5)) == pytest.approx(LOGISTIC_SLOPE, rel=1e-6)


def check_batch_axis(solver):
    """Simulations of very different cost in one batch equal each of them alone."""
    rates = jnp.array([1.0, 30.0, 300.0])
    solve = lambda k: controlled(solver, k, 1e-5, saves=7)
    together, stats = jax.jit(jax.vmap(solve))(rates)
    alone, even = jax.jit(solve), evenly(solver)
    evenly_together = np.asarray(even(rates))
    for n, k in enumerate(rates):
        y, own = alone(k)
        assert int(stats["num_steps"][n]) == int(own["num_steps"])
        # Another width is another program: step sizes, and with them results, round otherwise.
        assert np.asarray(together[n]) == pytest.approx(np.asarray(y), rel=1e-10)
        evenly_alone = np.asarray(even(rates[n : n + 1]))[0]
        assert evenly_together[n] == pytest.approx(evenly_alone, rel=1e-12)
    assert stats["num_steps"][2] > 1.2 * stats["num_steps"][0]


def check_any_tree(solver):
    """A tree of leaves of any shape steps like the flat vector, and keeps its precision."""
    flat = jnp.array([1.0, 0.5, 0.3])
    field = lambda t, y, args: jnp.stack([-y[0] * y[1], y[0] - y[2] ** 2, y[1]]) + t.astype(y.dtype)
    split = lambda y: {"a": y[0], "b": (y[1:].reshape(2, 1), jnp.zeros((0,), y.dtype))}
    join = lambda tree: jnp.concatenate([tree["a"][None], tree["b"][0].ravel()])
    of_tree = lambda t, tree, args: split(field(t, join(tree), args))

    wanted = jax.jit(lambda y, t0: one_step(solver, field, y, 0.1, t0=t0)[:2])
    of_any = jax.jit(lambda y, t0, h: one_step(solver, of_tree, y, h, t0=t0)[:2])
    double, single = jnp.float64, jnp.float32
    cases = (double, double, 1e-14), (double, single, 1e-6), (single, single, 1e-6)
    for dtype, of_time, within in cases:
        t0, h = jnp.asarray(0.3, of_time), jnp.asarray(0.1, of_time)
        got = of_any(split(flat.astype(dtype)), t0, h)
        for tree, vector in zip(got, wanted(flat, 0.3), strict=True):
            assert join(tree).dtype == dtype
            assert np.asarray(join(tree)) == pytest.approx(np.asarray(vector), abs=within)


def check_ends(solver):
    """Dense output passes through both ends with their slopes; the next slope is kept."""
    y0, h = jnp.array([1.0, 0.4]), 0.2
    y1, _, dense, f1 = one_step(solver, kaps, y0, h, 1.0)
    path = solver.interpolation_cls(t0=jnp.zeros(()), t1=jnp.asarray(h), **dense)
    assert np.asarray(f1) == pytest.approx(np.asarray(kaps(h, y1, 1.0)), rel=1e-14)
    for t, y in ((0.0, y0), (h, y1)):
        value, derivative = jax.jvp(path.evaluate, (jnp.asarray(t),), (jnp.ones(()),))
        assert np.asarray(value) == pytest.approx(np.asarray(y), rel=1e-13)
        assert np.asarray(derivative) == pytest.approx(np.asarray(kaps(t, y, 1.0)), rel=1e-12)


@dataclasses.dataclass(frozen=True)
class With(Method):
    """A method of the engine with a given solver."""

    own: dfx.AbstractAdaptiveSolver | None = None

    def diffrax_solver(self):
        return self.own


def check_in_the_engine(solver):
    """Doses and snapshots of the toy system; one kind of drug is lost at 500/day."""
    given, k = ((0.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 2)), (500.0, 1.0, 2.0)
    result = run(sim(*given, k=k), method=With(rtol=1e-5, own=solver))
    assert not result.failed.any()
    expected = amounts(EVERY, *given, k=k)
    assert result.saved[0].amount[0] == pytest.approx(expected, rel=1e-4, abs=1e-4)
