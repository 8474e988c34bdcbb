"""Running reductions: peaks, areas and threshold crossings, taken while the solver steps.

No trajectory is kept for them. A solver is wrapped so that its own state carries the reductions:
the integration loop keeps that state only when it accepts a step, so a rejected step leaves no
trace. Inside a step a quantity is the parabola through its values at the start, the middle and the
end; peaks, integrals and crossings are those of the parabola.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.solvers.batched import BatchLast, batch_last
from qsp.engine.solvers.wrapping import AbstractWrapping


class ObservedSystem(Protocol):
    """What a system shows to the reductions."""

    def peaks(self, x: Any, p: Any) -> Any: ...
    def areas(self, x: Any, p: Any) -> Any: ...
    def ends(self, x: Any, p: Any) -> tuple[Any, Any]: ...
    def signal(self, peaks: Any) -> Array: ...


class Crossing(eqx.Module):
    """Events of a signal against ordered thresholds, within one dose period.

    An event starts at an upward crossing of the first threshold. One that already ran when the
    period began belongs to the period in which it started, runs until the signal falls below the
    first threshold of that period, and counts here only once its grade rises above the one it had.
    Where only the threshold moved below the signal at the dose, nothing has started: there, too, a
    grade counts once it rises.

    Known limitation: where the thresholds of this period are lower than those of the period in
    which a running event started, the event may end while the signal is still above the first
    threshold of this period. The grade that is left then counts as a new event of this period,
    although nothing has started.
    """

    floor: Array  # grade to beat
    floor_level: Array  # the floor is lifted when the signal falls below it
    grade: Array  # worst grade of the events of this period
    onset: Array  # time of the first crossing; nan if none
    own_time: Array  # days above the first threshold during events of this period
    earlier_time: Array  # days above `floor_level` during what ran before
    on: Array  # whether an event of this period is running
    on_grade: Array  # its worst grade so far


class Pace(eqx.Module):
    """Lengths of accepted steps, for the first step after a stop at which nothing happened.

    The step that ends at a stop is cut short by it, and the one before is not.
    """

    last: Array
    longer: Array  # of the last two


class Reductions(eqx.Module):
    """Everything reduced within one dose period, and how the steps go, which goes on."""

    peak: Any
    peak_time: Any
    area: Any
    extreme: Any
    flow: Any  # at the end of the last step
    flow_area: Any
    crossing: Crossing
    steps: Array
    pace: Pace


class Context(eqx.Module):
    """What the derivative and the reductions need besides time and state."""

    parameters: Any
    infusion: Array
    thresholds: Array
    reductions: Reductions


def start(
    system: ObservedSystem, time: Array, x: Any, parameters: Any, thresholds: Array
) -> Reductions:
    """Reductions at the start of a dose period."""
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
        solver: The solver that steps.
        system: What to observe.
    """

    solver: dfx.AbstractAdaptiveSolver
    system: Any

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Context) -> Any:
        return self.solver.init(terms, t0, t1, y0, args), args.reductions

    def step(  # noqa: PLR0913
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Context,
        solver_state: Any,
        made_jump: Any,
    ) -> Any:
        inner, reductions = solver_state
        y1, error, dense, inner, result = self.solver.step(
            terms, t0, t1, y0, args, inner, made_jump
        )
        watch = batch_last(self._watch) if isinstance(self.solver, BatchLast) else self._watch
        seen, areas = watch(t0, t1, y0, y1, dense, args.parameters)
        ends = self.system.ends(y1, args.parameters)
        reductions = _advance(
            reductions, t0, t1, seen, self.system.signal, areas, ends, args.thresholds
        )
        return y1, error, dense, (inner, reductions), result

    def _watch(self, t0: Any, t1: Any, y0: Any, y1: Any, dense: Any, p: Any) -> tuple[Any, Any]:
        """Peaks and areas at the start, the middle and the end of a step."""
        middle = self.solver.interpolation_cls(t0=t0, t1=t1, **dense).evaluate(0.5 * (t0 + t1))
        states = (y0, middle, y1)
        return [self.system.peaks(x, p) for x in states], [self.system.areas(x, p) for x in states]

    def func(self, terms: Any, t0: Any, y0: Any, args: Context) -> Any:
        return self.solver.func(terms, t0, y0, args)


def _advance(  # noqa: PLR0913
    old: Reductions,
    t0: Array,
    t1: Array,
    seen: Sequence[Any],
    signal_of: Callable[[Any], Array],
    areas: Sequence[Any],
    ends: tuple[Any, Any],
    thresholds: Array,
) -> Reductions:
    """Reductions after one more step."""
    step = t1 - t0
    summits = jax.tree.map(_summit, *seen)
    peak, peak_time = (
        jax.tree.map(lambda pair, i=i: pair[i], summits, is_leaf=_is_pair) for i in (0, 1)
    )
    higher = jax.tree.map(jnp.greater, peak, old.peak)
    extreme, flow = ends
    signal = [signal_of(values) for values in seen]
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
        crossing=_cross(old.crossing, t0, step, signal, thresholds),
        steps=old.steps + 1.0,
        pace=Pace(last=step, longer=jnp.maximum(old.pace.last, step)),
    )


def _is_pair(node: Any) -> bool:
    return isinstance(node, tuple)


def _summit(a: Array, m: Array, b: Array) -> tuple[Array, Array]:
    """Maximum over [0, 1] of the parabola through a, m, b at 0, 1/2, 1, and where it is."""
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


def _root(a: Array, m: Array, b: Array, level: Array, rising: bool) -> Array:
    """Where in [0, 1] the parabola through a, m, b passes a level upward (or downward)."""
    slope, bend = 4.0 * m - 3.0 * a - b, 2.0 * (a - 2.0 * m + b)
    disc = jnp.sqrt(jnp.maximum(slope * slope - 4.0 * bend * (a - level), 0.0))
    bottom = slope + disc if rising else slope - disc
    return jnp.clip(2.0 * (level - a) / jnp.where(bottom == 0.0, 1.0, bottom), 0.0, 1.0)


def continue_event(new: Crossing, old: Crossing, level: Array, owned: Array) -> Crossing:
    """Crossings of a new period in which an event that ran goes on.

    Args:
        new: At the start of the period.
        old: At the end of the one before.
        level: First threshold of the one before.
        owned: Whether the floor of the one before was an event, not a threshold that had moved.
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


def _above(signal: list[Array], level: Array) -> tuple[Array, Array]:
    """Part of a step in which the parabola is at or above a level: where it begins and ends."""
    a, m, b = signal
    up = jnp.where(a >= level, 0.0, _root(a, m, b, level, rising=True))
    down = jnp.where(b >= level, 1.0, _root(a, m, b, level, rising=False))
    reached = _summit(a, m, b)[0] >= level
    return jnp.where(reached, up, 1.0), jnp.where(reached, down, 1.0)


def _cross(
    old: Crossing, t0: Array, step: Array, signal: list[Array], thresholds: Array
) -> Crossing:
    """Crossings within one step."""
    b, first = signal[2], thresholds[0]
    grade = _grade(_summit(*signal)[0], thresholds)
    beats = grade > old.floor
    next_level = jnp.take(thresholds, old.floor.astype(int), mode="clip")
    begins = jnp.where(old.on, 0.0, jnp.where(beats, _above(signal, next_level)[0], 1.0))
    up, down = _above(signal, first)
    own = jnp.maximum(down - jnp.maximum(up, begins), 0.0)
    up, down = _above(signal, old.floor_level)
    earlier = jnp.maximum(jnp.minimum(down, begins) - up, 0.0)
    on = (old.on | beats) & (b >= first)
    worst = jnp.maximum(jnp.where(old.on, old.on_grade, 0.0), jnp.where(beats, grade, 0.0))
    return Crossing(
        floor=jnp.where(b < old.floor_level, 0.0, old.floor),
        floor_level=old.floor_level,
        grade=jnp.where(beats, jnp.maximum(grade, old.grade), old.grade),
        onset=jnp.where(beats & (old.grade == 0.0), t0 + begins * step, old.onset),
        own_time=old.own_time + step * own,
        earlier_time=old.earlier_time + jnp.where(old.floor > 0.0, step * earlier, 0.0),
        on=on,
        on_grade=jnp.where(on, worst, 0.0),
    )
