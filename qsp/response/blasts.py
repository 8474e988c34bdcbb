r"""Complete remission in acute lymphoblastic leukemia, by blasts in the marrow [Kantarjian2017].

The measure is the share of blasts among the cells of the marrow, B blasts and R recovering cells:

$$b = \frac{B}{B + R}$$

A visit is a remission if b < 5 %. It is a complete remission if the blood counts of the patient
recover fully, otherwise one with incomplete recovery; both are objective responses. Without a
remission, a visit is progression if the patient has been in remission before (relapse), or if it is
at or after the end of the second cycle (refractory). Remissions need no confirmation.

Assumed: whether blood counts recover is a property of the patient.
Not modeled: disease outside of the marrow, and minimal residual disease.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from qsp.response.category import Category
from qsp.response.events import Events, assessed
from qsp.response.outcomes import Confirmation, Course, Outcomes, outcomes
from qsp.typing import Flag, PerVisit, Scalar

REMISSION = 0.05
"""Share of blasts in the marrow below which a patient is in remission [1]; Kantarjian 2017."""
SECOND_CYCLE = 70.0
"""Time of the visit in the second cycle, from which no remission is failure [day];
Kantarjian 2017."""
FULL_RECOVERY = 0.77
"""Share of remissions with full recovery of blood counts [1]; Kantarjian 2017 (34 of 44 %)."""


class BlastVisits(NamedTuple):
    """Visits of a patient with acute lymphoblastic leukemia.

    Args:
        time: Times of the visits since the first dose, ascending (visit,) [day].
        blasts: Share of blasts in the marrow (visit,) [1]; NaN for a missed visit.
        baseline: Share of blasts before the first dose of any size [1].
        recovers: Whether the blood counts of the patient recover fully in remission.
    """

    time: PerVisit
    blasts: PerVisit
    baseline: Scalar
    recovers: Flag


@dataclass(frozen=True)
class Blasts:
    """Response of acute lymphoblastic leukemia by blasts in the marrow.

    Args:
        second_cycle: Time from which a patient without remission is refractory [day].
    """

    second_cycle: float = SECOND_CYCLE

    def __call__(self, visits: BlastVisits, events: Events) -> Outcomes:
        """Return the response of a patient; `best_change` is that of the share of blasts."""
        return outcomes(self.judge(visits, events), events, Confirmation(required=False))

    def judge(self, visits: BlastVisits, events: Events) -> Course:
        """Return the judgment of each visit; a patient in remission at baseline has none."""
        seen = assessed(visits.time, jnp.isfinite(visits.blasts), events)
        seen = seen & is_eligible(visits.baseline)
        remission = visits.blasts < REMISSION
        had_remission = jnp.cumsum(seen & remission) > 0
        failed = had_remission | (visits.time >= self.second_cycle)
        kind = jnp.where(
            visits.recovers, jnp.int32(Category.COMPLETE), jnp.int32(Category.INCOMPLETE_RECOVERY)
        )
        level = jnp.where(remission, kind, jnp.int32(Category.STABLE))
        progressed = seen & ~remission & failed
        return Course(visits.time, seen, progressed, level, visits.blasts, visits.baseline)


def blast_share(blasts: Array, recovering: Array) -> Array:
    """Return the share of blasts in the marrow [1].

    Args:
        blasts: Living blasts in the marrow [Mcell].
        recovering: Other cells of the marrow, which recover [Mcell].
    """
    return blasts / (blasts + recovering)


def is_eligible(baseline: Array) -> Array:
    """Return whether a patient has at least 5 % of blasts before treatment."""
    return baseline >= REMISSION
