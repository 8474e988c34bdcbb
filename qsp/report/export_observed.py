"""Rows of observations with the percentiles of their simulation, for the export to CSV."""

from __future__ import annotations

from collections.abc import Iterator

import xarray as xr

from qsp.endpoints.observed import observations

FILE = "observations.csv"
COLUMNS = {
    "ARM": ("observed_arm", "", "Arm"),
    "ARMN": ("", "1", "Number of the arm, from 1"),
    "ID": ("observed_patient", "1", "Patient in the file of observations"),
    "TIME": ("observed_time", "day", "Time since the first dose"),
    "QUANTITY": ("observed_quantity", "", "Quantity"),
    "UNITS": ("observed_unit", "", "Unit of DV, LLOQ, P5, MEDIAN and P95"),
    "DV": ("observed_value", "UNITS", "Observed value; missing below the limit"),
    "LLOQ": ("observed_lloq", "UNITS", "Lower limit of quantification"),
    "BLQ": ("observed_blq", "1", "1 where the value is below the limit"),
    "P5": ("predicted_p5", "UNITS", "5th percentile of simulated patients with the same doses"),
    "MEDIAN": ("predicted_median", "UNITS", "Median of these"),
    "P95": ("predicted_p95", "UNITS", "95th percentile of these"),
}
"""Variable of the results, unit and meaning of each column; a unit of UNITS is in that column."""


def rows(ds: xr.Dataset) -> Iterator[tuple[object, ...]]:
    """Yield the cells of each observation.

    Args:
        ds: Results with observations.
    """
    numbers = {str(arm): place + 1 for place, arm in enumerate(ds["arm"].values)}
    found = observations(ds)
    number = [numbers[arm] for arm in found["arm"]]
    found = found.assign(number=number, is_blq=found["is_blq"].astype(int))
    names = ["arm", "number", "patient", "time", "quantity", "unit"]
    names += ["value", "lloq", "is_blq", "p5", "median", "p95"]
    yield from found[names].itertuples(index=False, name=None)


def meanings() -> Iterator[list[str]]:
    """Yield file, column, variable, unit and meaning of each column."""
    for column, (variable, units, meaning) in COLUMNS.items():
        yield [FILE, column, variable, units, meaning]
