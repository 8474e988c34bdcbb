"""Two intervals for a simulated rate, which answer different questions.

- `wilson`: Monte Carlo interval. How precisely do the simulated patients determine the rate of
  their population? Its width goes to zero as more patients are simulated.
- `trial`: prediction interval. Which rates may be observed in a trial of n patients from that
  population? Its width depends on n, however many patients are simulated.

Neither includes uncertainty in the model or its parameters. Numbers of events and patients may be
fractional, because weighted patients enter with their effective sample size.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qsp.errors import ConfigError

LEVEL = 0.95
TRIAL_SIZE = 100

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def wilson(events: ArrayLike, size: ArrayLike, *, level: float = LEVEL) -> Bounds:
    """Return the Wilson score interval of a rate.

    With p = events/size and z the normal quantile of the level,
    ``(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``.

    Args:
        events (...,): Number of patients with the event [1].
        size (...,): Number of evaluable patients [1]; the bounds are NaN where it is 0.
        level: Coverage, between 0 and 1.

    Returns:
        (...,), (...,): Lower and upper bound [1], with 0 <= lower <= p <= upper <= 1.

    Raises:
        ConfigError: If the level is not between 0 and 1.

    Source: Wilson 1927; recommended by Brown, Cai and DasGupta 2001.
    """
    _check_level(level)
    count, n = np.broadcast_arrays(np.asarray(events, float), np.asarray(size, float))
    z = NormalDist().inv_cdf(0.5 + level / 2)
    n = np.where(n > 0, n, np.nan)
    p = np.clip(count / n, 0.0, 1.0)
    center = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    lower, upper = (center - half) / (1 + z**2 / n), (center + half) / (1 + z**2 / n)
    # Rounding errors may put a bound of 0 at 1e-17, or on the wrong side of p where p is 0 or 1.
    return np.clip(np.minimum(lower, p), 0.0, 1.0), np.clip(np.maximum(upper, p), 0.0, 1.0)


def trial(
    events: ArrayLike, size: ArrayLike, patients: int = TRIAL_SIZE, *, level: float = LEVEL
) -> Bounds:
    """Return the prediction interval of the rate observed in a trial of a given size.

    The number of events K in the trial is beta-binomial: binomial given the rate of the population,
    whose posterior after the simulation is Beta(events + 1/2, size - events + 1/2). With many
    simulated patients it tends to the binomial. The bounds are the smallest counts k with
    P(K <= k) >= (1 - level)/2 and P(K <= k) >= (1 + level)/2, so that the coverage is at least
    `level`.

    Args:
        events (...,): Number of simulated patients with the event [1].
        size (...,): Number of evaluable simulated patients [1]; the bounds are NaN where it is 0.
        patients: Number of patients in the trial, at least 1.
        level: Coverage, between 0 and 1.

    Returns:
        (...,), (...,): Lower and upper bound of the observed rate [1], multiples of 1/patients.

    Raises:
        ConfigError: If the trial has no patients or the level is not between 0 and 1.

    Source: Brown, Cai and DasGupta 2001 for the prior (Jeffreys); Gelman et al., Bayesian Data
        Analysis, section 2.4 for the predictive distribution.
    """
    _check_level(level)
    if patients < 1:
        raise ConfigError("trial size", "the number of patients must be at least 1", patients)
    count, n = np.broadcast_arrays(np.asarray(events, float), np.asarray(size, float))
    known = np.isfinite(count) & np.isfinite(n) & (n > 0)
    seen = np.where(known, np.clip(count, 0.0, n), 0.0)
    rest = np.where(known, n - seen, 1.0)
    below = np.cumsum(beta_binomial(patients, seen + 0.5, rest + 0.5), axis=-1)
    # The last entry is 1 up to rounding; the comparison below must find it.
    below[..., -1] = 1.0
    tail = (1 - level) / 2
    lower = np.argmax(below >= tail, axis=-1) / patients
    upper = np.argmax(below >= 1 - tail, axis=-1) / patients
    return np.where(known, lower, np.nan), np.where(known, upper, np.nan)


def beta_binomial(n: int, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities (..., n + 1) of 0 to n events, by recursion on their ratios."""
    k = np.arange(n)
    ratio = np.log((n - k) / (k + 1)) + np.log(k + a[..., None]) - np.log(n - k - 1 + b[..., None])
    log = np.concatenate([np.zeros((*a.shape, 1)), np.cumsum(ratio, axis=-1)], axis=-1)
    weight = np.exp(log - log.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ConfigError(
            "interval", "the level must be between 0 and 1", level, "Write 0.95 for 95 %"
        )
