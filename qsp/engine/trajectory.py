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

from qsp.engine.adaptive.decisions import MeasuredSystem, decide_at_visit
from qsp.engine.adaptive.ledger import apply_if
from qsp.engine.adaptive.state import AdaptivePlan, AdaptiveState, Ledger, Log, initial_state
from qsp.engine.adaptive.visit_loop import visit_loop
from qsp.engine.events import Events, Leaf
from qsp.engine.flatten import Flattened
from qsp.engine.integrate import Segment, integrate
from qsp.engine.method import Method
from qsp.engine.observers import Context, ObservedSystem, Pace, Reductions, continue_event, start
from qsp.engine.precision import same_time
from qsp.engine.segments import is_long, next_stop, window
from qsp.trial.rules import OBSERVABLES

NEVER = 1e12
"""A threshold no signal reaches; its square is finite in single precision too, so that the
arithmetic of crossings stays so."""

AFTER_CHANGE = 0.1
"""First step after a change of dosing, in steps before it; steps grow tenfold at once if too small.
"""


class AbstractSystem(ObservedSystem, MeasuredSystem, Protocol):
    """What is integrated; `qsp.system.System` is one."""

    def initial(self, p: Any) -> Any: ...
    def negligible(self, x: Any, p: Any) -> Any: ...
    def rates(self, time: Array, x: Any, p: Any, infusion: Array) -> Any: ...
    def bolus(self, x: Any, p: Any, amount: Array) -> Any: ...
    def snapshot(self, x: Any, p: Any) -> Any: ...


class Simulation(eqx.Module):
    """One patient in one arm."""

    parameters: Any
    events: Events
    thresholds: Leaf  # (dose_period, grade)
    begin: Leaf
    end: Leaf
    plan: AdaptivePlan | None = None  # of an arm that reacts; its doses are not among the events


class PeriodResult(eqx.Module):
    """Reductions of one dose period, and the state of things at its end."""

    reductions: Reductions
    last: Any
    earlier_owner: Array  # period of the event that was running when this one began, 0 if none


class SimulationResult(eqx.Module):
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
    adaptive: AdaptiveState | None
    stop: Array  # end of the stretch that comes next

    def tables(self, sim: Simulation) -> tuple[Events, ...]:
        """What is given on schedule, and what was decided."""
        return (sim.events, *(() if self.adaptive is None else (self.adaptive.ledger.events,)))


def solve_simulation(
    sim: Simulation,
    grids: tuple[Array, ...],
    segments: Array | int,
    *,
    system: AbstractSystem,
    method: Method,
    kinds: int,
) -> SimulationResult:
    """Integrate one lane.

    Args:
        sim: Parameters, events and thresholds.
        grids: Sorted times at which snapshots are kept.
        segments: At least as many as the lane has, from `max_segments`; a lane that is not done
            after them has failed.
        system: What is integrated.
        method: How.
        kinds: Number of kinds of dose.

    Returns:
        Reductions per dose period, snapshots per grid, and whether the solver failed.
    """
    p = sim.parameters
    flattened = Flattened.of(system, p)
    system = flattened
    x, begin = system.initial(p), jnp.asarray(sim.begin)
    reductions = start(system, begin, x, p, jnp.full_like(sim.thresholds[0], NEVER))
    snapshot = system.snapshot(x, p)
    rows = sim.thresholds.shape[0] + 1
    zero = jnp.zeros((), jnp.int32)
    empty = PeriodResult(reductions, snapshot, zero)
    adaptive = (
        None
        if sim.plan is None
        else initial_state(sim.plan, sim.events, snapshot, len(OBSERVABLES))
    )
    carry = _Carry(
        time=begin,
        state=x,
        next_events=(zero,) if adaptive is None else (zero, zero),
        period=zero,
        owner=zero,
        reductions=reductions,
        table=jax.tree.map(
            lambda leaf: jnp.zeros((rows, *leaf.shape), leaf.dtype).at[0].set(leaf), empty
        ),
        saved=tuple(
            _empty_rows(snapshot, len(grid) + is_long(grid) * window(grid)) for grid in grids
        ),
        failed=jnp.asarray(False),
        adaptive=adaptive,
        stop=begin,
    )

    def segment(carry: _Carry) -> _Carry:
        return _integrate(_dose(carry, sim, system, kinds), sim, grids, system, method, kinds)

    def decide(carry: _Carry) -> _Carry:
        return _decide(carry, sim, grids, system)

    carry = _with_stop(carry, sim, grids)
    if sim.plan is None or isinstance(segments, int):
        carry = jax.lax.fori_loop(0, segments, lambda _, carry: segment(decide(carry)), carry)
    else:
        carry = visit_loop(sim.plan, sim.end, carry, segments, decide, segment)
    saved = tuple(
        _first_rows(rows, len(grid)) for grid, rows in zip(grids, carry.saved, strict=True)
    )
    unfinished = carry.time < sim.end
    return SimulationResult(
        periods=carry.table,
        saved=saved,
        final=flattened.unravel(carry.state),
        end=system.snapshot(carry.state, p),
        failed=carry.failed | unfinished,
        steps=carry.reductions.steps,
        ledger=None if carry.adaptive is None else carry.adaptive.ledger,
        log=None if carry.adaptive is None else carry.adaptive.log,
    )


def _first_rows(tree: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[:count], tree)


def _empty_rows(snapshot: Any, length: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.full((length, *leaf.shape), jnp.nan), snapshot)


def _decide(
    carry: _Carry, sim: Simulation, grids: tuple[Array, ...], system: AbstractSystem
) -> _Carry:
    """At a visit of an arm that reacts, decide what is given."""
    if carry.adaptive is None or sim.plan is None:
        return carry
    levels, snapshot = _levels(sim, carry.period), system.snapshot(carry.state, sim.parameters)
    adaptive = decide_at_visit(
        carry.adaptive,
        sim.plan,
        carry.time,
        snapshot,
        carry.reductions.crossing,
        levels,
        system.signal(system.peaks(carry.state, sim.parameters)),
        system,
        sim.parameters,
        carry.failed,
    )
    # No rules come to more than there is room for; what is not written down was not given.
    overfull = adaptive.rows > sim.plan.capacity.shape[0]
    after = dataclasses.replace(carry, adaptive=adaptive, failed=carry.failed | overfull)
    before = carry.adaptive
    is_new = (adaptive.rows != before.rows) | (adaptive.stopped != before.stopped)
    stop = apply_if(is_new, lambda _: _with_stop(after, sim, grids).stop, carry.stop)
    return dataclasses.replace(after, stop=stop)


def _dose(carry: _Carry, sim: Simulation, system: AbstractSystem, kinds: int) -> _Carry:
    """Give what is due now; a dose of a new period starts its reductions afresh."""
    amount, period, given = jnp.zeros((kinds,)), carry.period, []
    for events, done in zip(carry.tables(sim), carry.next_events, strict=True):
        index = jnp.arange(events.time.shape[0], dtype=jnp.int32)
        due = (index >= done) & (events.time <= carry.time + same_time(carry.time))
        boluses = jnp.where(due & (events.duration == 0.0), events.amount, 0.0)
        amount = amount + _by_kind(boluses, events, kinds)
        period = jnp.maximum(period, jnp.where(due, events.period, 0).max())
        given.append(done + due.sum(dtype=jnp.int32))
    bolus = system.bolus(carry.state, sim.parameters, amount)
    state = jnp.where((amount != 0.0).any(), bolus, carry.state)  # no bolus, no rounding

    fresh = start(system, carry.time, state, sim.parameters, _levels(sim, period))
    new, before = period > carry.period, carry.reductions.crossing
    crossing = continue_event(
        fresh.crossing, before, _levels(sim, carry.period)[0], owned=carry.owner > 0
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


def _levels(sim: Simulation, period: Array) -> Array:
    """Thresholds of a period; none can be reached before the first."""
    levels = jnp.take(jnp.asarray(sim.thresholds), period - 1, axis=0, mode="clip")
    return jnp.where(period > 0, levels, NEVER)


def _by_kind(value: Array, events: Events, kinds: int) -> Array:
    """Sum over events of each kind."""
    of_kind = events.kind == jnp.arange(kinds, dtype=jnp.int32)[:, None]
    return jnp.where(of_kind, value, 0.0).sum(1)


def _integrate(  # noqa: PLR0913
    carry: _Carry,
    sim: Simulation,
    grids: tuple[Array, ...],
    system: AbstractSystem,
    method: Method,
    kinds: int,
) -> _Carry:
    """Integrate to the next change of dosing, or not at all after a failure."""
    tables, t0 = carry.tables(sim), carry.time
    infusion = sum((_running(events, t0, kinds) for events in tables), jnp.zeros((kinds,)))
    t1 = jnp.where(carry.failed, t0, carry.stop)

    context = Context(sim.parameters, infusion, _levels(sim, carry.period), carry.reductions)
    first_step = _first_step(t0, tables, carry.reductions.pace, method)
    span = Segment(t0, t1, first_step)
    state, reached, reductions, snapshots = integrate(
        carry.state, span, context, grids, system, method
    )
    # A last step cut short by the end may fall below the smallest step: what counts is whether the
    # end was reached.
    failed = carry.failed | (reached < t1 - same_time(t1)) | jnp.isnan(reached)

    taken, last = iter(snapshots), system.snapshot(state, sim.parameters)
    first = system.snapshot(carry.state, sim.parameters)
    saved = tuple(
        _write_window(rows, *next(taken))
        if is_long(grid)
        else _write_snapshot(_write_snapshot(rows, grid, t0, first), grid, t1, last)
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
        adaptive=carry.adaptive,
        stop=carry.stop,
    )
    return _with_stop(gone, sim, grids)


def _with_stop(carry: _Carry, sim: Simulation, grids: tuple[Array, ...]) -> _Carry:
    """Look where the next stretch ends: what is given, visits and snapshots do."""
    visits = () if sim.plan is None else (sim.plan.decided,)
    stop = next_stop(carry.time, carry.tables(sim), grids, sim.end, visits)
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


def _write_window(rows: Any, at: Array, new: Any) -> Any:
    """Rows with new ones from an index on."""
    return jax.tree.map(
        lambda old, part: jax.lax.dynamic_update_slice_in_dim(old, part, at, 0), rows, new
    )


def _write_snapshot(rows: Any, grid: Array, time: Array, snapshot: Any) -> Any:
    """Rows with a snapshot where a time is one of the grid."""
    here = jnp.abs(grid - time) <= same_time(time)
    return jax.tree.map(
        lambda old, new: jnp.where(here.reshape(-1, *[1] * new.ndim), new, old), rows, snapshot
    )
