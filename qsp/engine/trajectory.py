"""Solve of one simulation: one patient in one arm, from the start to the end of the trial.

The simulation is integrated segment by segment, from one change of dosing to the next. Infusion
rates follow from the event table and the time alone, so infusions need not be switched off; boluses
are counted by an index into the table; and a solver never steps over a change of dosing.
"""

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.decisions import decide_at_visit
from qsp.engine.adaptive.ledger import apply_if
from qsp.engine.adaptive.state import AdaptiveState, Log, initial_state
from qsp.engine.adaptive.visit_loop import visit_loop
from qsp.engine.flatten import Flattened
from qsp.engine.interface import AbstractSystem, Leaf, PyTree
from qsp.engine.method import Method
from qsp.engine.observers import Context, Pace, Reductions, continue_event, initial_reductions
from qsp.engine.precision import same_time
from qsp.engine.segments import Segment, integrate, next_stop
from qsp.engine.snapshots import drop_padding, empty_rows, is_long, write_snapshot, write_window
from qsp.trial.rules import OBSERVABLES
from qsp.trial.schedule import AdaptivePlan, AdministeredDoses, Events

NEVER = 1e12
"""Threshold that no signal reaches. Its square is finite in single precision too."""

AFTER_CHANGE = 0.1
"""Initial step after a dosing event, as a fraction of the previous step. Step size control
increases a step that is too short up to tenfold at once."""


class Simulation(eqx.Module):
    """Input of a simulation: one patient in one arm.

    Args:
        parameters: Parameters of the system.
        events: (event,): Scheduled events.
        thresholds: (dose_period, grade): Thresholds of the signals.
        begin: Start [day].
        end: End [day].
        plan: Plan of an arm with rules, whose doses are not among the events; None without rules.
    """

    parameters: PyTree
    events: Events
    thresholds: Leaf
    begin: Leaf
    end: Leaf
    plan: AdaptivePlan | None = None


class PeriodResult(eqx.Module):
    """Result of a dose period.

    Args:
        reductions: Peaks, areas and threshold crossings.
        last: Snapshot at the end of the period.
        earlier_owner: Dose period of the event that was running when this period began; 0 if none
            was.
    """

    reductions: Reductions
    last: PyTree
    earlier_owner: Array


class SimulationResult(eqx.Module):
    """Result of a simulation.

    Args:
        periods: (dose_period + 1,): Results of dose periods; row 0 is the time before the first
            dose.
        saved: Snapshots of each grid, with a leading time axis.
        final: State at the end.
        end: Snapshot at the end.
        failed: Whether the solver failed.
        running: Dose period of the event that is running at the end; 0 if none is.
        steps: Number of accepted steps.
        ledger: (row,): Administered doses of an arm with rules; None without rules.
        log: Decisions of an arm with rules; None without rules.
    """

    periods: PeriodResult
    saved: tuple[PyTree, ...]
    final: PyTree
    end: PyTree
    failed: Array
    running: Array
    steps: Array
    ledger: AdministeredDoses | None
    log: Log | None


class _Carry(eqx.Module):
    """State of the loop over segments."""

    time: Array
    state: PyTree
    next_events: tuple[Array, ...]  # index of the next event of each table
    period: Array
    owner: Array  # period of the event that was running when this period began
    reductions: Reductions
    table: PeriodResult
    saved: tuple[PyTree, ...]
    failed: Array
    adaptive: AdaptiveState | None
    stop: Array  # end of the next segment

    def tables(self, sim: Simulation) -> tuple[Events, ...]:
        """Scheduled events and administrations that were decided."""
        return (sim.events, *(() if self.adaptive is None else (self.adaptive.ledger.events,)))


class _Problem(NamedTuple):
    """Everything that is constant during a simulation."""

    sim: Simulation
    grids: tuple[Array, ...]
    system: Flattened
    method: Method
    kinds: int


def solve_simulation(
    sim: Simulation,
    grids: tuple[Array, ...],
    segments: Array | int,
    *,
    system: AbstractSystem,
    method: Method,
    kinds: int,
) -> SimulationResult:
    """Integrate one simulation.

    Args:
        sim: Parameters, events and thresholds.
        grids: Times at which snapshots are saved [day], one sorted array for each grid.
        segments: Upper bound of the number of segments, from `max_segments`. A simulation that is
            not at its end after them has failed. A Python int makes a loop of fixed length.
        system: System that is integrated.
        method: Numerical method.
        kinds: Number of kinds of dose.

    Returns:
        Reductions of each dose period, snapshots of each grid, and whether the solver failed.
    """
    flattened = Flattened.of(system, sim.parameters)
    problem = _Problem(sim, grids, flattened, method, kinds)
    carry = _with_stop(_initial_carry(problem), problem)

    def advance(carry: _Carry) -> _Carry:
        return _integrate(_administer(carry, problem), problem)

    def decide(carry: _Carry) -> _Carry:
        return _decide(carry, problem)

    if sim.plan is None or isinstance(segments, int):
        carry = jax.lax.fori_loop(0, segments, lambda _, carry: advance(decide(carry)), carry)
    else:
        carry = visit_loop(sim.plan, sim.end, carry, segments, decide, advance)
    unfinished = carry.time < sim.end
    return SimulationResult(
        periods=carry.table,
        saved=tuple(drop_padding(rows, g) for g, rows in zip(grids, carry.saved, strict=True)),
        final=flattened.unravel(carry.state),
        end=flattened.snapshot(carry.state, sim.parameters),
        failed=carry.failed | unfinished,
        running=_running_owner(carry),
        steps=carry.reductions.steps,
        ledger=None if carry.adaptive is None else carry.adaptive.ledger,
        log=None if carry.adaptive is None else carry.adaptive.log,
    )


def _initial_carry(problem: _Problem) -> _Carry:
    """Loop state at the start of the simulation."""
    sim, system, p = problem.sim, problem.system, problem.sim.parameters
    x, begin = system.initial(p), jnp.asarray(sim.begin)
    never = jnp.full_like(sim.thresholds[0], NEVER)
    reductions = initial_reductions(system, begin, x, p, never)
    snapshot = system.snapshot(x, p)
    zero = jnp.zeros((), jnp.int32)
    adaptive = None
    if sim.plan is not None:
        adaptive = initial_state(sim.plan, sim.events, snapshot, len(OBSERVABLES))
    periods = sim.thresholds.shape[0] + 1
    return _Carry(
        time=begin,
        state=x,
        next_events=(zero,) if adaptive is None else (zero, zero),
        period=zero,
        owner=zero,
        reductions=reductions,
        table=jax.tree.map(
            lambda leaf: jnp.zeros((periods, *leaf.shape), leaf.dtype).at[0].set(leaf),
            PeriodResult(reductions, snapshot, zero),
        ),
        saved=tuple(
            empty_rows(system.course(x, p) if number else snapshot, grid)
            for number, grid in enumerate(problem.grids)
        ),
        failed=jnp.asarray(False),
        adaptive=adaptive,
        stop=begin,
    )


def _decide(carry: _Carry, problem: _Problem) -> _Carry:
    """Apply the rules of an arm with rules, if a visit is due."""
    sim, system = problem.sim, problem.system
    if carry.adaptive is None or sim.plan is None:
        return carry
    adaptive = decide_at_visit(
        carry.adaptive,
        sim.plan,
        carry.time,
        system.snapshot(carry.state, sim.parameters),
        carry.reductions.crossing,
        system.signals(system.peaks(carry.state, sim.parameters)),
        system,
        sim.parameters,
        carry.failed,
    )
    # The capacity holds whatever the rules can give; a dose without a row would not be simulated.
    is_overfull = adaptive.rows > sim.plan.capacity.shape[0]
    after = dataclasses.replace(carry, adaptive=adaptive, failed=carry.failed | is_overfull)
    before = carry.adaptive
    is_new = (adaptive.rows != before.rows) | (adaptive.stopped != before.stopped)
    stop = apply_if(is_new, lambda _: _with_stop(after, problem).stop, carry.stop)
    return dataclasses.replace(after, stop=stop)


def _administer(carry: _Carry, problem: _Problem) -> _Carry:
    """Give the boluses that are due; a dose of a new period starts new reductions."""
    sim, system, kinds = problem.sim, problem.system, problem.kinds
    amount, period, next_events = jnp.zeros((kinds,)), carry.period, []
    for events, first in zip(carry.tables(sim), carry.next_events, strict=True):
        index = jnp.arange(events.time.shape[0], dtype=jnp.int32)
        due = (index >= first) & (events.time <= carry.time + same_time(carry.time))
        boluses = jnp.where(due & (events.duration == 0.0), events.amount, 0.0)
        amount = amount + _sum_by_kind(boluses, events, kinds)
        period = jnp.maximum(period, jnp.where(due, events.period, 0).max())
        next_events.append(first + due.sum(dtype=jnp.int32))
    bolus = system.bolus(carry.state, sim.parameters, amount)
    state = jnp.where((amount != 0.0).any(), bolus, carry.state)  # no bolus, no rounding

    fresh = initial_reductions(system, carry.time, state, sim.parameters, _levels(sim, period))
    is_new, running = period > carry.period, carry.reductions.crossing
    crossing = continue_event(fresh.crossing, running)
    continued = (crossing, carry.reductions.steps, carry.reductions.pace)
    fresh = eqx.tree_at(lambda r: (r.crossing, r.steps, r.pace), fresh, continued)
    # Within a period, the state right after a bolus is not the end of any step.
    highest = jax.tree.map(jnp.maximum, fresh.extreme, carry.reductions.extreme)
    same = eqx.tree_at(lambda r: (r.extreme, r.flow), carry.reductions, (highest, fresh.flow))
    return eqx.tree_at(
        lambda c: (c.state, c.next_events, c.period, c.owner, c.reductions),
        carry,
        (
            state,
            tuple(next_events),
            period,
            jnp.where(is_new, _running_owner(carry), carry.owner),
            jax.tree.map(lambda a, b: jnp.where(is_new, a, b), fresh, same),
        ),
    )


def _running_owner(carry: _Carry) -> Array:
    """Dose period of the event that is running; 0 if none is."""
    crossing = carry.reductions.crossing
    owner = jnp.where(crossing.on_own, carry.period, carry.owner)
    return jnp.where(crossing.on, owner, 0)


def _levels(sim: Simulation, period: Array) -> Array:
    """(grade,): Thresholds of a period; `NEVER` before the first period."""
    levels = jnp.take(jnp.asarray(sim.thresholds), period - 1, axis=0, mode="clip")
    return jnp.where(period > 0, levels, NEVER)


def _sum_by_kind(value: Array, events: Events, kinds: int) -> Array:
    """(kind,): Sum of values (event,) over the events of each kind."""
    is_kind = events.kind == jnp.arange(kinds, dtype=jnp.int32)[:, None]
    return jnp.where(is_kind, value, 0.0).sum(1)


def _integrate(carry: _Carry, problem: _Problem) -> _Carry:
    """Integrate the next segment; after a failure, a segment without length."""
    sim, system, grids = problem.sim, problem.system, problem.grids
    tables, t0 = carry.tables(sim), carry.time
    rates = (_infusion_rates(events, t0, problem.kinds) for events in tables)
    infusion = sum(rates, jnp.zeros((problem.kinds,)))
    t1 = jnp.where(carry.failed, t0, carry.stop)

    context = Context(sim.parameters, infusion, _levels(sim, carry.period), carry.reductions)
    segment = Segment(t0, t1, _first_step(t0, tables, carry.reductions.pace, problem.method))
    state, reached, reductions, windows = integrate(
        carry.state, segment, context, grids, system, problem.method
    )
    # The last step, cut short by the end, may be below the smallest step, which the solver reports
    # as a failure. The simulation failed only if the end was not reached.
    failed = carry.failed | (reached < t1 - same_time(t1)) | jnp.isnan(reached)

    next_window, last = iter(windows), system.snapshot(state, sim.parameters)
    saved = tuple(
        write_window(rows, *next(next_window))
        if is_long(grid)
        else _write_ends(rows, grid, (t0, carry.state), (t1, state), number, problem)
        for number, (grid, rows) in enumerate(zip(grids, carry.saved, strict=True))
    )
    result = PeriodResult(reductions, last, carry.owner)
    table = jax.tree.map(lambda rows, row: rows.at[carry.period].set(row), carry.table, result)
    after = dataclasses.replace(
        carry,
        time=t1,
        state=state,
        reductions=reductions,
        table=table,
        saved=saved,
        failed=failed,
    )
    return _with_stop(after, problem)


def _write_ends(
    rows: PyTree,
    grid: Array,
    start: tuple[Array, Array],
    end: tuple[Array, Array],
    number: int,
    problem: _Problem,
) -> PyTree:
    """Write the snapshots at both ends of a segment into the rows of a short grid."""
    system, p = problem.system, problem.sim.parameters
    take = system.course if number else system.snapshot
    for time, state in (start, end):
        rows = write_snapshot(rows, grid, time, take(state, p))
    return rows


def _with_stop(carry: _Carry, problem: _Problem) -> _Carry:
    """Set the end of the next segment."""
    sim = problem.sim
    visits = () if sim.plan is None else (sim.plan.decided,)
    stop = next_stop(carry.time, carry.tables(sim), problem.grids, sim.end, visits)
    return dataclasses.replace(carry, stop=stop)


def _infusion_rates(events: Events, time: Array, kinds: int) -> Array:
    """(kind,): Rates of the infusions that run after a time [nmol/day or mg/day]."""
    soon = time + same_time(time)
    is_running = (events.time <= soon) & (soon < events.time + events.duration)
    return _sum_by_kind(jnp.where(is_running, events.rate, 0.0), events, kinds)


def _first_step(time: Array, tables: tuple[Events, ...], pace: Pace, method: Method) -> Array:
    """Length of the first step of a segment: shorter than the steps before after a dosing event."""
    is_change = jnp.asarray(False)
    for events in tables:
        changes = jnp.stack([events.time, events.time + events.duration])
        now = (jnp.abs(changes - time) <= same_time(time)) & (events.amount != 0.0)
        is_change = is_change | now.any()
    fraction = jnp.where(is_change, AFTER_CHANGE, 1.0)
    return jnp.maximum(fraction * pace.longer, method.first_step)
