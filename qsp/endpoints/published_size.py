"""Number of patients in the published trial of a molecule, for prediction intervals."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping

import xarray as xr

from qsp.endpoints.statistics.interval import TRIAL_SIZE
from qsp.version import PACKAGE

_TABLE = PACKAGE / "validation" / "data" / "targets.csv"
INDICATIONS: Mapping[tuple[str, str], str] = {
    ("mosunetuzumab", "nhl"): "R/R NHL safety pool",
    ("mosunetuzumab", "nhl_fl"): "R/R FL pivotal",
    ("mosunetuzumab", "nhl_dlbcl"): "R/R DLBCL expansion",
    ("tebentafusp", "uveal_melanoma"): "mUM",
}
"""Patients in the table of published values, by molecule and population."""


def trial_size(ds: xr.Dataset) -> int:
    """Return the size of the published trial of a molecule in a population.

    Args:
        ds: Results; their attributes name the molecule and the population.

    Returns:
        Number of patients with a published rate of CRS; 100 where none is published.
    """
    key = str(ds.attrs.get("molecule", "")), str(ds.attrs.get("population", ""))
    return _sizes().get((key[0], INDICATIONS.get(key, "")), TRIAL_SIZE)


@functools.cache
def _sizes() -> dict[tuple[str, str], int]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rates = (row for row in rows if row["statistic"] == "crs_any" and row["n"])
    return {(row["molecule"], row["population"]): int(row["n"]) for row in rates}
