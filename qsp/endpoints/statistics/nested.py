"""Intervals over parameter sets x patients: nested resamples, and the split of their variance.

`values` are estimates (member, resample, ...): each member is a parameter set, applied to the same
patients, and each resample is a bootstrap sample of these patients, the same for all members.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
"""Probability of the intervals."""

Floats = NDArray[np.float64]


def interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return median, lower and upper bound of the 90 % interval over members and resamples (...).

    With one member there is no interval over parameters: the bounds are NaN.

    Args:
        values: Estimates (member, resample, ...).
    """
    pooled = values.reshape((-1, *values.shape[2:]))
    low, middle, high = np.quantile(pooled, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
    if len(values) == 1:
        return middle, np.full_like(low, np.nan), np.full_like(high, np.nan)
    return middle, low, high


def share_of_members(values: Floats) -> Floats:
    """Return the share of the variance between members in the total variance (...).

    The rest is the variance between resamples within a member: the finite number of patients.
    NaN with one member, or if nothing varies.

    Args:
        values: Estimates (member, resample, ...).
    """
    if len(values) == 1:
        return np.full(values.shape[2:], np.nan)
    between, within = values.mean(axis=1).var(axis=0), values.var(axis=1).mean(axis=0)
    with np.errstate(invalid="ignore"):
        return between / (between + within)


def probability_best(values: Floats, *, lower_is_better: bool) -> Floats:
    """Return the probability that each arm has the best estimate (arm,); ties are shared.

    Args:
        values: Estimates (member, resample, arm).
        lower_is_better: Whether the lowest estimate is the best.
    """
    if np.isnan(values).any():
        return np.full(values.shape[-1], np.nan)
    best = (values.min if lower_is_better else values.max)(axis=-1, keepdims=True)
    is_best = values == best
    return (is_best / is_best.sum(axis=-1, keepdims=True)).mean(axis=(0, 1))
