r"""Estimates for each component of a mixture, weighed by their evidence.

No derivative sees a step, such as whether B cells are depleted. The components of a mixture are
therefore enumerated: each has its own estimate and normal approximation. With the prior
probability pi of component c, its probability given the data is

Eq. W19: $$P(c | y) = \frac{\pi_c p(y | c)}{\sum_k \pi_k p(y | k)}$$

with the evidence of Eq. W17.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qsp.errors import ConfigError
from qsp.twins.derivatives import Differences
from qsp.twins.laplace import Laplace, laplace
from qsp.twins.likelihood import Likelihood
from qsp.twins.map_estimate import MapEstimate, Search, map_estimate
from qsp.twins.simulator import MixturePredict, of_component
from qsp.twins.sums import sum_in_order

Array = NDArray[np.float64]

NEGLIGIBLE = 0.01
"""Probability given the data below which a component is dropped (assumed)."""


@dataclasses.dataclass(frozen=True)
class MixtureFit:
    """Estimates of all patients for each component.

    Args:
        prior: (component,): Prior probability.
        estimates: Estimates, by component.
        approximations: Normal approximations, by component.
        probability: (patient, component): Eq. W19; 0 for a component that is dropped.
        log_evidence: (patient,): Of all components.
    """

    prior: Array
    estimates: tuple[MapEstimate, ...]
    approximations: tuple[Laplace, ...]
    probability: Array
    log_evidence: Array


def fit_mixture(
    predict: MixturePredict,
    likelihood: Likelihood,
    prior: Sequence[float],
    start: Array,
    *,
    search: Search | None = None,
    differences: Differences | None = None,
) -> MixtureFit:
    """Return an estimate and an approximation for each component, and their probabilities.

    Args:
        predict: Simulator of a mixture; `qsp.twins.simulator.single` makes one of one component.
        likelihood: Data of the patients.
        prior: Prior probability of each component.
        start: Draws at the start (patient, draw).
        search: How the estimates are searched.
        differences: Finite differences of the approximations; central if not given.

    Raises:
        ConfigError: If the prior probabilities are not above 0 or do not sum to 1.
    """
    weights = np.array(prior, float)
    if weights.ndim != 1 or not (np.all(weights > 0.0) and abs(weights.sum() - 1.0) < 1e-9):
        rule = "the prior probabilities of components must be above 0 and sum to 1"
        raise ConfigError("fit_mixture", rule, weights.tolist())
    estimates, approximations = [], []
    for component in range(len(weights)):
        own = of_component(predict, component)
        found = map_estimate(own, likelihood, start, search)
        estimates.append(found)
        approximations.append(laplace(own, likelihood, found.z, differences))
    joint = np.stack([each.log_evidence for each in approximations], axis=-1) + np.log(weights)
    top = joint.max(axis=-1)
    total = sum_in_order(np.exp(joint - top[:, None]))
    probability = np.exp(joint - top[:, None]) / total[:, None]
    probability = np.where(probability < NEGLIGIBLE, 0.0, probability)
    probability = probability / sum_in_order(probability)[:, None]
    return MixtureFit(
        weights, tuple(estimates), tuple(approximations), probability, top + np.log(total)
    )
