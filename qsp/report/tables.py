"""The tables of a report as text, for a page and for a console alike.

Nothing is computed here but the text; the numbers are those of `qsp.endpoints`.
"""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from qsp.endpoints import crs, cytokines, exposure, response
from qsp.endpoints.statistics import interval
from qsp.endpoints.steps import Step, steps, with_steps
from qsp.plots.doses import dose_texts
from qsp.plots.names import arm_titles
from qsp.plots.time_course import mass_unit
from qsp.report.cells import (
    Column,
    Group,
    Table,
    percent,
    range_text,
    rate_cells,
    rate_columns,
    significant,
)

ANY = "any dose"
STEP = (Column("Dose period"), Column("Start"), Column("Dose"))
_COUNT = (Column("n"), Column("failed"))


def crs_table(
    ds: xr.Dataset,
    *,
    at_least: tuple[int, ...] = crs.GRADES,
    trial_size: int = interval.TRIAL_SIZE,
) -> Table:
    """CRS by arm and dose period, with any dose as the last row of each arm.

    Args:
        ds: Results.
        at_least: Lowest grades counted, one rate each.
        trial_size: Patients of the trial of the prediction interval.

    Returns:
        Rates in percent with both intervals, and the median onset in hours.
    """
    ds = with_steps(ds)
    each = crs.incidence(ds, at_least=at_least, trial_size=trial_size)
    whole = crs.incidence(ds, by="any", at_least=at_least, trial_size=trial_size)
    onset, onset_any = crs.onset(ds), crs.onset(ds, by="any")

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        rates = _at(each if step else whole, arm, step)
        hours = _at(onset if step else onset_any, arm, step)
        parts = [cell for grade in at_least for cell in rate_cells(rates.sel(grade=grade))]
        return (*_counts(rates.isel(grade=0)), *parts, range_text(hours))

    columns = [*STEP, *_COUNT]
    for grade in at_least:
        columns += rate_columns(f"Grade ≥ {grade} [%]", trial_size)
    columns.append(Column("median (quartiles)", "Onset [h]"))
    note = (
        "Rates over the evaluable patients; a dose period counts the events that start in it, any "
        f"dose the worst grade of a patient. {_intervals(trial_size)} Onset from the start of the "
        "dose period, among the events."
    )
    return Table("CRS by dose period", tuple(columns), by_arm(ds, cells), note)


def link_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """CRS of any grade under the three links from cytokines to CRS, side by side."""
    ds = with_steps(ds)
    each = crs.alternatives(ds, trial_size=trial_size)
    whole = crs.alternatives(ds, by="any", trial_size=trial_size)

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        rates = _at(each if step else whole, arm, step)
        parts = [cell for link in crs.LINKS for cell in rate_cells(rates.sel(link=link))]
        return (*_counts(rates.isel(link=0)), *parts)

    columns = [*STEP, *_COUNT]
    for link in ("Severity thresholds [%]", "Logistic, peak IL-6 [%]", "Hazard [%]"):
        columns += rate_columns(link, trial_size)
    note = (
        "CRS of grade 1 or more from the same run under each link. None of the links is validated. "
        "The logistic link reads measured IL-6, which rises under tocilizumab because its receptor "
        "is blocked: do not compare it between arms with and without tocilizumab. The hazard link "
        "counts what severity adds above that of no treatment. The last two are mean "
        f"probabilities. {_intervals(trial_size)}"
    )
    return Table("CRS under each link", tuple(columns), by_arm(ds, cells), note)


def worst_grade_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """Worst CRS grade of a patient over all doses, per arm."""
    rates = crs.worst_grade(ds, trial_size=trial_size)
    columns = [Column("Arm"), *_COUNT]
    for grade in range(1, 5):
        columns += rate_columns(f"Grade {grade} [%]", trial_size)
    rows = []
    for arm, title in arm_titles(ds).items():
        own = rates.sel(arm=arm)
        parts = [cell for grade in range(1, 5) for cell in rate_cells(own.sel(grade=grade))]
        rows.append((title, *_counts(own.isel(grade=0)), *parts))
    note = f"Exactly this grade as the worst over all doses. {_intervals(trial_size)}"
    return Table("Worst CRS grade", tuple(columns), (Group("", tuple(rows)),), note)


def response_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """Best response by arm: objective and complete response with both intervals, and the rest.

    Args:
        ds: Results with `best_response`.
        trial_size: Patients of the trial of the prediction interval.

    Returns:
        One row per arm, in percent.
    """
    overall = response.objective_response(ds, trial_size=trial_size)
    complete = response.complete_response(ds, trial_size=trial_size)
    parts = response.best_responses(ds, trial_size=trial_size)
    rows = []
    for arm, title in arm_titles(ds).items():
        own = overall.sel(arm=arm)
        rest = parts["value"].sel(arm=arm)
        shares = [percent(float(rest.sel(response=name))) for name in response.MEANINGS[2:]]
        counts = (*_counts(own), str(int(own["unassessed"])))
        both = (*rate_cells(own), *rate_cells(complete.sel(arm=arm)))
        rows.append((title, *counts, *both, *shares))
    columns = [
        Column("Arm"),
        *_COUNT,
        Column("not evaluable"),
        *rate_columns("Objective response [%]", trial_size),
        *rate_columns("Complete response [%]", trial_size),
        *(Column(title, "Best response [%]") for title in ("partial", "stable", "progressive")),
    ]
    criteria = response.criteria_of(ds)
    note = (
        f"{criteria.title} criteria carried over to the volume: partial response at "
        f"{criteria.partial:g} of the volume at the start or less, complete below "
        f"{response.COMPLETE_VOLUME:g} mL [assumed], progression at {criteria.progression:.3g} "
        f"times the nadir. {_surrogate(ds)}{_intervals(trial_size)}"
    )
    return Table("Best response", tuple(columns), (Group("", tuple(rows)),), note)


def headline_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """The four numbers most asked for, per arm, with both intervals."""
    grades = crs.incidence(ds, by="any", at_least=(1, 2), trial_size=trial_size)
    overall = response.objective_response(ds, trial_size=trial_size)
    peaks = cytokines.peaks(ds, by="any", of=("il6",)).isel(cytokine=0)
    rows = []
    for arm, title in arm_titles(ds).items():
        own = grades.sel(arm=arm)
        rates = [own.sel(grade=1), own.sel(grade=2), overall.sel(arm=arm)]
        parts = [cell for rate in rates for cell in rate_cells(rate)]
        rows.append((title, *_counts(rates[0]), *parts, range_text(peaks.sel(arm=arm))))
    columns = [
        Column("Arm"),
        *_COUNT,
        *rate_columns("CRS, any dose [%]", trial_size),
        *rate_columns("CRS of grade ≥ 2 [%]", trial_size),
        *rate_columns("Objective response [%]", trial_size),
        Column("median (5-95 %)", "Largest IL-6 [pg/mL]"),
    ]
    note = f"{_surrogate(ds)}{_intervals(trial_size)}"
    return Table("At a glance", tuple(columns), (Group("", tuple(rows)),), note)


def cytokine_table(ds: xr.Dataset) -> Table:
    """Peak of each cytokine by arm and dose period, and the fold change of IL-6."""
    ds = with_steps(ds)
    each, whole = cytokines.peaks(ds), cytokines.peaks(ds, by="any")
    fold = cytokines.fold_changes(ds, of=("il6",)).isel(cytokine=0)
    fold_any = cytokines.fold_changes(ds, by="any", of=("il6",)).isel(cytokine=0)

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        peak = _at(each if step else whole, arm, step)
        rise = _at(fold if step else fold_any, arm, step)
        ranges = [range_text(peak.sel(cytokine=name)) for name in cytokines.CYTOKINES]
        counts = _counts(peak.isel(cytokine=0))
        return (*counts, *ranges, range_text(rise))

    titles = [Column("median (5-95 %)", f"{name} [pg/mL]") for name in cytokines.TITLES.values()]
    columns = (*STEP, *_COUNT, *titles, Column("median (5-95 %)", "IL-6, fold of baseline"))
    note = (
        "Largest concentration in blood in the dose period, over patients; as measured, so that "
        "IL-6 rises under tocilizumab, which blocks its receptor."
    )
    return Table("Cytokine peaks", columns, by_arm(ds, cells), note)


def ratio_table(ds: xr.Dataset, cytokine: cytokines.Cytokine = "il6") -> Table:
    """Largest peak of a cytokine, each arm (row) relative to each other (column)."""
    arms = arm_titles(ds)
    of = (cytokine,)
    found = {arm: cytokines.peak_ratio(ds, reference=arm, of=of) for arm in arms}
    ratios = {arm: ratio.isel(cytokine=0) for arm, ratio in found.items()}
    rows = []
    for arm in arms:
        own = {over: ratios[over].sel(arm=arm) for over in arms}
        cells = [significant(float(own[over]["value"])) if over != arm else "" for over in arms]
        rows.append((arms[arm], *_counts(own[arm]), *cells))
    title = cytokines.TITLES[cytokine]
    columns = (Column("Arm"), *_COUNT, *(Column(t, "relative to") for t in arms.values()))
    note = "Median over patients of the largest peak over all doses: that of the row over that of "
    note += "the column."
    return Table(f"Largest {title} peak, arm against arm", columns, (Group("", tuple(rows)),), note)


def exposure_table(ds: xr.Dataset) -> Table:
    """Exposure by arm and dose period."""
    ds = with_steps(ds)
    each, whole = exposure.metrics(ds), exposure.metrics(ds, by="any")
    factor, unit = mass_unit(ds)
    names = {
        "cmax_mass": f"Cmax [{unit}]",
        "ctrough_mass": f"Ctrough [{unit}]",
        "auc_mass": f"AUC [{unit.replace('/', '·day/')}]",
        "occupancy_max": "Largest occupancy",
    }

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        own = _at(each if step else whole, arm, step)
        scaled = own.assign({name: own[name] * factor for name in names if "mass" in name})
        return (*_counts(own), *(range_text(scaled, name) for name in names))

    columns = (*STEP, *_COUNT, *(Column("median (5-95 %)", title) for title in names.values()))
    note = (
        "Free drug in blood, over patients. Any dose: the largest Cmax and occupancy, the lowest "
        "Ctrough, the whole AUC."
    )
    return Table("Exposure", columns, by_arm(ds, cells), note)


def _surrogate(ds: xr.Dataset) -> str:
    """What the response is not, where it is one; with a space behind it."""
    sentence = response.surrogate_of(ds)
    return f"{sentence} " if sentence else ""


def _intervals(trial_size: int) -> str:
    return (
        "95 % MC: Monte Carlo interval (Wilson) of the simulated rate, which shrinks with more "
        f"simulated patients. Trial of {trial_size}: where 95 % of trials with {trial_size} such "
        "patients fall. Neither holds the uncertainty of the model and its parameters."
    )


def _counts(found: xr.Dataset) -> tuple[str, str]:
    return f"{int(found['evaluable']):,}", f"{int(found['failed']):,}"


def _at(found: xr.Dataset, arm: str, step: Step | None) -> xr.Dataset:
    return found.sel(arm=arm) if step is None else found.sel(arm=arm, label=step.label)


def by_arm(
    ds: xr.Dataset, cells: Callable[[str, Step | None], tuple[str, ...]]
) -> tuple[Group, ...]:
    """Rows of every step of every arm, and of any dose.

    Args:
        ds: Results.
        cells: Cells of an arm and a step, after those of `STEP`; of any dose where the step is
            None.
    """
    groups, amounts = [], dose_texts(ds)
    for arm, title in arm_titles(ds).items():
        own = [step for step in steps(ds) if step.arm == arm]
        given = [(step.label, step.day, amounts[arm, step.label]) for step in own]
        rows = [(*words, *cells(arm, step)) for words, step in zip(given, own, strict=True)]
        groups.append(Group(title, (*rows, (ANY, "", "", *cells(arm, None)))))
    return tuple(groups)
