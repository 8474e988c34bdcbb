r"""Likelihood of the grades of CRS after each dose, integrated over the random thresholds.

Given the effect of the patient, events of different doses are independent (Eq. V13). The event of
dose d reaches grade g if its threshold lies between the trough of fever before the rise and the
lower of the peaks of fever and leak, each over its median threshold, so that Eq. V15 has one
interval. With the probability Q of at least a grade (Q of grade 0 is 1, of grade 5 is 0),

Eq. W9: $$Q_{d,g}(\xi) = \left[\Phi\left(\frac{b_{d,g} - \omega_{level} \xi}{\omega_{event}}\right)
- \Phi\left(\frac{a_d - \omega_{level} \xi}{\omega_{event}}\right)\right]_+, \quad a_d = \ln
\frac{x_{trough,d}}{\theta_{0,1}}, \quad b_{d,g} = \min\left(\ln \frac{x_{peak,d}}{\theta_{0,1}},
\ln \frac{W_{peak,d}}{\theta_{0,g}}\right)$$

A reported grade is wrong with the probability epsilon, and then any other grade is as probable:

Eq. W10: $$p_{d,g}(\xi) = (1 - \epsilon) (Q_{d,g} - Q_{d,g+1}) + \frac{\epsilon}{4} (1 - Q_{d,g} +
Q_{d,g+1})$$

The log-likelihood of the grades of a patient is an integral over the effect of the patient, with
nodes and weights of Gauss-Hermite quadrature:

Eq. W11: $$\ell = \ln \sum_q w_q \prod_d p_{d,g_d}(\xi_q)$$

Its information about the draws z is that of the doses one by one, which neglects that they share
the effect of the patient:

Eq. W12: $$I = \sum_d \sum_g \frac{1}{P_{d,g}} \frac{\partial P_{d,g}}{\partial z} \frac{\partial
P_{d,g}}{\partial z}^T, \quad P_{d,g} = \sum_q w_q p_{d,g}(\xi_q)$$

The integral holds for events that end before the next dose, under doses that do not depend on the
grades. For events that run on, see `qsp.calibration.grade_probability`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from qsp.calibration.grade_probability import GradeThresholds, patient_nodes
from qsp.errors import ConfigError
from qsp.twins.sums import sum_in_order

Array = NDArray[np.float64]

HIGHEST = 4
"""Highest grade; the model has no grade 5 (death)."""
WRONG = 0.02
"""Probability that a reported grade is wrong (assumed)."""
NOT_OBSERVED = -1
"""Grade of a dose period that was not observed or does not exist."""
_TINY = 1e-12
"""Lowest fever and leak, whose logarithm is finite."""


@dataclasses.dataclass(frozen=True)
class Grades:
    """Highest grade of CRS in each dose period.

    Predictions of a simulation are troughs of fever before its largest rise (dose), then peaks of
    fever (dose), then peaks of leak (dose), as in `qsp.calibration.event_probability.Exposure`.

    Args:
        grade: (patient, dose): 0 to 4, or `NOT_OBSERVED`.
        thresholds: Distribution of the thresholds of the four grades.
        wrong: Probability that a reported grade is wrong; above 0, so that no report is impossible.

    Raises:
        ConfigError: If a grade, the number of thresholds or `wrong` is invalid.
    """

    grade: NDArray[np.int64]
    thresholds: GradeThresholds
    wrong: float = WRONG

    def __post_init__(self) -> None:
        grade = np.array(self.grade)
        valid = np.isin(grade, np.arange(NOT_OBSERVED, HIGHEST + 1))
        if grade.ndim != 2 or not valid.all():
            rule = "grades (patient, dose) must be whole numbers from 0 to 4, or -1 if not observed"
            raise ConfigError("Grades", rule, grade[~valid].tolist() or grade.shape)
        if len(self.thresholds.level) != HIGHEST:
            rule = "thresholds must have four levels"
            raise ConfigError("Grades", rule, len(self.thresholds.level))
        if not 0.0 < self.wrong < 1.0:
            raise ConfigError("Grades", "wrong must be above 0 and below 1", self.wrong)
        object.__setattr__(self, "grade", grade.astype(np.int64))

    @property
    def width(self) -> int:
        """Number of predictions of a simulation."""
        return 3 * self.grade.shape[1]

    def log_likelihood(self, prediction: Array) -> Array:
        """Return the log-likelihood (patient, simulation), Eq. W11; -inf if a prediction is NaN."""
        found = self._log_likelihood(self._by_node(prediction))
        observed = np.tile(self.grade != NOT_OBSERVED, 3)[:, None]
        failed = (observed & ~np.isfinite(prediction)).any(axis=-1)
        return np.where(failed, -np.inf, found)

    def rows(self, prediction: Array) -> Array:
        """Return P of Eq. W12, by dose and grade, and the log-likelihood as the last row."""
        by_node = self._by_node(prediction)
        _, weights = patient_nodes()
        marginal = sum_in_order(np.moveaxis(by_node, 0, -1) * weights)
        flat = marginal.reshape(*marginal.shape[:2], -1)
        return np.concatenate([flat, self._log_likelihood(by_node)[..., None]], axis=-1)

    def weights(self, prediction: Array) -> tuple[Array, Array]:
        """Return the weights of the rows: the score is that of the last, Eq. W12 of the others."""
        marginal = self.rows(prediction[:, None])[:, 0, :-1]
        observed = np.repeat(self.grade != NOT_OBSERVED, HIGHEST + 1, axis=1)
        last = np.ones((len(marginal), 1))
        score = np.concatenate([np.zeros_like(marginal), last], axis=-1)
        return score, np.concatenate([np.where(observed, 1.0 / marginal, 0.0), 0.0 * last], axis=-1)

    def _log_likelihood(self, by_node: Array) -> Array:
        """Log-likelihood from p of Eq. W10 (node, patient, simulation, dose, grade)."""
        _, weights = patient_nodes()
        at = np.maximum(self.grade, 0)[None, :, None, :, None]
        own = np.take_along_axis(by_node, np.broadcast_to(at, (*by_node.shape[:-1], 1)), -1)[..., 0]
        observed = (self.grade != NOT_OBSERVED)[:, None]
        logs = sum_in_order(np.where(observed, np.log(np.ascontiguousarray(own)), 0.0))
        top = logs.max(axis=0)
        return top + np.log(sum_in_order(np.moveaxis(np.exp(logs - top), 0, -1) * weights))

    def _by_node(self, prediction: Array) -> Array:
        """Return p of Eq. W10 (node, patient, simulation, dose, grade)."""
        level = np.asarray(self.thresholds.level, float)
        known = np.where(np.isfinite(prediction), prediction, 0.0)
        trough, peak, leak = np.split(np.log(np.maximum(known, _TINY)), 3, axis=-1)
        nodes, _ = patient_nodes()
        center = self.thresholds.sd_patient * nodes.reshape(-1, 1, 1, 1)

        def cdf(end: Array) -> Array:
            return ndtr((end - center) / self.thresholds.sd_event)

        low, high = cdf(trough - np.log(level[0])), peak - np.log(level[0])
        ends = [high, *(np.minimum(high, leak - np.log(each)) for each in level[1:])]
        at_least = [np.maximum(cdf(end) - low, 0.0) for end in ends]
        bounds = np.stack([np.ones_like(low), *at_least, np.zeros_like(low)], axis=-1)
        true = np.maximum(bounds[..., :-1] - bounds[..., 1:], 0.0)
        return (1.0 - self.wrong) * true + self.wrong / HIGHEST * (1.0 - true)
