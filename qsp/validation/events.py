"""CRS events of all dose periods pooled, CRS by tumor burden, and paired comparisons of arms."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints import crs
from qsp.endpoints.statistics.paired import Sampling, ratio_interval
from qsp.endpoints.statistics.paired_estimates import cells_of
from qsp.endpoints.statistics.patients import solved, weights

LONG = 7.0
"""Duration above which an event is long [day]."""
FOLD = 2.0
"""IL-6 peaks below this multiple of the own baseline are low [1]."""


class Interval(NamedTuple):
    """A value with the bounds of its 95 % interval."""

    value: float
    lower: float
    upper: float


class Events(NamedTuple):
    """CRS events of an arm, pooled over dose periods.

    Args:
        number: Number of events.
        duration: Median duration [day]; events at the end of the trial are cut off there.
        long: Share of events longer than `LONG` [1].
        low_il6: Share of events in dose periods with an IL-6 peak below `FOLD` times the baseline
            of the patient [1].
    """

    number: int
    duration: float
    long: float
    low_il6: float


def pooled(ds: xr.Dataset) -> Events:
    """Return the events of the first arm of results."""
    own = ds.isel(arm=[0])
    event = (crs.grades(own) >= 1).values
    count = int(event.sum())
    if not count:
        return Events(0, math.nan, math.nan, math.nan)
    days = own["crs_duration"].values[event]
    relative = (own["il6_peak"] / own["il6_baseline"]).transpose(*own["crs_grade"].dims)
    known = days[np.isfinite(days)]
    return Events(
        count,
        float(np.median(known)) if known.size else math.nan,
        float((known > LONG).mean()) if known.size else math.nan,
        float((relative.values[event] < FOLD).mean()),
    )


def burden_odds_ratio(ds: xr.Dataset, *, at_least: int = 1) -> Interval:
    """Return the odds ratio of CRS, upper against lower third of tumor burden at the first dose.

    Half a patient is added to each cell of the table (Haldane-Anscombe), and the 95 % interval is
    that of the log odds ratio (Woolf).

    Args:
        ds: Results of one arm, with the dose periods in which events count.
        at_least: Lowest grade counted.

    Source: Haldane 1956, Ann Hum Genet 20:309.
    """
    has = event_of(ds, at_least)
    burden = ds["tumor_volume_baseline"].isel(arm=0).values
    known = np.isfinite(has) & np.isfinite(burden)
    if not known.any():
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.quantile(burden[known], (1 / 3, 2 / 3))
    upper, lower = has[known & (burden >= high)], has[known & (burden <= low)]
    cells = [0.5 + part for each in (upper, lower) for part in (each.sum(), (1 - each).sum())]
    ratio = math.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    error = 1.96 * math.sqrt(sum(1 / cell for cell in cells))
    return Interval(math.exp(ratio), math.exp(ratio - error), math.exp(ratio + error))


def event_of(ds: xr.Dataset, at_least: int) -> NDArray[np.float64]:
    """(patient,): Return whether each patient of the first arm has CRS of a grade; NaN: unknown."""
    worst = crs.grades(ds).isel(arm=0).max("dose_period")
    return (worst >= at_least).astype(float).where(worst.notnull()).values


def ratio_of_rates(ds: xr.Dataset, arm: str, reference: str, *, at_least: int) -> Interval:
    """Return the ratio of the rates of CRS in two arms of the same patients.

    The 95 % interval is a bootstrap over patients, each with both arms.

    Args:
        ds: Results with both arms.
        arm: Arm of the numerator.
        reference: Arm of the denominator.
        at_least: Lowest grade counted.
    """
    has, other = (event_of(ds.sel(arm=[name]), at_least) for name in (arm, reference))
    both = np.isfinite(has) & np.isfinite(other) & solved(ds).all("arm").values
    cells = cells_of(has[both] == 1, other[both] == 1, weights(ds).values[both])
    if cells.second <= 0:
        return Interval(math.nan, math.nan, math.nan)
    bounds = ratio_interval(cells, Sampling(), swapped=arm > reference)
    return Interval(cells.first / cells.second, *bounds)
