"""Decisions at visits: what is observed, which rule matches, and what is given in consequence.

A decision is taken a little before the visit at which the dose would be given, so that what goes
ahead of the dose goes ahead of it. What is given is written into the ledger of the lane, from which
the engine takes it as it takes any other administration.
"""

from typing import Any, Protocol

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from qsp.engine.doses import dosed
from qsp.engine.ledger import noted, row
from qsp.engine.plan import Memory, Moment, Plan, Rules
from qsp.engine.precision import same_time
from qsp.engine.rescues import rescued
from qsp.engine.tracking import Crossing
from qsp.trial.rules import DECISIONS, NAMES

MISSED = len(DECISIONS) - 1


class Watched(Protocol):
    """What a system shows to rules."""

    def measured(self, shot: Any, first: Any, levels: Array, error: Array, p: Any) -> Array:
        """What a visit measures."""
        ...


def decided(  # noqa: PLR0913
    memory: Memory,
    plan: Plan,
    time: Array,
    shot: Any,
    crossing: Crossing,
    levels: Array,
    severity: Array,
    system: Watched,
    p: Any,
    failed: Array,
) -> Memory:
    """Memory after a visit, with what is given in its ledger; as it was where there is no visit.

    Args:
        memory: Before it.
        plan: Of the lane.
        time: Now.
        shot: Snapshot.
        crossing: Of the dose period.
        levels: Thresholds of the dose period.
        severity: Signal of the thresholds.
        system: What is integrated.
        p: Parameters.
        failed: Whether the solver has; nothing more is decided then.
    """
    n = jnp.minimum(memory.visit, plan.visit.shape[0] - 1)
    at, planned = row(plan.decided, n), row(plan.visit, n)
    is_visit = (jnp.abs(at - time) <= same_time(time)) & (memory.visit < plan.visit.shape[0])
    is_visit &= ~failed
    here = is_visit & row(plan.attended, n)
    grade = (levels <= severity).sum().astype(severity.dtype)
    moment = Moment(
        time=time,
        visit=planned,
        measured=system.measured(shot, memory.first, levels, row(plan.error, n), p),
        grade=grade,
        worst=crossing.grade,
        here=here,
    )
    memory = _watched(memory, moment)
    seen = _seen(memory, moment)
    holds = matching(plan.rules, seen)
    streak = jnp.where(here, jnp.where(holds, memory.streak + 1, 0), memory.streak)
    ready = here & (streak >= plan.rules.confirmed) & (memory.acted < plan.rules.at_most)
    memory = eqx.tree_at(lambda m: m.streak, memory, streak)

    memory, rescue = rescued(memory, plan, moment, ready)
    memory, decision, rule = dosed(memory, plan, moment, ready)
    entry = (jnp.where(here, decision, MISSED), rule, rescue, seen)
    return eqx.tree_at(
        lambda m: (m.visit, m.log),
        memory,
        (memory.visit + is_visit.astype(jnp.int32), noted(memory.log, n, entry, is_visit)),
    )


def matching(rules: Rules, seen: Array) -> Array:
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


def _watched(memory: Memory, moment: Moment) -> Memory:
    """What a visit teaches, whatever follows from it."""
    worst = jnp.maximum(moment.grade, moment.worst)
    unseen = (moment.worst > 0.0) & (memory.last_crs < memory.began)  # it came between visits
    has_crs = moment.here & ((moment.grade > 0.0) | unseen)
    well = moment.here & (moment.grade == 0.0)
    return eqx.tree_at(
        lambda m: (m.worst, m.last_crs, m.in_event),
        memory,
        (
            jnp.where(moment.here, jnp.maximum(memory.worst, worst), memory.worst),
            jnp.where(has_crs, moment.time, memory.last_crs),
            jnp.where(well, 0.0, memory.in_event),
        ),
    )


def _seen(memory: Memory, moment: Moment) -> Array:
    """(observable,): In the order of `qsp.trial.rules.OBSERVABLES`."""
    late = moment.visit - memory.due
    named = {
        "day": moment.visit,
        "crs_grade": moment.grade,
        "worst_grade": moment.worst,
        "worst_grade_ever": memory.worst,
        "days_since_crs": moment.time - memory.last_crs,
        "doses_given": memory.doses.astype(moment.visit.dtype),
        "step": _coming(memory).astype(moment.visit.dtype) + 1.0,
        "days_since_dose": jnp.where(memory.doses > 0, moment.visit - memory.last_dose, 0.0),
        "days_overdue": late,
    }
    return jnp.concatenate([moment.measured, jnp.stack([named[n] for n in NAMES if n in named])])


def _coming(memory: Memory) -> Array:
    """The planned dose that comes next; while parts of one are left, that one."""
    return jnp.where(memory.parts > 0, memory.last_step, memory.step)
