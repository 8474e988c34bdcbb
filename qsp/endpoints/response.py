"""Tumor response: size at the visits, best response, and its rates.

Size is one volume V, so the criteria for diameters are carried over to spheres whose sizes change
together; V0 is the volume at the start and N the nadir up to then, the start included:

| criteria | measure | partial response | progression |
|---|---|---|---|
| Lugano | product of diameters | -50 %: V <= 0.5^1.5 = 0.354 V0 | +50 %: V >= 1.5^1.5 = 1.837 N |
| RECIST 1.1, confirmed | diameter | -30 %: V <= 0.7^3 = 0.343 V0 | +20 %: V >= 1.2^3 = 1.728 N |

A tumor below 0.5 mL is a complete response [assumed: about a node of 1 cm]; a nadir below that
counts as 0.5 mL, or regrowth that nobody can measure would be progression. Left out: new lesions,
metabolic response (PET), the absolute 5 mm of RECIST, the least length of stable disease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from qsp.endpoints.endpoint import Meaning, endpoint, require
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.statistics.rates import rate
from qsp.errors import ConfigError, suggest

NOT_EVALUABLE, COMPLETE, PARTIAL, STABLE, PROGRESSIVE = range(5)
MEANINGS = (
    "not_evaluable",
    "complete_response",
    "partial_response",
    "stable_disease",
    "progressive_disease",
)
COMPLETE_VOLUME = 0.5  # mL [assumed]
# A volume that is at the limit but for rounding meets it.
_ROUNDING = 1e-9
RANGE = (0.05, 0.25, 0.5, 0.75, 0.95)
_LUGANO = "Cheson et al. 2014, J Clin Oncol 32:3059 (Lugano)"
_RECIST = "Eisenhauer et al. 2009, Eur J Cancer 45:228 (RECIST 1.1)"


@dataclass(frozen=True)
class Criteria:
    """Response criteria for one volume.

    Args:
        title: Name in tables.
        partial: Largest V/V0 of a partial response [1].
        progression: Least V/nadir of progression [1].
        confirmed: Whether a response must hold at two consecutive visits.
        source: Reference.
    """

    title: str
    partial: float
    progression: float
    confirmed: bool
    source: str


CRITERIA = {
    "lugano": Criteria("Lugano", 0.354, 1.5**1.5, confirmed=False, source=_LUGANO),
    "recist": Criteria("RECIST 1.1, confirmed", 0.343, 1.2**3, confirmed=True, source=_RECIST),
}


_JUDGED = {
    "myeloma": "Myeloma is judged by the IMWG criteria (M-protein, marrow), which are not modeled",
    "ALL": "Leukemia is judged by the share of blasts in marrow and by blood counts, which is not "
    "modeled",
}
"""How diseases without a tumor of a size are judged, by a word in their name."""


def surrogate(disease: str, criteria: str) -> str:
    """A sentence where criteria for the size of a tumor stand for those of a disease, else none.

    Args:
        disease: Of the population.
        criteria: One of `CRITERIA`.
    """
    judged = next((how for word, how in _JUDGED.items() if word in disease.split()), "")
    if not judged:
        return ""
    title = _criteria(criteria).title
    return f"{judged}: the {title} categories are a surrogate, by the volume of cells in marrow."


def surrogate_of(ds: xr.Dataset) -> str:
    """The same for results; none where they do not name a disease.

    Args:
        ds: Results.
    """
    named = (str(ds.attrs.get(name, "")) for name in ("disease", "response_criteria"))
    return surrogate(*named)


def criteria_of(ds: xr.Dataset) -> Criteria:
    """Response criteria of a run, from its attribute `response_criteria`.

    Args:
        ds: Results.

    Returns:
        The criteria.

    Raises:
        ConfigError: If they are not known.
    """
    return _criteria(str(ds.attrs.get("response_criteria", "missing")))


def _criteria(name: str) -> Criteria:
    if name not in CRITERIA:
        rule = "response_criteria must be one of lugano, recist"
        raise ConfigError("results", rule, repr(name), suggest(name, CRITERIA))
    return CRITERIA[name]


def best_response(volume: ArrayLike, baseline: ArrayLike, criteria: Criteria) -> NDArray[np.int8]:
    """Best response at the visits up to the first progression.

    Complete before partial before stable before progressive. A confirmed response needs two visits
    in a row, without a missing one counted; a complete response confirms a partial one. Progression
    as the first thing seen is progressive disease; what comes after a progression does not count.

    Args:
        volume (..., visit): Tumor volume at the visits after the first dose, in order [mL]; NaN is
            a visit missed.
        baseline (...,): Tumor volume before treatment [mL].
        criteria: Limits.

    Returns:
        (...,): 0 not evaluable (no visit, or no tumor above 0.5 mL to begin with), 1 complete,
        2 partial, 3 stable, 4 progressive.

    Source: Cheson et al. 2014 (Lugano); Eisenhauer et al. 2009 (RECIST 1.1); limits carried over to
        volumes.
    """
    sizes, start = np.asarray(volume, float), np.asarray(baseline, float)
    measurable = start > COMPLETE_VOLUME
    nadir = np.where(measurable, start, np.nan)
    limit = criteria.partial * start * (1 + _ROUNDING)
    best = np.full(start.shape, PROGRESSIVE)
    seen, over, was_complete, was_response = (np.zeros(start.shape, bool) for _ in range(4))
    for size in np.moveaxis(sizes, -1, 0):
        here = np.isfinite(size) & measurable
        floor = np.maximum(nadir, COMPLETE_VOLUME)
        over = over | (here & (size >= criteria.progression * floor * (1 - _ROUNDING)))
        counts = here & ~over
        complete = counts & (size < COMPLETE_VOLUME)
        response = complete | (counts & (size <= limit))
        held = not criteria.confirmed
        best = np.where(counts, np.minimum(best, STABLE), best)
        best = np.where(response & (held | was_response), np.minimum(best, PARTIAL), best)
        best = np.where(complete & (held | was_complete), COMPLETE, best)
        was_complete = np.where(here, complete, was_complete)
        was_response = np.where(here, response, was_response)
        nadir = np.where(here, np.minimum(nadir, size), nadir)
        seen = seen | here
    return np.where(seen, best, NOT_EVALUABLE).astype(np.int8)


def add_best_response(ds: xr.Dataset) -> xr.Dataset:
    """Dataset with `best_response` by the criteria of the run.

    Args:
        ds: Results with `tumor_volume_visit`, `tumor_volume_baseline` and `outcome`.

    Returns:
        A new Dataset; `best_response` (arm, patient) is int8 with flag values, and -1 where the
        simulation failed. Visits at or before the first dose are not assessments.
    """
    require(ds, "tumor_volume_visit", "mL")
    require(ds, "tumor_volume_baseline", "mL")
    criteria, visits = criteria_of(ds), _after_first_dose(ds).transpose("arm", "patient", "visit")
    baseline = ds["tumor_volume_baseline"].transpose("arm", "patient")
    codes = xr.DataArray(
        best_response(visits.values, baseline.values, criteria),
        dims=("arm", "patient"),
        coords=baseline.coords,
    )
    best = codes.where(solved(ds), -1).astype(np.int8)
    best.attrs = {
        "units": "1",
        "long_name": f"Best response ({criteria.title})",
        "flag_values": np.arange(len(MEANINGS), dtype=np.int8),
        "flag_meanings": " ".join(MEANINGS),
        "source": criteria.source,
    }
    best.encoding = {"_FillValue": np.int8(-1)}
    return ds.assign(best_response=best)


def _after_first_dose(ds: xr.Dataset) -> xr.DataArray:
    return ds["tumor_volume_visit"].isel(visit=np.flatnonzero(ds["visit"].values > 0))


def _codes(ds: xr.Dataset) -> xr.DataArray:
    """Best response (arm, patient), NaN where there is none."""
    best = ds["best_response"].astype(float).fillna(-1.0)
    return best.where((best > NOT_EVALUABLE) & solved(ds))


def _share(ds: xr.Dataset, codes: Sequence[int], trial_size: int) -> xr.Dataset:
    def event(part: xr.Dataset) -> xr.DataArray:
        best = _codes(part)
        return best.isin(list(codes)).astype(float).where(best.notnull())

    return rate(event, ds, trial_size=trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Objective response rate",
        definition="Share of the evaluable patients with a complete or partial response as best "
        "response",
        needs={"best_response": "1", "outcome": "1"},
        source=f"{_LUGANO}; {_RECIST}",
    )
)
def objective_response(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Objective response rate (ORR): ``sum(w [CR or PR]) / sum(w)``.

    Args:
        ds: Results with `best_response`.
        trial_size: Patients of the trial of the prediction interval.

    Returns:
        Rates (arm,) [1], as in `rates.rate`.

    Source: as `best_response`.
    """
    return _share(ds, (COMPLETE, PARTIAL), trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Complete response rate",
        definition="Share of the evaluable patients with a complete response as best response",
        needs={"best_response": "1", "outcome": "1"},
        source=f"{_LUGANO}; {_RECIST}",
    )
)
def complete_response(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Complete response rate: ``sum(w [CR]) / sum(w)``.

    Args:
        ds: Results with `best_response`.
        trial_size: Patients of the trial of the prediction interval.

    Returns:
        Rates (arm,) [1], as in `rates.rate`.

    Source: as `best_response`.
    """
    return _share(ds, (COMPLETE,), trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Patients by best response",
        definition="Share of the evaluable patients with the stated best response",
        needs={"best_response": "1", "outcome": "1"},
        source=f"{_LUGANO}; {_RECIST}",
    )
)
def best_responses(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Distribution of the best response: ``sum(w [best = r]) / sum(w)``.

    Args:
        ds: Results with `best_response`.
        trial_size: Patients of the trial of the prediction interval.

    Returns:
        Rates (response, arm) [1]; `response` is complete, partial, stable or progressive, and the
        values add up to 1.

    Source: as `best_response`.
    """
    code = xr.DataArray(np.arange(1, 5), dims="response", coords={"response": list(MEANINGS[1:])})

    def event(part: xr.Dataset) -> xr.DataArray:
        best = _codes(part)
        return (code == best).astype(float).where(best.notnull())

    return rate(event, ds, trial_size=trial_size)
