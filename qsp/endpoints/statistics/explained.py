"""Share of a variance that a linear regression explains, from a correlation matrix.

The regression is ordinary least squares on standardized variables. It needs only the correlations,
which add up over blocks of patients.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

PATIENTS_PER_COVARIATE = 10
"""Fewest patients for each covariate of a regression (Harrell 2015, section 4.4)."""
_COLLINEAR = 1e-10
_TAILS = (0.975, 0.025)
_HALVINGS = 50

Floats = NDArray[np.float64]


class Explained(NamedTuple):
    """Shares of the variance of a response that covariates explain [1].

    Args:
        value: R^2 of the regression on all covariates.
        adjusted: R^2 adjusted for the number of covariates.
        lower: Lower bound of the 95 % interval of R^2.
        upper: Upper bound of the 95 % interval of R^2.
        alone: (covariate,): R^2 of the regression on this covariate alone.
        added: (covariate,): Increase of R^2 when this covariate is added to all others.
    """

    value: float
    adjusted: float
    lower: float
    upper: float
    alone: Floats
    added: Floats


def explained(correlation: Floats, patients: float) -> Explained:
    """Return the shares of the variance of a response that covariates explain.

    The interval is that of the share in the population, if all variables are normal: the shares at
    which the R^2 found, or a more extreme one, has a probability of 2.5 %. The distribution of
    ``R^2 / (1 - R^2)`` is approximated by a scaled F distribution with the right mean and variance
    of its numerator, which is exact for a share of 0.

    Args:
        correlation (1 + covariate, 1 + covariate): Correlations; the response is the first
            variable [1].
        patients: Number of patients, or their effective number if they are weighted.

    Returns:
        The shares; NaN if there is no covariate, or if there are fewer patients than
        `PATIENTS_PER_COVARIATE` for each covariate.

    Source: Harrell 2015, Regression Modeling Strategies, section 4.4, for the number of patients;
    Lee 1971, J R Stat Soc B 33:117-130, for the approximation.
    """
    count = len(correlation) - 1
    if not count or patients < PATIENTS_PER_COVARIATE * count:
        none = np.full(count, math.nan)
        return Explained(math.nan, math.nan, math.nan, math.nan, none, none)
    value = _r_squared(correlation, np.arange(1, count + 1))
    rest = [np.delete(np.arange(1, count + 1), left_out) for left_out in range(count)]
    without = np.array([_r_squared(correlation, others) for others in rest])
    adjusted = 1.0 - (1.0 - value) * (patients - 1.0) / (patients - count - 1.0)
    lower, upper = (_population_share(value, patients, count, p) for p in _TAILS)
    alone = np.minimum(correlation[0, 1:] ** 2, 1.0)
    return Explained(value, adjusted, lower, upper, alone, np.maximum(value - without, 0.0))


def _r_squared(correlation: Floats, chosen: NDArray[np.int64]) -> float:
    """Return R^2 of the regression of variable 0 on the chosen ones, which may be collinear."""
    between, response = correlation[np.ix_(chosen, chosen)], correlation[0, chosen]
    slopes = np.linalg.lstsq(between, response, rcond=_COLLINEAR)[0]
    return float(np.clip(response @ slopes, 0.0, 1.0))


def _population_share(value: float, patients: float, count: int, probability: float) -> float:
    """Return the population's share at which R^2 is at most `value` with a given probability."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _at_most(value, middle, patients, count) > probability:
            low = middle
        else:
            high = middle
    return low if low == 0.0 else high


def _at_most(value: float, share: float, patients: float, count: int) -> float:
    """Return the probability that R^2 is at most `value`, for a share in the population below 1."""
    ratio = share / (1.0 - share)
    mean = count + ratio * (patients - 1.0)
    variance = 2.0 * count + (4.0 * ratio + 2.0 * ratio**2) * (patients - 1.0)
    scale = variance / (2.0 * mean)
    place = value / (value + scale * (1.0 - value))
    return float(betainc(mean / scale / 2.0, (patients - count - 1.0) / 2.0, place))
