"""Difference in the incidence of CRS from a reference arm, paired by patient.

Every patient is simulated in every arm. The standard error is that of the mean of the differences
of the patients, and the interval a Monte Carlo interval with the parameters fixed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints.crs import GRADES, grades
from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics.blocks import add_blocks, blocks
from qsp.endpoints.statistics.patients import solved, weights
from qsp.endpoints.steps import gather

Z95 = 1.959963984540054
"""Quantile of the normal distribution for an interval of 95 %."""


@endpoint(
    Meaning(
        units="1",
        long_name="Paired difference in the incidence of CRS",
        definition="Incidence of CRS over all doses minus that in the reference arm, over the "
        "patients who are evaluable in both",
        needs={"crs_grade": "1", "outcome": "1"},
    )
)
def crs_difference(ds: xr.Dataset, *, at_least: Sequence[int] = GRADES) -> xr.Dataset:
    """Return the paired difference of each arm from the first one: ``sum(w d) / sum(w)``.

    Args:
        ds: Results.
        at_least: Lowest grade counted; one difference for each.

    Returns:
        `value`, `lower` and `upper` (95 % Monte Carlo interval) and `pairs` (grade, arm) [1].
    """
    lowest = xr.DataArray(list(at_least), dims="grade", coords={"grade": list(at_least)})
    total = add_blocks(_sums(part, lowest) for part in blocks(ds))
    mean = total["difference"] / total["weight"]
    # sum w^2 (d - mean)^2 from the sums of w^2, w^2 d and w^2 d^2
    squares = total["squares_dd"] - 2 * mean * total["squares_d"] + mean**2 * total["squares"]
    error = np.sqrt(squares.clip(min=0.0)) / total["weight"]
    found = {"value": mean, "lower": mean - Z95 * error, "upper": mean + Z95 * error}
    return xr.Dataset({**found, "pairs": total["pairs"]})


def _sums(part: xr.Dataset, lowest: xr.DataArray) -> xr.Dataset:
    worst = gather(grades(part), part, "any").where(solved(part))
    event = (worst >= lowest).astype(float).where(worst.notnull())
    difference = event - event.isel(arm=0, drop=True)
    weight = weights(part).where(difference.notnull())
    squares = weight**2
    return xr.Dataset(
        {
            "difference": (weight * difference).sum("patient"),
            "weight": weight.sum("patient"),
            "squares": squares.sum("patient"),
            "squares_d": (squares * difference).sum("patient"),
            "squares_dd": (squares * difference**2).sum("patient"),
            "pairs": difference.notnull().sum("patient"),
        }
    )
