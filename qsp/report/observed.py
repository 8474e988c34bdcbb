"""The table of observations of patients over the simulation."""

from __future__ import annotations

import math

import xarray as xr

from qsp.endpoints import observed
from qsp.endpoints.observed import Agreement
from qsp.observations.quantities import CRS, OBSERVABLES
from qsp.plots.names import arm_titles
from qsp.report.cells import NONE, Column, Group, Table, percent, significant

TITLE = "Observed and simulated"
_BAND = (
    "Observed over simulated: geometric mean of the observed value over the median of simulated "
    "patients with the same doses, of values above the limit of quantification (LLOQ). Within "
    "P5–P95: share of observations within the 5th to 95th percentile of these patients; simulated "
    "values have no measurement error."
)
_GRADES = (
    "CRS: share of the lines with a grade that have 1 or higher, and the simulated share; a dose "
    "without CRS counts only if a line has its grade of 0."
)


def observed_table(ds: xr.Dataset) -> Table:
    """Return the comparison of observations with the simulation, by arm and quantity.

    Args:
        ds: Results with observations.
    """
    found, titles = observed.agreement(ds), arm_titles(ds)
    columns = (
        Column("Quantity"),
        Column("n"),
        Column("below LLOQ (simulated)"),
        Column("observed / simulated"),
        Column("within P5–P95 [%]"),
    )
    groups = tuple(
        Group(titles.get(arm, arm), tuple(_cells(each) for each in found if each.arm == arm))
        for arm in dict.fromkeys(each.arm for each in found)
    )
    missing = int(ds.attrs.get("observed_missing", 0))
    notes = [_BAND, *([_GRADES] if any(each.quantity == CRS for each in found) else [])]
    notes += observed.remarks(ds)
    if missing:
        notes.append(f"Lines without a value: {missing}.")
    return Table(f"{TITLE}, from {ds.attrs['observed_file']}", columns, groups, " ".join(notes))


def _cells(each: Agreement) -> tuple[str, ...]:
    title, n = OBSERVABLES[each.quantity].title, f"{each.n:,}"
    if math.isfinite(each.rate):
        shares = f"{percent(each.rate)} % / {percent(each.rate_simulated)} %"
        return f"{title} ≥ 1", n, NONE, shares, NONE
    below = f"{each.below:,}"
    if math.isfinite(each.below_simulated):
        below += f" ({each.below_simulated * each.compared:.1f})"
    return title, n, below, significant(each.ratio), percent(each.within, 0)
