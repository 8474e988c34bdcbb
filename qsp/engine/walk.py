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

from qsp.engine.events import Leaf
from qsp.engine.ledger import only_if, row
from qsp.engine.plan import Plan
from qsp.engine.precision import same_time

Carry = TypeVar("Carry")
"""Of a lane: it has its `time`, where it must `stop` next, a `memory`, and whether it `failed`."""


class _Walk(eqx.Module):
    carry: Any
    stretches: Array
    is_over: Array  # whether a stretch began at the end
    is_last: Array  # whether the stretch to the next visit is due, and none before it


def walked(
    plan: Plan,
    end: Leaf,
    carry: Carry,
    most: Array,
    decide: Callable[[Carry], Carry],
    stretch: Callable[[Carry], Carry],
) -> Carry:
    """Stretches until one began at the end.

    Args:
        plan: Of the lane.
        end: Of it.
        carry: At its begin.
        most: Stretches; a lane that is not done after them has failed.
        decide: What is done at a visit.
        stretch: What is done from one stop to the next.
    """

    def goes_on(walk: _Walk) -> Array:
        return (walk.stretches < most) & ~walk.is_over & ~walk.carry.failed

    def is_due(walk: _Walk) -> Array:
        at = _visit(plan, walk.carry)
        is_short = walk.carry.stop + same_time(walk.carry.stop) < jnp.minimum(at, end)
        return goes_on(walk) & ~_is_now(at, walk.carry) & (is_short | walk.is_last)

    def gone(walk: _Walk) -> _Walk:
        is_over = walk.carry.time >= end
        return _Walk(stretch(walk.carry), walk.stretches + 1, is_over, walk.is_last)

    def to_visit(walk: _Walk) -> _Walk:
        is_visit = goes_on(walk) & _is_now(_visit(plan, walk.carry), walk.carry)
        carry = only_if(is_visit, decide, walk.carry)
        walk = eqx.tree_at(lambda w: w.carry, walk, carry)
        walk = jax.lax.while_loop(is_due, gone, walk)
        return eqx.tree_at(lambda w: w.is_last, walk, ~walk.is_last)

    no = jnp.asarray(False)
    first = _Walk(carry, jnp.zeros((), jnp.int32), no, no)
    return jax.lax.while_loop(goes_on, to_visit, first).carry


def _visit(plan: Plan, carry: Any) -> Array:
    """Time at which is decided next."""
    n = carry.memory.visit
    visits = jnp.asarray(plan.decided)
    return jnp.where(n < visits.shape[0], row(visits, n), jnp.inf)


def _is_now(at: Array, carry: Any) -> Array:
    return jnp.abs(at - carry.time) <= same_time(carry.time)
