"""Running reductions: peaks, areas and threshold crossings, taken while the solver steps.

They need no saved trajectory. A wrapped solver carries the reductions in its own state. The
integration loop keeps that state only if it accepts the step, so rejected steps have no effect.
Inside a step, each quantity is approximated by the parabola through its values at the start, the
middle and the end; peaks, integrals and crossings are those of the parabola.
"""

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
    """Events of a signal relative to ordered thresholds, within one dose period.

    An event starts when the signal crosses the first threshold upward. An event that is running
    when the period begins belongs to the period in which it started, and ends when the signal falls
    below the first threshold of that period. In this period it counts only once its grade rises
    above `floor`, the grade already reached. The same holds if the thresholds move below the signal
    at the dose: no event has started, and a grade counts only once it rises.

    Known limitation: if the thresholds of this period are lower than those of the period in which a
    running event started, the event may end while the signal is still above the first threshold of
    this period. The remaining grade then counts as a new event of this period, although no event
    has started.

    Args:
        floor: Grade already reached by an ongoing event.
        floor_level: Level below which the signal must fall to end the ongoing event.
        grade: Worst grade of the events of this period.
        onset: Time of the first crossing [day]; NaN if there is none.
        own_time: Time above the first threshold during events of this period [day].
        earlier_time: Time above `floor_level` during the event of an earlier period [day].
        on: Whether an event of this period is running.
        on_grade: Worst grade of the running event so far.
    """

    floor: Array
    floor_level: Array
    grade: Array
    onset: Array
    own_time: Array
    earlier_time: Array
    on: Array
    on_grade: Array


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
        crossing: Events of the signal.
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
            floor=_grade(system.signal(peak), thresholds),
            floor_level=thresholds[0],
            grade=zero,
            onset=jnp.full((), jnp.nan),
            own_time=zero,
            earlier_time=zero,
            on=jnp.asarray(False),
            on_grade=zero,
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
            reductions, t0, t1, peaks, self.system.signal, areas, ends, args.thresholds
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
    signal_of: Callable[[PyTree], Array],
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
    signal = [signal_of(values) for values in peaks]
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
        crossing=_add_crossings(old.crossing, t0, step, signal, thresholds),
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


def _grade(value: Array, thresholds: Array) -> Array:
    """Number of thresholds at or below a value."""
    return (thresholds <= value).sum().astype(thresholds.dtype)


def _parabola_root(a: Array, m: Array, b: Array, level: Array, rising: bool) -> Array:
    """Position in [0, 1] at which the parabola through a, m, b crosses a level up- or downward."""
    slope, bend = 4.0 * m - 3.0 * a - b, 2.0 * (a - 2.0 * m + b)
    disc = jnp.sqrt(jnp.maximum(slope * slope - 4.0 * bend * (a - level), 0.0))
    bottom = slope + disc if rising else slope - disc
    return jnp.clip(2.0 * (level - a) / jnp.where(bottom == 0.0, 1.0, bottom), 0.0, 1.0)


def continue_event(new: Crossing, old: Crossing, level: Array, owned: Array) -> Crossing:
    """Return the crossings of a new period, with the event that continues from the period before.

    Args:
        new: Crossings at the start of the period.
        old: Crossings at the end of the period before.
        level: First threshold of the period before.
        owned: Whether the floor of the period before came from an event, and not from thresholds
            that had moved below the signal.
    """
    floor = jnp.where(old.on, old.on_grade, jnp.where(owned, old.floor, 0.0))
    floor_level = jnp.where(old.on, level, old.floor_level)
    is_running = floor > 0.0
    return eqx.tree_at(
        lambda c: (c.floor, c.floor_level),
        new,
        (
            jnp.where(is_running, jnp.maximum(floor, new.floor), new.floor),
            jnp.where(is_running, floor_level, new.floor_level),
        ),
    )


def _interval_above(signal: list[Array], level: Array) -> tuple[Array, Array]:
    """Start and end of the part of a step in which the parabola is at or above a level."""
    a, m, b = signal
    up = jnp.where(a >= level, 0.0, _parabola_root(a, m, b, level, rising=True))
    down = jnp.where(b >= level, 1.0, _parabola_root(a, m, b, level, rising=False))
    reached = parabola_maximum(a, m, b)[0] >= level
    return jnp.where(reached, up, 1.0), jnp.where(reached, down, 1.0)


def _add_crossings(
    old: Crossing, t0: Array, step: Array, signal: list[Array], thresholds: Array
) -> Crossing:
    """Crossings after one more step."""
    b, first = signal[2], thresholds[0]
    grade = _grade(parabola_maximum(*signal)[0], thresholds)
    counts = grade > old.floor
    next_level = jnp.take(thresholds, old.floor.astype(int), mode="clip")
    begins = jnp.where(old.on, 0.0, jnp.where(counts, _interval_above(signal, next_level)[0], 1.0))
    up, down = _interval_above(signal, first)
    own = jnp.maximum(down - jnp.maximum(up, begins), 0.0)
    up, down = _interval_above(signal, old.floor_level)
    earlier = jnp.maximum(jnp.minimum(down, begins) - up, 0.0)
    on = (old.on | counts) & (b >= first)
    worst = jnp.maximum(jnp.where(old.on, old.on_grade, 0.0), jnp.where(counts, grade, 0.0))
    return Crossing(
        floor=jnp.where(b < old.floor_level, 0.0, old.floor),
        floor_level=old.floor_level,
        grade=jnp.where(counts, jnp.maximum(grade, old.grade), old.grade),
        onset=jnp.where(counts & (old.grade == 0.0), t0 + begins * step, old.onset),
        own_time=old.own_time + step * own,
        earlier_time=old.earlier_time + jnp.where(old.floor > 0.0, step * earlier, 0.0),
        on=on,
        on_grade=jnp.where(on, worst, 0.0),
    )
