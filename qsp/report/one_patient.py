"""Tables of a run with a single patient: values instead of rates, medians and intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp.endpoints import crs, cytokines, response
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import Step
from qsp.plots.names import arm_titles
from qsp.plots.response_measure import best_change
from qsp.report.cells import NONE, Column, Group, Table, significant
from qsp.report.tables import STEP, by_arm
from qsp.response import category

HOURS_PER_DAY = 24.0
_LEFT_OUT = ("n", "failed")


def notice(name: str) -> str:
    """Return the notice above the results of a single patient.

    Args:
        name: Description of the patient, from `qsp.plots.names.one_patient`.
    """
    if name == "the typical patient":
        subject = (
            "This run simulates the typical patient: all parameters are at their typical values, "
            "without variability. Because the model is nonlinear, results differ from the median "
            "of the population."
        )
    else:
        subject = "This run simulates one patient sampled from the population."
    return f"{subject} Incidences and intervals cannot be estimated."


def headline_table(ds: xr.Dataset) -> Table:
    """Return the worst grade, largest IL-6 peak and best response of the patient, by arm."""
    grades = _grades(ds)
    peaks = cytokines.peaks(ds, by="any").sel(cytokine="il6", quantile=0.5)["value"]
    rows = [
        (title, _grade(grades.sel(arm=arm).max().item()), _number(peaks.sel(arm=arm)), best)
        for (arm, title), best in zip(arm_titles(ds).items(), _responses(ds), strict=True)
    ]
    columns = ("Arm", "Worst CRS grade", "Peak IL-6 [pg/mL]", "Best response")
    return Table("Summary", tuple(map(Column, columns)), (Group("", tuple(rows)),))


def crs_table(ds: xr.Dataset) -> Table:
    """Return the CRS of the patient by arm and dose period.

    Args:
        ds: Results of one patient.

    Returns:
        Grades; onset and duration in hours.
    """
    grades, own = _grades(ds), ds.isel(patient=0)

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        if step is None:
            return (_grade(grades.sel(arm=arm).max().item()), "", "")
        here = own.sel(arm=arm, dose_period=step.period)
        grade = grades.sel(arm=arm, dose_period=step.period).item()
        times = [_number(here[name] * HOURS_PER_DAY) for name in ("crs_onset", "crs_duration")]
        return (_grade(grade), *times)

    columns = (*STEP, Column("Grade"), Column("Onset [h]"), Column("Duration [h]"))
    note = (
        "Grade of the event that starts in the dose period; onset is the time from the start of "
        "the dose period."
    )
    return Table("CRS of the patient by dose period", columns, by_arm(ds, cells), note)


def response_table(ds: xr.Dataset) -> Table:
    """Return the best response of the patient by arm, with the change in the measure of the rule.

    The measure is the tumor volume unless the run has lesions.
    """
    best, own = best_change(ds).isel(patient=0), ds.isel(patient=0)
    rows = []
    for (arm, title), meaning in zip(arm_titles(ds).items(), _responses(ds), strict=True):
        volumes = (own[f"tumor_volume_{when}"].sel(arm=arm) for when in ("baseline", "end"))
        rows.append((title, meaning, _number(best.sel(arm=arm)), *map(_number, volumes)))
    columns = (
        "Arm",
        "Best response",
        "Best change [%]",
        "Baseline volume [mL]",
        "Final volume [mL]",
    )
    rule = response.rule_of(ds)
    note = f"{rule.title} criteria applied to the tumor volume."
    if response.has_lesions(ds):
        note = f"{rule.title} criteria; best change of the {rule.measure} up to progression."
    note = f"{note} {response.surrogate_of(ds)}".rstrip()
    return Table("Best response", tuple(map(Column, columns)), (Group("", tuple(rows)),), note)


def plain(table: Table) -> Table:
    """Convert a table of medians to a table of values, without patient counts and ranges.

    Args:
        table: Table with "median (…)" columns, whose cells are "median (range)".

    Returns:
        The table of a single patient.
    """
    keep = [n for n, column in enumerate(table.columns) if column.title not in _LEFT_OUT]
    ranged = {n for n in keep if table.columns[n].title.startswith("median (")}
    columns = tuple(
        Column(table.columns[n].group or "value") if n in ranged else table.columns[n] for n in keep
    )
    groups = tuple(
        Group(
            group.title,
            tuple(
                tuple(row[n].partition(" (")[0] if n in ranged else row[n] for n in keep)
                for row in group.rows
            ),
        )
        for group in table.groups
    )
    return Table(table.title, columns, groups, "")


def _grades(ds: xr.Dataset) -> xr.DataArray:
    """(arm, dose_period): Grade; NaN if the period does not exist or the simulation failed."""
    return crs.grades(ds).isel(patient=0)


def _grade(grade: float) -> str:
    return f"{grade:.0f}" if np.isfinite(grade) else NONE


def _number(value: xr.DataArray) -> str:
    return significant(float(value))


def _responses(ds: xr.Dataset) -> list[str]:
    codes = ds["best_response"].where(solved(ds)).isel(patient=0).fillna(-1).values.astype(int)
    return [category.MEANINGS[c].replace("_", " ") if c >= 0 else NONE for c in codes]
