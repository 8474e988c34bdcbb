"""Kaplan-Meier estimate of the time to an event with censored patients, and numbers at risk.

Used for progression-free survival and the durations of response. A patient whose time is NaN, such
as the duration of response of a patient without one, is not in the estimate. A patient who is
censored at the time of an event is at risk for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qsp.endpoints.statistics.interval import LEVEL
from qsp.errors import ConfigError
from qsp.weights import scaled_to_effective_size

# Survival equal to a level up to rounding has reached it.
_ROUNDING = 1e-12

Array = NDArray[np.floating]


@dataclass(frozen=True)
class KaplanMeier:
    """Survival as a function of time, constant between the times of events.

    Args:
        time (step,): Distinct times of events, ascending [day].
        survival (step,): Proportion without the event at and after each time [1].
        lower (step,): Lower bound of the interval of the proportion [1].
        upper (step,): Upper bound [1].
        patients: Number of patients.
        events: Number of events.
    """

    time: Array
    survival: Array
    lower: Array
    upper: Array
    patients: int
    events: int

    def at(self, times: ArrayLike) -> Array:
        """Return the proportion without the event at given times [1].

        Args:
            times (...,): Times [day].
        """
        steps = np.searchsorted(self.time, np.asarray(times, float), side="right")
        return np.concatenate([[1.0], self.survival])[steps]

    def quantile(self, proportion: float = 0.5) -> tuple[float, float, float]:
        """Return the time by which a proportion of the patients had the event, with its interval.

        Args:
            proportion: Proportion between 0 and 1 [1]; 0.5 for the median.

        Returns:
            Time, lower and upper bound [day]; infinite if not reached.

        Source: Brookmeyer and Crowley 1982, Biometrics 38:29, for the interval.
        """
        bounds = (self.survival, self.lower, self.upper)
        first, early, late = (self._first(values, 1.0 - proportion) for values in bounds)
        return first, early, late

    def _first(self, values: Array, level: float) -> float:
        reached = np.flatnonzero(values <= level + _ROUNDING)
        return float(self.time[reached[0]]) if reached.size else np.inf


def kaplan_meier(
    time: ArrayLike, event: ArrayLike, weight: ArrayLike | None = None, *, level: float = LEVEL
) -> KaplanMeier:
    """Return the product-limit estimate ``S(t) = prod over t_k <= t of (1 - d_k/n_k)``.

    d_k is the number of events at time t_k and n_k the number of patients at risk, or the sums of
    their weights. The interval is that of ln(-ln S) with the variance of Greenwood, where the
    weights add up to the effective number of patients. Where no patient remains, S is 0: the lower
    bound is 0 and the upper one that of the step before.

    Args:
        time (patient,): Time to the event or to censoring, not negative [day]; NaN if it does not
            apply.
        event (patient,): Whether the event occurred.
        weight (patient,): Weights, not negative [1]; equal if not given.
        level: Coverage of the interval, between 0 and 1.

    Returns:
        The estimate; without any event it has no steps.

    Raises:
        ConfigError: If the level is not between 0 and 1.

    Source: Kaplan and Meier 1958, J Am Stat Assoc 53:457; Kish 1965 for the effective number.
    """
    if not 0 < level < 1:
        raise ConfigError("interval", "the level must be between 0 and 1", level)
    times, happened = np.asarray(time, float), np.asarray(event, bool)
    weights = np.ones_like(times) if weight is None else np.asarray(weight, float)
    known = np.isfinite(times) & (weights > 0)
    times, happened, weights = times[known], happened[known], weights[known]
    # The weights add up to the effective number of patients.
    weights = scaled_to_effective_size(weights)
    steps = np.unique(times[happened])
    at_risk = _sum_from(times, weights, steps)
    at = np.searchsorted(steps, times[happened])
    died = np.bincount(at, weights[happened], minlength=len(steps)).astype(float)
    # Rounding may leave a rest of 1e-16 where all patients at risk have the event.
    rest = np.where(died >= at_risk * (1 - _ROUNDING), 0.0, at_risk - died)
    survival = np.cumprod(rest / at_risk)
    lower, upper = _bounds(survival, died, at_risk, rest, level)
    return KaplanMeier(steps, survival, lower, upper, int(known.sum()), int(happened.sum()))


def numbers_at_risk(time: ArrayLike, at: ArrayLike) -> NDArray[np.int64]:
    """Return how many patients are under observation without the event just before given times.

    Args:
        time (patient,): Time to the event or to censoring [day]; NaN if it does not apply.
        at (...,): Times, such as the ticks of a figure [day].
    """
    times = np.asarray(time, float)
    times = np.sort(times[np.isfinite(times)])
    return len(times) - np.searchsorted(times, np.asarray(at, float), side="left")


def _sum_from(times: Array, weights: Array, steps: Array) -> Array:
    """Return the sum of the weights of the patients with at least each time."""
    order = np.argsort(times, kind="stable")
    total = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])
    return total[np.searchsorted(times[order], steps, side="left")]


def _bounds(
    survival: Array, died: Array, at_risk: Array, rest: Array, level: float
) -> tuple[Array, Array]:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    ends = survival <= 0.0  # only the last step
    inside = np.where(ends, 0.5, survival)
    variance = np.cumsum(np.where(ends, 0.0, died / np.where(ends, 1.0, at_risk * rest)))
    half = z * np.sqrt(variance) / -np.log(inside)
    lower, upper = inside ** np.exp(half), inside ** np.exp(-half)
    before = np.concatenate([[1.0], upper[:-1]]) if upper.size else upper
    return np.where(ends, 0.0, lower), np.where(ends, before, upper)
