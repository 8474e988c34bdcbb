"""Decisions at a visit: evaluate the observables, match the rules, and decide on doses.

A decision is taken ahead of the time of its dose, early enough for premedication. Administrations
are appended to the ledger of the simulation, from which the engine takes them as it takes scheduled
events.
"""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.dosing import decide_dose
from qsp.engine.adaptive.ledger import row, write_row
from qsp.engine.adaptive.rescues import give_rescue_drugs
from qsp.engine.adaptive.state import AdaptiveState, History, Visit
from qsp.engine.interface import MeasuredSystem, PyTree
from qsp.engine.observers import Crossing, current_grade
from qsp.engine.precision import same_time
from qsp.trial.rules import DECISIONS, OBSERVABLES
from qsp.trial.schedule import AdaptivePlan, Rules

MISSED = len(DECISIONS) - 1


def decide_at_visit(  # noqa: PLR0913
    adaptive: AdaptiveState,
    plan: AdaptivePlan,
    time: Array,
    snapshot: PyTree,
    crossing: Crossing,
    signals: Array,
    system: MeasuredSystem,
    p: PyTree,
    failed: Array,
) -> AdaptiveState:
    """Apply the rules at the next visit, if it is due now.

    Args:
        adaptive: State of adaptive dosing.
        plan: Plan of the simulation.
        time: Current time [day].
        snapshot: Snapshot of the system.
        crossing: Events of the dose period.
        signals: (grade,): Current values that are compared with the thresholds.
        system: System that is measured.
        p: Parameters of the system.
        failed: Whether the simulation failed; then nothing is decided.

    Returns:
        State after the visit, with the doses of the visit in the ledger; unchanged if no visit is
        due.
    """
    n = jnp.minimum(adaptive.visit, plan.visit.shape[0] - 1)
    decided, day = row(plan.decided, n), row(plan.visit, n)
    is_visit = (jnp.abs(decided - time) <= same_time(time)) & (adaptive.visit < plan.visit.shape[0])
    is_visit &= ~failed
    attended = is_visit & row(plan.attended, n)
    visit = Visit(
        time=time,
        day=day,
        measured=system.measured(snapshot, adaptive.first, crossing.levels, row(plan.error, n), p),
        grade=current_grade(crossing, signals),
        period_grade=crossing.grade,
        attended=attended,
    )
    adaptive = _record_event(_record_grades(adaptive, visit), visit)
    observables = _observables(adaptive, visit)
    holds = matching_rules(plan.rules, observables)
    streak = jnp.where(attended, jnp.where(holds, adaptive.streak + 1, 0), adaptive.streak)
    ready = (
        attended
        & row(plan.applies, adaptive.events)
        & (streak >= plan.rules.consecutive_visits)
        & (adaptive.times_acted < plan.rules.max_times)
    )
    adaptive = eqx.tree_at(lambda m: m.streak, adaptive, streak)

    adaptive, rescue = give_rescue_drugs(adaptive, plan, visit, ready)
    adaptive, decision, rule = decide_dose(adaptive, plan, visit, ready)
    entry = (jnp.where(attended, decision, MISSED), rule, rescue, observables)
    return eqx.tree_at(
        lambda m: (m.visit, m.log),
        adaptive,
        (adaptive.visit + is_visit.astype(jnp.int32), write_row(adaptive.log, n, entry, is_visit)),
    )


def matching_rules(rules: Rules, observables: Array) -> Array:
    """Return whether all conditions of each rule hold; False for empty rows.

    Args:
        rules: Rules of the simulation.
        observables: (observable,): Values, in the order of `qsp.trial.rules.OBSERVABLES`.

    Returns:
        (rule,): Whether the rule matches.
    """
    index = jnp.arange(len(OBSERVABLES), dtype=jnp.int32)
    is_observable = jnp.asarray(rules.observable)[..., None] == index
    value = jnp.where(is_observable, observables, 0.0).sum(-1)
    above = (value - rules.level) * rules.sign
    holds = (above > 0.0) | ((above == 0.0) & ~jnp.asarray(rules.strict))
    return (holds | (jnp.asarray(rules.sign) == 0.0)).all(-1) & (jnp.asarray(rules.act) > 0)


def _record_grades(adaptive: AdaptiveState, visit: Visit) -> AdaptiveState:
    """Update the worst grade, and the doses of rescue drugs within the event."""
    worst = jnp.maximum(visit.grade, visit.period_grade)
    is_over = visit.attended & (visit.grade == 0.0)
    highest = jnp.maximum(adaptive.highest_grade, worst)
    return eqx.tree_at(
        lambda m: (m.highest_grade, m.event_doses),
        adaptive,
        (
            jnp.where(visit.attended, highest, adaptive.highest_grade),
            jnp.where(is_over, 0.0, adaptive.event_doses),
        ),
    )


def _record_event(adaptive: AdaptiveState, visit: Visit) -> AdaptiveState:
    """Update the number of events, the begin of the running event, and the time of the last one."""
    is_running = visit.grade > 0.0
    # An event between two visits is found at the visit after it.
    missed = (visit.period_grade > 0.0) & (adaptive.last_event < adaptive.period_start)
    begins = visit.attended & jnp.where(is_running, ~adaptive.in_event, missed)
    return eqx.tree_at(
        lambda m: (m.last_event, m.events, m.in_event, m.event_start),
        adaptive,
        (
            jnp.where(visit.attended & (is_running | missed), visit.time, adaptive.last_event),
            adaptive.events + begins.astype(jnp.int32),
            jnp.where(visit.attended, is_running, adaptive.in_event),
            jnp.where(begins, visit.time, adaptive.event_start),
        ),
    )


def _observables(adaptive: AdaptiveState, visit: Visit) -> Array:
    """(observable,): Values, in the order of `qsp.trial.rules.OBSERVABLES`."""
    dtype = visit.day.dtype
    # While parts of a split dose are left, that dose is the next one.
    next_step = jnp.where(adaptive.parts > 0, adaptive.last_step, adaptive.step)
    history = History(
        day=visit.day,
        grade=visit.grade,
        period_grade=visit.period_grade,
        highest_grade=adaptive.highest_grade,
        days_since_event=visit.time - adaptive.last_event,
        days_in_event=jnp.where(adaptive.in_event, visit.time - adaptive.event_start, 0.0),
        doses=adaptive.doses.astype(dtype),
        next_step=next_step.astype(dtype) + 1.0,
        days_since_dose=jnp.where(adaptive.doses > 0, visit.day - adaptive.last_dose, 0.0),
        days_overdue=visit.day - adaptive.due,
    )
    tracked = [getattr(history, one.source) for one in OBSERVABLES if one.source]
    return jnp.concatenate([visit.measured, jnp.stack(tracked)])
