"""One stretch of a lane: a solve without a change of dosing inside."""

import typing
from typing import Any, NamedTuple

import diffrax as dfx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.method import Method
from qsp.engine.observers import Context, ObservingSolver, Reductions
from qsp.engine.precision import same_time
from qsp.engine.segments import is_long, padded, window
from qsp.engine.solvers.batched import BatchLast
from qsp.engine.solvers.stabilized import AbstractStabilized
from qsp.engine.solvers.step_control import PerStateTolerance

REFERENCE_RTOL = 1e-5
"""Relative tolerance for which a system states what is negligible.

Absolute tolerances scale with it.
"""


PROPORTIONAL, INTEGRAL = 0.4, 0.3
"""Step size control. Where stability bounds the step, an error test alone (0, 1) rejects up to half
of the steps.
"""


class Segment(NamedTuple):
    """Begin and end of a stretch, and the length of its first step [day]."""

    begin: Array
    end: Array
    first_step: Array


def _solver(method: Method) -> dfx.AbstractAdaptiveSolver:
    solver = method.diffrax_solver()
    return BatchLast(solver) if isinstance(solver, AbstractStabilized) else solver


def integrate(  # noqa: PLR0913
    state: Any,
    span: Segment,
    context: Context,
    grids: tuple[Array, ...],
    system: Any,
    method: Method,
) -> tuple[Any, Array, Reductions, list[tuple[Array, Any]]]:
    """Integrate over one stretch.

    Args:
        state: At its start.
        span: Of time.
        context: What is constant in it.
        grids: Times of snapshots; the long ones are read off the dense output.
        system: What is integrated.
        method: How.

    Returns:
        State, time reached, reductions, and for each grid the first index and snapshots from it.
    """
    parameters, t0, t1 = context.parameters, span.begin, span.end
    wanted, at = [], []
    for grid in filter(is_long, grids):
        first = jnp.searchsorted(grid, t0)
        times = jax.lax.dynamic_slice_in_dim(padded(grid), first, window(grid))
        at.append(first)
        wanted.append(
            dfx.SubSaveAt(
                ts=jnp.clip(times, t0, t1),
                fn=lambda t, y, args: system.snapshot(y, args.parameters),
            )
        )
    # A step must move the time; a tenth of what counts as one time does.
    smallest = max(method.smallest_step, 0.1 * same_time(t0))
    tighter = method.rtol / REFERENCE_RTOL
    atol = tighter * system.negligible(state, parameters)
    controller = PerStateTolerance(
        dfx.PIDController(
            rtol=0.0,
            atol=1.0,
            norm=jnp.abs,
            pcoeff=PROPORTIONAL,
            icoeff=INTEGRAL,
            dtmin=smallest,
            force_dtmin=False,
        ),
        method.rtol,
        atol,
        first_step=jnp.minimum(span.first_step, jnp.maximum(t1 - t0, smallest)),
    )
    solution = dfx.diffeqsolve(
        dfx.ODETerm(
            lambda t, y, args: system.rates(jnp.asarray(t), y, args.parameters, args.infusion)
        ),
        ObservingSolver(_solver(method), system),
        t0=t0,
        t1=t1,
        dt0=None,  # the controller knows
        y0=state,
        args=context,
        saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(t1=True), *wanted], solver_state=True),
        stepsize_controller=controller,
        max_steps=method.max_steps,
        adjoint=dfx.ForwardMode(),
        throw=False,
    )
    ts, ys, solver_state = typing.cast(Any, (solution.ts, solution.ys, solution.solver_state))
    last = jax.tree.map(lambda leaf: leaf[-1], ys[0])
    return last, ts[0][-1], solver_state[1], list(zip(at, ys[1:], strict=True))
