r"""Score and information of the draws of all patients, by finite differences.

The rows m of a likelihood (`qsp.twins.likelihood`) are differentiated in the draws z. With the
derivatives G, the gradient and the information of the log-likelihood are

Eq. W13: $$\nabla \ell = \sum_k \frac{d\ell}{dm_k} G_k, \quad H = \sum_k I_k G_k G_k^T, \quad G_k =
\frac{\partial m_k}{\partial z}$$

For normal errors with the variance R this is the sum of G'R^-1 G and half of (d ln R)'(d ln R).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qsp.errors import ConfigError
from qsp.twins.likelihood import Likelihood
from qsp.twins.simulator import Predict
from qsp.twins.sums import weighted_gram, weighted_rows

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Differences:
    """Finite differences in the draws.

    Args:
        step: Step [prior standard deviation]; the default is above the noise of an adaptive solver.
        is_central: Whether differences are central, at twice the number of simulations.
        negligible: Draws that move every row by less than this multiple of its error have
            derivatives of exactly 0, and stay at the prior.
    """

    step: float = 0.1
    is_central: bool = False
    negligible: float = 0.01

    def __post_init__(self) -> None:
        if not (self.step > 0.0 and self.negligible >= 0.0):
            rule = "step must be above 0 and negligible at least 0"
            raise ConfigError("Differences", rule, (self.step, self.negligible))


@dataclasses.dataclass(frozen=True)
class Expansion:
    """The log-likelihood around a point.

    Args:
        log_likelihood: (patient,).
        score: (patient, draw): Gradient.
        information: (patient, draw, draw).
        is_informed: (patient, draw): Whether the data depend on the draw.
    """

    log_likelihood: Array
    score: Array
    information: Array
    is_informed: NDArray[np.bool_]


def expand(predict: Predict, likelihood: Likelihood, z: Array, how: Differences) -> Expansion:
    """Return score and information at the draws of each patient (Eq. W13).

    A derivative whose simulation fails is 0.

    Args:
        predict: Simulator.
        likelihood: Data of the patients.
        z: Draws (patient, draw).
        how: Finite differences.
    """
    moves = how.step * np.eye(z.shape[1])
    moves = np.concatenate([moves, -moves]) if how.is_central else moves
    draws = z[:, None] + np.concatenate([np.zeros((1, z.shape[1])), moves])
    prediction = simulate(predict, likelihood, draws)
    rows = likelihood.rows(prediction)
    with np.errstate(invalid="ignore"):
        if how.is_central:
            high, low = np.split(rows[:, 1:], 2, axis=1)
            slopes = (high - low) / (2.0 * how.step)
        else:
            slopes = (rows[:, 1:] - rows[:, :1]) / how.step
    slopes = np.swapaxes(np.where(np.isfinite(slopes), slopes, 0.0), 1, 2)  # (patient, row, draw)
    score, information = likelihood.weights(prediction[:, 0])
    size = np.sqrt(information)[..., None] * np.abs(slopes)
    is_informed = size.max(axis=1, initial=0.0) > how.negligible
    slopes = np.where(is_informed[:, None], slopes, 0.0)
    return Expansion(
        likelihood.log_likelihood(prediction[:, :1])[:, 0],
        weighted_rows(slopes, score),
        weighted_gram(slopes, information),
        is_informed,
    )


def simulate(predict: Predict, likelihood: Likelihood, draws: Array) -> Array:
    """Return predictions of the shape that the likelihood expects.

    Args:
        predict: Simulator.
        likelihood: Data of the patients.
        draws: (patient, simulation, draw).

    Raises:
        ConfigError: If the simulator returns another shape.
    """
    prediction = np.ascontiguousarray(predict(draws), float)
    expected = (*draws.shape[:2], likelihood.width)
    if prediction.shape != expected:
        rule = f"a simulator must return predictions (patient, simulation, observation) {expected}"
        raise ConfigError("twins", rule, prediction.shape)
    return prediction
