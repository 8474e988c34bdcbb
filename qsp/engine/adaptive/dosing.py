"""Decision on the dose that is due at a visit, and on the time of the next one."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.ledger import (
    append_administration,
    apply_if,
    event,
    first_true,
    index_of,
    row,
)
from qsp.engine.adaptive.state import AdaptiveState, Visit
from qsp.engine.precision import same_time
from qsp.trial.rules import ACTS
from qsp.trial.schedule import AdaptivePlan, Steps

PROCEED, HOLD, DELAY, BACK, SPLIT, INTERVAL, STOP, GIVE = range(1, len(ACTS))


class Act(NamedTuple):
    """Act of the first rule that matches; all zero if no rule does.

    Args:
        act: int32 index into `qsp.trial.rules.ACTS`.
        days: Delay or interval of the act [day].
        argument: Doses to go back, or parts of a split dose.
        rule: (rule,): Whether it is this rule that acts.
    """

    act: Array
    days: Array
    argument: Array
    rule: Array


class Dose(NamedTuple):
    """A dose of the molecule at a visit.

    Args:
        administered: Whether it is given.
        step: Index of the planned dose.
        share: Fraction of the planned dose.
        new_period: Whether it begins a dose period.
    """

    administered: Array
    step: Array
    share: Array
    new_period: Array


def decide_dose(
    adaptive: AdaptiveState, plan: AdaptivePlan, visit: Visit, ready: Array
) -> tuple[AdaptiveState, Array, Array]:
    """Decide on the dose that is due, by the first rule that matches.

    Args:
        adaptive: State of adaptive dosing.
        plan: Plan of the simulation.
        visit: The visit.
        ready: (rule,): Whether the rule may act at the visit.

    Returns:
        State after the visit, index of the decision into `qsp.trial.rules.DECISIONS`, and index of
        the rule that decided; -1 if none did.
    """
    steps, soon = plan.steps, visit.day + same_time(visit.day)
    is_left = (adaptive.step < steps.planned) | (adaptive.parts > 0)
    due = visit.attended & (adaptive.due <= soon) & is_left & ~adaptive.stopped
    is_infused = soon < adaptive.infused_until
    can_stop = (is_left | is_infused) & ~adaptive.stopped
    act = _first_act(adaptive, plan, ready, due, can_stop)

    dose = _dose(adaptive, steps, act, due)
    adaptive = _schedule_next(adaptive, steps, visit, dose, act)
    adaptive = apply_if(dose.administered, lambda m: _administer(m, steps, visit, dose), adaptive)
    is_cut = is_infused & visit.attended & (act.act == STOP)
    adaptive = apply_if(is_cut, lambda m: _stop_infusions(m, visit), adaptive)
    times_acted = adaptive.times_acted + act.rule.astype(adaptive.times_acted.dtype)
    adaptive = eqx.tree_at(lambda m: m.times_acted, adaptive, times_acted)
    without_rule = jnp.where(due, PROCEED, 0)
    return adaptive, jnp.where(act.act > 0, act.act, without_rule), index_of(act.rule)


def _first_act(
    adaptive: AdaptiveState, plan: AdaptivePlan, ready: Array, due: Array, can_stop: Array
) -> Act:
    """Act of the first rule that is ready and applies."""
    act = jnp.asarray(plan.rules.act)
    applies = ready & (act != GIVE) & (due | ((act == STOP) & can_stop))
    applies &= ~((act == SPLIT) & (adaptive.parts > 0))  # a part is not split again
    first = first_true(applies)
    return Act(
        act=jnp.where(first, act, 0).sum(dtype=jnp.int32),
        days=jnp.where(first, plan.rules.days, 0.0).sum(),
        argument=jnp.where(first, plan.rules.argument, 0).sum(dtype=jnp.int32),
        rule=first,
    )


def _dose(adaptive: AdaptiveState, steps: Steps, act: Act, due: Array) -> Dose:
    """The dose at a visit: a part that is left, an earlier dose, or the next, whole or in part."""
    back, split = act.act == BACK, (act.act == SPLIT) & (adaptive.parts == 0)
    part_left = (adaptive.parts > 0) & ~back
    earlier = jnp.maximum(adaptive.last_step - jnp.minimum(act.argument, adaptive.last_step), 0)
    step = jnp.where(back, earlier, jnp.where(part_left, adaptive.last_step, adaptive.step))
    share = jnp.where(part_left, adaptive.part, 1.0)
    share = jnp.where(split, 1.0 / jnp.maximum(act.argument, 1).astype(share.dtype), share)
    administered = due & (act.act != HOLD) & (act.act != DELAY) & (act.act != STOP)
    new_period = back | ~(part_left | row(steps.same_period, step))
    return Dose(administered, step, share, new_period)


def _schedule_next(
    adaptive: AdaptiveState, steps: Steps, visit: Visit, dose: Dose, act: Act
) -> AdaptiveState:
    """Update the counters of doses and parts, and the time at which the next dose is due."""
    gives, part_left = dose.administered, (adaptive.parts > 0) & (act.act != BACK)
    split = gives & (act.act == SPLIT) & (adaptive.parts == 0)
    # Going back restores the planned intervals.
    current = jnp.where(gives & (act.act == BACK), 0.0, adaptive.interval)
    interval = jnp.where(gives & (act.act == INTERVAL), act.days, current)
    # Going back by one or more doses shifts the planned days; repeating the last dose does not.
    restarts = gives & (act.act == BACK) & (act.argument > 0)
    shift = jnp.where(restarts, visit.day - row(steps.day, dose.step), adaptive.shift)
    min_interval = row(steps.next_min_interval, dose.step)
    on_its_day = jnp.maximum(row(steps.next_day, dose.step) + shift, visit.day + min_interval)
    keeps_day = (min_interval >= 0.0) & (interval == 0.0)
    planned = jnp.where(interval > 0.0, interval, row(steps.interval, dose.step))
    whole = jnp.where(keeps_day, on_its_day, visit.day + planned)
    late_part = jnp.maximum(visit.day - adaptive.due, 0.0)
    after_part = jnp.where(keeps_day, whole, adaptive.after_parts + late_part)
    after_part = jnp.where(act.act == INTERVAL, whole, after_part)
    after_parts = jnp.where(gives & part_left, after_part, adaptive.after_parts)
    after_parts = jnp.where(gives & ~part_left, whole, after_parts)
    parts = jnp.where(split, act.argument - 1, jnp.where(part_left, adaptive.parts - 1, 0))
    part_days = jnp.where(split, act.days, adaptive.part_days)
    due = jnp.where(parts > 0, visit.day + part_days, after_parts)
    due = jnp.where(gives, due, adaptive.due)
    delayed = visit.attended & (act.act == DELAY)
    # Delaying a part delays the dose after the parts by as much.
    delay = jnp.where(adaptive.parts > 0, visit.day + act.days - adaptive.due, 0.0)
    after_parts = jnp.where(delayed, adaptive.after_parts + delay, after_parts)
    return eqx.tree_at(
        lambda m: (
            *(m.step, m.last_step, m.last_dose, m.due, m.after_parts, m.parts, m.part),
            *(m.part_days, m.interval, m.shift, m.stopped, m.doses, m.period_start),
        ),
        adaptive,
        (
            jnp.where(gives & ~part_left, dose.step + 1, adaptive.step),
            jnp.where(gives, dose.step, adaptive.last_step),
            jnp.where(gives, visit.day, adaptive.last_dose),
            jnp.where(delayed, visit.day + act.days, due),
            after_parts,
            jnp.where(gives, parts, adaptive.parts),
            jnp.where(gives, dose.share, adaptive.part),
            part_days,
            interval,
            shift,
            adaptive.stopped | (visit.attended & (act.act == STOP)),
            adaptive.doses + gives.astype(jnp.int32),
            jnp.where(gives & dose.new_period, visit.day, adaptive.period_start),
        ),
    )


def _administer(adaptive: AdaptiveState, steps: Steps, visit: Visit, dose: Dose) -> AdaptiveState:
    """Append a dose and its premedication to the ledger."""
    for n in range(steps.ahead_kind.shape[1]):
        kind = row(steps.ahead_kind, dose.step)[n]
        drug = event(
            visit.day - row(steps.ahead_lead, dose.step)[n],
            kind,
            row(steps.ahead_amount, dose.step)[n],
            row(steps.ahead_duration, dose.step)[n],
        )
        adaptive = append_administration(adaptive, drug, dose.step, kind >= 0)
    period = adaptive.period + dose.new_period.astype(jnp.int32)
    duration = row(steps.duration, dose.step)
    amount = dose.share * row(steps.amount, dose.step)
    drug = event(visit.day, row(steps.kind, dose.step), amount, duration)._replace(period=period)
    until = jnp.maximum(adaptive.infused_until, visit.day + duration)
    adaptive = eqx.tree_at(lambda m: (m.period, m.infused_until), adaptive, (period, until))
    return append_administration(adaptive, drug, dose.step, dose.administered)


def _stop_infusions(adaptive: AdaptiveState, visit: Visit) -> AdaptiveState:
    """End the infusions of the molecule that are running at the visit."""
    ledger, soon = adaptive.ledger, visit.day + same_time(visit.day)
    is_running = jnp.asarray(ledger.time < visit.day) & (ledger.period > 0)
    is_running &= soon < ledger.time + ledger.duration
    duration = jnp.where(
        is_running, visit.day - jnp.where(is_running, ledger.time, 0.0), ledger.duration
    )
    amount = jnp.where(is_running, duration * ledger.rate, ledger.amount)
    return eqx.tree_at(lambda m: (m.ledger.duration, m.ledger.amount), adaptive, (duration, amount))
