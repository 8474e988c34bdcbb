"""Tumor response: best response by Lugano or RECIST criteria, and response rates.

The model has one tumor volume V. Criteria for diameters are converted to volumes for spherical
lesions that shrink and grow in proportion; V0 is the baseline volume and N the nadir so far,
including baseline:

| criteria | measure | partial response | progression |
|---|---|---|---|
| Lugano | product of diameters | -50 %: V <= 0.5^1.5 = 0.354 V0 | +50 %: V >= 1.5^1.5 = 1.837 N |
| RECIST 1.1, confirmed | diameter | -30 %: V <= 0.7^3 = 0.343 V0 | +20 %: V >= 1.2^3 = 1.728 N |

A tumor below 0.5 mL is a complete response [assumed: about a node of 1 cm]. A nadir below 0.5 mL
counts as 0.5 mL; otherwise, regrowth too small to be measured would count as progression. Not
modeled: new lesions, metabolic response (PET), the absolute increase of 5 mm in RECIST, and the
minimum duration of stable disease.

Runs with lesions have the response by the rule of the disease (`qsp.results.lesion_response`), and
rates of these runs are over all treated patients: one who is not evaluable has no response.
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
from qsp.response import category
from qsp.response.rules import RULES, RuleTitle

NOT_EVALUABLE, COMPLETE, PARTIAL, STABLE, PROGRESSIVE, VERY_GOOD, INCOMPLETE_RECOVERY = range(7)
MEANINGS = category.MEANINGS[:5]
"""Meanings of the codes of a tumor that is one pool of cells."""
RESPONSES = tuple(category.CODES[each] for each in category.RESPONSES)
"""Codes that are an objective response."""
COMPLETE_VOLUME = 0.5  # mL [assumed]
# Relative tolerance: a volume equal to the limit up to rounding meets it.
_ROUNDING = 1e-9
RANGE = (0.05, 0.25, 0.5, 0.75, 0.95)
_LUGANO, _RECIST = RULES["lugano"].source, RULES["recist"].source
_SOURCES = "; ".join(rule.source for rule in RULES.values())


@dataclass(frozen=True)
class Criteria:
    """Response criteria in terms of one tumor volume.

    Args:
        title: Name in tables.
        partial: Largest V/V0 that is a partial response [1].
        progression: Smallest V/nadir that is progression [1].
        confirmed: Whether a response must be confirmed at the next visit.
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


_ASSESSED_BY = {
    "myeloma": "Response in myeloma is assessed by the IMWG criteria (M-protein, marrow), which "
    "are not modeled",
    "ALL": "Response in leukemia is assessed by the percentage of blasts in marrow and by blood "
    "counts, which are not modeled",
}
"""Response criteria of diseases without a measurable tumor, by a word in the disease name."""


def surrogate(disease: str, criteria: str) -> str:
    """Return a caveat if tumor size criteria are used for a disease that has others.

    Args:
        disease: Disease of the population.
        criteria: Criteria used, a key of `CRITERIA`.

    Returns:
        A sentence; empty if the criteria are those of the disease.
    """
    caveat = next((text for word, text in _ASSESSED_BY.items() if word in disease.split()), "")
    if not caveat:
        return ""
    title = _criteria(criteria).title
    return (
        f"{caveat}: the {title} categories, applied to the volume of malignant cells in marrow, "
        "are a surrogate."
    )


def surrogate_of(ds: xr.Dataset) -> str:
    """Return the caveat of `surrogate` for results; empty if they do not name a disease.

    Args:
        ds: Results.
    """
    if has_lesions(ds):
        return ""
    named = (str(ds.attrs.get(name, "")) for name in ("disease", "response_criteria"))
    return surrogate(*named)


def has_lesions(ds: xr.Dataset) -> bool:
    """Return whether the response of results is that of lesions, by the rule of the disease."""
    return "best_response_unconfirmed" in ds


def rule_of(ds: xr.Dataset) -> RuleTitle:
    """Return the rule of response of a run; for one pool of cells, that of its criteria.

    Args:
        ds: Results.

    Raises:
        ConfigError: If the attribute `response_criteria` is missing or not a key of `RULES`.
    """
    name = str(ds.attrs.get("response_criteria", "missing"))
    if name not in RULES or not has_lesions(ds):
        criteria_of(ds)  # refuses names of other rules
    return RULES[name]


def criteria_of(ds: xr.Dataset) -> Criteria:
    """Return the response criteria of a run, named by its attribute `response_criteria`.

    Args:
        ds: Results.

    Raises:
        ConfigError: If the attribute is missing or not a key of `CRITERIA`.
    """
    return _criteria(str(ds.attrs.get("response_criteria", "missing")))


def _criteria(name: str) -> Criteria:
    if name not in CRITERIA:
        rule = "response_criteria must be one of lugano, recist"
        raise ConfigError("results", rule, repr(name), suggest(name, CRITERIA))
    return CRITERIA[name]


def best_response(volume: ArrayLike, baseline: ArrayLike, criteria: Criteria) -> NDArray[np.int8]:
    """Return the best response at the visits up to the first progression.

    The order is complete, partial, stable, progressive. A confirmed response requires two
    consecutive visits, where missed visits are skipped; a complete response confirms a partial one.
    Progression at the first assessment is progressive disease; visits after progression do not
    count.

    Args:
        volume (..., visit): Tumor volume at the visits after the first dose, in order [mL]; NaN for
            a missed visit.
        baseline (...,): Tumor volume before treatment [mL].
        criteria: Response criteria.

    Returns:
        (...,): 0 not evaluable (no visit, or a baseline volume of 0.5 mL or less), 1 complete,
        2 partial, 3 stable, 4 progressive.

    Source: Cheson et al. 2014 (Lugano); Eisenhauer et al. 2009 (RECIST 1.1); limits converted to
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
        unconfirmed = not criteria.confirmed
        best = np.where(counts, np.minimum(best, STABLE), best)
        best = np.where(response & (unconfirmed | was_response), np.minimum(best, PARTIAL), best)
        best = np.where(complete & (unconfirmed | was_complete), COMPLETE, best)
        was_complete = np.where(here, complete, was_complete)
        was_response = np.where(here, response, was_response)
        nadir = np.where(here, np.minimum(nadir, size), nadir)
        seen = seen | here
    return np.where(seen, best, NOT_EVALUABLE).astype(np.int8)


def add_best_response(ds: xr.Dataset) -> xr.Dataset:
    """Return the results with `best_response`, assessed by the criteria of the run.

    Args:
        ds: Results with `tumor_volume_visit`, `tumor_volume_baseline` and `outcome`.

    Returns:
        A new Dataset; `best_response` (arm, patient) is int8 with flag values, -1 if the simulation
        failed. Visits at or before the first dose are not assessments.
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


def best_codes(ds: xr.Dataset) -> xr.DataArray:
    """Return the best response (arm, patient), NaN if the patient is not in the denominator.

    With lesions, patients who are not evaluable are in the denominator, as all treated patients.
    """
    best = ds["best_response"].astype(float).fillna(-1.0)
    lowest = NOT_EVALUABLE if has_lesions(ds) else COMPLETE
    return best.where((best >= lowest) & solved(ds))


def _share(ds: xr.Dataset, codes: Sequence[int], trial_size: int) -> xr.Dataset:
    def event(part: xr.Dataset) -> xr.DataArray:
        best = best_codes(part)
        return best.isin(list(codes)).astype(float).where(best.notnull())

    return rate(event, ds, trial_size=trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Objective response rate",
        definition="Proportion of the evaluable patients, or with lesions of all treated patients, "
        "with a complete or partial response as best response",
        needs={"best_response": "1", "outcome": "1"},
        source=_SOURCES,
    )
)
def objective_response(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the objective response rate (ORR): ``sum(w [CR or PR]) / sum(w)``.

    Very good partial responses, and complete remissions with incomplete recovery, are responses.

    Args:
        ds: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (arm,) [1], with the variables of `rates.rate`.

    Source: as `best_response`.
    """
    return _share(ds, RESPONSES, trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Complete response rate",
        definition="Proportion of the evaluable patients, or with lesions of all treated patients, "
        "with a complete response as best response",
        needs={"best_response": "1", "outcome": "1"},
        source=_SOURCES,
    )
)
def complete_response(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the complete response rate: ``sum(w [CR]) / sum(w)``.

    Args:
        ds: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (arm,) [1], with the variables of `rates.rate`.

    Source: as `best_response`.
    """
    return _share(ds, (COMPLETE,), trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Patients by best response",
        definition="Proportion of the evaluable patients, or with lesions of all treated patients, "
        "with the stated best response",
        needs={"best_response": "1", "outcome": "1"},
        source=_SOURCES,
    )
)
def best_responses(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the distribution of the best response: ``sum(w [best = r]) / sum(w)``.

    Args:
        ds: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (response, arm) [1]; `response` is complete, partial, stable or progressive, with
        lesions any of `qsp.response.category.MEANINGS`, and the values add up to 1.

    Source: as `best_response`.
    """
    names = list(category.MEANINGS) if has_lesions(ds) else list(MEANINGS[1:])
    codes = [category.MEANINGS.index(name) for name in names]
    code = xr.DataArray(codes, dims="response", coords={"response": names})

    def event(part: xr.Dataset) -> xr.DataArray:
        best = best_codes(part)
        return (code == best).astype(float).where(best.notnull())

    return rate(event, ds, trial_size=trial_size)
