"""What an arm that reacts plans for a lane, as arrays; and what the lane remembers of it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.events import Events, Leaf


class Steps(eqx.Module):
    """Planned doses of the molecule, in their order."""

    kind: Leaf  # (step,)
    amount: Leaf
    duration: Leaf
    interval: Leaf  # to the next one
    day: Leaf  # planned
    next_day: Leaf  # planned day of the next one
    next_min_interval: (
        Leaf  # to the next one at least, where that stays on its day; -1 where it does not
    )
    same_period: Leaf  # whether it goes on with the dose period of the one before
    count: Leaf  # how many there are
    ahead_kind: Leaf  # (step, ahead): drugs given ahead of the dose, -1 where there is none
    ahead_amount: Leaf
    ahead_duration: Leaf
    ahead_lead: Leaf


class Rules(eqx.Module):
    """Rules as numbers; see `qsp.trial.rules.RuleTable`."""

    observable: Leaf  # (rule, condition)
    sign: Leaf
    level: Leaf
    strict: Leaf
    act: Leaf  # (rule,)
    days: Leaf
    count: Leaf
    consecutive_visits: Leaf
    max_times: Leaf


class Rescues(eqx.Module):
    """Supportive drugs that rules may give, and their limits."""

    kind: Leaf  # (drug,)
    amount: Leaf
    duration: Leaf
    per_event: Leaf
    per_window: Leaf
    window: Leaf
    min_interval: Leaf
    max_times: Leaf


class AdaptivePlan(eqx.Module):
    """What is planned for one lane, and when it is looked at."""

    visit: Leaf  # (visit,): when a dose may be given; inf where padded
    decided: Leaf  # (visit,): when it is decided, early enough for what goes ahead of the dose
    attended: Leaf  # (visit,)
    error: Leaf  # (visit, measured): factors of measurement
    steps: Steps
    rules: Rules
    rescues: Rescues
    capacity: Leaf  # (row,): of any type; as long as what may be given is many


class Log(eqx.Module):
    """What came of each visit."""

    decision: Array  # (visit,): act, or the number of acts where nobody came
    rule: Array  # (visit,): row of the rule that decided, -1 where none did
    rescue: Array  # (visit,): row of the rule that gave a supportive drug, -1 where none did
    seen: Array  # (visit, observable)


class Ledger(eqx.Module):
    """What was given, in the order of time."""

    events: Events
    visit: Array  # at which it was decided
    step: Array  # planned dose it is, or goes ahead of; -1 for a rescue


class AdaptiveState(eqx.Module):
    """What a lane remembers from visit to visit."""

    visit: Array  # the next one
    step: Array  # the next planned dose
    last_step: Array  # the last one given
    last_dose: Array  # its time
    due: Array  # when the next one is
    after_parts: Array  # when the next one is due once all parts are given
    parts: Array  # of the last dose, still to be given
    part: Array  # their share
    part_days: Array  # between them
    interval: Array  # in place of the planned one, 0 for that
    shift: Array  # from the planned days, since the plan began anew
    stopped: Array
    doses: Array  # given
    began: Array  # when the dose period did
    infused_until: Array  # end of the infusions of the molecule so far
    period: Array  # dose periods begun
    worst: Array  # grade of all
    last_crs: Array  # visit with CRS
    streak: Array  # (rule,): visits in a row at which it held
    acted: Array  # (rule,): times it acted
    in_event: Array  # (drug,): doses within the event that runs
    in_all: Array  # (drug,)
    times: Array  # (drug, LAST): of the last doses, the latest first
    rows: Array  # of the ledger that are filled
    ledger: Ledger
    log: Log
    first: Any  # snapshot at the begin


class Visit(NamedTuple):
    """A lane at a visit."""

    time: Array
    visit: Array  # when a dose would be given
    measured: Array  # (measured,)
    grade: Array  # at this moment
    worst: Array  # of events that began in the dose period
    here: Array  # whether this is a visit, and the patient came


LAST = 4
"""Doses of a supportive drug whose times are remembered: most that a limit in a window can have."""
LONG_AGO = -1e6
"""Time of what never was [day]."""


def initial_state(plan: AdaptivePlan, kind: Events, first: Any, observables: int) -> AdaptiveState:
    """Memory before the first visit.

    Args:
        plan: Of the lane.
        kind: Events of the lane, for the types of what is given.
        first: Snapshot at the begin.
        observables: Their number.
    """
    zero, none = jnp.zeros(()), jnp.zeros((), jnp.int32)
    rows, visits = plan.capacity.shape[0], plan.visit.shape[0]
    rules, drugs = plan.rules.act.shape[0], plan.rescues.kind.shape[0]

    def filled(value: float, like: Leaf) -> Array:
        return jnp.full((rows,), value, jnp.asarray(like).dtype)

    empty = Events(
        time=filled(jnp.inf, kind.time),
        kind=filled(-1, kind.kind),
        amount=filled(0.0, kind.amount),
        rate=filled(0.0, kind.rate),
        duration=filled(0.0, kind.duration),
        period=filled(0, kind.period),
    )
    nowhere = jnp.full((visits,), -1, jnp.int32)
    return AdaptiveState(
        visit=none,
        step=none,
        last_step=none - 1,
        last_dose=zero + LONG_AGO,
        due=jnp.asarray(plan.visit)[0],
        after_parts=zero,
        parts=none,
        part=zero + 1.0,
        part_days=zero,
        interval=zero,
        shift=zero,
        stopped=jnp.asarray(False),
        doses=none,
        began=zero + LONG_AGO,
        infused_until=zero + LONG_AGO,
        period=none,
        worst=zero,
        last_crs=zero + LONG_AGO,
        streak=jnp.zeros((rules,), jnp.int32),
        acted=jnp.zeros((rules,)),
        in_event=jnp.zeros((drugs,)),
        in_all=jnp.zeros((drugs,)),
        times=jnp.full((drugs, LAST), LONG_AGO),
        rows=none,
        ledger=Ledger(empty, jnp.full((rows,), -1, jnp.int32), jnp.full((rows,), -1, jnp.int32)),
        log=Log(nowhere, nowhere, nowhere, jnp.full((visits, observables), jnp.nan)),
        first=first,
    )
