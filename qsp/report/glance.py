"""At a glance: the main results of a run, one row per result and one column per arm."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import xarray as xr

from qsp.drugs import RESCUE
from qsp.endpoints import crs, cytokines, decisions, differences, response, utility
from qsp.endpoints.patient_values import ANY, ArmValues
from qsp.endpoints.statistics import interval
from qsp.plots.names import arm_titles
from qsp.report.cells import NONE, Column, Group, Table, between, percent, range_text
from qsp.report.standing import (
    CERTAINTY,
    PublishedRate,
    published_rates,
    response_sentence,
    shows_response,
    supportive_text,
)
from qsp.results.record import record_of

Pair = tuple[ArmValues, ArmValues]

GRADES = {1: "CRS, any grade", 2: "CRS, grade ≥ 2", 3: "CRS, grade ≥ 3"}
QUANTITIES = {1: "crs_any", 2: "crs_2", 3: "crs_3"}
"""Quantity of `qsp.endpoints.differences` by lowest grade."""


class Paired(NamedTuple):
    """Paired difference in the incidence of CRS from the reference.

    Args:
        value: Difference [1].
        lower: Lower 95 % Monte Carlo bound [1].
        upper: Upper bound [1].
        pairs: Number of patients with a value in both arms.
    """

    value: float
    lower: float
    upper: float
    pairs: int


@dataclass(frozen=True)
class Glance:
    """Main results of a run.

    Args:
        arms: Title of each arm, by name.
        reference: Name of the arm with which the others are compared.
        rates: Incidence of CRS over all doses (grade, arm).
        frame: Paired differences from the reference, from `qsp.endpoints.differences`.
        preferences: Utilities compared with the reference, from `qsp.endpoints.utility`.
        lead: Utility of the best arm compared with the second best; no row without utilities.
        published: Published incidences by arm and lowest grade.
        rescued: Share of the patients who received tocilizumab by a rule, by arm; only arms with
            rules.
        planned: Arms in which tocilizumab is planned.
        il6: Quantiles of the highest IL-6 peak (quantile, arm).
        response: Objective response rate (arm); None if it is not shown.
        sentence: Reason why the response is not shown; "" if it is.
        trial_size: Number of patients in the trial of the prediction intervals.
    """

    arms: Mapping[str, str]
    reference: str
    rates: xr.Dataset
    frame: pd.DataFrame
    preferences: pd.DataFrame
    lead: pd.DataFrame
    published: Mapping[str, Mapping[int, PublishedRate]]
    rescued: Mapping[str, float]
    planned: frozenset[str]
    il6: xr.Dataset
    response: xr.Dataset | None
    sentence: str
    trial_size: int

    def rate(self, arm: str, grade: int) -> float:
        """Return the incidence of CRS of at least a grade in an arm [1]."""
        return float(self.rates["value"].sel(arm=arm, grade=grade))

    @property
    def others(self) -> list[str]:
        """Names of the arms other than the reference."""
        return [arm for arm in self.arms if arm != self.reference]

    def difference(self, arm: str, grade: int) -> Paired:
        """Return the difference of an arm from the reference over all doses."""
        frame = self.frame
        chosen = (frame["arm"] == arm) & (frame["quantity"] == QUANTITIES[grade])
        row = frame.loc[chosen & (frame["period"] == ANY)].iloc[0]
        return Paired(row["difference"], row["lower"], row["upper"], int(row["patients"]))


def glance(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Glance:
    """Return the main results of a run of several patients.

    Args:
        ds: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction intervals.
    """
    record, titles = record_of(ds), arm_titles(ds)
    shown = shows_response(record)
    pairs, sampling = differences.pairs_of_arms(ds), differences.default_sampling(ds)
    preferences = utility.compare(pairs, utility.weights_of(ds), sampling)
    leaders = _two_best(pairs, preferences)
    return Glance(
        arms=titles,
        reference=differences.reference_of(ds),
        rates=crs.incidence(ds, by="any", at_least=tuple(GRADES), trial_size=trial_size),
        frame=differences.of_pairs(pairs, sampling),
        preferences=preferences,
        lead=utility.compare(leaders, utility.weights_of(ds), sampling),
        published={arm: published_rates(record, arm) for arm in titles},
        rescued=_rescued(ds),
        planned=frozenset(a.name for a in record.arms if RESCUE in supportive_text(a).split()),
        il6=cytokines.peaks(ds, by="any", of=("il6",)).isel(cytokine=0),
        response=response.objective_response(ds, trial_size=trial_size) if shown else None,
        sentence=response_sentence(record),
        trial_size=trial_size,
    )


def _two_best(pairs: list[Pair], preferences: pd.DataFrame) -> list[Pair]:
    """Return the values of the arms with the highest and the second highest utility."""
    known = preferences.dropna(subset=["difference"])
    if known.empty:
        return []
    values = {arm.name: arm for pair in pairs for arm in pair}
    reference = pairs[0][1].name  # first, so that it is the best in a tie
    ranks = {reference: 0.0, **dict(zip(known["arm"], known["difference"], strict=True))}
    best, second, *_ = sorted(ranks, key=lambda arm: -ranks[arm])
    return [(values[best], values[second])]


def _rescued(ds: xr.Dataset) -> dict[str, float]:
    if not decisions.has_rules(ds):
        return {}
    with_rules = [arm.name for arm in record_of(ds).arms if arm.rules]
    found = decisions.rescued(ds)
    if RESCUE not in found["drug"].values:
        return dict.fromkeys(with_rules, 0.0)
    return {arm: float(found["value"].sel(arm=arm, drug=RESCUE)) for arm in with_rules}


def glance_table(found: Glance) -> Table:
    """Return the main results as a table with one column per arm."""
    evaluable = found.rates["evaluable"].isel(grade=0)
    rows = [_row("Evaluable patients", found, lambda arm: f"{int(evaluable.sel(arm=arm)):,}")]
    rows += [
        _row(title, found, lambda arm, g=grade: _rate_cell(found, arm, g))
        for grade, title in GRADES.items()
    ]
    if any(found.published.values()):
        rows += [
            _row(f"published, {title[5:]}", found, lambda arm, g=grade: _published(found, arm, g))
            for grade, title in GRADES.items()
            if any(grade in known for known in found.published.values())
        ]
    if len(found.arms) > 1:
        rows += [
            _row(
                f"difference, {title[5:]} [points]",
                found,
                lambda arm, g=grade: _difference(found, arm, g),
            )
            for grade, title in GRADES.items()
        ]
    rows.append(_row("Tocilizumab received", found, lambda arm: _rescue(found, arm)))
    rows.append(_row("Peak IL-6 [pg/mL]", found, lambda arm: range_text(found.il6.sel(arm=arm))))
    if found.response is not None:
        rates = found.response
        rows.append(_row("Objective response", found, lambda arm: _interval(rates.sel(arm=arm))))
    columns = (Column(""), *(Column(title) for title in found.arms.values()))
    return Table("", columns, (Group("", tuple(rows)),), _note(found))


def _row(title: str, found: Glance, cell: Callable[[str], str]) -> tuple[str, ...]:
    return (title, *(cell(arm) for arm in found.arms))


def _interval(rate: xr.Dataset) -> str:
    value, low, high = (percent(float(rate[name])) for name in ("value", "lower", "upper"))
    return NONE if value == NONE else f"{value} % ({between(low, high)})"


def _rate_cell(found: Glance, arm: str, grade: int) -> str:
    return _interval(found.rates.sel(arm=arm, grade=grade))


def _published(found: Glance, arm: str, grade: int) -> str:
    known = found.published[arm].get(grade)
    return f"{known.percent:g} % ({CERTAINTY[known.certainty]})" if known else NONE


def _difference(found: Glance, arm: str, grade: int) -> str:
    if arm == found.reference:
        return "reference"
    return points(found.difference(arm, grade))


def points(difference: Paired) -> str:
    """Return a difference with its interval in percentage points, such as "+5.0 (1.2 to 8.8)"."""
    value, low, high = (100 * each for each in difference[:3])
    return f"{value:+.1f} ({low:.1f} to {high:.1f})" if math.isfinite(value) else NONE


def _rescue(found: Glance, arm: str) -> str:
    if arm in found.planned:
        return "planned for all"
    if arm in found.rescued:
        return f"{percent(found.rescued[arm])} %"
    return "no rule gives it"


def _note(found: Glance) -> str:
    parts = [
        "Rates are of the worst grade of each evaluable patient over all doses, with 95 % Monte "
        "Carlo intervals. IL-6: median and 5th to 95th percentile of the highest peak of each "
        "patient."
    ]
    if len(found.arms) > 1:
        parts.append(
            f"Differences are from the reference, over the same patients. {differences.HEADING}."
        )
    known = {(row.indication, row.source) for by in found.published.values() for row in by.values()}
    if known:
        sources = "; ".join(f"{where}: {_cited(source)}" for where, source in sorted(known))
        parts.append(
            "Published: the same molecule, doses and supportive drugs. The model was fitted to "
            f"published rates of CRS, so that agreement is not a prediction. {sources}."
        )
    return " ".join(parts)


def _cited(source: str) -> str:
    """Return a source without the remark on how it was read; the cells name the certainty."""
    return re.sub(r" \((read|seed review|recalled)\)$", "", source)
