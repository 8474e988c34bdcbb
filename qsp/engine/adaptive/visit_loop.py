"""Visit-to-visit loop for adaptive dosing.

Simulations that run in one vector wait for each other at the end of each loop. A simulation with a
dose at a visit has short segments before the long one to the next visit. The short segments are
integrated first, and then all simulations advance to their next visits together.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.ledger import apply_if, row
from qsp.engine.adaptive.state import AdaptiveState
from qsp.engine.interface import Leaf
from qsp.engine.precision import same_time
from qsp.trial.schedule import AdaptivePlan


class VisitCarry(Protocol):
    """Part of the loop state of a simulation that the loop over visits reads."""

    @property
    def time(self) -> Array:
        """Current time [day]."""
        ...

    @property
    def stop(self) -> Array:
        """End of the next segment [day]."""
        ...

    @property
    def adaptive(self) -> AdaptiveState | None:
        """State of adaptive dosing."""
        ...

    @property
    def failed(self) -> Array:
        """Whether the simulation failed."""
        ...


Carry = TypeVar("Carry", bound=VisitCarry)


class _LoopState(eqx.Module):
    carry: Any
    segments: Array  # segments so far
    is_over: Array  # whether a segment started at the end
    is_last: Array  # whether only the segment to the next visit is left


def visit_loop(
    plan: AdaptivePlan,
    end: Leaf,
    carry: Carry,
    segments: Array,
    decide: Callable[[Carry], Carry],
    integrate: Callable[[Carry], Carry],
) -> Carry:
    """Decide at visits and integrate segments until a segment starts at the end.

    Args:
        plan: Plan of the simulation.
        end: End of the simulation [day].
        carry: Loop state at the start.
        segments: Most segments; a simulation that is not at its end after them has failed.
        decide: Applies the rules at a visit.
        integrate: Integrates the next segment.

    Returns:
        Loop state at the end.
    """

    def continues(loop: _LoopState) -> Array:
        return (loop.segments < segments) & ~loop.is_over & ~loop.carry.failed

    def is_due(loop: _LoopState) -> Array:
        visit, stop = _next_visit(plan, loop.carry), loop.carry.stop
        is_short = stop + same_time(stop) < jnp.minimum(visit, end)
        return continues(loop) & ~_is_now(visit, loop.carry) & (is_short | loop.is_last)

    def integrate_segment(loop: _LoopState) -> _LoopState:
        is_over = loop.carry.time >= end
        return _LoopState(integrate(loop.carry), loop.segments + 1, is_over, loop.is_last)

    def advance(loop: _LoopState) -> _LoopState:
        is_visit = continues(loop) & _is_now(_next_visit(plan, loop.carry), loop.carry)
        carry = apply_if(is_visit, decide, loop.carry)
        loop = eqx.tree_at(lambda s: s.carry, loop, carry)
        loop = jax.lax.while_loop(is_due, integrate_segment, loop)
        return eqx.tree_at(lambda s: s.is_last, loop, ~loop.is_last)

    no = jnp.asarray(False)
    first = _LoopState(carry, jnp.zeros((), jnp.int32), no, no)
    return jax.lax.while_loop(continues, advance, first).carry


def _next_visit(plan: AdaptivePlan, carry: Any) -> Array:
    """Time of the next decision [day]; inf after the last."""
    n = carry.adaptive.visit
    times = jnp.asarray(plan.decided)
    return jnp.where(n < times.shape[0], row(times, n), jnp.inf)


def _is_now(time: Array, carry: VisitCarry) -> Array:
    return jnp.abs(time - carry.time) <= same_time(carry.time)
