"""Tables of dosing decisions."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints import decisions
from qsp.plots.names import arm_titles
from qsp.report.cells import RANGE_NOTE, RANGE_TITLE, Column, Group, Table

ANY = "any dose"


def decision_table(ds: xr.Dataset) -> Table:
    """Return the table of doses, rescue drugs and stopped treatments by arm.

    Args:
        ds: Results of arms with rules.
    """
    doses, rescued, stopped = decisions.doses(ds), decisions.rescued(ds), decisions.stopped(ds)
    drugs = [str(name) for name in rescued["drug"].values]
    rows = []
    for arm, title in arm_titles(ds).items():
        low, middle, high = doses["value"].sel(arm=arm).values
        shares = [float(rescued["value"].sel(arm=arm, drug=drug)) for drug in drugs]
        shares.append(float(stopped["value"].sel(arm=arm)))
        cells = [f"{middle:.0f} ({low:.0f}–{high:.0f})", *(f"{100 * one:.1f}" for one in shares)]
        rows.append((title, *cells))
    columns = [Column("Arm"), Column(RANGE_TITLE, "Dose periods administered")]
    columns += [Column(f"received {drug.replace('_', ' ')} [%]") for drug in drugs]
    columns.append(Column("treatment stopped [%]"))
    note = (
        f"{RANGE_NOTE} Percentages of patients who received a rescue drug by a rule at least once, "
        "and of patients whose treatment was stopped by a rule."
    )
    return Table("Dosing decisions by arm", tuple(columns), (Group("", tuple(rows)),), note)


def dose_decision_table(ds: xr.Dataset) -> Table:
    """Return the table of decisions by planned dose.

    Args:
        ds: Results of arms with rules.

    Returns:
        A group of rows per arm with rules; cells are numbers of visits and, in parentheses, of
        patients with at least one such visit.
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
    return Table("Dosing decisions by planned dose", columns, tuple(groups), _BY_DOSE)


def _cells(visits: xr.DataArray, patients: xr.DataArray) -> list[str]:
    pairs = zip(visits.values.tolist(), patients.values.tolist(), strict=True)
    return [f"{count:,} ({people:,})" if count else "0" for count, people in pairs]


NOTHING = "none due"
_BY_DOSE = (
    "Number of visits at which the planned dose was due, by decision, and in parentheses the "
    "number of patients with at least one such visit. A dose that is held, delayed or missed is "
    "due again at a later visit. As planned: the dose was administered, by a rule or because no "
    "rule applied. Split: counted at the first part; later parts count as planned. Earlier dose: "
    "an earlier dose was administered instead (repeat, step back, or restart). Stopped: counted "
    "at the dose that would have been next. Missed visit: the patient did not attend; after "
    "dropout, this applies to all later visits. Visits without a dose due are not counted."
)
