r"""IMWG criteria for multiple myeloma [Kumar2016].

The measure P is the M-protein in serum, or the involved free light chain. It decides the level
together with the plasma cells in the marrow and plasmacytomas outside of it:

$$PR: P \le 0.5 P_0, \quad VGPR: P \le 0.1 P_0, \quad CR: P < P_{CR}$$

Each of them also requires that the sum of the products of the diameters of plasmacytomas is at most
half of the baseline, and a complete response requires less than 5 % of plasma cells in the marrow
and no living tumor of 0.15 mL or more in a plasmacytoma. Progression by the M-protein is

$$P \ge 1.25 N_P, \quad P - N_P \ge \Delta$$

with the nadir N and an increase of at least 5 g/L, or 0.1 g/L of light chain. It must be confirmed
by the next assessed visit. Without confirmation, progression is growth of plasmacytomas, or a new
plasmacytoma; or 2.5 times as many plasma cells in the marrow as before treatment. Plasmacytomas
grow if one with a shortest diameter above 1 cm has a longest diameter of at least 1.5 times its own
nadir, or if there are several and the sum of their products is at least 1.5 times its nadir with
such a one among them. Responses must be confirmed by the next assessed visit.

Assumed: immunofixation is negative below 0.15 g/L, the normal range of a light chain ends at
0.02 g/L, and the marrow is sampled at every visit.
Not modeled: stringent complete response, minimal response, protein in urine, bone lesions and
calcium.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from qsp.response import geometry
from qsp.response.category import Category
from qsp.response.events import Events, assessed
from qsp.response.geometry import Lesions
from qsp.response.outcomes import (
    ROUNDING,
    Confirmation,
    Course,
    Outcomes,
    confirmed_progression,
    nadir,
    outcomes,
)
from qsp.typing import FlagPerVisit, Index, IndexPerVisit, PerVisit, PerVisitIfAny

PARTIAL = 0.5
"""M-protein relative to baseline in a partial response [1]; Kumar 2016."""
VERY_GOOD_PARTIAL = 0.1
"""M-protein relative to baseline in a very good partial response [1]; Kumar 2016."""
COMPLETE_PROTEIN = (0.15, 0.15, 0.02)
"""M-protein below which it is not detected, for IgG, IgA and light chain [g/L]; assumed."""
COMPLETE_MARROW = 0.05
"""Share of plasma cells in the marrow below which a response may be complete [1]; Kumar 2016."""
PROGRESSION = 1.25
"""M-protein relative to its nadir at progression [1]; Kumar 2016."""
PROGRESSION_STEP = (5.0, 5.0, 0.1)
"""Increase at progression, for IgG, IgA and light chain [g/L]; Kumar 2016."""
PROGRESSION_MARROW = 2.5
"""Plasma cells in the marrow relative to baseline, at progression [1]; assumed."""
PLASMACYTOMA_PARTIAL = 0.5
"""Sum of products of plasmacytomas relative to baseline, in a response [1]; Kumar 2016."""
PLASMACYTOMA_PROGRESSION = 1.5
"""Longest diameter of a plasmacytoma, or sum of the products of several, relative to its nadir, at
progression [1]; Kumar 2016."""
PLASMACYTOMA_SIZE = 1.0
"""Shortest diameter that a plasmacytoma exceeds at progression [cm]; Kumar 2016."""
PET_LIMIT = 0.15
"""Living tumor of a plasmacytoma that a PET shows [mL]; assumed: as in lymphoma."""
MEASURABLE = (10.0, 10.0, 0.1)
"""Smallest M-protein that is measurable, for IgG, IgA and light chain [g/L]; Kumar 2016."""


class Disease(NamedTuple):
    """Measures of myeloma before treatment, or at visits (visit, ...).

    Args:
        m_protein: M-protein in serum, or involved free light chain [g/L].
        marrow_cells: Living plasma cells in the marrow [Mcell].
        marrow_share: Share of plasma cells in the marrow [1]; see `marrow_share`.
        plasmacytomas: Plasmacytomas (..., lesion); NaN at baseline for none.
    """

    m_protein: PerVisitIfAny
    marrow_cells: PerVisitIfAny
    marrow_share: PerVisitIfAny
    plasmacytomas: Lesions


class MyelomaVisits(NamedTuple):
    """Visits of a patient with myeloma.

    Args:
        time: Times of the visits since the first dose, ascending (visit,) [day].
        disease: Measures at the visits; NaN for a missed visit.
        baseline: Measures before the first dose of any size.
        new_plasmacytoma: Whether a new plasmacytoma has appeared (visit,).
        isotype: Isotype of the M-protein, one of `m_protein.Isotype`.
    """

    time: PerVisit
    disease: Disease
    baseline: Disease
    new_plasmacytoma: FlagPerVisit
    isotype: Index


@dataclass(frozen=True)
class Imwg:
    """Response of myeloma by the IMWG criteria.

    Args:
        confirmed: Whether responses must be confirmed. Progression by the M-protein always must.
    """

    confirmed: bool = True

    def __call__(self, visits: MyelomaVisits, events: Events) -> Outcomes:
        """Return the response of a patient; `best_change` is that of the M-protein."""
        return outcomes(self.judge(visits, events), events, Confirmation(self.confirmed))

    def judge(self, visits: MyelomaVisits, events: Events) -> Course:
        """Return the judgment of each visit."""
        now, before = visits.disease, visits.baseline
        scanned = geometry.is_measured(now.plasmacytomas, before.plasmacytomas)
        seen = assessed(visits.time, jnp.isfinite(now.m_protein) & scanned, events)
        lowest = nadir(now.m_protein, before.m_protein, seen)
        step = _of_isotype(PROGRESSION_STEP, visits)
        rising = now.m_protein >= PROGRESSION * lowest * (1.0 - ROUNDING)
        rising &= now.m_protein - lowest >= step * (1.0 - ROUNDING)
        certain = visits.new_plasmacytoma | _plasmacytomas_grow(visits, seen)
        certain |= now.marrow_cells >= PROGRESSION_MARROW * before.marrow_cells * (1.0 - ROUNDING)
        progressed = confirmed_progression(seen & rising, seen & certain, seen, if_last=False)
        level = _level(visits)
        return Course(visits.time, seen, progressed, level, now.m_protein, before.m_protein)


def marrow_share(cells: Array, normal_cells: Array) -> Array:
    """Return the share of plasma cells in the marrow [1].

    Args:
        cells: Living myeloma cells in the marrow [Mcell].
        normal_cells: All other cells of the marrow [Mcell].
    """
    return cells / (cells + normal_cells)


def is_measurable(m_protein: Array, isotype: Array) -> Array:
    """Return whether the M-protein before treatment is measurable, as trials require.

    Args:
        m_protein: M-protein before treatment [g/L].
        isotype: Isotype of the M-protein.
    """
    return m_protein >= jnp.asarray(MEASURABLE, m_protein.dtype)[isotype]


def _level(visits: MyelomaVisits) -> IndexPerVisit:
    now, before = visits.disease, visits.baseline
    has = geometry.present(before.plasmacytomas)
    size = geometry.sum_of_products(now.plasmacytomas, has)
    start = geometry.sum_of_products(before.plasmacytomas, has)
    shrunk = size <= PLASMACYTOMA_PARTIAL * start * (1.0 + ROUNDING)
    cleared = jnp.all((now.plasmacytomas.viable < PET_LIMIT) | ~has, axis=1)
    share = now.m_protein / before.m_protein
    complete = now.m_protein < _of_isotype(COMPLETE_PROTEIN, visits)
    complete &= (now.marrow_share < COMPLETE_MARROW) & cleared
    level = jnp.full(share.shape, Category.STABLE, jnp.int32)
    for category, reached in (
        (Category.PARTIAL, share <= PARTIAL * (1.0 + ROUNDING)),
        (Category.VERY_GOOD_PARTIAL, share <= VERY_GOOD_PARTIAL * (1.0 + ROUNDING)),
        (Category.COMPLETE, complete),
    ):
        level = jnp.where(reached & shrunk, jnp.int32(category), level)
    return level


def _plasmacytomas_grow(visits: MyelomaVisits, seen: FlagPerVisit) -> Array:
    """Return at which visits plasmacytomas grow: one in diameter, or several in their products."""
    now, before = visits.disease.plasmacytomas, visits.baseline.plasmacytomas
    has = geometry.present(before)
    is_large = (now.short > PLASMACYTOMA_SIZE) & has
    limit = PLASMACYTOMA_PROGRESSION * (1.0 - ROUNDING)
    longer = now.long >= limit * nadir(now.long, before.long, seen)
    size = geometry.sum_of_products(now, has)
    larger = size >= limit * nadir(size, geometry.sum_of_products(before, has), seen)
    several = jnp.sum(has) > 1
    return jnp.any(longer & is_large, axis=1) | (several & larger & jnp.any(is_large, axis=1))


def _of_isotype(limits: tuple[float, ...], visits: MyelomaVisits) -> Array:
    return jnp.asarray(limits, visits.time.dtype)[visits.isotype]
