"""One lane: one patient in one arm, from the first event to the end of the trial.

The lane walks from one change of dosing to the next. What is infused during a stretch follows from
the event table and the time alone (nothing has to be switched off), boluses are counted off with a
pointer, and a solver never steps over a change. The carry holds the state, the pointer, the
reductions and a memory for rules to come.
"""

import dataclasses
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.decisions import Watched, decided
from qsp.engine.events import Events, Leaf
from qsp.engine.ledger import only_if
from qsp.engine.method import Method
from qsp.engine.plan import Ledger, Log, Memory, Plan
from qsp.engine.plan import begin as begun
from qsp.engine.precision import same_time
from qsp.engine.raveled import Raveled
from qsp.engine.stretch import Span, integrate
from qsp.engine.stretches import is_long, next_stop, window
from qsp.engine.tracking import Context, Observed, Pace, Reductions, continued, start
from qsp.engine.walk import walked
from qsp.trial.rules import OBSERVABLES

NEVER = 1e12
"""A threshold no signal reaches; its square is finite in single precision too, so that the
arithmetic of crossings stays so."""

AFTER_CHANGE = 0.1
"""First step after a change of dosing, in steps before it; steps grow tenfold at once if too small.
"""


class AbstractSystem(Observed, Watched, Protocol):
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
    plan: Plan | None = None  # of an arm that reacts; its doses are not among the events


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
    ledger: Ledger | None
    log: Log | None


class _Carry(eqx.Module):
    time: Array
    state: Any
    next_events: tuple[Array, ...]  # of each table of events
    period: Array
    owner: Array
    reductions: Reductions
    table: PeriodResult
    saved: tuple[Any, ...]
    failed: Array
    memory: Memory | None
    stop: Array  # end of the stretch that comes next

    def tables(self, lane: Lane) -> tuple[Events, ...]:
        """What is given on schedule, and what was decided."""
        return (lane.events, *(() if self.memory is None else (self.memory.ledger.events,)))


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
    raveled = Raveled.of(system, p)
    system = raveled
    x, begin = system.initial(p), jnp.asarray(lane.begin)
    reductions = start(system, begin, x, p, jnp.full_like(lane.thresholds[0], NEVER))
    shot = system.snapshot(x, p)
    rows = lane.thresholds.shape[0] + 1
    zero = jnp.zeros((), jnp.int32)
    empty = PeriodResult(reductions, shot, zero)
    memory = None if lane.plan is None else begun(lane.plan, lane.events, shot, len(OBSERVABLES))
    carry = _Carry(
        time=begin,
        state=x,
        next_events=(zero,) if memory is None else (zero, zero),
        period=zero,
        owner=zero,
        reductions=reductions,
        table=jax.tree.map(
            lambda leaf: jnp.zeros((rows, *leaf.shape), leaf.dtype).at[0].set(leaf), empty
        ),
        saved=tuple(_room(shot, len(grid) + is_long(grid) * window(grid)) for grid in grids),
        failed=jnp.asarray(False),
        memory=memory,
        stop=begin,
    )

    def stretch(carry: _Carry) -> _Carry:
        return _integrate(_dose(carry, lane, system, kinds), lane, grids, system, method, kinds)

    def decide(carry: _Carry) -> _Carry:
        return _decide(carry, lane, grids, system)

    carry = _with_stop(carry, lane, grids)
    if lane.plan is None or isinstance(stretches, int):
        carry = jax.lax.fori_loop(0, stretches, lambda _, carry: stretch(decide(carry)), carry)
    else:
        carry = walked(lane.plan, lane.end, carry, stretches, decide, stretch)
    saved = tuple(
        _first_rows(rows, len(grid)) for grid, rows in zip(grids, carry.saved, strict=True)
    )
    unfinished = carry.time < lane.end
    return LaneResult(
        periods=carry.table,
        saved=saved,
        final=raveled.unravel(carry.state),
        end=system.snapshot(carry.state, p),
        failed=carry.failed | unfinished,
        steps=carry.reductions.steps,
        ledger=None if carry.memory is None else carry.memory.ledger,
        log=None if carry.memory is None else carry.memory.log,
    )


def _first_rows(tree: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[:count], tree)


def _room(shot: Any, length: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.full((length, *leaf.shape), jnp.nan), shot)


def _decide(carry: _Carry, lane: Lane, grids: tuple[Array, ...], system: AbstractSystem) -> _Carry:
    """At a visit of an arm that reacts, decide what is given."""
    if carry.memory is None or lane.plan is None:
        return carry
    levels, shot = _levels(lane, carry.period), system.snapshot(carry.state, lane.parameters)
    memory = decided(
        carry.memory,
        lane.plan,
        carry.time,
        shot,
        carry.reductions.crossing,
        levels,
        system.signal(system.peaks(carry.state, lane.parameters)),
        system,
        lane.parameters,
        carry.failed,
    )
    # No rules come to more than there is room for; what is not written down was not given.
    overfull = memory.rows > lane.plan.room.shape[0]
    after = dataclasses.replace(carry, memory=memory, failed=carry.failed | overfull)
    before = carry.memory
    is_new = (memory.rows != before.rows) | (memory.stopped != before.stopped)
    stop = only_if(is_new, lambda _: _with_stop(after, lane, grids).stop, carry.stop)
    return dataclasses.replace(after, stop=stop)


def _dose(carry: _Carry, lane: Lane, system: AbstractSystem, kinds: int) -> _Carry:
    """Give what is due now; a dose of a new period starts its reductions afresh."""
    amount, period, given = jnp.zeros((kinds,)), carry.period, []
    for events, done in zip(carry.tables(lane), carry.next_events, strict=True):
        index = jnp.arange(events.time.shape[0], dtype=jnp.int32)
        due = (index >= done) & (events.time <= carry.time + same_time(carry.time))
        boluses = jnp.where(due & (events.duration == 0.0), events.amount, 0.0)
        amount = amount + _by_kind(boluses, events, kinds)
        period = jnp.maximum(period, jnp.where(due, events.period, 0).max())
        given.append(done + due.sum(dtype=jnp.int32))
    bolus = system.bolus(carry.state, lane.parameters, amount)
    state = jnp.where((amount != 0.0).any(), bolus, carry.state)  # no bolus, no rounding

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
        lambda c: (c.state, c.next_events, c.period, c.owner, c.reductions),
        carry,
        (
            state,
            tuple(given),
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
    tables, t0 = carry.tables(lane), carry.time
    infusion = sum((_running(events, t0, kinds) for events in tables), jnp.zeros((kinds,)))
    t1 = jnp.where(carry.failed, t0, carry.stop)

    context = Context(lane.parameters, infusion, _levels(lane, carry.period), carry.reductions)
    first_step = _first_step(t0, tables, carry.reductions.pace, method)
    span = Span(t0, t1, first_step)
    state, reached, reductions, shots = integrate(carry.state, span, context, grids, system, method)
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
    gone = _Carry(
        time=t1,
        state=state,
        next_events=carry.next_events,
        period=carry.period,
        owner=carry.owner,
        reductions=reductions,
        table=table,
        saved=saved,
        failed=failed,
        memory=carry.memory,
        stop=carry.stop,
    )
    return _with_stop(gone, lane, grids)


def _with_stop(carry: _Carry, lane: Lane, grids: tuple[Array, ...]) -> _Carry:
    """Look where the next stretch ends: what is given, visits and snapshots do."""
    visits = () if lane.plan is None else (lane.plan.decided,)
    stop = next_stop(carry.time, carry.tables(lane), grids, lane.end, visits)
    return dataclasses.replace(carry, stop=stop)


def _running(events: Events, time: Array, kinds: int) -> Array:
    """Rates of what is infused from now on."""
    soon = time + same_time(time)
    is_running = (events.time <= soon) & (soon < events.time + events.duration)
    return _by_kind(jnp.where(is_running, events.rate, 0.0), events, kinds)


def _first_step(time: Array, tables: tuple[Events, ...], pace: Pace, method: Method) -> Array:
    """Where dosing goes on as it was the steps do too; after a change of it they begin small."""
    is_change = jnp.asarray(False)
    for events in tables:
        changes = jnp.stack([events.time, events.time + events.duration])
        now = (jnp.abs(changes - time) <= same_time(time)) & (events.amount != 0.0)
        is_change = is_change | now.any()
    share = jnp.where(is_change, AFTER_CHANGE, 1.0)
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
