"""Supportive drugs that rules give: each within its limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.ledger import entered, event, first_of, only_if, place_of
from qsp.engine.plan import LAST, LONG_AGO, Memory, Moment, Plan, Rescues
from qsp.engine.precision import same_time
from qsp.trial.rules import ACTS

GIVE = ACTS.index("give")


def rescued(memory: Memory, plan: Plan, moment: Moment, ready: Array) -> tuple[Memory, Array]:
    """Each drug that a rule asks for, within its limits; the row of the last such rule."""
    asked, drugs = ready & (plan.rules.act == GIVE), plan.rescues
    acted = jnp.zeros_like(memory.acted)
    rule = jnp.full((), -1, jnp.int32)
    for drug in range(drugs.kind.shape[0]):
        for_it = asked & (plan.rules.count == drug)
        given = for_it.any() & _within_limits(memory, drugs, drug, moment.time)
        first = first_of(for_it) & given
        acted = acted + first.astype(acted.dtype)
        rule = jnp.where(given, place_of(first), rule)
        memory = only_if(given, lambda m, drug=drug: _given(m, drugs, drug, moment), memory)
    return eqx.tree_at(lambda m: m.acted, memory, memory.acted + acted), rule


def _within_limits(memory: Memory, drugs: Rescues, drug: int, time: Array) -> Array:
    """Whether another dose keeps to all limits."""
    number = jnp.asarray(drugs.per_window)[drug]
    times, soon = memory.times[drug], same_time(time)
    is_recent = (time - times < jnp.asarray(drugs.window)[drug] - soon) & (times > LONG_AGO)
    recent = jnp.where(is_recent, 1.0, 0.0).sum()
    return (
        (recent < number)
        & (memory.in_event[drug] < jnp.asarray(drugs.per_event)[drug])
        & (memory.in_all[drug] < jnp.asarray(drugs.at_most)[drug])
        & (time - times[0] >= jnp.asarray(drugs.apart)[drug] - soon)
        & (jnp.asarray(drugs.kind)[drug] >= 0)
    )


def _given(memory: Memory, drugs: Rescues, drug: int, moment: Moment) -> Memory:
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[drug], drugs)
    one_dose = event(moment.time, one.kind, one.amount, one.duration)
    times = jnp.concatenate([moment.time[None], memory.times[drug, : LAST - 1]])
    nowhere, given = jnp.full((), -1, jnp.int32), jnp.asarray(True)
    memory = entered(memory, one_dose, nowhere, given)
    return eqx.tree_at(
        lambda m: (m.in_event, m.in_all, m.times),
        memory,
        (
            memory.in_event.at[drug].add(1.0),
            memory.in_all.at[drug].add(1.0),
            memory.times.at[drug].set(times),
        ),
    )
