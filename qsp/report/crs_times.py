"""Tables of the times of CRS, and of CRS by exposure."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints import crs, crs_times, exposure_response
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.blocks import blocks
from qsp.endpoints.steps import Step, steps, with_steps
from qsp.plots.names import arm_titles
from qsp.report.cells import Column, Group, Table, percent, significant
from qsp.report.tables import STEP, by_arm

LEVELS = (0.5, 0.9, 1.0)
_AT_END = 1e-6
"""Difference of two times that are equal up to rounding [day]."""


def times_table(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Table:
    """Return duration, time to resolution and late onset of CRS by arm and dose period."""
    ds = with_steps(ds)
    lasting = crs.duration(ds, quantiles=LEVELS), crs.duration(ds, by="any", quantiles=LEVELS)
    ending = (
        crs_times.resolution(ds, quantiles=LEVELS),
        crs_times.resolution(ds, by="any", quantiles=LEVELS),
    )
    late = tuple(
        [
            crs_times.late_onset(ds, by=by, at_least=grade, trial_size=trial_size)["value"]
            for grade in (1, 2)
        ]
        for by in ("label", "any")
    )

    def cells(arm: str, step: Step | None) -> tuple[str, ...]:
        place = {"arm": arm} | ({"label": step.label} if step else {})
        long, end = (pair[step is None].sel(place) for pair in (lasting, ending))
        hours = [significant(float(v)) for v in (*long["value"], *end["value"])]
        of_any, of_two = (rates.sel(place).values.tolist() for rates in late[step is None])
        return (str(int(long["evaluable"])), *hours, *map(percent, (*of_any, of_two[0])))

    quantiles = ("median", "90 %", "longest")
    columns = (
        *STEP,
        Column("events"),
        *(Column(title, "Duration [h]") for title in quantiles),
        *(Column(title, "Time to resolution [h]") for title in quantiles),
        *(Column(f"{hour} h", "Patients with onset after [%]") for hour in crs_times.HOURS),
        Column(f"{crs_times.HOURS[0]} h, ≥ 2", "Patients with onset after [%]"),
    )
    lasting_on, events = unresolved(ds)
    note = (
        "Times are from the start of the dose period in which the event starts; time to "
        "resolution is onset plus duration. Onset after: proportion of the evaluable patients "
        "whose CRS starts later than this after the dose, who would be at home if discharged then "
        "(≥ 2: CRS of grade 2 or higher); any dose: after at least one of the doses. "
        f"{lasting_on:,} of {events:,} events have not ended by the end of the trial; their times "
        "are until then."
    )
    return Table("Duration and late onset of CRS", columns, by_arm(ds, cells), note)


def unresolved(ds: xr.Dataset) -> tuple[int, int]:
    """Return the number of CRS events that last until the end of the trial, and of all events.

    Args:
        ds: Results.
    """
    lasting, events = 0, 0
    for part in blocks(ds):
        known = (crs.grades(part) >= 1) & part["crs_duration"].notnull()
        lasting += int((known & _is_censored(part)).sum())
        events += int(known.sum())
    return lasting, events


def _is_censored(part: xr.Dataset) -> xr.DataArray:
    """Return whether the last event of each period lasts until the end of the trial.

    Results of earlier versions have only the total duration of the events of a period, which misses
    an event after a gap.
    """
    if "crs_censored" in part:
        return part["crs_censored"] == 1
    until = part["dose_time"] + part["crs_onset"] + part["crs_duration"]
    return until >= float(part.attrs["days"]) - _AT_END


def quartile_table(ds: xr.Dataset) -> Table:
    """Return the incidence of grade 2 or higher by quartile of exposure in each dose period.

    Args:
        ds: Results.

    Returns:
        Rows of the dose periods in which at least one patient reaches the grade.
    """
    ds = with_steps(ds)
    rates = exposure_response.by_quartile(ds)
    groups = []
    for arm, title in arm_titles(ds).items():
        rows = []
        for step in steps(ds):
            if step.arm != arm:
                continue
            own = rates.sel(arm=arm, label=step.label).transpose("metric", "quartile")
            if float(own["events"].sum()) > 0:
                shares = [percent(v) for v in own["value"].values.ravel().tolist()]
                each = [int(n) for n in own["evaluable"].isel(metric=0).values]
                span = (
                    f"{min(each):,}" if min(each) == max(each) else f"{min(each):,}–{max(each):,}"
                )
                rows.append((step.label, step.day, span, *shares))
        if rows:
            groups.append(Group(title, tuple(rows)))
    titles = ("lowest", "2nd", "3rd", "highest")
    columns = (
        Column("Dose period"),
        Column("Start"),
        Column("n per quartile"),
        *(Column(title, "Quartile of Cmax") for title in titles),
        *(Column(title, "Quartile of the AUC of the period") for title in titles),
    )
    note = (
        "Proportion of the patients of a quartile with CRS of grade 2 or higher in the dose period "
        "[%]; periods without such an event are left out. Quartiles are of patients who receive "
        "the same dose. The AUC is that of the whole period and includes time after the event. "
        "These are associations: clearance and target burden of a patient determine both."
    )
    return Table("CRS of grade 2 or higher by exposure", columns, tuple(groups), note)
