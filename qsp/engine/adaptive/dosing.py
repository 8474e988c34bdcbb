"""The dose that is due at a visit: what a rule makes of it, and what is due next."""

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
from qsp.engine.adaptive.state import AdaptivePlan, AdaptiveState, Steps, Visit
from qsp.engine.precision import same_time
from qsp.trial.rules import ACTS

PROCEED, HOLD, DELAY, BACK, SPLIT, INTERVAL, STOP, GIVE = range(1, len(ACTS))


class Dose(NamedTuple):
    """A dose of the molecule that is given, or not."""

    given: Array
    step: Array
    share: Array
    anew: Array  # whether it begins a dose period


def decide_dose(
    adaptive: AdaptiveState, plan: AdaptivePlan, now: Visit, ready: Array
) -> tuple[AdaptiveState, Array, Array]:
    """The dose that is due, as the first matching rule says; the decision and that rule's row."""
    steps, act = plan.steps, jnp.asarray(plan.rules.act)
    left = (adaptive.step < steps.count) | (adaptive.parts > 0)
    soon = adaptive.due <= now.visit + same_time(now.visit)
    due = now.here & soon & left & ~adaptive.stopped
    runs = now.visit + same_time(now.visit) < adaptive.infused_until
    to_stop = (left | runs) & ~adaptive.stopped
    fits = ready & (act != GIVE) & (due | ((act == STOP) & to_stop))
    fits &= ~((act == SPLIT) & (adaptive.parts > 0))  # its parts are no doses of their own
    first = first_true(fits)
    chosen = jnp.where(first, act, 0).sum(dtype=jnp.int32)
    days = jnp.where(first, plan.rules.days, 0.0).sum()
    count = jnp.where(first, plan.rules.count, 0).sum(dtype=jnp.int32)

    dose = _dose(adaptive, steps, chosen, count, due)
    adaptive = _after(adaptive, steps, now, dose, chosen, days, count)
    adaptive = apply_if(dose.given, lambda m: _put_down(m, steps, now, dose), adaptive)
    is_cut = runs & now.here & (chosen == STOP)
    adaptive = apply_if(is_cut, lambda m: _cut_short(m, now), adaptive)
    adaptive = eqx.tree_at(
        lambda m: m.acted, adaptive, adaptive.acted + first.astype(adaptive.acted.dtype)
    )
    plain = jnp.where(due, PROCEED, 0)
    return adaptive, jnp.where(chosen > 0, chosen, plain), index_of(first)


def _dose(adaptive: AdaptiveState, steps: Steps, chosen: Array, count: Array, due: Array) -> Dose:
    """What is given: a part that is left, an earlier dose, a part of the next, or all of it."""
    back, split = chosen == BACK, (chosen == SPLIT) & (adaptive.parts == 0)
    rest = (adaptive.parts > 0) & ~back
    earlier = jnp.maximum(adaptive.last_step - jnp.minimum(count, adaptive.last_step), 0)
    step = jnp.where(back, earlier, jnp.where(rest, adaptive.last_step, adaptive.step))
    share = jnp.where(rest, adaptive.part, 1.0)
    share = jnp.where(split, 1.0 / jnp.maximum(count, 1).astype(share.dtype), share)
    given = due & (chosen != HOLD) & (chosen != DELAY) & (chosen != STOP)
    return Dose(given, step, share, anew=back | ~(rest | row(steps.same_period, step)))


def _after(  # noqa: PLR0913
    adaptive: AdaptiveState,
    steps: Steps,
    now: Visit,
    dose: Dose,
    chosen: Array,
    days: Array,
    count: Array,
) -> AdaptiveState:
    """What is due next."""
    given, rest = dose.given, (adaptive.parts > 0) & (chosen != BACK)
    split = given & (chosen == SPLIT) & (adaptive.parts == 0)
    # Who goes back has the intervals of the plan again.
    kept = jnp.where(given & (chosen == BACK), 0.0, adaptive.interval)
    interval = jnp.where(given & (chosen == INTERVAL), days, kept)
    # Who goes back some doses begins the plan anew there; one dose given again leaves days alone.
    anew = given & (chosen == BACK) & (count > 0)
    shift = jnp.where(anew, now.visit - row(steps.day, dose.step), adaptive.shift)
    gap = row(steps.next_min_interval, dose.step)
    on_its_day = jnp.maximum(row(steps.next_day, dose.step) + shift, now.visit + gap)
    keeps_day = (gap >= 0.0) & (interval == 0.0)
    planned = jnp.where(interval > 0.0, interval, row(steps.interval, dose.step))
    whole = jnp.where(keeps_day, on_its_day, now.visit + planned)
    late_part = jnp.maximum(now.visit - adaptive.due, 0.0)
    after_rest = jnp.where(keeps_day, whole, adaptive.after_parts + late_part)
    after_rest = jnp.where(chosen == INTERVAL, whole, after_rest)
    after_parts = jnp.where(given & rest, after_rest, adaptive.after_parts)
    after_parts = jnp.where(given & ~rest, whole, after_parts)
    parts = jnp.where(split, count - 1, jnp.where(rest, adaptive.parts - 1, 0))
    part_days = jnp.where(split, days, adaptive.part_days)
    due = jnp.where(parts > 0, now.visit + part_days, after_parts)
    due = jnp.where(given, due, adaptive.due)
    late = now.here & (chosen == DELAY)
    # A part that is put off puts off what comes after the parts.
    put_off = jnp.where(adaptive.parts > 0, now.visit + days - adaptive.due, 0.0)
    after_parts = jnp.where(late, adaptive.after_parts + put_off, after_parts)
    return eqx.tree_at(
        lambda m: (
            *(m.step, m.last_step, m.last_dose, m.due, m.after_parts, m.parts, m.part),
            *(m.part_days, m.interval, m.shift, m.stopped, m.doses, m.began),
        ),
        adaptive,
        (
            jnp.where(given & ~rest, dose.step + 1, adaptive.step),
            jnp.where(given, dose.step, adaptive.last_step),
            jnp.where(given, now.visit, adaptive.last_dose),
            jnp.where(late, now.visit + days, due),
            after_parts,
            jnp.where(given, parts, adaptive.parts),
            jnp.where(given, dose.share, adaptive.part),
            part_days,
            interval,
            shift,
            adaptive.stopped | (now.here & (chosen == STOP)),
            adaptive.doses + given.astype(jnp.int32),
            jnp.where(given & dose.anew, now.visit, adaptive.began),
        ),
    )


def _put_down(adaptive: AdaptiveState, steps: Steps, now: Visit, dose: Dose) -> AdaptiveState:
    """A dose and what goes ahead of it, in the ledger."""
    for n in range(steps.ahead_kind.shape[1]):
        kind = row(steps.ahead_kind, dose.step)[n]
        one_dose = event(
            now.visit - row(steps.ahead_lead, dose.step)[n],
            kind,
            row(steps.ahead_amount, dose.step)[n],
            row(steps.ahead_duration, dose.step)[n],
        )
        adaptive = append_administration(adaptive, one_dose, dose.step, kind >= 0)
    period = adaptive.period + dose.anew.astype(jnp.int32)
    duration = row(steps.duration, dose.step)
    one_dose = event(
        now.visit,
        row(steps.kind, dose.step),
        dose.share * row(steps.amount, dose.step),
        duration,
    )
    one_dose = eqx.tree_at(lambda e: e.period, one_dose, period)
    until = jnp.maximum(adaptive.infused_until, now.visit + duration)
    adaptive = eqx.tree_at(lambda m: (m.period, m.infused_until), adaptive, (period, until))
    return append_administration(adaptive, one_dose, dose.step, dose.given)


def _cut_short(adaptive: AdaptiveState, now: Visit) -> AdaptiveState:
    """Infusions of the molecule that go on beyond the visit end there."""
    events = adaptive.ledger.events
    soon = now.visit + same_time(now.visit)
    runs = jnp.asarray(events.time < now.visit) & (events.period > 0)
    runs &= soon < events.time + events.duration
    length = jnp.where(runs, now.visit - jnp.where(runs, events.time, 0.0), events.duration)
    amount = jnp.where(runs, length * events.rate, events.amount)
    return eqx.tree_at(
        lambda m: (m.ledger.events.duration, m.ledger.events.amount), adaptive, (length, amount)
    )
