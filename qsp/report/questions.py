"""Answers to four questions: which regimen, how sure, what drives it, and the unknown.

Each answer is a list of sentences whose numbers are computed from the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp.endpoints import crs, crs_times, cytokines, exposure_response
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import steps
from qsp.report.cells import percent, significant
from qsp.report.glance import Glance, points
from qsp.report.provenance import Provenance
from qsp.report.standing import CERTAINTY

GRADE = 2
"""Grade by which regimens are compared in sentences."""


@dataclass(frozen=True)
class Answers:
    """Sentences under each of the four questions."""

    regimen: tuple[str, ...]
    sure: tuple[str, ...]
    drivers: tuple[str, ...]
    unknown: tuple[str, ...]


def answers(ds: xr.Dataset, found: Glance, provenance: Provenance) -> Answers:
    """Return the answers of a run of several patients.

    Args:
        ds: Results with `best_response`.
        found: Main results.
        provenance: Origin of the parameter values.
    """
    return Answers(
        regimen=tuple(_regimen(ds, found)),
        sure=tuple(_sure(ds, found, provenance)),
        drivers=tuple(_drivers(ds, found)),
        unknown=tuple(_unknown(found, provenance)),
    )


# === which regimen ================================================================================


def _regimen(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    for grade, words in ((GRADE, "grade 2 or higher"), (1, "any grade")):
        rates = {arm: found.rate(arm, grade) for arm in found.arms}
        known = {arm: rate for arm, rate in rates.items() if np.isfinite(rate)}
        if len(known) > 1:
            yield _extremes(found, known, words)
    yield from _stay(ds, found)
    yield from _length(ds, found)
    if found.response is not None:
        each = [
            f"{title} {percent(float(found.response['value'].sel(arm=arm)))} %"
            for arm, title in found.arms.items()
        ]
        yield f"Objective response rate: {'; '.join(each)}."


def _extremes(found: Glance, known: dict[str, float], words: str) -> str:
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    if known[low] == known[high]:
        return f"CRS of {words}: {percent(known[low])} % in every arm."
    return (
        f"CRS of {words} is least frequent with {found.arms[low]} ({percent(known[low])} %) and "
        f"most frequent with {found.arms[high]} ({percent(known[high])} %)."
    )


def _stay(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    late = crs_times.late_onset(ds, by="any")["value"]
    for arm, title in found.arms.items():
        shares = [percent(float(late.sel(arm=arm, hour=hour))) for hour in crs_times.HOURS]
        if "–" not in shares:
            yield (
                f"{title}: CRS starts more than 24 h after a dose in {shares[0]} % of the "
                f"patients, more than 48 h in {shares[1]} %, and more than 72 h in {shares[2]} %."
            )


def _length(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    times = crs.duration(ds, by="any", quantiles=(0.5, 0.9))["value"]
    each = []
    for arm, title in found.arms.items():
        middle, most = (significant(float(v)) for v in times.sel(arm=arm).values)
        if middle != "–":
            each.append(f"{title} {middle} h and {most} h")
    if each:
        yield f"Median and 90th percentile of the duration of CRS: {'; '.join(each)}."


# === how sure =====================================================================================


def _sure(ds: xr.Dataset, found: Glance, provenance: Provenance) -> Iterator[str]:
    arm = found.reference
    rate = found.rates.sel(arm=arm, grade=GRADE)
    evaluable = int(rate["evaluable"])
    if evaluable:
        low, high = (percent(float(rate[name])) for name in ("lower", "upper"))
        least, most = (percent(float(rate[f"trial_{name}"])) for name in ("lower", "upper"))
        yield (
            f"Number of patients: {evaluable:,} are evaluable with {found.arms[arm]}, which "
            f"determines the rate of grade 2 or higher to {low}–{high} %. A trial of "
            f"{found.trial_size:,} such patients would observe {least}–{most} %."
        )
    for other in found.others:
        yield from _separation(found, other)
    for name, title in found.arms.items():
        for grade, known in sorted(found.published[name].items()):
            words = "any grade" if grade == 1 else f"grade {grade} or higher"
            yield (
                f"{title}, {words}: {percent(found.rate(name, grade))} % simulated, "
                f"{known.percent:g} % published ({known.indication}; {CERTAINTY[known.certainty]})."
            )
    failed, size = int((~solved(ds)).sum()), int(ds["outcome"].size)
    yield (f"{failed:,} of {size:,} simulations failed." if failed else "No simulation failed.")
    yield provenance.sentence
    yield (
        "Uncertainty in the model and its parameters is in none of the intervals; the true "
        "uncertainty is larger."
    )


def _separation(found: Glance, arm: str) -> Iterator[str]:
    own = found.difference(arm, GRADE)
    if not np.isfinite(own.lower):
        return
    excludes = "excludes" if own.lower > 0 or own.upper < 0 else "includes"
    yield (
        f"{found.arms[arm]} minus {found.arms[found.reference]}, grade 2 or higher: {points(own)} "
        f"percentage points in the same {own.pairs:,} patients; the Monte Carlo interval "
        f"{excludes} zero."
    )


# === what drives it ===============================================================================


def _drivers(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    rates = crs.incidence(ds, at_least=(1,)).isel(grade=0)["value"]
    exposed = exposure_response.by_quartile(ds, metrics=("cmax",)).isel(metric=0)["value"]
    for arm, title in found.arms.items():
        own = {s.label: float(rates.sel(arm=arm, label=s.label)) for s in steps(ds) if s.arm == arm}
        own = {label: rate for label, rate in own.items() if np.isfinite(rate)}
        if own and max(own.values()) > 0:
            worst = max(own, key=own.__getitem__)
            yield (
                f"{title}: the dose period with the most CRS is {worst} ({percent(own[worst])} % "
                "of the patients)."
            )
            yield from _exposure(exposed.sel(arm=arm, label=worst), title, worst)
    yield from _il6(ds, found)


def _exposure(rates: xr.DataArray, title: str, label: str) -> Iterator[str]:
    low, high = (percent(float(rates.sel(quartile=place))) for place in (1, 4))
    if "–" not in (low, high):
        yield (
            f"{title}, {label}: grade 2 or higher in {low} % of the patients in the lowest "
            f"quartile of Cmax and in {high} % in the highest."
        )


def _il6(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    if len(found.arms) < 2:
        return
    ratio = cytokines.peak_ratio(ds, reference=found.reference, of=("il6",)).isel(cytokine=0)
    each = [
        f"{found.arms[arm]} {significant(float(ratio['value'].sel(arm=arm)))}"
        for arm in found.others
        if np.isfinite(float(ratio["value"].sel(arm=arm)))
    ]
    if each:
        yield (
            f"Median highest IL-6 peak relative to {found.arms[found.reference]}: "
            f"{'; '.join(each)}."
        )


# === unknowns ============================================================================


def _unknown(found: Glance, provenance: Provenance) -> Iterator[str]:
    if found.sentence:
        yield found.sentence
    missing = [title for arm, title in found.arms.items() if not found.published[arm]]
    if missing:
        yield (
            "No published incidence of CRS over all doses is on file for these doses, supportive "
            f"drugs and patients: {'; '.join(missing)}."
        )
    yield (
        "Grades are an index of three cytokines compared with fitted thresholds. Two alternative "
        "links are tabulated below; none is validated."
    )
    yield provenance.gap
