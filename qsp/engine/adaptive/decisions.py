"""Decisions at visits: what is observed, which rule matches, and what is given in consequence.

A decision is taken a little before the visit at which the dose would be given, so that what goes
ahead of the dose goes ahead of it. What is given is written into the ledger of the lane, from which
the engine takes it as it takes any other administration.
"""

from typing import Any, Protocol

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.adaptive.dosing import decide_dose
from qsp.engine.adaptive.ledger import row, write_row
from qsp.engine.adaptive.rescues import give_rescue_drugs
from qsp.engine.adaptive.state import AdaptivePlan, AdaptiveState, Rules, Visit
from qsp.engine.observers import Crossing
from qsp.engine.precision import same_time
from qsp.trial.rules import DECISIONS, NAMES

MISSED = len(DECISIONS) - 1


class MeasuredSystem(Protocol):
    """What a system shows to rules."""

    def measured(self, snapshot: Any, first: Any, levels: Array, error: Array, p: Any) -> Array:
        """What a visit measures."""
        ...


def decide_at_visit(  # noqa: PLR0913
    adaptive: AdaptiveState,
    plan: AdaptivePlan,
    time: Array,
    snapshot: Any,
    crossing: Crossing,
    levels: Array,
    severity: Array,
    system: MeasuredSystem,
    p: Any,
    failed: Array,
) -> AdaptiveState:
    """Memory after a visit, with what is given in its ledger; as it was where there is no visit.

    Args:
        adaptive: Before it.
        plan: Of the lane.
        time: Now.
        snapshot: Snapshot.
        crossing: Of the dose period.
        levels: Thresholds of the dose period.
        severity: Signal of the thresholds.
        system: What is integrated.
        p: Parameters.
        failed: Whether the solver has; nothing more is decided then.
    """
    n = jnp.minimum(adaptive.visit, plan.visit.shape[0] - 1)
    at, planned = row(plan.decided, n), row(plan.visit, n)
    is_visit = (jnp.abs(at - time) <= same_time(time)) & (adaptive.visit < plan.visit.shape[0])
    is_visit &= ~failed
    here = is_visit & row(plan.attended, n)
    grade = (levels <= severity).sum().astype(severity.dtype)
    now = Visit(
        time=time,
        visit=planned,
        measured=system.measured(snapshot, adaptive.first, levels, row(plan.error, n), p),
        grade=grade,
        worst=crossing.grade,
        here=here,
    )
    adaptive = _watched(adaptive, now)
    seen = _seen(adaptive, now)
    holds = matching_rules(plan.rules, seen)
    streak = jnp.where(here, jnp.where(holds, adaptive.streak + 1, 0), adaptive.streak)
    ready = (
        here & (streak >= plan.rules.consecutive_visits) & (adaptive.acted < plan.rules.max_times)
    )
    adaptive = eqx.tree_at(lambda m: m.streak, adaptive, streak)

    adaptive, rescue = give_rescue_drugs(adaptive, plan, now, ready)
    adaptive, decision, rule = decide_dose(adaptive, plan, now, ready)
    entry = (jnp.where(here, decision, MISSED), rule, rescue, seen)
    return eqx.tree_at(
        lambda m: (m.visit, m.log),
        adaptive,
        (adaptive.visit + is_visit.astype(jnp.int32), write_row(adaptive.log, n, entry, is_visit)),
    )


def matching_rules(rules: Rules, seen: Array) -> Array:
    """(rule,): Whether all conditions of a rule hold, and it is a rule.

    Args:
        rules: Of the lane.
        seen (observable,): Values.
    """
    which = jnp.arange(len(NAMES), dtype=jnp.int32)
    is_it = jnp.asarray(rules.observable)[..., None] == which
    value = jnp.where(is_it, seen, 0.0).sum(-1)
    above = (value - rules.level) * rules.sign
    holds = (above > 0.0) | ((above == 0.0) & ~jnp.asarray(rules.strict))
    return (holds | (jnp.asarray(rules.sign) == 0.0)).all(-1) & (jnp.asarray(rules.act) > 0)


def _watched(adaptive: AdaptiveState, now: Visit) -> AdaptiveState:
    """What a visit teaches, whatever follows from it."""
    worst = jnp.maximum(now.grade, now.worst)
    unseen = (now.worst > 0.0) & (adaptive.last_crs < adaptive.began)  # it came between visits
    has_crs = now.here & ((now.grade > 0.0) | unseen)
    well = now.here & (now.grade == 0.0)
    return eqx.tree_at(
        lambda m: (m.worst, m.last_crs, m.in_event),
        adaptive,
        (
            jnp.where(now.here, jnp.maximum(adaptive.worst, worst), adaptive.worst),
            jnp.where(has_crs, now.time, adaptive.last_crs),
            jnp.where(well, 0.0, adaptive.in_event),
        ),
    )


def _seen(adaptive: AdaptiveState, now: Visit) -> Array:
    """(observable,): In the order of `qsp.trial.rules.OBSERVABLES`."""
    late = now.visit - adaptive.due
    named = {
        "day": now.visit,
        "crs_grade": now.grade,
        "worst_grade": now.worst,
        "worst_grade_ever": adaptive.worst,
        "days_since_crs": now.time - adaptive.last_crs,
        "doses_given": adaptive.doses.astype(now.visit.dtype),
        "step": _coming(adaptive).astype(now.visit.dtype) + 1.0,
        "days_since_dose": jnp.where(adaptive.doses > 0, now.visit - adaptive.last_dose, 0.0),
        "days_overdue": late,
    }
    return jnp.concatenate([now.measured, jnp.stack([named[n] for n in NAMES if n in named])])


def _coming(adaptive: AdaptiveState) -> Array:
    """The planned dose that comes next; while parts of one are left, that one."""
    return jnp.where(adaptive.parts > 0, adaptive.last_step, adaptive.step)
