"""Dosing as a sequence of segments, differentiable with respect to times and amounts of doses.

Every start and every end of an administration is a boundary of its own. Boundaries at the same time
are separated by a segment without length, so the derivative with respect to the time of one of them
does not depend on the others.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from qsp.trial.schedule import Events


class Timeline(NamedTuple):
    """Segments between the changes of dosing.

    Args:
        boundary: (segment + 1,): Start of each segment and end of the last one [day].
        infusion: (segment, kind): Rates of infusions [nmol/day or mg/day].
        bolus: (segment, kind): Boluses at the start of the segment [nmol or mg].
    """

    boundary: Array
    infusion: Array
    bolus: Array


def timeline(events: Events[Array], begin: Array, end: Array, kinds: int) -> tuple[Timeline, Array]:
    """Return the segments of a simulation, and the dose period of each, 0 before the first.

    Args:
        events: Events (event,), in any order.
        begin: Start [day].
        end: End [day]; later events are left out.
        kinds: Number of kinds of dose.
    """
    count = events.time.shape[0]
    stops = events.time + events.duration
    times = jnp.concatenate([jnp.reshape(begin, (1,)), events.time, stops])
    times = jnp.where(times < end, times, end)
    order = jnp.argsort(jax.lax.stop_gradient(times), stable=True)
    rank = jnp.argsort(order)
    start, stop = rank[1 : count + 1], rank[count + 1 :]

    segment = jnp.arange(2 * count + 1)[:, None]
    is_kind = events.kind[:, None] == jnp.arange(kinds, dtype=jnp.int32)
    is_running = (start <= segment) & (segment < stop)
    is_due = (start == segment) & (events.duration == 0.0) & (events.time <= end)
    rate = jnp.where(is_kind, events.rate[:, None], 0.0)
    amount = jnp.where(is_kind, events.amount[:, None], 0.0)
    period = jnp.where(start <= segment, events.period, 0).max(1, initial=0)
    return Timeline(
        boundary=jnp.concatenate([times[order], jnp.reshape(end, (1,))]),
        infusion=jnp.where(is_running[..., None], rate, 0.0).sum(1),
        bolus=jnp.where(is_due[..., None], amount, 0.0).sum(1),
    ), period
