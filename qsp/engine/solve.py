"""One lane: one patient in one arm, from the first event to the end of the trial.

The lane walks from one change of dosing to the next. What is infused during a stretch follows from
the event table and the time alone (nothing has to be switched off), boluses are counted off with a
pointer, and a solver never steps over a change. The carry holds the state, the pointer, the
reductions and a memory for rules to come.
"""

import typing
from typing import Any, Protocol

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.control import PerStateTolerance
from qsp.engine.events import Events, Leaf
from qsp.engine.lanewise import Lanewise
from qsp.engine.method import Method
from qsp.engine.precision import same_time
from qsp.engine.raveled import Raveled
from qsp.engine.stabilized import AbstractStabilized
from qsp.engine.stretches import is_long, next_stop, padded, window
from qsp.engine.tracking import Context, Observed, Pace, Reductions, Tracking, continued, start

NEVER = 1e12
"""A threshold no signal reaches; its square is finite in single precision too, so that the
arithmetic of crossings stays so."""

REFERENCE_RTOL = 1e-5
"""Relative tolerance for which a system states what is negligible.

Absolute tolerances scale with it.
"""


AFTER_CHANGE = 0.1
"""First step after a change of dosing, in steps before it; steps grow tenfold at once if too small.
"""

PROPORTIONAL, INTEGRAL = 0.4, 0.3
"""Step size control. Where stability bounds the step, an error test alone (0, 1) rejects up to half
of the steps.
"""


class AbstractSystem(Observed, Protocol):
    """What is integrated; `qsp.system.System` is one."""

    def initial(self, p: Any) -> Any: ...
    def negligible(self, x: Any, p: Any) -> Any: ...
    def rates(self, time: Array, x: Any, p: Any, infusion: Array) -> Any: ...
    def bolus(self, x: Any, p: Any, amount: Array) -> Any: ...
    def snapshot(self, x: Any, p: Any) -> Any: ...


class Lane(eqx.Module):
    """One patient in one arm."""

    parameters: Any
    events: Events
    thresholds: Leaf  # (dose_period, grade)
    begin: Leaf
    end: Leaf


class PeriodResult(eqx.Module):
    """Reductions of one dose period, and the state of things at its end."""

    reductions: Reductions
    last: Any
    earlier_owner: Array  # period of the event that was running when this one began, 0 if none


class LaneResult(eqx.Module):
    """What a lane leaves behind; row 0 of the periods is the time before the first dose."""

    periods: PeriodResult
    saved: tuple[Any, ...]
    final: Any  # state
    end: Any  # its snapshot
    failed: Array
    steps: Array


class _Carry(eqx.Module):
    time: Array
    state: Any
    next_event: Array
    period: Array
    owner: Array
    reductions: Reductions
    table: PeriodResult
    saved: tuple[Any, ...]
    failed: Array
    memory: Any


def solve_lane(
    lane: Lane,
    grids: tuple[Array, ...],
    stretches: Array | int,
    *,
    system: AbstractSystem,
    method: Method,
    kinds: int,
) -> LaneResult:
    """Integrate one lane.

    Args:
        lane: Parameters, events and thresholds.
        grids: Sorted times at which snapshots are kept.
        stretches: At least as many as the lane has, from `most_stretches`; a lane that is not done
            after them has failed.
        system: What is integrated.
        method: How.
        kinds: Number of kinds of dose.

    Returns:
        Reductions per dose period, snapshots per grid, and whether the solver failed.
    """
    p = lane.parameters
    system = Raveled.of(system, p)
    x, begin = system.initial(p), jnp.asarray(lane.begin)
    reductions = start(system, begin, x, p, jnp.full_like(lane.thresholds[0], NEVER))
    shot = system.snapshot(x, p)
    rows = lane.thresholds.shape[0] + 1
    zero = jnp.zeros((), jnp.int32)
    empty = PeriodResult(reductions, shot, zero)
    carry = _Carry(
        time=begin,
        state=x,
        next_event=zero,
        period=zero,
        owner=zero,
        reductions=reductions,
        table=jax.tree.map(
            lambda leaf: jnp.zeros((rows, *leaf.shape), leaf.dtype).at[0].set(leaf), empty
        ),
        saved=tuple(_room(shot, len(grid) + is_long(grid) * window(grid)) for grid in grids),
        failed=jnp.asarray(False),
        memory=(),
    )

    def stretch(_: int, carry: _Carry) -> _Carry:
        carry = _dose(carry, lane, system, kinds)
        return _integrate(carry, lane, grids, system, method, kinds)

    carry = jax.lax.fori_loop(0, stretches, stretch, carry)
    saved = tuple(
        _first_rows(rows, len(grid)) for grid, rows in zip(grids, carry.saved, strict=True)
    )
    unfinished = carry.time < lane.end
    return LaneResult(
        periods=carry.table,
        saved=saved,
        final=system.unravel(carry.state),
        end=system.snapshot(carry.state, p),
        failed=carry.failed | unfinished,
        steps=carry.reductions.steps,
    )


def _first_rows(tree: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[:count], tree)


def _room(shot: Any, length: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.full((length, *leaf.shape), jnp.nan), shot)


def _dose(carry: _Carry, lane: Lane, system: AbstractSystem, kinds: int) -> _Carry:
    """Give what is due now; a dose of a new period starts its reductions afresh."""
    events, index = lane.events, jnp.arange(lane.events.time.shape[0], dtype=jnp.int32)
    due = (index >= carry.next_event) & (events.time <= carry.time + same_time(carry.time))
    amount = _by_kind(jnp.where(due & (events.duration == 0.0), events.amount, 0.0), events, kinds)
    given = system.bolus(carry.state, lane.parameters, amount)
    state = jnp.where((amount != 0.0).any(), given, carry.state)  # no bolus, no rounding
    period = jnp.maximum(carry.period, jnp.where(due, events.period, 0).max())

    fresh = start(system, carry.time, state, lane.parameters, _levels(lane, period))
    new, before = period > carry.period, carry.reductions.crossing
    crossing = continued(
        fresh.crossing, before, _levels(lane, carry.period)[0], owned=carry.owner > 0
    )
    goes_on = (crossing, carry.reductions.steps, carry.reductions.pace)
    fresh = eqx.tree_at(lambda r: (r.crossing, r.steps, r.pace), fresh, goes_on)
    # Within a period a bolus is seen at its first moment, which is the end of no step.
    highest = jax.tree.map(jnp.maximum, fresh.extreme, carry.reductions.extreme)
    same = eqx.tree_at(lambda r: (r.extreme, r.flow), carry.reductions, (highest, fresh.flow))
    still = jnp.where(before.floor > 0.0, carry.owner, 0)
    owner = jnp.where(before.on, carry.period, still)
    return eqx.tree_at(
        lambda c: (c.state, c.next_event, c.period, c.owner, c.reductions),
        carry,
        (
            state,
            carry.next_event + due.sum(dtype=jnp.int32),
            period,
            jnp.where(new, owner, carry.owner),
            jax.tree.map(lambda a, b: jnp.where(new, a, b), fresh, same),
        ),
    )


def _levels(lane: Lane, period: Array) -> Array:
    """Thresholds of a period; none can be reached before the first."""
    levels = jnp.take(jnp.asarray(lane.thresholds), period - 1, axis=0, mode="clip")
    return jnp.where(period > 0, levels, NEVER)


def _by_kind(value: Array, events: Events, kinds: int) -> Array:
    """Sum over events of each kind."""
    of_kind = events.kind == jnp.arange(kinds, dtype=jnp.int32)[:, None]
    return jnp.where(of_kind, value, 0.0).sum(1)


def _integrate(  # noqa: PLR0913
    carry: _Carry,
    lane: Lane,
    grids: tuple[Array, ...],
    system: AbstractSystem,
    method: Method,
    kinds: int,
) -> _Carry:
    """Integrate to the next change of dosing, or not at all after a failure."""
    events, t0 = lane.events, carry.time
    stops = events.time + events.duration
    soon = t0 + same_time(t0)
    running = (events.time <= soon) & (soon < stops)
    infusion = _by_kind(jnp.where(running, events.rate, 0.0), events, kinds)
    t1 = jnp.where(carry.failed, t0, next_stop(t0, events, grids, lane.end))

    context = Context(lane.parameters, infusion, _levels(lane, carry.period), carry.reductions)
    first_step = _first_step(t0, events, carry.reductions.pace, method)
    state, reached, reductions, shots = _diffeqsolve(
        carry, t0, t1, first_step, context, grids, system, method
    )
    # A last step cut short by the end may fall below the smallest step: what counts is whether the
    # end was reached.
    failed = carry.failed | (reached < t1 - same_time(t1)) | jnp.isnan(reached)

    taken, last = iter(shots), system.snapshot(state, lane.parameters)
    first = system.snapshot(carry.state, lane.parameters)
    saved = tuple(
        _written(rows, *next(taken))
        if is_long(grid)
        else _noted(_noted(rows, grid, t0, first), grid, t1, last)
        for grid, rows in zip(grids, carry.saved, strict=True)
    )
    result = PeriodResult(reductions, last, carry.owner)
    table = jax.tree.map(lambda rows, row: rows.at[carry.period].set(row), carry.table, result)
    return _Carry(
        time=t1,
        state=state,
        next_event=carry.next_event,
        period=carry.period,
        owner=carry.owner,
        reductions=reductions,
        table=table,
        saved=saved,
        failed=failed,
        memory=carry.memory,
    )


def _first_step(time: Array, events: Events, pace: Pace, method: Method) -> Array:
    """Where dosing goes on as it was the steps do too; after a change of it they begin small."""
    changes = jnp.stack([events.time, events.time + events.duration])
    is_change = (jnp.abs(changes - time) <= same_time(time)) & (events.amount != 0.0)
    share = jnp.where(is_change.any(), AFTER_CHANGE, 1.0)
    return jnp.maximum(share * pace.longer, method.first_step)


def _written(rows: Any, at: Array, new: Any) -> Any:
    """Rows with new ones from an index on."""
    return jax.tree.map(
        lambda old, part: jax.lax.dynamic_update_slice_in_dim(old, part, at, 0), rows, new
    )


def _noted(rows: Any, grid: Array, time: Array, shot: Any) -> Any:
    """Rows with a snapshot where a time is one of the grid."""
    here = jnp.abs(grid - time) <= same_time(time)
    return jax.tree.map(
        lambda old, new: jnp.where(here.reshape(-1, *[1] * new.ndim), new, old), rows, shot
    )


def _solver(method: Method) -> dfx.AbstractAdaptiveSolver:
    solver = method.diffrax_solver()
    return Lanewise(solver) if isinstance(solver, AbstractStabilized) else solver


def _diffeqsolve(  # noqa: PLR0913
    carry: _Carry,
    t0: Array,
    t1: Array,
    first_step: Array,
    context: Context,
    grids: tuple[Array, ...],
    system: AbstractSystem,
    method: Method,
) -> tuple[Any, Array, Reductions, list[tuple[Array, Any]]]:
    """One stretch without a change of dosing.

    Returns:
        State, time reached, reductions, and for each grid the first index and snapshots from it.
    """
    parameters = context.parameters
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
    atol = tighter * system.negligible(carry.state, parameters)
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
        first_step=jnp.minimum(first_step, jnp.maximum(t1 - t0, smallest)),
    )
    solution = dfx.diffeqsolve(
        dfx.ODETerm(
            lambda t, y, args: system.rates(jnp.asarray(t), y, args.parameters, args.infusion)
        ),
        Tracking(_solver(method), system),
        t0=t0,
        t1=t1,
        dt0=None,  # the controller knows
        y0=carry.state,
        args=context,
        saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(t1=True), *wanted], solver_state=True),
        stepsize_controller=controller,
        max_steps=method.max_steps,
        adjoint=dfx.ForwardMode(),
        throw=False,
    )
    ts, ys, solver_state = typing.cast(Any, (solution.ts, solution.ys, solution.solver_state))
    state = jax.tree.map(lambda leaf: leaf[-1], ys[0])
    return state, ts[0][-1], solver_state[1], list(zip(at, ys[1:], strict=True))
