"""Supportive drugs that rules give: each within its limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.ledger import append_administration, apply_if, event, first_true, index_of
from qsp.engine.adaptive.state import LAST, LONG_AGO, AdaptivePlan, AdaptiveState, Rescues, Visit
from qsp.engine.precision import same_time
from qsp.trial.rules import ACTS

GIVE = ACTS.index("give")


def give_rescue_drugs(
    adaptive: AdaptiveState, plan: AdaptivePlan, now: Visit, ready: Array
) -> tuple[AdaptiveState, Array]:
    """Each drug that a rule asks for, within its limits; the row of the last such rule."""
    asked, drugs = ready & (plan.rules.act == GIVE), plan.rescues
    acted = jnp.zeros_like(adaptive.acted)
    rule = jnp.full((), -1, jnp.int32)
    for drug in range(drugs.kind.shape[0]):
        for_it = asked & (plan.rules.count == drug)
        given = for_it.any() & _within_limits(adaptive, drugs, drug, now.time)
        first = first_true(for_it) & given
        acted = acted + first.astype(acted.dtype)
        rule = jnp.where(given, index_of(first), rule)
        adaptive = apply_if(given, lambda m, drug=drug: _given(m, drugs, drug, now), adaptive)
    return eqx.tree_at(lambda m: m.acted, adaptive, adaptive.acted + acted), rule


def _within_limits(adaptive: AdaptiveState, drugs: Rescues, drug: int, time: Array) -> Array:
    """Whether another dose keeps to all limits."""
    number = jnp.asarray(drugs.per_window)[drug]
    times, soon = adaptive.times[drug], same_time(time)
    is_recent = (time - times < jnp.asarray(drugs.window)[drug] - soon) & (times > LONG_AGO)
    recent = jnp.where(is_recent, 1.0, 0.0).sum()
    return (
        (recent < number)
        & (adaptive.in_event[drug] < jnp.asarray(drugs.per_event)[drug])
        & (adaptive.in_all[drug] < jnp.asarray(drugs.max_times)[drug])
        & (time - times[0] >= jnp.asarray(drugs.min_interval)[drug] - soon)
        & (jnp.asarray(drugs.kind)[drug] >= 0)
    )


def _given(adaptive: AdaptiveState, drugs: Rescues, drug: int, now: Visit) -> AdaptiveState:
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[drug], drugs)
    one_dose = event(now.time, one.kind, one.amount, one.duration)
    times = jnp.concatenate([now.time[None], adaptive.times[drug, : LAST - 1]])
    nowhere, given = jnp.full((), -1, jnp.int32), jnp.asarray(True)
    adaptive = append_administration(adaptive, one_dose, nowhere, given)
    return eqx.tree_at(
        lambda m: (m.in_event, m.in_all, m.times),
        adaptive,
        (
            adaptive.in_event.at[drug].add(1.0),
            adaptive.in_all.at[drug].add(1.0),
            adaptive.times.at[drug].set(times),
        ),
    )
