"""Rescue drugs: supportive drugs that rules give, within limits on their number and timing."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.ledger import append_administration, apply_if, event, first_true, index_of
from qsp.engine.adaptive.state import LONG_AGO, REMEMBERED, AdaptiveState, Visit
from qsp.engine.precision import same_time
from qsp.trial.rules import ACTS
from qsp.trial.schedule import AdaptivePlan, Rescues

GIVE = ACTS.index("give")


def give_rescue_drugs(
    adaptive: AdaptiveState, plan: AdaptivePlan, visit: Visit, ready: Array
) -> tuple[AdaptiveState, Array]:
    """Give each rescue drug that a rule asks for, if its limits allow.

    Args:
        adaptive: State of adaptive dosing.
        plan: Plan of the simulation.
        visit: The visit.
        ready: (rule,): Whether the rule may act at the visit.

    Returns:
        State after the visit, and the index of the last rule that gave a drug; -1 if none did.
    """
    asks, drugs = ready & (plan.rules.act == GIVE), plan.rescues
    acted = jnp.zeros_like(adaptive.times_acted)
    rule = jnp.full((), -1, jnp.int32)
    for drug in range(drugs.kind.shape[0]):
        asks_for_drug = asks & (plan.rules.argument == drug)
        give = asks_for_drug.any() & _within_limits(adaptive, drugs, drug, visit.time)
        first = first_true(asks_for_drug) & give
        acted = acted + first.astype(acted.dtype)
        rule = jnp.where(give, index_of(first), rule)
        adaptive = apply_if(give, lambda m, drug=drug: _give(m, drugs, drug, visit), adaptive)
    return eqx.tree_at(lambda m: m.times_acted, adaptive, adaptive.times_acted + acted), rule


def _within_limits(adaptive: AdaptiveState, drugs: Rescues, drug: int, time: Array) -> Array:
    """Whether another administration of a drug at a time is within all limits."""
    times, tolerance = adaptive.dose_times[drug], same_time(time)
    in_window = (time - times < jnp.asarray(drugs.window)[drug] - tolerance) & (times > LONG_AGO)
    recent = jnp.where(in_window, 1.0, 0.0).sum()
    return (
        (recent < jnp.asarray(drugs.per_window)[drug])
        & (adaptive.event_doses[drug] < jnp.asarray(drugs.per_event)[drug])
        & (adaptive.total_doses[drug] < jnp.asarray(drugs.max_times)[drug])
        & (time - times[0] >= jnp.asarray(drugs.min_interval)[drug] - tolerance)
        & (jnp.asarray(drugs.kind)[drug] >= 0)
    )


def _give(adaptive: AdaptiveState, drugs: Rescues, drug: int, visit: Visit) -> AdaptiveState:
    """Append an administration of a drug to the ledger and count it."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[drug], drugs)
    dose = event(visit.time, one.kind, one.amount, one.duration)
    times = jnp.concatenate([visit.time[None], adaptive.dose_times[drug, : REMEMBERED - 1]])
    no_step = jnp.full((), -1, jnp.int32)
    adaptive = append_administration(adaptive, dose, no_step, jnp.asarray(True))
    return eqx.tree_at(
        lambda m: (m.event_doses, m.total_doses, m.dose_times),
        adaptive,
        (
            adaptive.event_doses.at[drug].add(1.0),
            adaptive.total_doses.at[drug].add(1.0),
            adaptive.dose_times.at[drug].set(times),
        ),
    )
