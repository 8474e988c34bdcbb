"""Answers to four questions: which regimen, how sure, what drives it, and the unknown.

Each answer is a list of sentences whose numbers are computed from the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from qsp.endpoints import crs, crs_times, cytokines, exposure_response
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import steps
from qsp.report.cells import NONE, between, percent, significant
from qsp.report.crs_times import unresolved
from qsp.report.differences import probability
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
        unknown=tuple(_unknown(ds, found, provenance)),
    )


# === which regimen ================================================================================


def _regimen(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    for grade, words in ((GRADE, "grade 2 or higher"), (1, "any grade")):
        rates = {arm: found.rate(arm, grade) for arm in found.arms}
        known = {arm: rate for arm, rate in rates.items() if np.isfinite(rate)}
        if len(known) > 1:
            yield _extremes(found, known, words)
    yield from _preference(found)
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


def _preference(found: Glance) -> Iterator[str]:
    """Yield the arm that is best by the utility, and how sure the order is."""
    if found.lead.empty:
        return
    best, second = (str(found.lead[name].iloc[0]) for name in ("arm", "reference"))
    illustrative = ", whose response is illustrative in this run" if found.sentence else ""
    title = f"{found.arms[second]}{', the second best,' if len(found.arms) > 2 else ''}"
    yield (
        f"By the utility {found.preferences.attrs['utility']}{illustrative}, {found.arms[best]} is "
        f"best: the probability that its utility is higher than that of {title} "
        f"{_chances(found.lead)}."
    )
    if found.reference not in (best, second):
        against = found.preferences.loc[found.preferences["arm"] == best, :]
        yield (
            f"The probability that the utility of {found.arms[best]} is higher than that of the "
            f"reference, {found.arms[found.reference]}, {_chances(against)}."
        )


def _chances(frame: pd.DataFrame) -> str:
    """Return both probabilities of the first row of a table of utilities."""
    row = frame.iloc[0]
    return (
        f"is {probability(row['probability'])} in the population and "
        f"{probability(row['trial_probability'])} in a trial of 2 × {row['trial_size']:,}, with "
        "the parameters fixed"
    )


def _stay(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    """Yield the share of patients whose CRS would start after a discharge, for each arm."""
    each = {grade: crs_times.late_onset(ds, by="any", at_least=grade) for grade in (1, GRADE)}
    by_dose = crs_times.late_onset(ds, at_least=1)["value"]
    first, *later = crs_times.HOURS
    for arm, title in found.arms.items():
        own = {grade: rates.sel(arm=arm) for grade, rates in each.items()}
        early = [_with_interval(rates.sel(hour=first)) for rates in own.values()]
        if NONE in early:
            continue
        doses = [s.label for s in steps(ds) if s.arm == arm]
        shares = {label: float(by_dose.sel(arm=arm, label=label, hour=first)) for label in doses}
        most = max(shares, key=lambda label: np.nan_to_num(shares[label], nan=-1.0))
        after = ", most after " + f"{most} ({percent(shares[most])} %)" if shares[most] > 0 else ""
        rest = "; ".join(
            f"after {hour} h, {percent(float(own[1]['value'].sel(hour=hour)))} % and "
            f"{percent(float(own[GRADE]['value'].sel(hour=hour)))} %"
            for hour in later
        )
        yield (
            f"{title}, discharge {first} h after each dose: CRS of any grade would start at home "
            f"in {early[0]} of the patients{after}, and grade 2 or higher in {early[1]}; {rest}."
        )


def _with_interval(rate: xr.Dataset) -> str:
    value, low, high = (percent(float(rate[name])) for name in ("value", "lower", "upper"))
    return NONE if value == NONE else f"{value} % ({between(low, high)})"


def _length(ds: xr.Dataset, found: Glance) -> Iterator[str]:
    times = crs.duration(ds, by="any", quantiles=(0.5, 0.9))["value"]
    each = []
    for arm, title in found.arms.items():
        middle, most = (significant(float(v)) for v in times.sel(arm=arm).values)
        if middle != NONE:
            each.append(f"{title} {middle} h and {most} h")
    if each:
        yield f"Median and 90th percentile of the duration of CRS: {'; '.join(each)}."
    lasting, events = unresolved(ds)
    if lasting:
        yield (
            f"{lasting:,} of {events:,} CRS events have not ended by the end of the trial, so "
            "that the longest durations are lower limits."
        )


# === how sure =====================================================================================


def _sure(ds: xr.Dataset, found: Glance, provenance: Provenance) -> Iterator[str]:
    arm = found.reference
    rate = found.rates.sel(arm=arm, grade=GRADE)
    evaluable = int(rate["evaluable"])
    if evaluable:
        low, high = (percent(float(rate[name])) for name in ("lower", "upper"))
        least, most = (percent(float(rate[f"trial_{name}"])) for name in ("lower", "upper"))
        yield (
            f"{found.arms[arm]}, grade 2 or higher: {percent(float(rate['value']))} % of "
            f"{evaluable:,} evaluable patients, with a 95 % Monte Carlo interval of {low}–{high} "
            f"%. A trial of {found.trial_size:,} such patients would observe {least}–{most} % "
            "(95 % prediction interval)."
        )
    for other in found.others:
        yield from _separation(found, other)
    if len(found.others) > 1:
        yield "No interval is adjusted for the number of comparisons."
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
    exposed = exposure_response.by_quartile(ds, metrics=("cmax",)).isel(metric=0)
    for arm, title in found.arms.items():
        own = {s.label: float(rates.sel(arm=arm, label=s.label)) for s in steps(ds) if s.arm == arm}
        own = {label: rate for label, rate in own.items() if np.isfinite(rate)}
        if own and max(own.values()) > 0:
            worst = max(own, key=own.__getitem__)
            yield (
                f"{title}: the dose period with the most CRS is {worst} ({percent(own[worst])} % "
                f"of the patients){_exposure(exposed.sel(arm=arm, label=worst))}."
            )
    yield from _il6(ds, found)


def _exposure(rates: xr.Dataset) -> str:
    """Return the difference of grade 2 or higher between the quartiles of exposure."""
    low, high = (rates.sel(quartile=place) for place in (1, 4))
    first, last = (percent(float(each["value"])) for each in (low, high))
    if NONE in (first, last):
        return ""
    # Newcombe's interval for independent proportions, from the Wilson bounds of each.
    change = float(high["value"] - low["value"])
    below = np.hypot(high["value"] - high["lower"], low["upper"] - low["value"])
    above = np.hypot(high["upper"] - high["value"], low["value"] - low["lower"])
    least, most = change - float(below), change + float(above)
    finding = "no clear relation" if least <= 0 <= most else "a relation beyond chance"
    finding += " within the arm"
    return (
        f"; grade 2 or higher there in {first} % of the lowest and {last} % of the highest "
        f"quartile of Cmax, {100 * change:+.1f} ({100 * least:.1f} to {100 * most:.1f}) points: "
        f"{finding}"
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


def _unknown(ds: xr.Dataset, found: Glance, provenance: Provenance) -> Iterator[str]:
    if found.sentence:
        yield found.sentence
    missing = [title for arm, title in found.arms.items() if not found.published[arm]]
    if missing:
        yield (
            "No published incidence of CRS over all doses is on file for these doses, supportive "
            f"drugs and patients: {'; '.join(missing)}."
        )
    indices = "indices of fever and leak" if "leak_peak" in ds else "an index of fever"
    yield (
        f"Grades follow from {indices}, of three cytokines, against fitted "
        "thresholds, which are not validated against individual patients."
    )
    yield provenance.gap
