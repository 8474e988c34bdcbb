"""Solve of one simulation whose derivatives are those of its accepted steps.

The first pass chooses the steps by their error, as any adaptive solver does, and records the state
before each accepted step. A derivative then repeats the recorded steps, one at a time, from the
first to the last in forward mode (`forward`). Reverse mode (`reverse`) does the same for few values
and multiplies the tangents with the cotangent, which takes less time than a pass from the last step
to the first; for many values it makes this pass. The position of a step within its segment is
constant; its length follows the ends of the segment, and so the times of the doses. Memory is one
state for each step in both modes, and a derivative compiles one step only.

Both passes are compiled by themselves, in float64 whatever `jax_enable_x64` is, and contain no
callback into Python, so JAX can cache the compiled programs.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from qsp.engine.cache import jax_cache
from qsp.engine.flatten import Flattened
from qsp.engine.interface import AbstractSystem, PyTree
from qsp.engine.precision import double
from qsp.engine.steps import (
    Inputs,
    Place,
    Problem,
    after_boluses,
    factor,
    integrate_step,
    scaled_error,
    show,
)
from qsp.errors import SolveError

SAME_FRACTION = 1e-12
"""A step that ends this close to the end of its segment, as a fraction of the segment, ends there.
"""


class Steps(NamedTuple):
    """Accepted steps of a solve; rows from `number` on are empty.

    Args:
        place: (step,): Place of each step.
        before: (step, state): State before the step and before the boluses at its start.
        number: Number of steps.
        failed: Whether the solver did not reach the end.
    """

    place: Place
    before: Array
    number: Array
    failed: Array


class Observed(NamedTuple):
    """Observed quantities; rows of steps from `number` on are zero.

    Args:
        peak: (step, quantity): Maximum within the step.
        area: (step, quantity): Integral over the step.
        state: (step, state): State at the start of the step, after the boluses.
        last: (state,): State at the end.
    """

    peak: Array
    area: Array
    state: Array
    last: Array


Assemble: TypeAlias = Callable[[Any], Inputs]
"""Function of traced values that returns parameters and dosing. Leaves that do not depend on the
values are NumPy arrays; all others are JAX arrays in float64."""

MOST_TANGENTS = 24
"""Largest number of values whose derivatives in reverse mode are computed by tangents: a tangent
costs a twentieth of a pass from the last step to the first, and compiles in a third of the time."""


def interpolate(problem: Problem, x: Array, place: Place, inputs: Inputs) -> Array:
    """Return the observed quantities at the end of a step that starts after the boluses.

    Args:
        problem: Static part of the solve.
        x: (state,): State at the start of the step, after the boluses.
        place: Place of the step; it may end where no recorded step ends.
        inputs: Parameters and dosing.
    """
    flat = Flattened.of(problem.system, inputs.parameters)
    x, *_ = integrate_step(problem, flat, x, place, inputs)
    return problem.observe(problem.system, flat.unravel(x), inputs.parameters)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def reverse(problem: Problem, assemble: Assemble, values: Any) -> tuple[Observed, Steps]:
    """Solve, with derivatives in reverse mode.

    Args:
        problem: Static part of the solve.
        assemble: Function that returns parameters and dosing.
        values: Tree of the values with respect to which it is differentiable, in float64.

    Returns:
        Observed quantities, and the accepted steps, which have no derivative.
    """
    return _reverse_forward(problem, assemble, values)[0]


def _reverse_forward(problem: Problem, assemble: Assemble, values: Any) -> tuple[Any, Any]:
    with double(), jax_cache():
        observed, steps = _checked(*_solve(problem, assemble(values)))
    return (observed, steps), (values, steps)


def _reverse_backward(
    problem: Problem, assemble: Assemble, residual: Any, cotangent: Any
) -> tuple[Any]:
    values, steps = residual
    with double(), jax_cache():
        vector, unravel = ravel_pytree(values)
        if not vector.size:
            return (values,)
        if vector.size > MOST_TANGENTS:
            inputs, pull = jax.vjp(assemble, values)
            return _finite(pull(_backward(problem, inputs, steps, cotangent[0])))
        inputs, is_variable, leaves = _variable(assemble, values)

        def tangent(basis: np.ndarray) -> Any:
            return jax.jvp(lambda vector: leaves(unravel(vector)), (vector,), (basis,))[1]

        slopes = jax.tree.map(lambda *rows: jnp.stack(rows), *map(tangent, np.eye(vector.size)))
        total = _contract(problem, is_variable, inputs, steps, slopes, cotangent[0])
        return (_finite(unravel(total)),)


reverse.defvjp(_reverse_forward, _reverse_backward)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def forward(problem: Problem, assemble: Assemble, values: Any) -> tuple[Observed, Steps]:
    """Solve, with derivatives in forward mode; see `reverse`."""
    return _reverse_forward(problem, assemble, values)[0]


@forward.defjvp
def _(problem: Problem, assemble: Assemble, primals: Any, tangents: Any) -> tuple[Any, Any]:
    observed, steps = forward(problem, assemble, *primals)
    with double(), jax_cache():
        inputs, is_variable, leaves = _variable(assemble, *primals)
        slope = jax.jvp(leaves, primals, tangents)[1]
        along = _finite(_forward(problem, is_variable, inputs, steps, slope))
    return (observed, steps), (along, jax.tree.map(_no_tangent, steps))


def _variable(
    assemble: Assemble, values: Any
) -> tuple[Inputs, tuple[bool, ...], Callable[[Any], list[Any]]]:
    """Inputs, whether each leaf depends on the values, and a function that returns those leaves."""
    inputs = assemble(values)
    is_variable = tuple(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(inputs))

    def leaves(values: Any) -> list[Any]:
        return _select(assemble(values), is_variable)

    return inputs, is_variable, leaves


def _select(tree: Any, chosen: Sequence[bool]) -> list[Any]:
    return [
        leaf for leaf, is_chosen in zip(jax.tree.leaves(tree), chosen, strict=True) if is_chosen
    ]


def _replace(tree: Any, chosen: Sequence[bool], new: Sequence[Any]) -> Any:
    """Tree in which the chosen leaves are new ones."""
    leaves, structure = jax.tree.flatten(tree)
    rest = iter(new)
    return structure.unflatten(
        [next(rest) if is_chosen else leaf for leaf, is_chosen in zip(leaves, chosen, strict=True)]
    )


def _one_by_one(function: Callable[..., Any], *arguments: Any) -> Any:
    """Value of a function that fills a table of steps, one at a time under `jax.vmap`.

    A loop over several trajectories together would copy all their tables in each iteration.
    """
    return jax.custom_batching.sequential_vmap(function)(*arguments)


@functools.partial(jax.jit, static_argnums=0)
def _solve(problem: Problem, inputs: Inputs) -> tuple[Observed, Steps]:
    """First pass: choose the steps, and record what they start from and what they show."""
    return _one_by_one(functools.partial(_first_pass, problem), inputs)


def _first_pass(problem: Problem, inputs: Inputs) -> tuple[Observed, Steps]:
    flat = Flattened.of(problem.system, inputs.parameters)
    method, segments = problem.method, inputs.timeline.infusion.shape[0]
    x = flat.initial(inputs.parameters)
    zero, number = jnp.zeros(()), jnp.zeros((), jnp.int32)
    row = (Place(number, zero, zero), x, _empty_row(problem, flat, x, inputs))

    def attempt(carry: Any) -> Any:
        x, segment, start, length, error_before, count, table, _ = carry
        whole = inputs.timeline.boundary[segment + 1] - inputs.timeline.boundary[segment]
        stop = start + length / jnp.where(whole > 0.0, whole, 1.0)
        is_last = (stop >= 1.0 - SAME_FRACTION) | (whole <= 0.0)
        place = Place(segment, start, jnp.where(is_last, 1.0, stop))
        begun = after_boluses(flat, x, place, inputs)
        after, slopes, h = integrate_step(problem, flat, begun, place, inputs)
        error = scaled_error(problem, flat, begun, after, slopes, h, inputs)
        seen = show(problem, flat, begun, after, slopes, h, inputs)
        is_accepted = error < 1.0
        used = (place.stop - start) * whole
        change = factor(error, error_before, is_accepted)
        ends = is_accepted & is_last
        following = jnp.where(ends, method.first_step, used * change)
        table = jax.tree.map(lambda rows, new: rows.at[count].set(new), table, (place, x, seen))
        return (
            jnp.where(is_accepted, after, x),
            segment + ends.astype(jnp.int32),
            jnp.where(ends, 0.0, jnp.where(is_accepted, place.stop, start)),
            following,
            jnp.where(ends, 1.0, jnp.where(is_accepted, error, error_before)),
            count + is_accepted.astype(jnp.int32),
            table,
            ~is_accepted & (following < method.smallest_step),
        )

    def is_unfinished(carry: Any) -> Any:
        _, segment, *_, count, _, failed = carry
        return (segment < segments) & (count < problem.max_steps) & ~failed

    def rows(leaf: Array) -> Array:
        return jnp.zeros((problem.max_steps, *leaf.shape), leaf.dtype)

    first = jnp.asarray(method.first_step)
    start = (x, number, zero, first, zero + 1.0, number, jax.tree.map(rows, row), zero > 0.0)
    carry = jax.lax.while_loop(is_unfinished, attempt, start)
    last, segment, *_, count, (place, before, seen), _ = carry
    written = (
        jnp.arange(problem.max_steps, dtype=jnp.int32) < count
    )  # a rejected step may have left a row
    seen = jax.tree.map(lambda rows: jnp.where(written[:, None], rows, 0.0), seen)
    return Observed(*seen, last=last), Steps(place, before, count, segment < segments)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _forward(
    problem: Problem,
    is_variable: tuple[bool, ...],
    inputs: Inputs,
    steps: Steps,
    slope: Sequence[Array],
) -> Observed:
    """Tangents of the observed quantities, from the first step to the last."""
    tangents = functools.partial(_tangents, problem, is_variable)
    return _one_by_one(tangents, inputs, steps, slope)


def _tangents(
    problem: Problem,
    is_variable: tuple[bool, ...],
    inputs: Inputs,
    steps: Steps,
    slope: Sequence[Array],
) -> Observed:
    x, along, push = _pushed(problem, is_variable, inputs, steps, slope)

    def repeat(n: Array, carry: Any) -> Any:
        x, table = carry
        x, seen = push(n, x)
        return x, jax.tree.map(lambda rows, new: rows.at[n].set(new), table, seen)

    flat = Flattened.of(problem.system, inputs.parameters)
    empty = _empty_row(problem, flat, x, inputs)
    table = jax.tree.map(lambda row: jnp.zeros((problem.max_steps, *row.shape)), empty)
    last, table = jax.lax.fori_loop(0, steps.number, repeat, (along, table))
    return Observed(*table, last=last)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _contract(  # noqa: PLR0913
    problem: Problem,
    is_variable: tuple[bool, ...],
    inputs: Inputs,
    steps: Steps,
    slopes: Sequence[Array],
    cotangent: Observed,
) -> Array:
    """(tangent,): Products of the cotangent with tangents of the observed quantities."""

    def product(slope: Sequence[Array]) -> Array:
        _, along, push = _pushed(problem, is_variable, inputs, steps, slope)

        def repeat(n: Array, carry: Any) -> Any:
            x, total = carry
            x, seen = push(n, x)
            return x, total + sum(
                (rows[n] * s).sum() for rows, s in zip(cotangent[:3], seen, strict=True)
            )

        last, total = jax.lax.fori_loop(0, steps.number, repeat, (along, jnp.zeros(())))
        return total + (cotangent.last * last).sum()

    if len(slopes[0]) == 1:  # a map over one tangent would only take time to trace
        return product([rows[0] for rows in slopes])[None]
    return jax.vmap(product)(slopes)


def _pushed(
    problem: Problem,
    is_variable: tuple[bool, ...],
    inputs: Inputs,
    steps: Steps,
    slope: Sequence[Array],
) -> tuple[Array, Array, Callable[[Array, Array], tuple[Array, Any]]]:
    """First state, its tangent, and a function that carries a tangent through step n."""
    flat = Flattened.of(problem.system, inputs.parameters)
    variable = _select(inputs, is_variable)

    def first(variable: Sequence[Array]) -> Array:
        return flat.initial(_replace(inputs, is_variable, variable).parameters)

    def push(n: Array, x: Array) -> tuple[Array, Any]:
        def step(x: Array, variable: Sequence[Array]) -> Any:
            return _repeated(problem, flat, steps, n)(x, _replace(inputs, is_variable, variable))

        return jax.jvp(step, (steps.before[n], variable), (x, slope))[1]

    return *jax.jvp(first, (variable,), (slope,)), push


@functools.partial(jax.jit, static_argnums=0)
def _backward(problem: Problem, inputs: Inputs, steps: Steps, cotangent: Observed) -> Inputs:
    """Cotangents of the inputs, from the last step to the first."""
    vector, unravel = ravel_pytree(inputs.parameters)
    packed = _Packed(problem.system, _linear(unravel))
    flat = Flattened.of(packed, vector)  # pyright: ignore[reportArgumentType]
    observe = problem.observe
    problem = dataclasses.replace(
        problem, observe=lambda system, x, p: observe(system, x, packed.unpack(p))
    )
    inputs = Inputs(vector, inputs.timeline)

    def repeat(n: Array, carry: Any) -> Any:
        x, total = carry
        n = steps.number - 1 - n
        step = _repeated(problem, flat, steps, n)
        _, pull = jax.vjp(step, steps.before[n], inputs)
        x, more = pull((x, tuple(rows[n] for rows in cotangent[:3])))
        return x, jax.tree.map(jnp.add, total, more)

    total = jax.tree.map(jnp.zeros_like, inputs)
    x, total = jax.lax.fori_loop(0, steps.number, repeat, (cotangent.last, total))
    _, pull = jax.vjp(flat.initial, vector)
    return Inputs(unravel(total.parameters + pull(x)[0]), total.timeline)


def _linear(unravel: Callable[[Array], PyTree]) -> Callable[[Array], PyTree]:
    """Return `unravel` with a transpose that is one concatenation instead of a sum of paddings."""
    unpack = jax.custom_vjp(unravel)
    unpack.defvjp(lambda vector: (unravel(vector), None), lambda _, tree: ravel_pytree(tree)[:1])
    return unpack


@dataclasses.dataclass(frozen=True)
class _Packed:
    """System whose parameters are one vector: reverse mode then adds one array in each stage."""

    system: AbstractSystem
    unpack: Callable[[Array], PyTree]

    def initial(self, p: Array) -> PyTree:
        return self.system.initial(self.unpack(p))

    def rates(self, time: Array, x: PyTree, p: Array, infusion: Array) -> PyTree:
        return self.system.rates(time, x, self.unpack(p), infusion)

    def bolus(self, x: PyTree, p: Array, amount: Array) -> PyTree:
        return self.system.bolus(x, self.unpack(p), amount)


def _checked(observed: Observed, steps: Steps) -> tuple[Observed, Steps]:
    """Raise an error if the solver did not reach the end or a value is not finite."""
    text = "the solver must reach the end; use a larger max_steps, or check doses and parameters"
    return _finite(_raise_if(steps.failed, observed, text)), steps


def checked_period(is_within: Array) -> Array:
    """Raise an error if no step is in a dose period.

    Args:
        is_within: (step,): Whether the step is in the period.
    """
    text = "the dose period must begin before the end; use more days"
    return _raise_if(~is_within.any(), is_within, text)


def _finite(values: Any) -> Any:
    """Raise an error if a value or a derivative is not finite."""
    return _raise_if(_is_bad(values), values, "values and derivatives must be finite numbers")


@jax.jit
def _is_bad(values: Any) -> Array:
    """Whether a value is not finite."""
    return ~jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(values)]).all()


def _raise_if(is_bad: Array, values: Any, text: str) -> Any:
    """Raise now if the values are known, else while the traced program runs."""
    if isinstance(is_bad, Tracer):
        return eqx.error_if(values, is_bad, f"trajectory: {text}")
    if is_bad:
        raise SolveError(f"trajectory: {text}")
    return values


def _repeated(problem: Problem, flat: Flattened, steps: Steps, n: Array) -> Callable[..., Any]:
    """Step n as a function of state and inputs, without its error."""
    place = Place(*(leaf[n] for leaf in steps.place))

    def step(x: Array, inputs: Inputs) -> tuple[Array, Any]:
        x = after_boluses(flat, x, place, inputs)
        y, slopes, h = integrate_step(problem, flat, x, place, inputs)
        return y, show(problem, flat, x, y, slopes, h, inputs)

    return step


def _empty_row(problem: Problem, flat: Flattened, x: Array, inputs: Inputs) -> Any:
    """Peaks, areas and first state of no step."""
    width = jax.eval_shape(
        lambda x: problem.observe(problem.system, flat.unravel(x), inputs.parameters), x
    )
    zero = jnp.zeros(width.shape)
    return zero, zero, jnp.zeros_like(x)


def _no_tangent(leaf: Array) -> Any:
    """Zero tangent of an array; of type float0 for whole numbers and truth values."""
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jnp.zeros_like(leaf)
    return np.zeros(leaf.shape, jax.dtypes.float0)
