r"""From the judgment of each visit to best response, times and durations: the same for all rules.

A rule judges each assessed visit v, at time t: whether it is progression (PD), and otherwise its
level (stable or a response). With the time of progression

$$t_{PD} = \min(\min\{t_v: PD_v\}, t_{clinical})$$

visits from it on do not count. The nadir of a measure at a visit is the lowest value of the
baseline x and of the assessed visits u before it, so that it is updated after the judgment:

$$N_v = \min(x_0, \min\{x_u: u < v\})$$

A response at level L is a run of consecutive assessed visits with at least that level, which starts
at its first visit. It counts at once, or if a rule requires confirmation, at the first visit of the
run that is not its start and at least the required interval after it. Its time is the start of the
run. The best response is the deepest that counts; otherwise stable if a visit counts; otherwise
progressive; otherwise not evaluable. Then

$$PFS = \min(t_{PD}, t_{death}), \quad DoR = PFS - t_{response}, \quad DoCR = PFS - t_{CR}$$

which are events; without either, the patient is censored at the last assessed visit, or at time 0
without any. All treated patients are the denominator of a rate: a patient who is not evaluable has
no response.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from qsp.response.category import RESPONSES, Category
from qsp.response.events import Events
from qsp.typing import Flag, FlagPerVisit, Index, IndexPerVisit, PerVisit, Scalar

ROUNDING = 1e-9
"""Relative tolerance: a measure equal to a limit up to rounding meets it [1]; assumed."""


class Course(NamedTuple):
    """Judgment of each visit by a rule.

    Args:
        time: Times of the visits since the first dose, ascending (visit,) [day].
        assessed: Whether the visit is an assessment (visit,), from `events.assessed`.
        progressed: Whether the visit is progression (visit,).
        level: Category if the visit is not progression (visit,): `STABLE` or a response.
        measure: Measure of the disease of which the best change is reported (visit,).
        baseline: The measure before treatment, in the same unit.
    """

    time: PerVisit
    assessed: FlagPerVisit
    progressed: FlagPerVisit
    level: IndexPerVisit
    measure: PerVisit
    baseline: Scalar


@dataclass(frozen=True)
class Confirmation:
    """Requirement for a response to count.

    Args:
        required: Whether a second consecutive visit must confirm the response.
        interval: Smallest time between the first visit and the one that confirms [day].
    """

    required: bool
    interval: float = 0.0


class Survival(NamedTuple):
    """Time to an event, or to the end of observation without one.

    Args:
        time: Time [day]; NaN if it does not apply.
        event: Whether the event occurred; otherwise the patient is censored.
    """

    time: Scalar
    event: Flag


class Outcomes(NamedTuple):
    """Response of a patient.

    Args:
        category: Category at each visit (visit,); `NOT_EVALUABLE` for a missed visit, and after
            progression, death or clinical progression.
        best: Best response, confirmed if the rule requires it.
        best_unconfirmed: Best response without confirmation.
        response_time: Time to the first response that counts [day]; NaN without.
        complete_time: Time to the first complete response that counts [day]; NaN without.
        progression_time: Time to progression [day]; NaN without.
        progression_free: Progression-free survival; its event is progression or death.
        response: Duration of response, from the first response that counts to progression or death.
        complete: Duration of complete response, to progression or death.
        change: Change of the disease's own measure from baseline at each visit up to progression
            (visit,) [%]; NaN at a visit without a category.
        best_change: Smallest change [%]; NaN without an assessed visit.
    """

    category: IndexPerVisit
    best: Index
    best_unconfirmed: Index
    response_time: Scalar
    complete_time: Scalar
    progression_time: Scalar
    progression_free: Survival
    response: Survival
    complete: Survival
    change: PerVisit
    best_change: Scalar


def nadir(values: Array, baseline: Array, assessed: FlagPerVisit) -> Array:
    """Return the lowest value of the baseline and of the assessed visits before each visit.

    Args:
        values: Measures at the visits; NaN where missed.
        baseline: The measures before treatment.
        assessed: Whether each visit is an assessment.
    """
    seen = assessed.reshape(assessed.shape + (1,) * baseline.ndim)
    earlier = jnp.concatenate([baseline[None], jnp.where(seen, values, jnp.inf)[:-1]])
    return jax.lax.cummin(earlier, axis=0)


def confirmed_progression(
    suspected: FlagPerVisit, certain: FlagPerVisit, assessed: FlagPerVisit, *, if_last: bool
) -> FlagPerVisit:
    """Return progression where a suspected one requires the next assessed visit to confirm it.

    Args:
        suspected: Visits with progression that needs confirmation.
        certain: Visits with progression that needs none.
        assessed: Whether each visit is an assessment.
        if_last: Whether suspected progression at the last assessed visit counts.

    Returns:
        Progression, at the first of the two visits.
    """

    def step(later: Array, here: tuple[Array, Array]) -> tuple[Array, Array]:
        is_progression, seen = here
        return jnp.where(seen, is_progression, later), later

    either = suspected | certain
    _, confirms = jax.lax.scan(step, jnp.asarray(if_last), (either, assessed), reverse=True)
    return certain | (suspected & confirms)


def outcomes(course: Course, events: Events, confirmation: Confirmation) -> Outcomes:
    """Return the response of a patient from the judgment of each visit.

    Args:
        course: Judgment of each visit.
        events: Death and clinical progression.
        confirmation: Requirement for a response to count.
    """
    time, seen = course.time, course.assessed
    at_visit = _earliest(time, seen & course.progressed)
    progression = jnp.minimum(at_visit, _if_before(events.clinical_progression, events.death))
    counts = seen & (time < progression)
    starts = _starts(course, counts, confirmation)
    response, complete = starts[0], starts[RESPONSES.index(Category.COMPLETE)]
    end = jnp.minimum(progression, events.death)
    is_event = jnp.isfinite(end)
    # A patient without any visit is censored at time 0.
    end = jnp.where(is_event, end, jnp.max(jnp.where(seen, time, 0.0), initial=0.0))
    progressive = jnp.isfinite(progression)
    judged = jnp.where(counts, course.level, int(Category.NOT_EVALUABLE))
    at_progression = seen & (time == at_visit)
    otherwise = jnp.where(
        jnp.any(counts),
        int(Category.STABLE),
        jnp.where(progressive, int(Category.PROGRESSIVE), int(Category.NOT_EVALUABLE)),
    ).astype(course.level.dtype)
    shown = seen & (time <= at_visit)
    change = jnp.where(shown, 100.0 * (course.measure / course.baseline - 1.0), jnp.nan)
    return Outcomes(
        category=jnp.where(at_progression, int(Category.PROGRESSIVE), judged),
        best=jnp.maximum(_deepest(starts).astype(otherwise.dtype), otherwise),
        best_unconfirmed=jnp.maximum(jnp.max(judged, initial=0), otherwise),
        response_time=_or_nan(response),
        complete_time=_or_nan(complete),
        progression_time=_or_nan(progression),
        progression_free=Survival(end, is_event),
        response=_duration(response, end, is_event),
        complete=_duration(complete, end, is_event),
        change=change,
        best_change=_or_nan(jnp.min(change, initial=jnp.inf, where=shown)),
    )


def _starts(course: Course, counts: FlagPerVisit, confirmation: Confirmation) -> Array:
    """Return the start of the first run that counts at each level of response, infinite without."""
    levels = jnp.asarray(RESPONSES, course.level.dtype)
    at_level = counts[:, None] & (course.level[:, None] >= levels)
    interval = confirmation.interval * (1.0 - ROUNDING)

    def step(start: Array, here: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        time, seen, holds = here
        start = jnp.where(seen, jnp.where(holds, jnp.minimum(start, time), jnp.inf), start)
        ok = holds
        if confirmation.required:
            ok = holds & (start < time) & (time - start >= interval)
        return start, jnp.where(ok, start, jnp.inf)

    none = jnp.full(len(RESPONSES), jnp.inf, course.time.dtype)
    _, found = jax.lax.scan(step, none, (course.time, course.assessed, at_level))
    return jnp.min(found, axis=0, initial=jnp.inf)


def _deepest(starts: Array) -> Array:
    """Return the deepest response that counts, `NOT_EVALUABLE` without."""
    return jnp.max(jnp.where(jnp.isfinite(starts), jnp.asarray(RESPONSES), 0))


def _earliest(time: PerVisit, flag: FlagPerVisit) -> Scalar:
    return jnp.min(jnp.where(flag, time, jnp.inf), initial=jnp.inf)


def _if_before(time: Scalar, other: Scalar) -> Scalar:
    return jnp.where(time < other, time, jnp.inf)


def _or_nan(time: Scalar) -> Scalar:
    return jnp.where(jnp.isfinite(time), time, jnp.nan)


def _duration(start: Scalar, end: Scalar, is_event: Flag) -> Survival:
    applies = jnp.isfinite(start)
    return Survival(jnp.where(applies, end - start, jnp.nan), is_event & applies)
