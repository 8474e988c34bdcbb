r"""Lugano criteria for lymphoma, node by node [Cheson2014].

A node l at a visit is progressive if its longest diameter is above 1.5 cm, the product of its
diameters is at least 1.5 times its own nadir N, and one of its diameters is more than a step s
above its nadir:

$$LD_l > 1.5, \quad LD_l SD_l \ge 1.5 N_{LD SD,l}, \quad \max(LD_l - N_{LD,l}, SD_l - N_{SD,l}) >
s_l$$

with a step of 0.5 cm if the nadir of the longest diameter is at most 2 cm, otherwise of 1 cm.
Progression is any progressive node, or a new lesion. A partial response is a sum of the products of
at most half of the baseline:

$$SPD \le 0.5 SPD_0$$

A complete response is metabolic (PET): the living tumor of every lesion is below 0.15 mL; or
anatomic (CT): every longest diameter is at most 1.5 cm. Responses need no confirmation.

With the option of LYRIC [Cheson2016], progression at the first assessed visit is indeterminate,
counts as stable, and becomes progression, dated at the first visit, if the next assessed visit is
progression too or if there is none.

Assumed: all lesions of a patient are target nodes, and living tumor above 0.15 mL is seen in a PET.
A patient without a lesion before treatment is not evaluable.
Not modeled: the spleen, bone marrow, and minor increases in metabolic activity.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from qsp.response import geometry
from qsp.response.category import Category
from qsp.response.events import Events, assessed
from qsp.response.geometry import Scans
from qsp.response.outcomes import (
    ROUNDING,
    Confirmation,
    Course,
    Outcomes,
    confirmed_progression,
    nadir,
    outcomes,
)
from qsp.typing import FlagPerVisit, FlagPerVisitLesion

ABNORMAL = 1.5
"""Longest diameter above which a node is abnormal [cm]; Cheson 2014."""
PROGRESSION = 1.5
"""Product of the diameters of a node relative to its nadir, at progression [1]; Cheson 2014."""
SMALL = 2.0
"""Longest diameter at the nadir up to which the smaller step holds [cm]; Cheson 2014."""
STEP_SMALL = 0.5
"""Increase of a diameter that a small node must exceed at progression [cm]; Cheson 2014."""
STEP_LARGE = 1.0
"""Increase of a diameter that a larger node must exceed at progression [cm]; Cheson 2014."""
PARTIAL = 0.5
"""Sum of the products relative to baseline in a partial response [1]; Cheson 2014."""
PET_LIMIT = 0.15
"""Living tumor of a lesion that a PET shows [mL]; assumed: a sphere of 0.66 cm."""


@dataclass(frozen=True)
class Lugano:
    """Response of lymphoma by the Lugano criteria.

    Args:
        metabolic: Whether a complete response is that of a PET; otherwise that of a CT.
        confirm_first_progression: Whether progression at the first assessed visit must be confirmed
            (LYRIC).
    """

    metabolic: bool = True
    confirm_first_progression: bool = False

    def __call__(self, scans: Scans, events: Events) -> Outcomes:
        """Return the response of a patient; `best_change` is that of the sum of products."""
        return outcomes(self.judge(scans, events), events, Confirmation(required=False))

    def judge(self, scans: Scans, events: Events) -> Course:
        """Return the judgment of each visit."""
        has = geometry.present(scans.baseline)
        measured = geometry.is_measured(scans.lesions, scans.baseline) & jnp.any(has)
        seen = assessed(scans.time, measured, events)
        progressing = seen & (scans.new_lesion | jnp.any(progressive_nodes(scans, seen), axis=1))
        size = geometry.sum_of_products(scans.lesions, has)
        start = geometry.sum_of_products(scans.baseline, has)
        complete = jnp.all(self._cleared(scans) | ~has, axis=1)
        partial = size <= PARTIAL * start * (1.0 + ROUNDING)
        level = jnp.where(partial, jnp.int32(Category.PARTIAL), jnp.int32(Category.STABLE))
        level = jnp.where(complete, jnp.int32(Category.COMPLETE), level)
        if not self.confirm_first_progression:
            return Course(scans.time, seen, progressing, level, size, start)
        suspected = progressing & (jnp.cumsum(seen) == 1)
        progressed = confirmed_progression(suspected, progressing & ~suspected, seen, if_last=True)
        level = jnp.where(suspected, jnp.int32(Category.STABLE), level)
        return Course(scans.time, seen, progressed, level, size, start)

    def _cleared(self, scans: Scans) -> FlagPerVisitLesion:
        if self.metabolic:
            return scans.lesions.viable < PET_LIMIT
        return scans.lesions.long <= ABNORMAL * (1.0 + ROUNDING)


def progressive_nodes(scans: Scans, seen: FlagPerVisit) -> FlagPerVisitLesion:
    """Return which nodes are progressive relative to their own nadir.

    Args:
        scans: Scans of a patient.
        seen: Whether each visit is an assessment.
    """
    now, start = scans.lesions, scans.baseline
    lowest = nadir(geometry.products(now), geometry.products(start), seen)
    lowest_long = nadir(now.long, start.long, seen)
    lowest_short = nadir(now.short, start.short, seen)
    step = jnp.where(lowest_long <= SMALL, STEP_SMALL, STEP_LARGE)
    rise = jnp.maximum(now.long - lowest_long, now.short - lowest_short)
    larger = geometry.products(now) >= PROGRESSION * lowest * (1.0 - ROUNDING)
    is_above = rise > step * (1.0 + ROUNDING)
    return (now.long > ABNORMAL) & larger & is_above & geometry.present(start)
