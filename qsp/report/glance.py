"""At a glance: the main results of a run, one row per result and one column per arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from qsp.endpoints import crs, cytokines, decisions, paired_rates, response
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

RESCUE = "tocilizumab"
GRADES = {1: "CRS, any grade", 2: "CRS, grade ≥ 2", 3: "CRS, grade ≥ 3"}


@dataclass(frozen=True)
class Glance:
    """Main results of a run.

    Args:
        arms: Title of each arm, by name; the first arm is the reference.
        rates: Incidence of CRS over all doses (grade, arm).
        differences: Paired differences from the reference (grade, arm).
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
    rates: xr.Dataset
    differences: xr.Dataset
    published: Mapping[str, Mapping[int, PublishedRate]]
    rescued: Mapping[str, float]
    planned: frozenset[str]
    il6: xr.Dataset
    response: xr.Dataset | None
    sentence: str
    trial_size: int

    @property
    def reference(self) -> str:
        """Name of the reference arm."""
        return next(iter(self.arms))

    def rate(self, arm: str, grade: int) -> float:
        """Return the incidence of CRS of at least a grade in an arm [1]."""
        return float(self.rates["value"].sel(arm=arm, grade=grade))


def glance(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Glance:
    """Return the main results of a run of several patients.

    Args:
        ds: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction intervals.
    """
    record, titles = record_of(ds), arm_titles(ds)
    shown = shows_response(record)
    return Glance(
        arms=titles,
        rates=crs.incidence(ds, by="any", at_least=tuple(GRADES), trial_size=trial_size),
        differences=paired_rates.crs_difference(ds, at_least=tuple(GRADES)),
        published={arm: published_rates(record, arm) for arm in titles},
        rescued=_rescued(ds),
        planned=frozenset(a.name for a in record.arms if RESCUE in supportive_text(a).split()),
        il6=cytokines.peaks(ds, by="any", of=("il6",)).isel(cytokine=0),
        response=response.objective_response(ds, trial_size=trial_size) if shown else None,
        sentence=response_sentence(record),
        trial_size=trial_size,
    )


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
    rows = [_row(title, found, lambda arm, g=grade: _rate_cell(found, arm, g))
            for grade, title in GRADES.items()]  # fmt: skip
    if any(found.published.values()):
        rows += [
            _row(f"published, {title[5:]}", found, lambda arm, g=grade: _published(found, arm, g))
            for grade, title in GRADES.items()
            if any(grade in known for known in found.published.values())
        ]
    if len(found.arms) > 1:
        rows += [
            _row(f"difference, {title[5:]}", found, lambda arm, g=grade: _difference(found, arm, g))
            for grade, title in GRADES.items()
        ]
    rows.append(_row("Tocilizumab received", found, lambda arm: _tocilizumab(found, arm)))
    rows.append(_row("Peak IL-6 [pg/mL]", found, lambda arm: range_text(found.il6.sel(arm=arm))))
    if found.response is not None:
        rates = found.response
        rows.append(_row("Objective response", found, lambda arm: _interval(rates.sel(arm=arm))))
    columns = (Column(""), *(Column(title) for title in found.arms.values()))
    return Table("", columns, (Group("", tuple(rows)),), _note(found))


def _row(title: str, found: Glance, cell) -> tuple[str, ...]:  # noqa: ANN001
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
    return points(found.differences.sel(arm=arm, grade=grade))


def points(difference: xr.Dataset) -> str:
    """Return a difference with its interval in percentage points, such as "+5.0 (1.2 to 8.8)"."""
    value, low, high = (100 * float(difference[name]) for name in ("value", "lower", "upper"))
    if value != value:  # noqa: PLR0124  NaN: no pair of evaluable patients
        return NONE
    return f"{value:+.1f} ({low:.1f} to {high:.1f})"


def _tocilizumab(found: Glance, arm: str) -> str:
    if arm in found.planned:
        return "planned for all"
    if arm in found.rescued:
        return f"{percent(found.rescued[arm])} %"
    return "no rule gives it"


def _note(found: Glance) -> str:
    parts = [
        "Rates are over all doses, with 95 % Monte Carlo intervals. IL-6: median and 5th to 95th "
        "percentile of the highest peak of each patient."
    ]
    if len(found.arms) > 1:
        parts.append(
            "Differences are in percentage points from the reference, over the same patients; "
            "Monte Carlo only: parameters fixed."
        )
    known = {(row.indication, row.source) for by in found.published.values() for row in by.values()}
    if known:
        sources = "; ".join(f"{where}: {source}" for where, source in sorted(known))
        parts.append(
            "Published: the same molecule, doses and supportive drugs. The model was fitted to "
            f"published rates of CRS, so that agreement is not a prediction. {sources}."
        )
    return " ".join(parts)
