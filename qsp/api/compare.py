"""Comparison of two arms, paired by patient, as `qsp.api.results.Results` returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsp.endpoints import differences
from qsp.endpoints.statistics.paired import Sampling

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NAMES = {
    "value": "first",
    "reference_value": "second",
    "arm_only": "first_only",
    "reference_only": "second_only",
}
"""Names of columns of two arms of which neither need be the reference of the run."""


def difference(
    ds: xr.Dataset, first: str, second: str | None, trial_size: int | None = None
) -> pd.DataFrame:
    """Return paired differences of CRS, response and days; see `qsp.api.results.Results`.

    Args:
        ds: Results.
        first: Name of an arm.
        second: Name of the arm that it is compared with; by default the reference of the run.
        trial_size: Number of patients in each arm of the trial of the prediction intervals.
    """
    base = second or differences.reference_of(ds)
    sampling = Sampling(trial_size) if trial_size is not None else None
    frame = differences.table(ds, reference=base, arms=[first], sampling=sampling)
    indexed = frame.set_index("event").drop(columns=["arm", "reference"]).rename(columns=_NAMES)
    indexed.index.name = f"{first} - {base}"
    return indexed
