"""The dose that is due at a visit: what a rule makes of it, and what is due next."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.ledger import entered, event, first_of, only_if, place_of, row
from qsp.engine.plan import Memory, Moment, Plan, Steps
from qsp.engine.precision import same_time
from qsp.trial.rules import ACTS

PROCEED, HOLD, DELAY, BACK, SPLIT, INTERVAL, STOP, GIVE = range(1, len(ACTS))


class Dose(NamedTuple):
    """A dose of the molecule that is given, or not."""

    given: Array
    step: Array
    share: Array
    anew: Array  # whether it begins a dose period


def dosed(memory: Memory, plan: Plan, moment: Moment, ready: Array) -> tuple[Memory, Array, Array]:
    """The dose that is due, as the first matching rule says; the decision and that rule's row."""
    steps, act = plan.steps, jnp.asarray(plan.rules.act)
    left = (memory.step < steps.count) | (memory.parts > 0)
    soon = memory.due <= moment.visit + same_time(moment.visit)
    due = moment.here & soon & left & ~memory.stopped
    runs = moment.visit + same_time(moment.visit) < memory.infused_until
    to_stop = (left | runs) & ~memory.stopped
    fits = ready & (act != GIVE) & (due | ((act == STOP) & to_stop))
    fits &= ~((act == SPLIT) & (memory.parts > 0))  # its parts are no doses of their own
    first = first_of(fits)
    chosen = jnp.where(first, act, 0).sum(dtype=jnp.int32)
    days = jnp.where(first, plan.rules.days, 0.0).sum()
    count = jnp.where(first, plan.rules.count, 0).sum(dtype=jnp.int32)

    dose = _dose(memory, steps, chosen, count, due)
    memory = _after(memory, steps, moment, dose, chosen, days, count)
    memory = only_if(dose.given, lambda m: _put_down(m, steps, moment, dose), memory)
    is_cut = runs & moment.here & (chosen == STOP)
    memory = only_if(is_cut, lambda m: _cut_short(m, moment), memory)
    memory = eqx.tree_at(lambda m: m.acted, memory, memory.acted + first.astype(memory.acted.dtype))
    plain = jnp.where(due, PROCEED, 0)
    return memory, jnp.where(chosen > 0, chosen, plain), place_of(first)


def _dose(memory: Memory, steps: Steps, chosen: Array, count: Array, due: Array) -> Dose:
    """What is given: a part that is left, an earlier dose, a part of the next, or all of it."""
    back, split = chosen == BACK, (chosen == SPLIT) & (memory.parts == 0)
    rest = (memory.parts > 0) & ~back
    earlier = jnp.maximum(memory.last_step - jnp.minimum(count, memory.last_step), 0)
    step = jnp.where(back, earlier, jnp.where(rest, memory.last_step, memory.step))
    share = jnp.where(rest, memory.part, 1.0)
    share = jnp.where(split, 1.0 / jnp.maximum(count, 1).astype(share.dtype), share)
    given = due & (chosen != HOLD) & (chosen != DELAY) & (chosen != STOP)
    return Dose(given, step, share, anew=back | ~(rest | row(steps.same_period, step)))


def _after(  # noqa: PLR0913
    memory: Memory,
    steps: Steps,
    moment: Moment,
    dose: Dose,
    chosen: Array,
    days: Array,
    count: Array,
) -> Memory:
    """What is due next."""
    given, rest = dose.given, (memory.parts > 0) & (chosen != BACK)
    split = given & (chosen == SPLIT) & (memory.parts == 0)
    # Who goes back has the intervals of the plan again.
    kept = jnp.where(given & (chosen == BACK), 0.0, memory.interval)
    interval = jnp.where(given & (chosen == INTERVAL), days, kept)
    # Who goes back some doses begins the plan anew there; one dose given again leaves days alone.
    anew = given & (chosen == BACK) & (count > 0)
    shift = jnp.where(anew, moment.visit - row(steps.day, dose.step), memory.shift)
    gap = row(steps.next_gap, dose.step)
    on_its_day = jnp.maximum(row(steps.next_day, dose.step) + shift, moment.visit + gap)
    keeps_day = (gap >= 0.0) & (interval == 0.0)
    planned = jnp.where(interval > 0.0, interval, row(steps.interval, dose.step))
    whole = jnp.where(keeps_day, on_its_day, moment.visit + planned)
    late_part = jnp.maximum(moment.visit - memory.due, 0.0)
    after_rest = jnp.where(keeps_day, whole, memory.after_parts + late_part)
    after_rest = jnp.where(chosen == INTERVAL, whole, after_rest)
    after_parts = jnp.where(given & rest, after_rest, memory.after_parts)
    after_parts = jnp.where(given & ~rest, whole, after_parts)
    parts = jnp.where(split, count - 1, jnp.where(rest, memory.parts - 1, 0))
    part_days = jnp.where(split, days, memory.part_days)
    due = jnp.where(parts > 0, moment.visit + part_days, after_parts)
    due = jnp.where(given, due, memory.due)
    late = moment.here & (chosen == DELAY)
    # A part that is put off puts off what comes after the parts.
    put_off = jnp.where(memory.parts > 0, moment.visit + days - memory.due, 0.0)
    after_parts = jnp.where(late, memory.after_parts + put_off, after_parts)
    return eqx.tree_at(
        lambda m: (
            *(m.step, m.last_step, m.last_dose, m.due, m.after_parts, m.parts, m.part),
            *(m.part_days, m.interval, m.shift, m.stopped, m.doses, m.began),
        ),
        memory,
        (
            jnp.where(given & ~rest, dose.step + 1, memory.step),
            jnp.where(given, dose.step, memory.last_step),
            jnp.where(given, moment.visit, memory.last_dose),
            jnp.where(late, moment.visit + days, due),
            after_parts,
            jnp.where(given, parts, memory.parts),
            jnp.where(given, dose.share, memory.part),
            part_days,
            interval,
            shift,
            memory.stopped | (moment.here & (chosen == STOP)),
            memory.doses + given.astype(jnp.int32),
            jnp.where(given & dose.anew, moment.visit, memory.began),
        ),
    )


def _put_down(memory: Memory, steps: Steps, moment: Moment, dose: Dose) -> Memory:
    """A dose and what goes ahead of it, in the ledger."""
    for n in range(steps.ahead_kind.shape[1]):
        kind = row(steps.ahead_kind, dose.step)[n]
        one_dose = event(
            moment.visit - row(steps.ahead_lead, dose.step)[n],
            kind,
            row(steps.ahead_amount, dose.step)[n],
            row(steps.ahead_duration, dose.step)[n],
        )
        memory = entered(memory, one_dose, dose.step, kind >= 0)
    period = memory.period + dose.anew.astype(jnp.int32)
    duration = row(steps.duration, dose.step)
    one_dose = event(
        moment.visit,
        row(steps.kind, dose.step),
        dose.share * row(steps.amount, dose.step),
        duration,
    )
    one_dose = eqx.tree_at(lambda e: e.period, one_dose, period)
    until = jnp.maximum(memory.infused_until, moment.visit + duration)
    memory = eqx.tree_at(lambda m: (m.period, m.infused_until), memory, (period, until))
    return entered(memory, one_dose, dose.step, dose.given)


def _cut_short(memory: Memory, moment: Moment) -> Memory:
    """Infusions of the molecule that go on beyond the visit end there."""
    events = memory.ledger.events
    soon = moment.visit + same_time(moment.visit)
    runs = jnp.asarray(events.time < moment.visit) & (events.period > 0)
    runs &= soon < events.time + events.duration
    length = jnp.where(runs, moment.visit - jnp.where(runs, events.time, 0.0), events.duration)
    amount = jnp.where(runs, length * events.rate, events.amount)
    return eqx.tree_at(
        lambda m: (m.ledger.events.duration, m.ledger.events.amount), memory, (length, amount)
    )
