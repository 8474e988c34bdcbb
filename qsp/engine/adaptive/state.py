"""State of adaptive dosing in one simulation: decisions so far, and the dose that is due next."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.interface import Leaf, PyTree
from qsp.trial.schedule import AdaptivePlan, AdministeredDoses, Events

REMEMBERED = 4
"""Administrations of a rescue drug whose times are kept: the largest limit within a window."""
LONG_AGO = -1e6
"""Time of an event that has not happened yet [day]."""


class Visit(NamedTuple):
    """One visit of one patient.

    Args:
        time: Time of the decision [day].
        day: Time at which a dose would be given [day].
        measured: (measured,): Measurements of the system.
        grade: Grade at the time of the decision.
        period_grade: Worst grade of the events that began in the dose period.
        attended: Whether this is a visit and the patient came.
    """

    time: Array
    day: Array
    measured: Array
    grade: Array
    period_grade: Array
    attended: Array


class History(NamedTuple):
    """Observables of rules that follow from the simulation so far, not from a measurement.

    The field of an observable is `qsp.trial.rules.Observable.source`.

    Args:
        day: Time of the visit [day].
        grade: Grade at the visit.
        period_grade: Worst grade of the events that began in the dose period.
        highest_grade: Worst grade so far.
        days_since_event: Time since the last visit at which an event was found [day].
        days_in_event: Time since the first visit of the running event [day]; 0 without an event.
        doses: Number of doses so far, counting parts of split doses.
        next_step: Ordinal, from 1, of the next planned dose.
        days_since_dose: Time since the last dose [day]; 0 before the first.
        days_overdue: Time since the next dose was due [day].
    """

    day: Array
    grade: Array
    period_grade: Array
    highest_grade: Array
    days_since_event: Array
    days_in_event: Array
    doses: Array
    next_step: Array
    days_since_dose: Array
    days_overdue: Array


class Log(eqx.Module):
    """Decisions at all visits.

    Args:
        decision: (visit,): int32 index into `qsp.trial.rules.DECISIONS`; -1 before the visit.
        rule: (visit,): int32 index of the rule that decided on the dose; -1 if none did.
        rescue: (visit,): int32 index of the rule that gave a rescue drug; -1 if none did.
        seen: (visit, observable): Observables; NaN before the visit.
    """

    decision: Array
    rule: Array
    rescue: Array
    seen: Array


class AdaptiveState(eqx.Module):
    """State of adaptive dosing, carried from visit to visit.

    Args:
        visit: Index of the next visit.
        step: Index of the next planned dose.
        last_step: Index of the planned dose given last; -1 before the first.
        last_dose: Time of the last dose [day].
        due: Time at which the next dose is due [day].
        after_parts: Time at which the next dose is due once all parts of a split dose are given
            [day].
        parts: Number of parts of the last dose that are still to be given.
        part: Fraction of the planned dose in each part.
        part_days: Interval between parts [day].
        interval: Dosing interval that replaces the planned ones [day]; 0 for the planned ones.
        shift: Shift of the planned days since the plan was restarted [day].
        stopped: Whether treatment was stopped.
        doses: Number of doses so far, counting parts of split doses.
        period_start: Start of the dose period [day].
        infused_until: End of the infusions of the molecule so far [day].
        period: Number of dose periods so far.
        highest_grade: Worst grade so far.
        last_event: Time of the last visit at which an event was found [day].
        events: Number of events found so far.
        in_event: Whether an event was running at the last attended visit.
        event_start: Time of the first visit of the last event [day].
        streak: (rule,): Number of visits in a row at which the conditions held.
        times_acted: (rule,): Number of times that the rule acted.
        event_doses: (drug,): Administrations of a rescue drug within the current event.
        total_doses: (drug,): Administrations of a rescue drug so far.
        dose_times: (drug, REMEMBERED): Times of the last administrations [day], latest first.
        rows: Number of filled rows of the ledger.
        ledger: (row,): Administrations that were decided.
        log: Decisions so far.
        first: Snapshot at the start.
    """

    visit: Array
    step: Array
    last_step: Array
    last_dose: Array
    due: Array
    after_parts: Array
    parts: Array
    part: Array
    part_days: Array
    interval: Array
    shift: Array
    stopped: Array
    doses: Array
    period_start: Array
    infused_until: Array
    period: Array
    highest_grade: Array
    last_event: Array
    events: Array
    in_event: Array
    event_start: Array
    streak: Array
    times_acted: Array
    event_doses: Array
    total_doses: Array
    dose_times: Array
    rows: Array
    ledger: AdministeredDoses[Array]
    log: Log
    first: PyTree


def initial_state(
    plan: AdaptivePlan, events: Events, first: PyTree, observables: int
) -> AdaptiveState:
    """Return the state before the first visit.

    Args:
        plan: Plan of the simulation.
        events: Scheduled events of the simulation, for the types of the ledger.
        first: Snapshot at the start.
        observables: Number of observables.
    """
    zero, none = jnp.zeros(()), jnp.zeros((), jnp.int32)
    visits = plan.visit.shape[0]
    rules, drugs = plan.rules.act.shape[0], plan.rescues.kind.shape[0]
    undecided = jnp.full((visits,), -1, jnp.int32)
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
        period_start=zero + LONG_AGO,
        infused_until=zero + LONG_AGO,
        period=none,
        highest_grade=zero,
        last_event=zero + LONG_AGO,
        events=none,
        in_event=jnp.asarray(False),
        event_start=zero + LONG_AGO,
        streak=jnp.zeros((rules,), jnp.int32),
        times_acted=jnp.zeros((rules,)),
        event_doses=jnp.zeros((drugs,)),
        total_doses=jnp.zeros((drugs,)),
        dose_times=jnp.full((drugs, REMEMBERED), LONG_AGO),
        rows=none,
        ledger=_empty_ledger(plan.capacity.shape[0], events),
        log=Log(undecided, undecided, undecided, jnp.full((visits, observables), jnp.nan)),
        first=first,
    )


def _empty_ledger(rows: int, events: Events) -> AdministeredDoses[Array]:
    """Ledger without administrations, of the types of the scheduled events."""

    def filled(value: float, like: Leaf) -> Array:
        return jnp.full((rows,), value, jnp.asarray(like).dtype)

    none = jnp.full((rows,), -1, jnp.int32)
    return AdministeredDoses(
        time=filled(jnp.inf, events.time),
        kind=filled(-1, events.kind),
        amount=filled(0.0, events.amount),
        rate=filled(0.0, events.rate),
        duration=filled(0.0, events.duration),
        period=filled(0, events.period),
        visit=none,
        step=none,
    )
