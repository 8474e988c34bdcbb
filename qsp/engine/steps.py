"""One step of ROCK4 within a segment, differentiable with respect to everything but its place."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.flatten import Flattened
from qsp.engine.interface import AbstractSystem, PyTree
from qsp.engine.method import Method
from qsp.engine.observers import parabola_maximum
from qsp.engine.segments import INTEGRAL, PROPORTIONAL, REFERENCE_RTOL
from qsp.engine.solvers.rock import ROCK4
from qsp.engine.timeline import Timeline

SAFETY, LEAST_FACTOR, LARGEST_FACTOR = 0.9, 0.2, 10.0
"""Change of the step length from one step to the next."""


class Inputs(NamedTuple):
    """Everything with respect to which a solve is differentiable: parameters and dosing."""

    parameters: PyTree
    timeline: Timeline


class Place(NamedTuple):
    """Place of a step: segment, and start and stop as fractions of the segment."""

    segment: Array
    start: Array
    stop: Array


@dataclasses.dataclass(frozen=True)
class Problem:
    """Static part of a solve: one compiled program for each.

    Args:
        system: System that is integrated.
        method: Numerical method, with one of the stabilized solvers.
        observe: Function of system, state and parameters that returns the observed quantities
            (quantity,).
        max_steps: Maximum number of steps in the whole solve.
    """

    system: AbstractSystem
    method: Method
    observe: Callable[[Any, PyTree, PyTree], Array]
    max_steps: int


def after_boluses(flat: Flattened, x: Array, place: Place, inputs: Inputs) -> Array:
    """State after the boluses at the start of a segment."""
    bolus = jnp.where(place.start == 0.0, inputs.timeline.bolus[place.segment], 0.0)
    return jnp.where((bolus != 0.0).any(), flat.bolus(x, inputs.parameters, bolus), x)


def integrate_step(
    problem: Problem, flat: Flattened, x: Array, place: Place, inputs: Inputs
) -> tuple[Array, Array, Array]:
    """State at the end of a step, slopes (stage, state), and length of the step [day]."""
    begin, end = (inputs.timeline.boundary[place.segment + n] for n in (0, 1))
    t0, t1 = (begin + part * (end - begin) for part in (place.start, place.stop))
    h, infusion = t1 - t0, inputs.timeline.infusion[place.segment]
    # Reverse mode repeats the equations of a stage instead of storing their intermediate values.
    rates = jax.checkpoint(flat.rates)

    def stage(slopes: Array, row: Any) -> tuple[Array, None]:
        n, a, c = row
        slope = rates(t0 + c * h, x + h * (a @ slopes), inputs.parameters, infusion)
        return slopes.at[n].set(slope), None

    a, c, _ = (jnp.asarray(part) for part in ROCK4().tableau())
    rows = (jnp.arange(len(c)), a, c)
    slopes, _ = jax.lax.scan(stage, jnp.zeros((len(c), *x.shape)), rows)
    return x + h * (a[-1] @ slopes), slopes, h


def show(  # noqa: PLR0913
    problem: Problem, flat: Flattened, x: Array, y: Array, slopes: Array, h: Array, inputs: Inputs
) -> tuple[Array, Array, Array]:
    """Peaks and areas of the observed quantities within a step, and the state at its start."""
    middle = 0.5 * (x + y) + 0.125 * h * (slopes[0] - slopes[-1])  # of the cubic
    p = inputs.parameters

    def observe(x: Array) -> Array:
        return problem.observe(problem.system, flat.unravel(x), p)

    values = jax.vmap(observe)(jnp.stack([x, middle, y]))
    area = h * (values[0] + 4.0 * values[1] + values[2]) / 6.0
    return parabola_maximum(*values)[0], area, x


def scaled_error(  # noqa: PLR0913
    problem: Problem, flat: Flattened, x: Array, y: Array, slopes: Array, h: Array, inputs: Inputs
) -> Array:
    """Error of the worst state in units of its tolerance; inf if a state is not finite."""
    error = h * (jnp.asarray(ROCK4().tableau().error) @ slopes)
    rtol = problem.method.rtol
    atol = (rtol / REFERENCE_RTOL) * flat.negligible(x, inputs.parameters)
    scale = atol + rtol * jnp.maximum(jnp.abs(x), jnp.abs(y))
    relative = jnp.where(jnp.isinf(atol), 0.0, jnp.abs(error) / scale)
    return jnp.where(jnp.isfinite(y), relative, jnp.inf).max()


def factor(error: Array, before: Array, is_accepted: Array) -> Array:
    """Change of the step length, by a proportional and integral controller."""
    order = 4  # of the error estimate
    floor = 1e-10  # the largest change bounds the growth long before
    inverse, inverse_before = (1.0 / jnp.maximum(e, floor) for e in (error, before))
    raw = inverse ** ((PROPORTIONAL + INTEGRAL) / order) * inverse_before ** (-PROPORTIONAL / order)
    low = jnp.where(is_accepted, 1.0, LEAST_FACTOR)
    high = jnp.where(is_accepted, LARGEST_FACTOR, SAFETY)
    return jnp.clip(SAFETY * raw, low, high)
