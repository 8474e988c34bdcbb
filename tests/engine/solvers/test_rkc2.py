"""RKC2: order, stability interval, error estimate, dense output, derivatives; safe when too stiff.

The checks that do not depend on the method are functions of a solver; test_rock.py uses them too.
"""

import dataclasses
import functools

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.chebyshev import Chebyshev

from qsp.engine.method import Method
from qsp.engine.solvers.rkc2 import RKC2, coefficients
from qsp.errors import ConfigError
from tests.engine.toy import EVERY, amounts, run, sim

STAGES = (2, 4, 7)
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
    """Solution from 0 to 1 and steps, under control of the largest error; told of jumps."""
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
    """Solutions at 1, one lane a rate, by 1,000 equal steps: no step size that rounding moves."""

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
    """y' = -y + (t > 1/2), the controller told of the jump: accurate, in fewer trials."""
    field = lambda t, y, args: -y + jnp.where(t > 0.5, 1.0, 0.0)
    solve = lambda *jump: controlled(solver, None, 1e-8, field=field, y0=(1.0,), jump=jump)
    (told, stats), (_, blind) = solve(0.5), solve()
    assert float(told[-1, 0]) == pytest.approx(np.exp(-1) + 1 - np.exp(-0.5), abs=1e-6)
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
    """Lanes of very unlike cost side by side equal each lane alone."""
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
    """A method of the engine with a solver of one's own."""

    own: dfx.AbstractAdaptiveSolver | None = None

    def diffrax_solver(self):
        return self.own


def check_in_the_engine(solver):
    """Doses, saves and reductions of a lane of the toy, one kind of drug lost at 500/day."""
    given, k = ((0.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 2)), (500.0, 1.0, 2.0)
    result = run(sim(*given, k=k), method=With(rtol=1e-5, own=solver))
    assert not result.failed.any()
    expected = amounts(EVERY, *given, k=k)
    assert result.saved[0].amount[0] == pytest.approx(expected, rel=1e-4, abs=1e-4)


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
    check_stiff(RKC2(s), beta, pid, most)


@pytest.mark.parametrize(
    "check",
    [
        check_any_tree,
        pytest.param(check_derivatives, marks=pytest.mark.slow),  # test_rock.py has it of ROCK4
        check_ends,
        check_forward_under_control,
        check_in_the_engine,
        check_jump,
        check_jump_under_control,
        pytest.param(check_batch_axis, marks=pytest.mark.slow),
        check_reverse_under_control,
        check_stiff_nonlinear,
    ],
)
def test_as_every_solver(check):
    check(RKC2(4))


def test_one_stage_is_refused():
    with pytest.raises(ConfigError, match="RKC2: stages must be 2 or more, but is 1. The default"):
        RKC2(1)
