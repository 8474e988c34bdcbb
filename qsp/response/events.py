r"""Events of a patient between visits: death, clinical progression and new lesions.

A visit counts only if it takes place before death and before clinical progression. Death without
progression and a new lesion occur when their cumulative hazard reaches a threshold E, a draw from
the exponential distribution with mean 1; the hazard of death without progression is constant:

$$\int_0^{t_{death}} h_{death} dt = E_1, \quad \int_0^{t_{new}} h_{new} dt = E_2$$

The caller gives the time of clinical progression; `assessment` has none.
"""

from typing import NamedTuple

import jax.numpy as jnp

from qsp.typing import FlagPerVisit, PerSample, PerVisit, Scalar


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


def event_time(time: PerSample, cumulative_hazard: PerSample, threshold: Scalar) -> Scalar:
    """Return the time at which a cumulative hazard reaches a threshold, linear between samples.

    With the constant hazard h of death without progression up to the end of follow-up, the times
    are 0 and the end, and the cumulative hazards 0 and ``h*end``.

    Args:
        time: Times of the samples, ascending [day].
        cumulative_hazard: Hazard integrated to these times, not falling [1].
        threshold: Draw from the exponential distribution with mean 1.

    Returns:
        Time of the event [day]; infinite if it is after the last sample.
    """
    later = jnp.searchsorted(cumulative_hazard, threshold)
    is_observed = later < time.shape[0]
    later = jnp.clip(later, 1, time.shape[0] - 1)
    low, high = cumulative_hazard[later - 1], cumulative_hazard[later]
    share = jnp.clip((threshold - low) / jnp.where(high > low, high - low, 1.0), 0.0, 1.0)
    at = time[later - 1] + share * (time[later] - time[later - 1])
    return jnp.where(is_observed, at, jnp.inf)


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
