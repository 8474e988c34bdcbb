"""Running reductions: peaks, areas and threshold crossings, taken while the solver steps.

They need no saved trajectory. A wrapped solver carries the reductions in its own state. The
integration loop keeps that state only if it accepts the step, so rejected steps have no effect.
Inside a step, each quantity is approximated by the parabola through its values at the start, the
middle and the end; peaks, integrals and crossings are those of the parabola.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.interface import ObservedSystem, PyTree
from qsp.engine.solvers.batched import BatchLast, batch_last
from qsp.engine.solvers.wrapping import AbstractWrapping


class Crossing(eqx.Module):
    """Events of the signals of a system, within one dose period.

    An event starts when the first signal rises through the first threshold of the period, and ends
    when it falls below the same threshold: the thresholds of an event do not change at a dose. A
    signal that is above the threshold when the period begins starts no event. The grade of an event
    is one, plus the number of higher grades whose signal reaches its threshold while it rises.

    An event that is running when the period begins belongs to the period in which it started. In
    this period it counts only from the time at which its grade rises.

    Args:
        levels: (grade,): Thresholds of the running event; without one, those of the period.
        on: Whether an event is running.
        on_grade: Grade of the running event so far; 0 without one.
        on_own: Whether the running event counts in this period.
        grade: Worst grade of the events of this period.
        onset: Time at which the first event of this period starts [day]; NaN if there is none.
        own_time: Duration of the events of this period [day].
        earlier_time: Duration, in this period, of the event of an earlier period [day].
    """

    levels: Array
    on: Array
    on_grade: Array
    on_own: Array
    grade: Array
    onset: Array
    own_time: Array
    earlier_time: Array


class Pace(eqx.Module):
    """Lengths of accepted steps, for the first step after a stop without a dosing event.

    The step that ends at a stop is cut short by it, and the step before it is not.

    Args:
        last: Length of the last step [day].
        longer: Length of the longer of the last two steps [day].
    """

    last: Array
    longer: Array


class Reductions(eqx.Module):
    """Reductions within one dose period; `steps` and `pace` continue into the next period.

    Args:
        peak: Maximum of each quantity of `peaks`.
        peak_time: Time of each maximum [day].
        area: Integral of each quantity of `areas`.
        extreme: Maximum over the ends of steps.
        flow: Values at the end of the last step, for the trapezoidal rule.
        flow_area: Integral by the trapezoidal rule.
        crossing: Events of the signals.
        steps: Number of accepted steps.
        pace: Lengths of accepted steps.
    """

    peak: PyTree
    peak_time: PyTree
    area: PyTree
    extreme: PyTree
    flow: PyTree
    flow_area: PyTree
    crossing: Crossing
    steps: Array
    pace: Pace


class Context(eqx.Module):
    """Arguments of the derivative and the reductions besides time and state."""

    parameters: PyTree
    infusion: Array
    thresholds: Array
    reductions: Reductions


def initial_reductions(
    system: ObservedSystem, time: Array, x: PyTree, parameters: PyTree, thresholds: Array
) -> Reductions:
    """Return the reductions at the start of a dose period.

    Args:
        system: System that is observed.
        time: Start of the period [day].
        x: State at the start.
        parameters: Parameters of the system.
        thresholds: (grade,): Thresholds of the period.
    """
    peak = system.peaks(x, parameters)
    extreme, flow = system.ends(x, parameters)
    zero = jnp.zeros(())
    return Reductions(
        peak=peak,
        peak_time=jax.tree.map(lambda leaf: jnp.full_like(leaf, time), peak),
        area=jax.tree.map(jnp.zeros_like, system.areas(x, parameters)),
        extreme=extreme,
        flow=flow,
        flow_area=jax.tree.map(jnp.zeros_like, flow),
        crossing=Crossing(
            levels=thresholds,
            on=jnp.asarray(False),
            on_grade=zero,
            on_own=jnp.asarray(False),
            grade=zero,
            onset=jnp.full((), jnp.nan),
            own_time=zero,
            earlier_time=zero,
        ),
        steps=zero,
        pace=Pace(last=zero, longer=zero),
    )


class ObservingSolver(AbstractWrapping):
    """A solver that carries `Reductions` in its state.

    Args:
        solver: Solver that computes the steps.
        system: System that is observed.
    """

    solver: dfx.AbstractAdaptiveSolver
    system: ObservedSystem

    def init(self, terms: dfx.AbstractTerm, t0: Any, t1: Any, y0: PyTree, args: Context) -> Any:
        return self.solver.init(terms, t0, t1, y0, args), args.reductions

    def step(  # noqa: PLR0913
        self,
        terms: dfx.AbstractTerm,
        t0: Any,
        t1: Any,
        y0: PyTree,
        args: Context,
        solver_state: PyTree,
        made_jump: Any,
    ) -> Any:
        inner, reductions = solver_state
        y1, error, dense, inner, result = self.solver.step(
            terms, t0, t1, y0, args, inner, made_jump
        )
        batched = isinstance(self.solver, BatchLast)
        sample = batch_last(self._sample) if batched else self._sample
        peaks, areas = sample(t0, t1, y0, y1, dense, args.parameters)
        ends = self.system.ends(y1, args.parameters)
        reductions = _add_step(
            reductions, t0, t1, peaks, self.system.signals, areas, ends, args.thresholds
        )
        return y1, error, dense, (inner, reductions), result

    def _sample(
        self, t0: Any, t1: Any, y0: PyTree, y1: PyTree, dense: Any, p: PyTree
    ) -> tuple[list[PyTree], list[PyTree]]:
        """Quantities of `peaks` and `areas` at the start, the middle and the end of a step."""
        middle = self.solver.interpolation_cls(t0=t0, t1=t1, **dense).evaluate(0.5 * (t0 + t1))
        states = (y0, middle, y1)
        return [self.system.peaks(x, p) for x in states], [self.system.areas(x, p) for x in states]

    def func(self, terms: dfx.AbstractTerm, t0: Any, y0: PyTree, args: Context) -> Any:
        return self.solver.func(terms, t0, y0, args)


def _add_step(  # noqa: PLR0913
    old: Reductions,
    t0: Array,
    t1: Array,
    peaks: Sequence[PyTree],
    signals_of: Callable[[PyTree], Array],
    areas: Sequence[PyTree],
    ends: tuple[PyTree, PyTree],
    thresholds: Array,
) -> Reductions:
    """Reductions after one more step."""
    step = t1 - t0
    maxima = jax.tree.map(parabola_maximum, *peaks)
    peak, peak_time = (
        jax.tree.map(lambda pair, i=i: pair[i], maxima, is_leaf=_is_pair) for i in (0, 1)
    )
    higher = jax.tree.map(jnp.greater, peak, old.peak)
    extreme, flow = ends
    signals = [signals_of(values) for values in peaks]
    return Reductions(
        peak=jax.tree.map(jnp.maximum, peak, old.peak),
        peak_time=jax.tree.map(
            lambda up, s, before: jnp.where(up, t0 + s * step, before),
            higher,
            peak_time,
            old.peak_time,
        ),
        area=jax.tree.map(
            lambda total, a, m, b: total + step * (a + 4.0 * m + b) / 6.0, old.area, *areas
        ),
        extreme=jax.tree.map(jnp.maximum, extreme, old.extreme),
        flow=flow,
        flow_area=jax.tree.map(
            lambda total, a, b: total + 0.5 * step * (a + b), old.flow_area, old.flow, flow
        ),
        crossing=_add_events(old.crossing, t0, step, signals, thresholds),
        steps=old.steps + 1.0,
        pace=Pace(last=step, longer=jnp.maximum(old.pace.last, step)),
    )


def _is_pair(node: Any) -> bool:
    return isinstance(node, tuple)


def parabola_maximum(a: Array, m: Array, b: Array) -> tuple[Array, Array]:
    """Maximum over [0, 1] of the parabola through a, m, b at 0, 1/2, 1, and its position."""
    slope, bend = 4.0 * m - 3.0 * a - b, 2.0 * (a - 2.0 * m + b)
    curved = bend < 0.0
    where = jnp.clip(-slope / (2.0 * jnp.where(curved, bend, -1.0)), 0.0, 1.0)
    inside = a + where * (slope + bend * where)
    end = jnp.where(b > a, b, a)
    take = curved & (inside > end)
    return jnp.where(take, inside, end), jnp.where(take, where, jnp.where(b > a, 1.0, 0.0))


def _parabola_root(a: Array, m: Array, b: Array, level: Array, rising: bool) -> Array:
    """Position in [0, 1] at which the parabola through a, m, b crosses a level up- or downward."""
    slope, bend = 4.0 * m - 3.0 * a - b, 2.0 * (a - 2.0 * m + b)
    disc = jnp.sqrt(jnp.maximum(slope * slope - 4.0 * bend * (a - level), 0.0))
    bottom = slope + disc if rising else slope - disc
    return jnp.clip(2.0 * (level - a) / jnp.where(bottom == 0.0, 1.0, bottom), 0.0, 1.0)


def _interval_above(signal: Sequence[Array], level: Array) -> tuple[Array, Array]:
    """Start and end of the part of a step in which the parabola is at or above a level."""
    a, m, b = signal
    up = jnp.where(a >= level, 0.0, _parabola_root(a, m, b, level, rising=True))
    down = jnp.where(b >= level, 1.0, _parabola_root(a, m, b, level, rising=False))
    reached = parabola_maximum(a, m, b)[0] >= level
    return jnp.where(reached, up, 1.0), jnp.where(reached, down, 1.0)


def _part(signal: Sequence[Array], start: Array, stop: Array) -> list[Array]:
    """Values of a parabola at the start, the middle and the end of a part of its step."""
    a, m, b = signal
    slope, bend = 4.0 * m - 3.0 * a - b, 2.0 * (a - 2.0 * m + b)
    return [a + s * (slope + s * bend) for s in (start, 0.5 * (start + stop), stop)]


def _grade(reached: Array, dtype: Any) -> Array:
    """Grade of an event: one, and the number of higher grades that are reached."""
    return 1.0 + reached[1:].sum().astype(dtype)


def current_grade(crossing: Crossing, signals: Array) -> Array:
    """Return the grade of the running event at the present values of the signals; 0 without one.

    Args:
        crossing: Events so far.
        signals: (grade,): Signals.
    """
    return jnp.minimum(_grade(signals >= crossing.levels, signals.dtype), crossing.on_grade)


def continue_event(new: Crossing, old: Crossing) -> Crossing:
    """Return the events of a new period, with the event that runs on from the period before.

    Args:
        new: Events at the start of the period.
        old: Events at the end of the period before.
    """
    levels = jnp.where(old.on, old.levels, new.levels)
    return dataclasses.replace(new, levels=levels, on=old.on, on_grade=old.on_grade)


def _add_events(
    old: Crossing, t0: Array, step: Array, signals: Sequence[Array], thresholds: Array
) -> Crossing:
    """Events after one more step, in which at most one event starts.

    Args:
        old: Events before the step.
        t0: Start of the step [day].
        step: Length of the step [day].
        signals: (grade,) each: Signals at the start, the middle and the end of the step.
        thresholds: (grade,): Thresholds of the period.
    """
    levels = jnp.where(old.on, old.levels, thresholds)
    ups, downs = _interval_above(signals, levels)
    up, down = ups[0], downs[0]
    is_above = parabola_maximum(*signals)[0][0] >= levels[0]
    is_event = old.on | (is_above & (signals[0][0] < levels[0]))

    within = _part(signals, up, down)
    highest = parabola_maximum(*within)[0]
    reached = (highest >= levels) & (highest > within[0])
    grade = jnp.where(is_event, _grade(reached, levels.dtype), 0.0)
    rises = grade > old.on_grade
    rise = jnp.take(ups, old.on_grade.astype(int), mode="clip")
    begins = jnp.where(old.on_own, up, jnp.where(rises, jnp.clip(rise, up, down), down))

    on = is_event & (signals[2][0] >= levels[0])
    own = old.on_own | rises
    worst = jnp.maximum(grade, old.on_grade)
    return Crossing(
        levels=jnp.where(on, levels, thresholds),
        on=on,
        on_grade=jnp.where(on, worst, 0.0),
        on_own=on & own,
        grade=jnp.where(own, jnp.maximum(worst, old.grade), old.grade),
        onset=jnp.where(rises & (old.grade == 0.0), t0 + begins * step, old.onset),
        own_time=old.own_time + jnp.where(is_event, step * (down - begins), 0.0),
        earlier_time=old.earlier_time + jnp.where(is_event, step * (begins - up), 0.0),
    )
