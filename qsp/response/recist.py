r"""RECIST 1.1 for solid tumors [Eisenhauer2009].

The measure is the sum of the longest diameters of the lesions (SLD), or of the shortest ones if the
lesions are lymph nodes. Progression is an increase of at least 20 % and 5 mm over the nadir N of
the sum, or a new lesion:

$$SLD \ge 1.2 N_{SLD}, \quad SLD - N_{SLD} \ge 0.5$$

A partial response is a sum of at most 70 % of the baseline:

$$SLD \le 0.7 SLD_0$$

A complete response is the disappearance of every lesion: a longest diameter below 0.5 cm, or, for
lymph nodes, a shortest diameter below 1 cm. A lesion that leaves a scar of more than 0.5 cm does
not disappear. Complete and partial responses must be confirmed at least 28 days later.

Assumed: a lesion below 0.5 cm is not visible, because that is the usual thickness of a slice. A
patient without a lesion before treatment is not evaluable.
Not modeled: non-target lesions, and the minimum duration of stable disease.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from qsp.response import geometry
from qsp.response.category import Category
from qsp.response.events import Events, assessed
from qsp.response.geometry import Scans
from qsp.response.outcomes import ROUNDING, Confirmation, Course, Outcomes, nadir, outcomes

PARTIAL = 0.7
"""Sum of the diameters relative to baseline in a partial response [1]; Eisenhauer 2009."""
PROGRESSION = 1.2
"""Sum of the diameters relative to its nadir at progression [1]; Eisenhauer 2009."""
STEP = 0.5
"""Increase of the sum of the diameters over its nadir at progression [cm]; Eisenhauer 2009."""
VISIBLE = 0.5
"""Longest diameter below which a lesion is not visible [cm]; assumed: a slice of a CT."""
NORMAL_NODE = 1.0
"""Shortest diameter below which a lymph node is normal [cm]; Eisenhauer 2009."""
CONFIRMATION = 28.0
"""Smallest time from a response to its confirmation [day]; Eisenhauer 2009."""


@dataclass(frozen=True)
class Recist:
    """Response of solid tumors by RECIST 1.1.

    Args:
        nodal: Whether the lesions are lymph nodes, measured by their shortest diameter.
        confirmed: Whether responses must be confirmed.
    """

    nodal: bool = False
    confirmed: bool = True

    def __call__(self, scans: Scans, events: Events) -> Outcomes:
        """Return the response of a patient; `best_change` is that of the sum of diameters."""
        confirmation = Confirmation(self.confirmed, CONFIRMATION)
        return outcomes(self.judge(scans, events), events, confirmation)

    def judge(self, scans: Scans, events: Events) -> Course:
        """Return the judgment of each visit."""
        has = geometry.present(scans.baseline)
        measured = geometry.is_measured(scans.lesions, scans.baseline) & jnp.any(has)
        seen = assessed(scans.time, measured, events)
        now, before = scans.lesions.long, scans.baseline.long
        if self.nodal:
            now, before = scans.lesions.short, scans.baseline.short
        size = geometry.sum_of_diameters(now, has)
        start = geometry.sum_of_diameters(before, has)
        lowest = nadir(size, start, seen)
        larger = size >= PROGRESSION * lowest * (1.0 - ROUNDING)
        larger &= size - lowest >= STEP * (1.0 - ROUNDING)
        limit = NORMAL_NODE if self.nodal else VISIBLE
        complete = jnp.all((now < limit) | ~has, axis=1)
        partial = size <= PARTIAL * start * (1.0 + ROUNDING)
        level = jnp.where(partial, jnp.int32(Category.PARTIAL), jnp.int32(Category.STABLE))
        level = jnp.where(complete, jnp.int32(Category.COMPLETE), level)
        return Course(scans.time, seen, seen & (larger | scans.new_lesion), level, size, start)
