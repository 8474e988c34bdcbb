"""Snapshots at the times of a grid.

A simulation stops at each time of a short grid. A long grid is read from the dense output of the
solver instead, one window of its times in each segment.
"""

import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.interface import Leaf, PyTree
from qsp.engine.precision import same_time

FEW = 8
"""Maximum length of a short grid. Dense output costs time in every step, a stop a few steps."""

SAVE_WINDOW = 32
"""Maximum number of snapshots of a long grid in one segment; a longer segment is cut."""


def is_long(grid: Leaf) -> bool:
    """Return whether a grid is read from the dense output."""
    return len(grid) > FEW


def window(grid: Leaf) -> int:
    """Return the number of snapshots of a long grid that a segment holds.

    The loop over steps copies all of them at each step.
    """
    return min(SAVE_WINDOW, len(grid) + 1)


def most_windows(grid: Leaf) -> int:
    """Return the largest number of segments that end because the window of a long grid is full."""
    return len(grid) // (SAVE_WINDOW - 1)


def pad_grid(grid: Array) -> Array:
    """Return a long grid followed by one window of infinite times."""
    return jnp.pad(grid, (0, window(grid)), constant_values=jnp.inf)


def empty_rows(snapshot: PyTree, grid: Array) -> PyTree:
    """Return rows of NaN for the snapshots of a grid; a long grid has one window more."""
    length = len(grid) + is_long(grid) * window(grid)
    return jax.tree.map(lambda leaf: jnp.full((length, *leaf.shape), jnp.nan), snapshot)


def drop_padding(rows: PyTree, grid: Array) -> PyTree:
    """Return the rows of the times of a grid."""
    return jax.tree.map(lambda leaf: leaf[: len(grid)], rows)


def write_window(rows: PyTree, first: Array, snapshots: PyTree) -> PyTree:
    """Write a window of snapshots into rows, starting at row `first`."""
    return jax.tree.map(
        lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, first, 0), rows, snapshots
    )


def write_snapshot(rows: PyTree, grid: Array, time: Array, snapshot: PyTree) -> PyTree:
    """Write a snapshot into the row of a short grid that has the time of the snapshot, if any."""
    here = jnp.abs(grid - time) <= same_time(time)
    return jax.tree.map(
        lambda old, new: jnp.where(here.reshape(-1, *[1] * new.ndim), new, old), rows, snapshot
    )
