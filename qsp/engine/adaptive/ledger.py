"""Ledger of administered doses, and reading and writing of rows at traced indices."""

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.state import AdaptiveState
from qsp.engine.interface import Leaf, PyTree
from qsp.trial.schedule import AdministeredDoses, Events

Carry = TypeVar("Carry")
Table = TypeVar("Table")


def event(time: Array, kind: Array, amount: Array, duration: Array) -> Events[Array]:
    """Return one administration without a dose period.

    Args:
        time: Start [day].
        kind: int32 index into `qsp.trial.KINDS`.
        amount: Amount [nmol or mg].
        duration: Duration of the infusion [day]; 0 for a bolus.
    """
    is_infusion = duration > 0.0
    rate = jnp.where(is_infusion, amount / jnp.where(is_infusion, duration, 1.0), 0.0)
    return Events(time, kind, amount, rate, duration, jnp.zeros((), jnp.int32))


def append_administration(
    adaptive: AdaptiveState, dose: Events[Array], step: Array, condition: Array
) -> AdaptiveState:
    """Append an administration to the ledger if a condition holds.

    Args:
        adaptive: State of adaptive dosing.
        dose: The administration.
        step: Index of its planned dose; -1 for a rescue drug.
        condition: Whether to append it.
    """
    entry = AdministeredDoses(*dose, adaptive.visit, step)
    ledger = write_row(adaptive.ledger, adaptive.rows, entry, condition)
    rows = adaptive.rows + condition.astype(jnp.int32)
    return eqx.tree_at(lambda m: (m.ledger, m.rows), adaptive, (ledger, rows))


def write_row(table: Table, n: Array, entry: PyTree, condition: Array) -> Table:
    """Write an entry into row n of a table if a condition holds.

    Args:
        table: Tree of arrays with a leading row axis.
        n: Index of the row.
        entry: Tree with the leaves of the row, in the order of those of the table.
        condition: Whether to write it.
    """

    def write(rows: Array, new: Array) -> Array:
        index = jnp.where(condition, n, rows.shape[0])  # out of bounds: dropped
        return rows.at[index].set(jnp.asarray(new).astype(rows.dtype), mode="drop")

    leaves, structure = jax.tree.flatten(table)
    new_leaves = jax.tree.leaves(entry)
    return jax.tree.unflatten(
        structure, [write(rows, new) for rows, new in zip(leaves, new_leaves, strict=True)]
    )


def row(array: Leaf, n: Array) -> Array:
    """Return row n of an array, or its last row if n is beyond the end."""
    return jnp.take(jnp.asarray(array), n, axis=0, mode="clip")


def first_true(flags: Array) -> Array:
    """Return flags of which only the first true one is left."""
    index = jnp.arange(flags.shape[0], dtype=jnp.int32)
    return flags & ~(flags & (index < index[:, None])).any(-1)


def index_of(flags: Array) -> Array:
    """Return the index of the only true flag; -1 if none is true."""
    index = jnp.arange(flags.shape[0], dtype=jnp.int32)
    return jnp.where(flags, index + 1, 0).sum(dtype=jnp.int32) - 1


def apply_if(condition: Array, change: Callable[[Carry], Carry], carry: Carry) -> Carry:
    """Apply a change if a condition holds.

    Simulations that run in one vector skip the change if the condition holds in none of them.

    Args:
        condition: Whether to apply the change.
        change: Function from carry to carry.
        carry: Loop state.
    """
    return jax.lax.cond(condition, change, lambda carry: carry, carry)
