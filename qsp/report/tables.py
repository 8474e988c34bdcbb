"""Tables of a report as text, for the HTML page and the terminal.

Only text is formatted here; all numbers are computed in `qsp.endpoints`.
"""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from qsp.endpoints import crs, cytokines, exposure, response
from qsp.endpoints.statistics import interval
from qsp.endpoints.steps import Step, steps, with_steps
from qsp.plots.doses import dose_texts, mass_unit
from qsp.plots.names import arm_titles
from qsp.report.cells import (
    RANGE_NOTE,
    RANGE_TITLE,
    Column,
    Group,
    Table,
    percent,
    range_text,
    rate_cells,
    rate_columns,
    significant,
)
from qsp.results.record import record_of

ANY = "any dose"
STEP = (Column("Dose period"), Column("Start"), Column("Dose"))
_COUNT = (Column("n"), Column("failed"))


def crs_table(
    ds: xr.Dataset,
    *,
    at_least: tuple[int, ...] = crs.GRADES,
    trial_size: int = interval.TRIAL_SIZE,
) -> Table:
    """Return the incidence and onset of CRS by arm and dose period, and over all doses.

    Args:
        ds: Results.
        at_least: Lowest grades counted; one rate for each.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates in percent with both intervals, and the median time to onset in hours.
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
        columns += rate_columns(f"Grade ≥ {grade} [%]")
    columns.append(Column("median (quartiles)", "Onset [h]"))
    note = (
        "Rates are proportions of the evaluable patients (n). Events are attributed to the dose "
        "period in which they start; any dose: worst grade of each patient over all doses. Onset "
        "is the time from the start of the dose period, among patients with CRS. "
        f"{_intervals(trial_size)}"
    )
    return Table("Incidence and onset of CRS", tuple(columns), by_arm(ds, cells), note)


def worst_grade_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """Return the distribution of the worst CRS grade over all doses, by arm."""
    rates = crs.worst_grade(ds, trial_size=trial_size)
    columns = [Column("Arm"), *_COUNT]
    for grade in range(1, 5):
        columns += rate_columns(f"Grade {grade} [%]")
    rows = []
    for arm, title in arm_titles(ds).items():
        own = rates.sel(arm=arm)
        parts = [cell for grade in range(1, 5) for cell in rate_cells(own.sel(grade=grade))]
        rows.append((title, *_counts(own.isel(grade=0)), *parts))
    note = (
        "Proportion of the evaluable patients whose worst grade over all doses is exactly this "
        f"grade. {_intervals(trial_size)}"
    )
    return Table("Worst CRS grade", tuple(columns), (Group("", tuple(rows)),), note)


def response_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """Return the best response by arm: objective and complete response rates, and the categories.

    Args:
        ds: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction interval.

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
        *rate_columns("Objective response [%]"),
        *rate_columns("Complete response [%]"),
        *(Column(title, "Best response [%]") for title in ("partial", "stable", "progressive")),
    ]
    note = f"{_criteria(ds)} {_surrogate(ds)}{_intervals(trial_size)}"
    return Table("Best response", tuple(columns), (Group("", tuple(rows)),), note)


def headline_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """Return the main endpoints by arm: CRS, objective response and peak IL-6."""
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
        *rate_columns("CRS, any dose [%]"),
        *rate_columns("CRS of grade ≥ 2 [%]"),
        *rate_columns("Objective response [%]"),
        Column(RANGE_TITLE, "Peak IL-6 [pg/mL]"),
    ]
    note = f"{_surrogate(ds)}{_intervals(trial_size)} {RANGE_NOTE}"
    return Table("Summary", tuple(columns), (Group("", tuple(rows)),), note)


def cytokine_table(ds: xr.Dataset) -> Table:
    """Return the peak of each cytokine by arm and dose period, and the fold change of IL-6."""
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

    titles = [Column(RANGE_TITLE, f"{name} [pg/mL]") for name in cytokines.TITLES.values()]
    columns = (*STEP, *_COUNT, *titles, Column(RANGE_TITLE, "IL-6, fold change"))
    note = (
        f"Maximum concentration in blood in the dose period. {RANGE_NOTE} Fold change is relative "
        "to baseline. IL-6 is the measured concentration, which increases under tocilizumab "
        "because its receptor is blocked."
    )
    return Table("Peak cytokine concentrations", columns, by_arm(ds, cells), note)


def ratio_table(ds: xr.Dataset, cytokine: cytokines.Cytokine = "il6") -> Table:
    """Return the largest peak of a cytokine in each arm (row) relative to the others (column)."""
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
    note = (
        "Ratio of medians over patients of the largest peak over all doses: arm of the row divided "
        "by arm of the column."
    )
    return Table(f"Peak {title}, ratio between arms", columns, (Group("", tuple(rows)),), note)


def exposure_table(ds: xr.Dataset) -> Table:
    """Return the table of exposure by arm and dose period."""
    ds = with_steps(ds)
    each, whole = exposure.metrics(ds), exposure.metrics(ds, by="any")
    factor, unit = mass_unit(ds)
    names = {
        "cmax_mass": f"Cmax [{unit}]",
        "ctrough_mass": f"Ctrough [{unit}]",
        "auc_mass": f"AUC [{unit.replace('/', '·day/')}]",
        "occupancy_max": "Maximum target occupancy [1]",
    }

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        own = _at(each if step else whole, arm, step)
        scaled = own.assign({name: own[name] * factor for name in names if "mass" in name})
        return (*_counts(own), *(range_text(scaled, name) for name in names))

    columns = (*STEP, *_COUNT, *(Column(RANGE_TITLE, title) for title in names.values()))
    note = (
        f"Free drug in blood. {RANGE_NOTE} Any dose: largest Cmax and occupancy, lowest Ctrough, "
        "total AUC."
    )
    return Table("Exposure", columns, by_arm(ds, cells), note)


def _criteria(ds: xr.Dataset) -> str:
    """Return the limits of the criteria of response, or the rule of the disease with lesions."""
    if response.has_lesions(ds):
        rule = response.rule_of(ds)
        return (
            f"{rule.title} criteria, by the {rule.measure}. Rates are of all treated patients: a "
            "patient who is not evaluable has no response."
        )
    criteria = response.criteria_of(ds)
    return (
        f"{criteria.title} criteria converted to tumor volume: partial response at "
        f"{criteria.partial:g} times the baseline volume or less, complete response below "
        f"{response.COMPLETE_VOLUME:g} mL [assumed], progression at {criteria.progression:.3g} "
        "times the nadir or more."
    )


def _surrogate(ds: xr.Dataset) -> str:
    """Return the caveat on surrogate response criteria and a space, or an empty text."""
    sentence = response.surrogate_of(ds)
    return f"{sentence} " if sentence else ""


def _intervals(trial_size: int) -> str:
    return (
        "95 % MC: Monte Carlo interval (Wilson score) of the simulated rate, which narrows as more "
        "patients are simulated. 95 % PI: prediction interval of the rate observed in a trial "
        f"of {trial_size:,} such patients. Neither includes uncertainty in the model or its "
        "parameters."
    )


def _counts(found: xr.Dataset) -> tuple[str, str]:
    return f"{int(found['evaluable']):,}", f"{int(found['failed']):,}"


def _at(found: xr.Dataset, arm: str, step: Step | None) -> xr.Dataset:
    return found.sel(arm=arm) if step is None else found.sel(arm=arm, label=step.label)


def by_arm(
    ds: xr.Dataset, cells: Callable[[str, Step | None], tuple[str, ...]]
) -> tuple[Group, ...]:
    """Return a group of rows per arm: one row per step and one over all doses.

    Args:
        ds: Results.
        cells: Function of an arm and a step that returns the cells after those of `STEP`; the step
            is None for the row over all doses.
    """
    groups, amounts = [], dose_texts(ds)
    # Patients with regimens of their own may receive different doses in a period.
    individual = {arm.name for arm in record_of(ds).arms if len(arm.regimens) > 1}
    for arm, title in arm_titles(ds).items():
        own = [step for step in steps(ds) if step.arm == arm]
        median = "median " if arm in individual else ""
        heads = [(step.label, step.day, median + amounts[arm, step.label]) for step in own]
        rows = [(*head, *cells(arm, step)) for head, step in zip(heads, own, strict=True)]
        groups.append(Group(title, (*rows, (ANY, "", "", *cells(arm, None)))))
    return tuple(groups)
