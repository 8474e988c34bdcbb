"""Where a lane must stop: changes of dosing, visits, and the ends of windows of long grids.

Between two stops the equations are smooth and one solve runs. A grid of a few times stops the lane
at each of them; a grid of many times is read off the dense output, a window of it in each stretch.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from qsp.engine.adaptive.state import AdaptivePlan
from qsp.engine.events import Events, Leaf
from qsp.engine.precision import same_time

FEW = 8
"""Most times of a grid at which a lane stops. To read times off the dense output costs something in
every step; to stop costs a few steps at each."""

SAVE_WINDOW = 32
"""Most snapshots of a long grid between two ends of a stretch; a longer stretch is cut."""


def is_long(grid: Leaf) -> bool:
    """Whether a grid is read off the dense output."""
    return len(grid) > FEW


def window(grid: Leaf) -> int:
    """Snapshots of a long grid with room in one stretch: the loop over steps copies them all."""
    return min(SAVE_WINDOW, len(grid) + 1)


def padded(grid: Array) -> Array:
    """A long grid with a window of times after its end."""
    return jnp.pad(grid, (0, window(grid)), constant_values=jnp.inf)


def next_stop(
    time: Array,
    tables: tuple[Events, ...],
    grids: tuple[Array, ...],
    end: Leaf,
    visits: tuple[Leaf, ...] = (),
) -> Array:
    """The first stop after a time.

    Args:
        time: Now.
        tables: What is given.
        grids: Times of snapshots.
        end: Of the lane.
        visits: Further stops, however many.
    """
    ahead = [at for events in tables for at in (events.time, events.time + events.duration)]
    ahead += [grid for grid in grids if len(grid) and not is_long(grid)]
    times = jnp.concatenate([*ahead, *visits])
    stop = jnp.minimum(jnp.where(times > time + same_time(time), times, jnp.inf).min(), end)
    for grid in filter(is_long, grids):
        last = jnp.searchsorted(grid, time) + window(grid) - 1
        stop = jnp.minimum(stop, padded(grid)[last])
    return jnp.maximum(stop, time)


def max_segments(
    events: Any, begin: Leaf, end: Leaf, grids: tuple[Leaf, ...], plan: AdaptivePlan | None = None
) -> int:
    """An upper bound of the stretches of any lane, and one more.

    The last one has no length: a dose at the very end is given in it, and so each lane ends alike,
    however many more there are for the sake of others.

    Args:
        events: Administrations, with a leading lane axis or none.
        begin: Start of the lanes.
        end: Their end.
        grids: Times of snapshots.
        plan: Of lanes that react, with a leading axis: they stop at visits, and at both ends of
            whatever they may be given.
    """
    start, stop = (np.asarray(at, float)[..., None] for at in (begin, end))
    few = [np.asarray(grid, float) for grid in grids if not is_long(grid)]
    times = np.concatenate(
        [
            np.asarray(events.time),
            np.asarray(events.time) + np.asarray(events.duration),
            *(np.broadcast_to(grid, (*start.shape[:-1], len(grid))) for grid in few),
        ],
        axis=-1,
    )
    inside = np.sort(np.where((times > start) & (times < stop), times, np.inf), axis=-1)
    before = np.concatenate([start, inside[..., :-1]], axis=-1)
    min_interval = np.isfinite(inside) & (inside > np.where(np.isfinite(before), before, 0.0))
    decided = 0 if plan is None else plan.decided.shape[-1] + 2 * plan.capacity.shape[-1]
    cuts = sum(len(grid) // (SAVE_WINDOW - 1) for grid in filter(is_long, grids))
    return int(min_interval.sum(-1).max()) + 2 + cuts + decided
