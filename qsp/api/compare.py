"""Comparison of two arms, paired by patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from qsp.endpoints.crs import grades
from qsp.endpoints.response import COMPLETE, NOT_EVALUABLE, PARTIAL

if TYPE_CHECKING:
    import pandas as pd


def difference(ds: xr.Dataset, first: str, second: str) -> pd.DataFrame:
    """Return paired risk differences of CRS and response; see `qsp.api.results.Results`.

    Args:
        ds: Results with `crs_grade`, `outcome` and `best_response`.
        first: Name of an arm.
        second: Name of the arm that it is compared with.
    """
    import pandas as pd

    worst = grades(ds).max("dose_period")
    solved = ds["outcome"].fillna(-1) == 0
    best = ds["best_response"].astype(float).fillna(-1.0).where(solved)
    best = best.where(best > NOT_EVALUABLE)
    events = {
        "any CRS": (worst >= 1).where(worst.notnull()),
        "CRS of grade 2 or higher": (worst >= 2).where(worst.notnull()),
        "response": best.isin([COMPLETE, PARTIAL]).where(best.notnull()),
    }
    rows = {
        name: _paired(event.sel(arm=first).values, event.sel(arm=second).values)
        for name, event in events.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.name = f"{first} - {second}"
    return frame


def _paired(first: np.ndarray, second: np.ndarray) -> dict[str, float | int]:
    """Rates, their difference and the counts of a two-by-two table.

    Args:
        first: (patient,): 1 with the event, 0 without, NaN if not evaluable.
        second: (patient,): The same patients in the other arm.
    """
    known = np.isfinite(first) & np.isfinite(second)
    a, b = first[known] == 1, second[known] == 1
    n, only_a, only_b = int(known.sum()), int((a & ~b).sum()), int((b & ~a).sum())
    size = n or np.nan
    variance = (only_a + only_b - (only_a - only_b) ** 2 / size) / size**2
    return {
        "first": float(a.sum()) / size,
        "second": float(b.sum()) / size,
        "difference": (only_a - only_b) / size,
        "standard_error": float(np.sqrt(variance)),
        "both": int((a & b).sum()),
        "first_only": only_a,
        "second_only": only_b,
        "neither": int((~a & ~b).sum()),
        "patients": n,
    }
