"""Segments of a simulation: where each one ends, their maximum number, and their integration.

A segment ends at each change of dosing, at each visit, at each time of a short grid of snapshots,
and where the window of a long grid is full. Within a segment the equations are smooth.
"""

import typing
from typing import Any, NamedTuple

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qsp.engine.interface import Leaf, PyTree
from qsp.engine.method import Method
from qsp.engine.observers import Context, ObservingSolver, Reductions
from qsp.engine.precision import same_time
from qsp.engine.snapshots import is_long, most_windows, pad_grid, window
from qsp.engine.solvers.batched import BatchLast
from qsp.engine.solvers.stabilized import AbstractStabilized
from qsp.engine.solvers.step_control import PerStateTolerance
from qsp.trial.schedule import AdaptivePlan, Events

REFERENCE_RTOL = 1e-5
"""Relative tolerance for which a system states its absolute tolerances; these scale with rtol."""

PROPORTIONAL, INTEGRAL = 0.4, 0.3
"""Coefficients of step size control. Where stability bounds the step, error control alone (0, 1)
rejects up to half of the steps."""


class Segment(NamedTuple):
    """Start and end of a segment, and the length of its first step [day]."""

    begin: Array
    end: Array
    first_step: Array


def next_stop(
    time: Array,
    tables: tuple[Events, ...],
    grids: tuple[Array, ...],
    end: Leaf,
    visits: tuple[Leaf, ...] = (),
) -> Array:
    """Return the end of the segment that starts at a time.

    Args:
        time: Current time [day].
        tables: Tables of events (event,).
        grids: Times of snapshots [day], one sorted array for each grid.
        end: End of the simulation [day].
        visits: Arrays of further times at which to stop [day].
    """
    ahead = [at for events in tables for at in (events.time, events.time + events.duration)]
    ahead += [grid for grid in grids if len(grid) and not is_long(grid)]
    times = jnp.concatenate([*ahead, *visits])
    stop = jnp.minimum(jnp.where(times > time + same_time(time), times, jnp.inf).min(), end)
    for grid in filter(is_long, grids):
        last = jnp.searchsorted(grid, time) + window(grid) - 1
        stop = jnp.minimum(stop, pad_grid(grid)[last])
    return jnp.maximum(stop, time)


def max_segments(
    events: Events,
    begin: Leaf,
    end: Leaf,
    grids: tuple[Leaf, ...],
    plan: AdaptivePlan | None = None,
) -> int:
    """Return an upper bound of the number of segments of any simulation.

    It includes a last segment of zero length, for a dose at the very end. Every
    simulation ends with such a segment, so its result does not depend on how many more segments
    others have.

    Args:
        events: Events, with or without a leading simulation axis.
        begin: Start of each simulation [day].
        end: End of each simulation [day].
        grids: Times of snapshots [day], one sorted array for each grid.
        plan: Plans of arms with rules, with a leading simulation axis. These simulations also stop
            at each visit, and at both ends of every administration that the plan has capacity for.
    """
    start, stop = (np.asarray(at, float)[..., None] for at in (begin, end))
    short = [np.asarray(grid, float) for grid in grids if not is_long(grid)]
    times = np.concatenate(
        [
            np.asarray(events.time),
            np.asarray(events.time) + np.asarray(events.duration),
            *(np.broadcast_to(grid, (*start.shape[:-1], len(grid))) for grid in short),
        ],
        axis=-1,
    )
    inside = np.sort(np.where((times > start) & (times < stop), times, np.inf), axis=-1)
    before = np.concatenate([start, inside[..., :-1]], axis=-1)
    is_distinct = np.isfinite(inside) & (inside > np.where(np.isfinite(before), before, 0.0))
    decided = 0 if plan is None else plan.decided.shape[-1] + 2 * plan.capacity.shape[-1]
    cuts = sum(map(most_windows, filter(is_long, grids)))
    return int(is_distinct.sum(-1).max()) + 2 + cuts + decided


def integrate(  # noqa: PLR0913
    state: PyTree,
    segment: Segment,
    context: Context,
    grids: tuple[Array, ...],
    system: Any,
    method: Method,
) -> tuple[PyTree, Array, Reductions, list[tuple[Array, PyTree]]]:
    """Integrate one segment between dosing events.

    Args:
        state: State at the start of the segment.
        segment: Time span and first step.
        context: Parameters, infusion rates and thresholds of the segment, and reductions so far.
        grids: Times of snapshots [day]; those of long grids are read from the dense output.
        system: System that is integrated, of type `qsp.engine.interface.AbstractSystem`.
        method: Numerical method.

    Returns:
        State at the end, time reached, reductions, and for each long grid the index of the first
        time within the segment with the snapshots from that index on.
    """
    parameters, t0, t1 = context.parameters, segment.begin, segment.end
    windows, first_indices = [], []
    for number, grid in enumerate(grids):
        if not is_long(grid):
            continue
        saved = system.course if number else system.snapshot
        first = jnp.searchsorted(grid, t0)
        times = jax.lax.dynamic_slice_in_dim(pad_grid(grid), first, window(grid))
        first_indices.append(first)
        windows.append(
            dfx.SubSaveAt(
                ts=jnp.clip(times, t0, t1),
                fn=lambda t, y, args, saved=saved: saved(y, args.parameters),
            )
        )
    # A step must change the time, so it is at least a tenth of the time resolution.
    smallest = max(method.smallest_step, 0.1 * same_time(t0))
    atol = (method.rtol / REFERENCE_RTOL) * system.negligible(state, parameters)
    solution = dfx.diffeqsolve(
        dfx.ODETerm(
            lambda t, y, args: system.rates(jnp.asarray(t), y, args.parameters, args.infusion)
        ),
        ObservingSolver(_solver(method), system),
        t0=t0,
        t1=t1,
        dt0=None,  # chosen by the controller
        y0=state,
        args=context,
        saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(t1=True), *windows], solver_state=True),
        stepsize_controller=_controller(segment, method.rtol, atol, smallest),
        max_steps=method.max_steps,
        adjoint=dfx.ForwardMode(),
        throw=False,
    )
    ts, ys, solver_state = typing.cast(Any, (solution.ts, solution.ys, solution.solver_state))
    last = jax.tree.map(lambda leaf: leaf[-1], ys[0])
    return last, ts[0][-1], solver_state[1], list(zip(first_indices, ys[1:], strict=True))


def _solver(method: Method) -> dfx.AbstractAdaptiveSolver:
    solver = method.diffrax_solver()
    return BatchLast(solver) if isinstance(solver, AbstractStabilized) else solver


def _controller(
    segment: Segment, rtol: float, atol: PyTree, smallest: float
) -> dfx.AbstractStepSizeController:
    """PID controller in which each state has an absolute tolerance."""
    controller = dfx.PIDController(
        rtol=0.0,
        atol=1.0,
        norm=jnp.abs,
        pcoeff=PROPORTIONAL,
        icoeff=INTEGRAL,
        dtmin=smallest,
        force_dtmin=False,
    )
    length = segment.end - segment.begin
    first_step = jnp.minimum(segment.first_step, jnp.maximum(length, smallest))
    return PerStateTolerance(controller, rtol, atol, first_step=first_step)
