r"""Events of a patient between visits: death, clinical progression and new lesions.

A visit counts only if it takes place before death and before clinical progression. The time of
death without progression has a constant hazard, and a new lesion appears when its cumulative hazard
reaches a threshold. With draws E from the exponential distribution with mean 1:

$$t_{death} = \frac{E_1}{h_{death}}, \quad new_v = \left[\int_0^{t_v} h_{new} dt \ge E_2\right]$$

Before the first scan, progression is clinical: the burden reaches three times its baseline.
"""

from typing import NamedTuple

import jax.numpy as jnp

from qsp.typing import FlagPerVisit, PerSample, PerVisit, Scalar

CLINICAL_PROGRESSION = 3.0
"""Burden relative to baseline that is clinical progression before the first scan [1]; assumed."""


class Events(NamedTuple):
    """Events of a patient that end the assessment; infinite if they do not occur.

    Args:
        death: Time of death without progression [day].
        clinical_progression: Time of clinical progression [day].
    """

    death: Scalar
    clinical_progression: Scalar


def no_events() -> Events:
    """Return the events of a patient without death and clinical progression."""
    return Events(jnp.asarray(jnp.inf), jnp.asarray(jnp.inf))


def death_time(exponential: Scalar, hazard: Scalar, end: Scalar) -> Scalar:
    """Return the time of death at a constant hazard.

    Args:
        exponential: Draw from the exponential distribution with mean 1.
        hazard: Hazard of death without progression [1/day]; may be zero.
        end: End of follow-up [day].

    Returns:
        Time of death [day]; infinite if it is after the end of follow-up.
    """
    is_observed = exponential <= hazard * end
    return jnp.where(is_observed, exponential / jnp.where(is_observed, hazard, 1.0), jnp.inf)


def clinical_progression_time(
    time: PerSample,
    burden: PerSample,
    baseline: Scalar,
    first_scan: Scalar,
) -> Scalar:
    """Return the time at which the burden reaches three times its baseline before the first scan.

    Args:
        time: Times of the samples, ascending [day].
        burden: Burden of the disease at these times, in any unit.
        baseline: Burden before treatment, in the same unit.
        first_scan: Time of the first scan [day].

    Returns:
        Time of the first such sample before the first scan [day]; infinite if there is none.
    """
    reached = (burden >= CLINICAL_PROGRESSION * baseline) & (time < first_scan)
    return jnp.min(jnp.where(reached, time, jnp.inf))


def new_lesion_seen(cumulative_hazard: PerVisit, threshold: Scalar) -> FlagPerVisit:
    """Return whether a new lesion has appeared by each visit.

    Args:
        cumulative_hazard: Hazard of a new lesion, integrated from the first dose to each visit [1].
        threshold: Draw from the exponential distribution with mean 1.
    """
    return cumulative_hazard >= threshold


def assessed(time: PerVisit, measured: FlagPerVisit, events: Events) -> FlagPerVisit:
    """Return whether each visit is an assessment.

    Args:
        time: Times of the visits since the first dose [day].
        measured: Whether the disease was measured at the visit.
        events: Events of the patient.

    Returns:
        True for a measured visit after the first dose, before death and clinical progression.
    """
    last = jnp.minimum(events.death, events.clinical_progression)
    return measured & (time > 0.0) & (time < last)
