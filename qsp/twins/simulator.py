r"""Simulators of twins: any function from random draws to predictions.

Draws z are independent standard normal numbers a priori. A model whose random effects have another
covariance is written in z by the Cholesky factor L of the covariance:

Eq. W1: $$\eta = L z, \quad L L^T = \Omega, \quad z \sim N(0, I)$$
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qsp.errors import ConfigError

Array = NDArray[np.float64]
Index = NDArray[np.int64]

Predict: TypeAlias = Callable[[Array], Array]
"""From draws (patient, simulation, draw) to predictions (patient, simulation, observation).

The patients are those of the data, in their order. Observations that a patient does not have are
padded with any finite number. A simulation that failed has predictions that are not finite.
"""

MixturePredict: TypeAlias = Callable[[Array, Index], Array]
"""The same for a mixture, with the component (patient, simulation) of each simulation."""


def single(predict: Predict) -> MixturePredict:
    """Return a mixture of one component."""
    return lambda draws, component: predict(draws)


def of_component(predict: MixturePredict, component: int) -> Predict:
    """Return the simulator of one component of a mixture."""
    return lambda draws: predict(draws, np.full(draws.shape[:2], component))


def with_covariance(predict: Predict, covariance: Array) -> tuple[Predict, Array]:
    """Return a simulator of standard normal draws, and the factor L of Eq. W1.

    Args:
        predict: Simulator of random effects (patient, simulation, draw) with mean 0.
        covariance: Covariance of the random effects (draw, draw).

    Raises:
        ConfigError: If the covariance is not symmetric and positive definite.
    """
    covariance = np.asarray(covariance, float)
    rule = "the covariance of the random effects must be symmetric and positive definite"
    if covariance.ndim != 2 or not np.array_equal(covariance, covariance.T):
        raise ConfigError("twins", rule, covariance.tolist())
    try:
        factor = np.asarray(np.linalg.cholesky(covariance), float)
    except np.linalg.LinAlgError:
        raise ConfigError("twins", rule, covariance.tolist()) from None
    return lambda draws: predict(draws @ factor.T), factor
