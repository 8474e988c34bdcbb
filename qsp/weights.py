"""Prevalence weights of patients: their rules, their effective number, and weighted quantiles.

The arithmetic of every weighted estimate is here; `qsp.endpoints.statistics` applies it to results.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qsp.errors import ConfigError

MOST_IN_ONE = 0.5
"""Largest share of the total weight that one of several patients may have."""
FEWEST = 3
"""Number of patients with weight above 0 from which on no patient may have more than that."""

Floats = NDArray[np.float64]
_Sum = TypeVar("_Sum")


def check_weights(weight: Floats, *, where: str) -> Floats:
    """Check weights that estimates are computed with.

    Args:
        weight (patient,): Weights, on any scale [1].
        where: File or argument, for error messages.

    Returns:
        The weights, scaled to a mean of 1; equal weights are exactly 1.

    Raises:
        ConfigError: If there is no weight, a weight is negative or not finite, all are 0, or one of
            `FEWEST` or more patients has more than `MOST_IN_ONE` of the total.
    """
    values = np.asarray(weight, float)
    if values.ndim != 1 or not values.size:
        rule, todo = "the weights must be one number for each patient", "Give one weight each"
        raise ConfigError(where, rule, f"of shape {values.shape}", todo)
    for is_wrong, rule in (
        (~np.isfinite(values), "every weight must be a finite number"),
        (values < 0, "every weight must be 0 or more"),
    ):
        if is_wrong.any():
            place = int(np.flatnonzero(is_wrong)[0])
            got = f"{values[place]:g} in the patient at place {place + 1}"
            raise ConfigError(where, rule, got, "Weigh the patients again with qsp weigh")
    total = values.sum()
    if not total > 0:
        rule, todo = "at least one weight must be above 0", "Weigh the patients again"
        raise ConfigError(where, rule, "0 in all patients", todo)
    _check_concentration(values / total, where)
    if (values == values[0]).all():
        return np.ones_like(values)
    return values * (values.size / total)


def _check_concentration(share: Floats, where: str) -> None:
    largest, count = float(share.max()), share.size
    if count >= FEWEST and largest > MOST_IN_ONE:
        rule = f"no patient may have more than {MOST_IN_ONE:.0%} of the total weight"
        got = f"{largest:.0%} in one of {count} patients"
        todo = "Use more patients, or targets that more of them meet"
        raise ConfigError(where, rule, got, todo)


def effective_size(total: _Sum, squares: _Sum) -> _Sum:
    """Return the effective number of weighted patients: ``sum(w)^2 / sum(w^2)``.

    It is the number of equally weighted patients whose mean is as precise.

    Args:
        total (...,): Sum of the weights [1].
        squares (...,): Sum of their squares [1].

    Source: Kish 1965, Survey Sampling, section 11.7.
    """
    return total**2 / squares  # type: ignore[operator]


def scaled_to_effective_size(weight: Floats) -> Floats:
    """Return weights (patient,) scaled so that they add up to the effective number of patients."""
    total = weight.sum()
    return weight * (total / (weight**2).sum()) if total else weight


def are_equal(weight: Floats) -> bool:
    """Return whether all weights (patient,), at least one, are equal up to rounding.

    It is equivalent to numpy.allclose with the first value, without its temporary arrays.
    """
    first, most = weight[0], 1e-8 + 1e-5 * abs(weight[0])
    return bool(weight.max() - first <= most and first - weight.min() <= most)


def quantiles(values: Floats, weight: Floats, *, levels: Floats) -> Floats:
    """Return quantiles along the last axis, ignoring values that are not finite.

    With equal weights, quantiles interpolate linearly between neighboring values; with unequal
    weights, they are the smallest value at which the cumulative weight reaches the level. Rows in
    which the same values are missing, such as those of failed patients at all times, are computed
    together.

    Args:
        values (..., patient): Values in any unit.
        weight (patient,): Weights, not negative [1].
        levels (quantile,): Levels between 0 and 1.

    Returns:
        (..., quantile): In the unit of the values; NaN where there is no value.
    """
    rows = values.reshape(math.prod(values.shape[:-1]), values.shape[-1])
    present = np.isfinite(rows) & (weight > 0)
    alike: dict[bytes, list[int]] = {}
    for n, bits in enumerate(np.packbits(present, axis=-1)):
        alike.setdefault(bits.tobytes(), []).append(n)
    found = np.empty((len(rows), levels.size))
    for same in alike.values():
        keep = present[same[0]]
        found[same] = _quantiles(rows[np.ix_(same, keep)], weight[keep], levels)
    return found.reshape(*values.shape[:-1], levels.size)


def _quantiles(values: Floats, weight: Floats, levels: Floats) -> Floats:
    """Return quantiles along the last axis of finite values with positive weights."""
    if not values.shape[-1]:
        return np.full((*values.shape[:-1], levels.size), np.nan)
    if are_equal(weight):
        found = np.quantile(values, levels, axis=-1)
    else:
        found = np.quantile(values, levels, axis=-1, weights=weight, method="inverted_cdf")
    return np.moveaxis(found, 0, -1)
