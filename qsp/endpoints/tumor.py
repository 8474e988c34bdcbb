"""Change in tumor volume from baseline, per patient and as quantiles over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics.blocks import map_blocks
from qsp.endpoints.statistics.patients import solved, spread

RANGE = (0.05, 0.25, 0.5, 0.75, 0.95)
_NEEDS = {"tumor_volume_visit": "mL", "tumor_volume_baseline": "mL"}


@endpoint(
    Meaning(
        units="%",
        long_name="Change in tumor volume from baseline",
        definition="100 (V/V0 - 1) for each patient and visit, with V0 the volume before treatment",
        needs=_NEEDS,
    )
)
def change(ds: xr.Dataset) -> xr.DataArray:
    """Return the change in tumor volume from baseline per patient: ``100 (V/V0 - 1)``.

    Args:
        ds: Results.

    Returns:
        (arm, patient, visit): Change [%]; NaN where the simulation failed.
    """
    baseline = ds["tumor_volume_baseline"].where(ds["tumor_volume_baseline"] > 0)
    return (100.0 * (ds["tumor_volume_visit"] / baseline - 1.0)).where(solved(ds))


@endpoint(
    Meaning(
        units="%",
        long_name="Best change in tumor volume from baseline",
        definition="Smallest change in tumor volume at any visit after the first dose",
        needs=_NEEDS,
    )
)
def best_change(ds: xr.Dataset) -> xr.DataArray:
    """Return the best change in tumor volume per patient, as shown in a waterfall plot.

    Args:
        ds: Results.

    Returns:
        (arm, patient): Smallest change [%]; NaN where the simulation failed or there is no visit.
    """
    visits = np.flatnonzero(ds["visit"].values > 0)

    def lowest(part: xr.Dataset) -> xr.DataArray:
        after = change(part).isel(visit=visits)
        return after.min("visit") if visits.size else after.sum("visit", min_count=1)

    return map_blocks(lowest, ds)


@endpoint(
    Meaning(
        units="%",
        long_name="Change in tumor volume from baseline, quantiles over patients",
        definition="Quantiles over patients of the change in tumor volume at each visit",
        needs=_NEEDS,
    )
)
def change_at_visits(ds: xr.Dataset, *, quantiles: Sequence[float] = RANGE) -> xr.Dataset:
    """Return quantiles over patients of the change in tumor volume at each visit.

    Args:
        ds: Results.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm, visit) [%], and the counts.
    """
    return spread(change, ds, quantiles)
