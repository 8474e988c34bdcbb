"""What rules came to, as a table."""

from __future__ import annotations

import xarray as xr

from qsp.endpoints import decisions
from qsp.plots.names import arm_titles
from qsp.report.cells import Column, Group, Table


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
