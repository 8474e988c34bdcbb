"""Visual predictive check: percentiles of observations against those of simulated trials.

In each bin of time, the 5th, 50th and 95th percentile of the observations is compared with the same
percentile of each simulated trial, whose spread over trials is the Monte Carlo interval. Values
below the limit of quantification rank lowest; a percentile among them has no value (Bergstrand and
Karlsson 2009). Simulated values are censored at the limit of their observation, also where the
observed value is above it (`Observed.with_limits`). With prediction correction, values are scaled
by the median prediction of their bin over that of the observation, which removes differences
between doses and times within a bin (Bergstrand et al. 2011); here the prediction is the median of
simulated patients with the same doses.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import HasDataset
from qsp.endpoints.observed import Observed, observed
from qsp.errors import ConfigError, suggest
from qsp.observations.quantities import CRS

PERCENTILES = (0.05, 0.5, 0.95)
INTERVAL = (0.05, 0.5, 0.95)
"""Quantiles over simulated trials: lower bound, middle and upper bound of the interval."""
FEWEST_TRIALS = 20
"""Simulated trials below which there is no interval, whose bounds are percentiles over them."""
MOST_BINS = 10
"""Largest number of bins that are chosen automatically."""
PER_BIN = 10
"""Observations in a bin that are aimed for."""
MOST_BREAKS = 200
"""Distinct times up to which natural breaks are exact; of more, quantiles of the times are used."""
Binning = Literal["quantile", "jenks"]


def quantities(results: xr.Dataset | HasDataset, arm: str | None = None) -> tuple[str, ...]:
    """Return the observed quantities that can be checked: compared, and no grades.

    Args:
        results: Results.
        arm: Name of an arm; all arms by default.
    """
    found = observed(results)
    is_compared = np.isfinite(found.median) & (found.quantity != CRS)
    is_compared &= True if arm is None else found.arm == arm
    return tuple(dict.fromkeys(found.quantity[is_compared].tolist()))


def visual_predictive_check(
    results: xr.Dataset | HasDataset,
    quantity: str,
    *,
    arm: str | None = None,
    bins: Sequence[float] | None = None,
    binning: Binning = "quantile",
    prediction_corrected: bool = False,
) -> xr.Dataset:
    """Compare percentiles of observations with those of simulated trials.

    Args:
        results: Results with observations.
        quantity: Name of an observed quantity.
        arm: Name of an arm; the observations of all arms together by default.
        bins: Edges of the bins of time, increasing [day]; a bin includes its lower edge, and the
            last one also its upper edge.
        binning: Choice of the bins without edges: bins of about the same number of observations,
            or natural breaks between times (Jenks).
        prediction_corrected: Whether values are prediction-corrected.

    Returns:
        Over (bin): `time` [day], the median time of the observations, `start`, `end` and `n`;
        `below`, the share of observations below the limit, with `below_simulated`, `below_low` and
        `below_high`. Over (percentile, bin): `observed`, `simulated`, and its 90 % interval over
        simulated trials, `low` and `high`, in the unit of the quantity; NaN among values below the
        limit. The bounds of intervals are NaN with fewer than `FEWEST_TRIALS` simulated trials.

    Raises:
        ConfigError: If there is no such observation, or the bins are not increasing.
    """
    own = _chosen(results, quantity, arm)
    place = _bins(own.time, bins, binning)
    inside = place >= 0
    own, place = own.at(inside), place[inside]
    if prediction_corrected:
        own = _corrected(own, place)
    used = np.unique(place)
    parts = [own.at(place == number) for number in used]
    rows = [_row(part) for part in parts]
    unit = str(own.unit[0])
    data = {
        "time": ("bin", [float(np.median(part.time)) for part in parts], "day"),
        "start": ("bin", [float(part.time.min()) for part in parts], "day"),
        "end": ("bin", [float(part.time.max()) for part in parts], "day"),
        "n": ("bin", [len(part) for part in parts], "1"),
    }
    for name in ("below", "below_simulated", "below_low", "below_high"):
        data[name] = ("bin", [getattr(row, name) for row in rows], "1")
    for name in ("observed", "simulated", "low", "high"):
        values = np.stack([getattr(row, name) for row in rows], axis=1)
        data[name] = (("percentile", "bin"), values, unit)
    return xr.Dataset(
        {name: (dims, values, {"units": units}) for name, (dims, values, units) in data.items()},
        {"percentile": list(PERCENTILES), "bin": np.arange(1, len(used) + 1)},
        {"quantity": quantity, "prediction_corrected": int(prediction_corrected)},
    )


def _chosen(results: xr.Dataset | HasDataset, quantity: str, arm: str | None) -> Observed:
    known = quantities(results, arm)
    if quantity not in known:
        rule = "the quantity must be observed, compared with the simulation, and no grade"
        todo = f"{suggest(quantity, known)} Quantities: {', '.join(known) or 'none'}".strip()
        raise ConfigError("vpc", rule, repr(quantity), todo)
    own = observed(results, quantity).with_limits()
    is_chosen = np.isfinite(own.median) & np.isfinite(own.simulated).any(0)
    return own.at(is_chosen if arm is None else is_chosen & (own.arm == arm))


# --- bins


def _bins(times: np.ndarray, edges: Sequence[float] | None, binning: Binning) -> np.ndarray:
    """(observation,): Return the number of the bin of each time; -1 outside of all bins."""
    if edges is not None:
        return _given_bins(times, np.asarray(edges, float))
    values, place, counts = np.unique(times, return_inverse=True, return_counts=True)
    number = int(np.clip(round(len(times) / PER_BIN), 1, MOST_BINS))
    if len(values) <= number:
        return place
    if binning == "jenks":
        return np.searchsorted(natural_breaks(values, counts, number), times, side="right")
    middle = np.cumsum(counts) - counts / 2  # rank of the middle of equal times
    return (number * middle / len(times)).astype(int)[place]


def _given_bins(times: np.ndarray, edges: np.ndarray) -> np.ndarray:
    if len(edges) < 2 or not np.all(np.diff(edges) > 0):
        rule, todo = "bins must be two or more increasing times", "Write 0,1,3,7, for example"
        raise ConfigError("vpc", rule, ",".join(f"{edge:g}" for edge in edges) or "empty", todo)
    place = np.searchsorted(edges, times, side="right") - 1
    place = np.where(times == edges[-1], len(edges) - 2, place)
    place = np.where(place > len(edges) - 2, -1, place)
    if not np.any(place >= 0):
        rule, todo = "bins must include an observation", "Give the times in days"
        raise ConfigError("vpc", rule, ",".join(f"{edge:g}" for edge in edges), todo)
    return place


def natural_breaks(values: np.ndarray, counts: np.ndarray, number: int) -> np.ndarray:
    """Return the lower ends of the second and later bins of least variance within bins (Jenks).

    Args:
        values: (value,): Distinct times, increasing.
        counts: (value,): Number of observations at each.
        number: Number of bins, at most that of the values.
    """
    if len(values) > MOST_BREAKS:
        levels = np.linspace(0, 1, MOST_BREAKS + 1)
        edges = np.unique(np.quantile(np.repeat(values, counts), levels))
        place = np.minimum(np.searchsorted(edges, values, side="right") - 1, len(edges) - 2)
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        values, counts = values[starts], np.add.reduceat(counts, starts)
    sums = [np.append(0.0, np.cumsum(counts * values**power)) for power in (0, 1, 2)]

    def spread(first: np.ndarray, end: int) -> np.ndarray:
        """Sum of squares around the mean of the values from `first` up to `end`."""
        n, total, squares = (each[end] - each[first] for each in sums)
        return squares - total**2 / n

    size = len(values)
    best = np.array([0.0, *(spread(np.array([0]), end)[0] for end in range(1, size + 1))])
    cuts = []
    for bins in range(2, number + 1):
        cut, least = np.zeros(size + 1, int), np.full(size + 1, np.inf)
        for end in range(bins, size + 1):
            first = np.arange(bins - 1, end)
            cost = best[first] + spread(first, end)
            cut[end], least[end] = first[np.argmin(cost)], cost.min()
        best = least
        cuts.append(cut)
    ends = itertools.accumulate(reversed(cuts), lambda end, cut: int(cut[end]), initial=size)
    return values[sorted(list(ends)[1:])]


# --- percentiles


@dataclasses.dataclass(frozen=True)
class _Row:
    """Percentiles (percentile,) and shares below the limit of a bin; see the results."""

    observed: np.ndarray
    simulated: np.ndarray
    low: np.ndarray
    high: np.ndarray
    below: float
    below_simulated: float
    below_low: float
    below_high: float


def _row(own: Observed) -> _Row:
    known = np.isfinite(own.simulated)
    is_below = own.simulated < own.lloq  # False without a limit
    drawn = percentiles(np.where(is_below, -np.inf, own.simulated), PERCENTILES)
    real = percentiles(np.where(own.is_blq, -np.inf, own.value)[None], PERCENTILES)
    below = np.where(known, is_below, np.nan)
    counted = known.any(1)
    shares = np.nanmean(below[counted], axis=1)
    low, middle, high = _over_trials(drawn[counted])
    below_low, below_middle, below_high = np.quantile(shares, INTERVAL).tolist()
    if counted.sum() < FEWEST_TRIALS:
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
        below_low = below_high = math.nan
    return _Row(
        observed=real[0],
        simulated=middle,
        low=low,
        high=high,
        below=float(own.is_blq.mean()),
        below_simulated=below_middle,
        below_low=below_low,
        below_high=below_high,
    )


def percentiles(values: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return percentiles of rows, interpolated linearly between neighbors.

    Args:
        values: (row, value): Values; -inf below a limit, NaN where missing.
        levels: Levels between 0 and 1.

    Returns:
        (row, level): Percentiles; NaN among values below the limit, or without a value.
    """
    ranked = np.sort(values, axis=1)  # NaN last
    count = np.sum(~np.isnan(values), axis=1)
    at = np.maximum(count - 1, 0)[:, None] * np.asarray(levels)
    low = np.floor(at).astype(int)
    share = at - low
    first = np.take_along_axis(ranked, low, axis=1)
    second = np.take_along_axis(ranked, np.minimum(low + 1, values.shape[1] - 1), axis=1)
    is_known = np.isfinite(first) & (count > 0)[:, None]
    step = np.where(is_known & (share > 0), second, 0.0) - np.where(
        is_known & (share > 0), first, 0
    )
    return np.where(is_known, np.where(is_known, first, 0.0) + share * step, np.nan)


def _over_trials(drawn: np.ndarray) -> np.ndarray:
    """(3, percentile): Return lower bound, middle and upper bound over simulated trials.

    A percentile that is among values below the limit in a trial ranks lowest there.
    """
    lowest = np.where(np.isnan(drawn), -np.inf, drawn)
    return percentiles(lowest.T, INTERVAL).T


def _corrected(own: Observed, place: np.ndarray) -> Observed:
    """Return observations and simulations with prediction-corrected values.

    Values below the limit stay below it, because value and limit are scaled alike.
    """
    positive = own.median > 0
    middle = np.full(len(own), np.nan)
    for number in np.unique(place):
        inside = (place == number) & positive
        middle[inside] = np.median(own.median[inside]) if inside.any() else np.nan
    factor = np.where(positive, middle / np.where(positive, own.median, 1.0), 1.0)
    return dataclasses.replace(
        own,
        value=own.value * factor,
        lloq=own.lloq * factor,
        simulated=own.simulated * factor,
        median=own.median * factor,
    )
