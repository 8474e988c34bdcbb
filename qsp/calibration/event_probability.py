"""Probability of CRS after each dose, integrated over the random thresholds of the patients.

Grades that are simulated with random thresholds are whole numbers, so that a rate over a hundred
patients moves in steps of a percent. The thresholds of an event are ``theta * exp(xi)``, where xi
is the sum of a patient's term and a term of the event, both normal. Given the peaks of fever and
leak after each dose the probability over xi has a closed form, which is smooth in all parameters.
It holds only in arms without rules, because rules act on the grades themselves.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import ndtr

NODES = 9
"""Gauss-Hermite nodes of the patient's term."""

_SMALLEST = 1e-12


@dataclasses.dataclass(frozen=True)
class Exposure:
    """Fever and leak after each dose.

    Args:
        fever_peak: (..., patient, dose_period): Fever at the end of its largest rise, NaN if the
            period does not exist.
        fever_trough: (..., patient, dose_period): Fever at the start of this rise. It is that at
            the dose unless the fever of an earlier dose still falls then.
        leak_peak: (..., patient, dose_period): Leak at the end of its largest rise.
    """

    fever_peak: NDArray[np.float64]
    fever_trough: NDArray[np.float64]
    leak_peak: NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Median thresholds and the standard deviations of their logarithms.

    Args:
        fever: Fever at which an event begins.
        leak: Leak at which an event has grade 2.
        sd_patient: Between patients.
        sd_event: Between the events of a patient.
    """

    fever: float
    leak: float
    sd_patient: float
    sd_event: float


@dataclasses.dataclass(frozen=True)
class Probability:
    """Probability of an event that starts after a dose, and after any dose.

    Args:
        by_dose: (..., patient, dose_period): NaN if the period does not exist.
        any_dose: (..., patient).
        by_node: (node, ..., patient, dose_period): The same as `by_dose` at each node of the effect
            of the patient (`hermegauss`), at which doses are independent.
    """

    by_dose: NDArray[np.float64]
    any_dose: NDArray[np.float64]
    by_node: NDArray[np.float64]

    def after_any(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the probability (..., patient) of an event after any of some doses.

        Args:
            chosen: (dose_period,): Whether a dose counts.
        """
        none = np.prod(1.0 - np.nan_to_num(self.by_node[..., chosen]), axis=-1)
        return 1.0 - np.einsum("q,q...->...", node_weights(len(none)), none)


def probabilities(x: Exposure, thresholds: Thresholds) -> tuple[Probability, Probability]:
    """Return the probabilities of CRS of any grade and of grade 2 or higher.

    An event starts after a dose if fever rises through its threshold. It has grade 2 or higher if
    leak also reaches its threshold.

    Args:
        x: Fever and leak after each dose.
        thresholds: Distribution of the thresholds.
    """
    top = _log_ratio(x.fever_peak, thresholds.fever)
    trough = _log_ratio(x.fever_trough, thresholds.fever)
    severe = np.minimum(top, _log_ratio(x.leak_peak, thresholds.leak))
    return _between(trough, top, thresholds), _between(trough, severe, thresholds)


def _log_ratio(value: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    return np.log(np.maximum(value, _SMALLEST) / level)


def _between(
    low: NDArray[np.float64], high: NDArray[np.float64], thresholds: Thresholds
) -> Probability:
    """Probability that ln threshold - ln median lies between two values."""
    nodes, weights = np.asarray(hermegauss(NODES)[0], np.float64), node_weights(NODES)
    patient = (thresholds.sd_patient * nodes).reshape(-1, *([1] * low.ndim))
    sd = thresholds.sd_event
    by_node = np.maximum(ndtr((high - patient) / sd) - ndtr((low - patient) / sd), 0.0)
    none = np.prod(1.0 - np.nan_to_num(by_node), axis=-1)
    return Probability(
        by_dose=np.einsum("q,q...->...", weights, by_node),
        any_dose=1.0 - np.einsum("q,q...->...", weights, none),
        by_node=by_node,
    )


def node_weights(count: int) -> NDArray[np.float64]:
    """Return the weights of a number of Gauss-Hermite nodes, which sum to 1."""
    weights = np.asarray(hermegauss(count)[1], np.float64)
    return weights / weights.sum()
