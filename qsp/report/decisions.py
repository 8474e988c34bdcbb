"""What rules came to, as tables."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints import decisions
from qsp.plots.names import arm_titles
from qsp.report.cells import Column, Group, Table

ANY = "any dose"


def decision_table(ds: xr.Dataset) -> Table:
    """Doses, rescue drugs and ended treatments of each arm.

    Args:
        ds: Results of arms with rules.
    """
    given, rescued, stopped = decisions.doses(ds), decisions.rescued(ds), decisions.stopped(ds)
    drugs = [str(name) for name in rescued["drug"].values]
    rows = []
    for arm, title in arm_titles(ds).items():
        low, middle, high = given["value"].sel(arm=arm).values
        shares = [float(rescued["value"].sel(arm=arm, drug=drug)) for drug in drugs]
        shares.append(float(stopped["value"].sel(arm=arm)))
        cells = [f"{middle:.0f} ({low:.0f}–{high:.0f})", *(f"{100 * one:.1f}" for one in shares)]
        rows.append((title, *cells))
    columns = [Column("Arm"), Column("median (5-95 %)", "Dose periods")]
    columns += [Column(f"given {drug.replace('_', ' ')} [%]") for drug in drugs]
    columns.append(Column("stopped by a rule [%]"))
    note = "Patients whom a rule gave a drug, and patients whose treatment a rule ended."
    return Table("Decisions by arm", tuple(columns), (Group("", tuple(rows)),), note)


def dose_decision_table(ds: xr.Dataset) -> Table:
    """Each decision about each planned dose of each arm with rules, counted.

    Args:
        ds: Results of arms with rules.

    Returns:
        A group of rows for each arm; a cell is the number of visits and, in parentheses, that of
        the patients in whom there was such a visit.
    """
    found, labels = decisions.by_dose(ds), decisions.planned_doses(ds)
    names = [str(name) for name in found["decision"].values if name != NOTHING]
    groups = []
    for arm, title in arm_titles(ds).items():
        own = found.sel(arm=arm, decision=names)
        rows = [
            (f"{n}: {label}", *_cells(one["visits"], one["patients"]))
            for n, label in enumerate(labels.get(arm, ()), start=1)
            for one in [own.sel(planned_dose=n)]
        ]
        total = (ANY, *_cells(own["visits"].sum("planned_dose"), own["patients_any"]))
        groups += [Group(title, (*rows, total))] if rows else []
    columns = (Column("Planned dose"), *(Column(name, "Visits (patients)") for name in names))
    return Table("Decisions by planned dose", columns, tuple(groups), _BY_DOSE)


def _cells(visits: xr.DataArray, patients: xr.DataArray) -> list[str]:
    pairs = zip(visits.values.tolist(), patients.values.tolist(), strict=True)
    return [f"{count:,} ({people:,})" if count else "0" for count, people in pairs]


NOTHING = "none due"
_BY_DOSE = (
    "Visits at which the planned dose was due, by what came of it, and in parentheses the patients "
    "with at least one such visit. A dose that is held, delayed or missed is due again at a later "
    "visit. As planned: given, whether a rule said so or none matched; split counts the first "
    "part, and each later part as planned. Earlier dose: one before it was given instead (repeat, "
    "drop back, begin anew). Stopped is about the dose that would have come next. Missed: nobody "
    "came, which goes on to the end after dropout. Visits without a due dose are left out."
)
