r"""Response of a patient from the simulated lesions, M-protein and blasts at the visits of a trial.

`assess` makes what a trial measures from the simulated quantities, with the error of a diameter and
the events between visits, and applies the rule of the disease:

| rule | lesions | measure |
|---|---|---|
| lugano | target nodes, with a residual volume of 0.3 mL | sum of products of diameters |
| recist | target lesions, with a residual volume of 0.3 mL | sum of longest diameters |
| imwg | the first is the marrow, the others are plasmacytomas | M-protein in serum |
| blasts | the first is the marrow | share of blasts in the marrow |

Each lesion and visit has its own error of measurement; the baseline has one, too. A lesion without
volume before treatment does not exist. Thresholds of events follow from standard normal draws z by
the exponential distribution with mean 1, with the standard normal distribution function:

$$E = -\ln(1 - \Phi(z))$$

Assumed: lesions of solid tumors leave a scar as nodes do, which a scan shows, so that there is no
complete response by RECIST (1 % published for tarlatamab, 0.4 % for tebentafusp); the M-protein
and the share of blasts are measured without error; follow-up ends at the last visit; clinical
progression does not occur before the first scan, because a trial stores no burden there.
"""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import NormalDist
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp

from qsp.response import geometry
from qsp.response.blasts import FULL_RECOVERY, Blasts, BlastVisits, blast_share
from qsp.response.events import Events, event_time, new_lesion_seen
from qsp.response.geometry import Lesions, Scans
from qsp.response.imwg import Disease, Imwg, MyelomaVisits, marrow_share
from qsp.response.lugano import Lugano
from qsp.response.outcomes import Outcomes
from qsp.response.recist import Recist
from qsp.typing import FlagPerVisit, Index, PerLesion, PerVisit, PerVisitLesion, Scalar

_MARROW, _OUTSIDE = 0, slice(1, None)
_RECOVERS = NormalDist().inv_cdf(FULL_RECOVERY)


class SimulatedVisits(NamedTuple):
    """Simulated quantities of a patient at the visits; NaN for a missed visit.

    Quantities that a rule does not use have any value.

    Args:
        volume: Volumes of the lesions with dying cells (visit, lesion) [mL].
        viable: Volumes of their living cells (visit, lesion) [mL].
        volume_baseline: Volumes before treatment (lesion,) [mL]; 0 for no lesion.
        new_lesion_hazard: Cumulative hazard of new lesions (visit,) [1].
        m_protein: M-protein in serum (visit,) [g/L].
        m_protein_baseline: M-protein before treatment [g/L].
        isotype: Isotype of the M-protein, one of `m_protein.Isotype`.
        other_marrow: Volume of the other cells of the marrow, at the density of tumor cells [mL].
        k_death: Hazard of death without progression [1/day].
    """

    volume: PerVisitLesion
    viable: PerVisitLesion
    volume_baseline: PerLesion
    new_lesion_hazard: PerVisit
    m_protein: PerVisit
    m_protein_baseline: Scalar
    isotype: Index
    other_marrow: Scalar
    k_death: Scalar


class AssessmentDraws(NamedTuple):
    """Standard normal draws of a patient.

    Args:
        diameter: Error of measurement at the visits (visit, lesion).
        diameter_baseline: Error of measurement before treatment (lesion,).
        new_lesion: Threshold of a new lesion.
        death: Threshold of death without progression.
        recovery: Recovery of blood counts.
    """

    diameter: PerVisitLesion
    diameter_baseline: PerLesion
    new_lesion: Scalar
    death: Scalar
    recovery: Scalar


class Sums(NamedTuple):
    """Sums over the lesions that a scan measures; NaN for a missed visit.

    Args:
        products: Sum of products of diameters at the visits (visit,) [cm^2].
        diameters: Sum of longest diameters at the visits (visit,) [cm].
        products_baseline: Sum of products of diameters before treatment [cm^2].
        diameters_baseline: Sum of longest diameters before treatment [cm].
    """

    products: PerVisit
    diameters: PerVisit
    products_baseline: Scalar
    diameters_baseline: Scalar


class Assessment(NamedTuple):
    """Response of a patient.

    Args:
        outcomes: Categories, times and durations.
        death_time: Time of death without progression [day]; NaN without.
        sums: Sums over the lesions; None for a disease that is not followed by scans.
    """

    outcomes: Outcomes
    death_time: Scalar
    sums: Sums | None


def exponential(normal: Scalar) -> Scalar:
    """Return draws from the exponential distribution with mean 1 from standard normal draws."""
    return -jax.scipy.special.log_ndtr(-normal)


def death_time(k_death: Scalar, threshold: Scalar, end: Scalar) -> Scalar:
    """Return the time of death without progression up to the end of follow-up [day].

    Args:
        k_death: Constant hazard [1/day].
        threshold: Draw from the exponential distribution with mean 1.
        end: End of follow-up [day].
    """
    hazard = jnp.stack([jnp.zeros_like(k_death), k_death * end])
    return event_time(jnp.stack([jnp.zeros_like(end), end]), hazard, threshold)


def assess_one(
    rule: str, time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws
) -> Assessment:
    """Return the response of a patient.

    Args:
        rule: One of `rules.RULES`.
        time: Times of the visits since the first dose, ascending [day].
        visits: Simulated quantities at the visits.
        draws: Standard normal draws.
    """
    end = jnp.max(time, initial=0.0)
    death = death_time(visits.k_death, exponential(draws.death), end)
    outcomes, sums = _RULES[rule](time, visits, draws, Events(death, jnp.full_like(death, jnp.inf)))
    progression = jnp.nan_to_num(outcomes.progression_time, nan=jnp.inf)
    is_first = jnp.isfinite(death) & (death < progression)
    return Assessment(outcomes, jnp.where(is_first, death, jnp.nan), sums)


@partial(jax.jit, static_argnames="rule")
def assess(
    rule: str, time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws
) -> Assessment:
    """Return the response of many patients: `assess_one`, with a patient axis on all but time."""
    return jax.vmap(partial(assess_one, rule), in_axes=(None, 0, 0))(time, visits, draws)


def _lugano(
    time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws, events: Events
) -> tuple[Outcomes, Sums]:
    scans = _scans(time, visits, draws, geometry.RESIDUAL)
    return Lugano()(scans, events), _sums(scans)


def _recist(
    time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws, events: Events
) -> tuple[Outcomes, Sums]:
    scans = _scans(time, visits, draws, geometry.RESIDUAL)
    return Recist()(scans, events), _sums(scans)


def _imwg(
    time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws, events: Events
) -> tuple[Outcomes, None]:
    scans = _scans(time, visits, draws, geometry.RESIDUAL)
    now = Disease(
        visits.m_protein,
        visits.viable[:, _MARROW],
        marrow_share(visits.viable[:, _MARROW], visits.other_marrow),
        _of(scans.lesions, _OUTSIDE),
    )
    cells = visits.volume_baseline[_MARROW]
    before = Disease(
        visits.m_protein_baseline,
        cells,
        marrow_share(cells, visits.other_marrow),
        _of(scans.baseline, _OUTSIDE),
    )
    myeloma = MyelomaVisits(time, now, before, scans.new_lesion, visits.isotype)
    return Imwg()(myeloma, events), None


def _blasts(
    time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws, events: Events
) -> tuple[Outcomes, None]:
    leukemia = BlastVisits(
        time,
        blast_share(visits.viable[:, _MARROW], visits.other_marrow),
        blast_share(visits.volume_baseline[_MARROW], visits.other_marrow),
        draws.recovery < _RECOVERS,
    )
    return Blasts()(leukemia, events), None


_Rule = Callable[[PerVisit, SimulatedVisits, AssessmentDraws, Events], tuple[Outcomes, Sums | None]]
_RULES: Mapping[str, _Rule] = MappingProxyType(
    {"lugano": _lugano, "recist": _recist, "imwg": _imwg, "blasts": _blasts}
)


def _scans(
    time: PerVisit, visits: SimulatedVisits, draws: AssessmentDraws, residual: float
) -> Scans:
    start = visits.volume_baseline
    start = jnp.where(start > 0.0, start, jnp.nan)
    error = geometry.error_factor(draws.diameter_baseline)
    return Scans(
        time,
        geometry.measured(
            visits.volume, visits.viable, geometry.error_factor(draws.diameter), residual
        ),
        geometry.measured(start, start, error, residual),
        _new_lesion(visits, draws),
    )


def _new_lesion(visits: SimulatedVisits, draws: AssessmentDraws) -> FlagPerVisit:
    return new_lesion_seen(visits.new_lesion_hazard, exponential(draws.new_lesion))


def _sums(scans: Scans) -> Sums:
    has = geometry.present(scans.baseline)
    return Sums(
        geometry.sum_of_products(scans.lesions, has),
        geometry.sum_of_diameters(scans.lesions.long, has),
        geometry.sum_of_products(scans.baseline, has),
        geometry.sum_of_diameters(scans.baseline.long, has),
    )


def _of(lesions: Lesions, part: slice) -> Lesions:
    return Lesions(*(each[..., part] for each in lesions))
