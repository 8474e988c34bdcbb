"""The way of a lane that reacts, from visit to visit.

Lanes side by side wait for each other at the end of each loop. Those that are given something at a
visit have short stretches of their own before the long one to the next visit, so these come first,
and then all lanes go to the next visit together.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.ledger import apply_if, row
from qsp.engine.adaptive.state import AdaptivePlan
from qsp.engine.events import Leaf
from qsp.engine.precision import same_time

Carry = TypeVar("Carry")
"""Loop state: `time`, next `stop`, `adaptive` state and whether the simulation `failed`."""


class _LoopState(eqx.Module):
    carry: Any
    segments: Array
    is_over: Array  # whether a stretch began at the end
    is_last: Array  # whether the stretch to the next visit is due, and none before it


def visit_loop(
    plan: AdaptivePlan,
    end: Leaf,
    carry: Carry,
    most: Array,
    decide: Callable[[Carry], Carry],
    segment: Callable[[Carry], Carry],
) -> Carry:
    """Stretches until one began at the end.

    Args:
        plan: Of the lane.
        end: Of it.
        carry: At its begin.
        most: Stretches; a lane that is not done after them has failed.
        decide: What is done at a visit.
        segment: What is done from one stop to the next.
    """

    def goes_on(walk: _LoopState) -> Array:
        return (walk.segments < most) & ~walk.is_over & ~walk.carry.failed

    def is_due(walk: _LoopState) -> Array:
        at = _visit(plan, walk.carry)
        is_short = walk.carry.stop + same_time(walk.carry.stop) < jnp.minimum(at, end)
        return goes_on(walk) & ~_is_now(at, walk.carry) & (is_short | walk.is_last)

    def gone(walk: _LoopState) -> _LoopState:
        is_over = walk.carry.time >= end
        return _LoopState(segment(walk.carry), walk.segments + 1, is_over, walk.is_last)

    def to_visit(walk: _LoopState) -> _LoopState:
        is_visit = goes_on(walk) & _is_now(_visit(plan, walk.carry), walk.carry)
        carry = apply_if(is_visit, decide, walk.carry)
        walk = eqx.tree_at(lambda w: w.carry, walk, carry)
        walk = jax.lax.while_loop(is_due, gone, walk)
        return eqx.tree_at(lambda w: w.is_last, walk, ~walk.is_last)

    no = jnp.asarray(False)
    first = _LoopState(carry, jnp.zeros((), jnp.int32), no, no)
    return jax.lax.while_loop(goes_on, to_visit, first).carry


def _visit(plan: AdaptivePlan, carry: Any) -> Array:
    """Time at which is decided next."""
    n = carry.adaptive.visit
    visits = jnp.asarray(plan.decided)
    return jnp.where(n < visits.shape[0], row(visits, n), jnp.inf)


def _is_now(at: Array, carry: Any) -> Array:
    return jnp.abs(at - carry.time) <= same_time(carry.time)
