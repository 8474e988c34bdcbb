"""Exposure and CRS: incidence by quartile of Cmax and of the AUC of the same dose period.

The quartiles are those of the patients of one arm in one dose period, who receive the same dose:
differences between doses do not enter. A difference between quartiles is an association, because
the clearance of a patient and the burden of target cells determine both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr

from qsp.endpoints.crs import grades
from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import spread
from qsp.endpoints.statistics.rates import rate
from qsp.endpoints.steps import gather, grouped

METRICS = ("cmax", "auc")
_LEVELS = (0.25, 0.5, 0.75)


@endpoint(
    Meaning(
        units="1",
        long_name="Incidence of CRS by quartile of exposure",
        definition="Proportion of the patients of a quartile of Cmax or AUC in the dose period "
        "whose CRS grade in this period is the stated grade or higher",
        needs={"crs_grade": "1", "cmax": "nmol/L", "auc": "nmol*day/L", "outcome": "1"},
    )
)
def by_quartile(
    ds: xr.Dataset,
    *,
    at_least: int = 2,
    metrics: Sequence[str] = METRICS,
    trial_size: int = interval.TRIAL_SIZE,
) -> xr.Dataset:
    """Return the incidence of CRS by quartile of exposure, for each arm and dose period.

    Args:
        ds: Results.
        at_least: Lowest grade counted.
        metrics: Exposure metrics, "cmax" or "auc".
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (metric, quartile, arm, label) [1] with the variables of `rates.rate`; quartile 1 has
        the lowest exposure.
    """
    whole = grouped(ds, "label")
    found = [_by_quartile(whole, name, at_least, trial_size) for name in metrics]
    stacked = xr.concat(found, dim="metric", coords="minimal", compat="override", join="exact")
    return stacked.assign_coords(metric=list(metrics))


def _by_quartile(ds: xr.Dataset, name: str, at_least: int, trial_size: int) -> xr.Dataset:
    limits = spread(partial(_gathered, name=name), ds, _LEVELS)["value"]
    quartile = xr.DataArray(np.arange(1, 5), dims="quartile", coords={"quartile": np.arange(1, 5)})

    def event(part: xr.Dataset) -> xr.DataArray:
        exposure, worst = _gathered(part, name), gather(grades(part), part, "label")
        place = 1 + (exposure > limits).sum("quantile")
        known = worst.notnull() & exposure.notnull() & (place == quartile)
        return (worst >= at_least).astype(float).where(known)

    return rate(event, ds, trial_size=trial_size)


def _gathered(part: xr.Dataset, name: str) -> xr.DataArray:
    reduction = "max" if name == "cmax" else "sum"
    return gather(part[name], part, "label", reduction)
