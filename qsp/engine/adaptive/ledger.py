"""Rows of a ledger or a log, written where a lane has come to."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.state import AdaptiveState, Ledger
from qsp.engine.events import Events

Carry = TypeVar("Carry")


def event(time: Array, kind: Array, amount: Array, duration: Array) -> Events:
    """One administration, of no dose period."""
    long = duration > 0.0
    rate = jnp.where(long, amount / jnp.where(long, duration, 1.0), 0.0)
    return Events(time, kind, amount, rate, duration, jnp.zeros((), jnp.int32))


def append_administration(
    adaptive: AdaptiveState, one: Events, step: Array, given: Array
) -> AdaptiveState:
    """With one row more in the ledger, if it is given."""
    entry = Ledger(one, adaptive.visit, step)
    ledger = write_row(adaptive.ledger, adaptive.rows, entry, given)
    rows = adaptive.rows + given.astype(jnp.int32)
    return eqx.tree_at(lambda m: (m.ledger, m.rows), adaptive, (ledger, rows))


def write_row(table: Any, n: Array, entry: Any, wanted: Array) -> Any:
    """A table with another row, if that is wanted."""

    def changed(rows: Array, new: Any) -> Array:
        where = jnp.where(wanted, n, rows.shape[0])
        return rows.at[where].set(jnp.asarray(new).astype(rows.dtype), mode="drop")

    leaves, structure = jax.tree.flatten(table)
    news = jax.tree.leaves(entry)
    return jax.tree.unflatten(
        structure, [changed(*pair) for pair in zip(leaves, news, strict=True)]
    )


def row(array: Any, n: Array) -> Array:
    """A row of an array; beyond its end, the last."""
    return jnp.take(jnp.asarray(array), n, axis=0, mode="clip")


def first_true(flags: Array) -> Array:
    """The first that is true, alone."""
    index = jnp.arange(flags.shape[0], dtype=jnp.int32)
    return flags & ~(flags & (index < index[:, None])).any(-1)


def index_of(first: Array) -> Array:
    """Where the one is that is true, -1 if none is."""
    index = jnp.arange(first.shape[0], dtype=jnp.int32)
    return jnp.where(first, index + 1, 0).sum(dtype=jnp.int32) - 1


def apply_if(wanted: Array, change: Callable[[Carry], Carry], carry: Carry) -> Carry:
    """What is changed where that is wanted; lanes side by side skip it where none of them wants it.

    Args:
        wanted: Whether to.
        change: How.
        carry: Of what.
    """
    return jax.lax.cond(wanted, change, lambda carry: carry, carry)
