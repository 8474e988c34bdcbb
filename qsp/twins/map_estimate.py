r"""Maximum a posteriori estimates of all patients at once, by Levenberg and Marquardt's method.

The estimate of a patient minimizes

Eq. W14: $$F(z) = -2 \ell(z) + z^T z$$

A step of damping lambda, with the score and information H of Eq. W13, is

Eq. W15: $$\Delta z = (A + \lambda \, \mathrm{diag}(A))^{-1} (\nabla \ell - z), \quad A = I + H$$

Several dampings are tried in the same call of the simulator, and the best is kept. A patient whose
search has ended does not move any more, while the others go on.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qsp.errors import ConfigError
from qsp.twins.derivatives import Differences, Expansion, expand, simulate
from qsp.twins.likelihood import Likelihood
from qsp.twins.simulator import Predict
from qsp.twins.sums import sum_in_order

Array = NDArray[np.float64]

_FACTORS = np.array([0.0, 0.1, 1.0, 10.0, 1e3])
"""Dampings that are tried together, as multiples of the current one."""
_DAMPING = (1e-6, 1e-2, 1e6)  # lowest, first, highest


@dataclasses.dataclass(frozen=True)
class Search:
    """How an estimate is searched.

    Args:
        iterations: Largest number of steps.
        tolerance: Decrease of Eq. W14 below which the search of a patient ends.
        differences: Finite differences.
    """

    iterations: int = 8
    tolerance: float = 1e-3
    differences: Differences = dataclasses.field(default_factory=Differences)


@dataclasses.dataclass(frozen=True)
class MapEstimate:
    """Estimates of all patients.

    Args:
        z: (patient, draw).
        log_likelihood: (patient,).
        objective: (patient,): Eq. W14.
        steps: (patient,): Number of steps until the search ended.
        has_converged: (patient,): Whether the search ended before the largest number of steps.
    """

    z: Array
    log_likelihood: Array
    objective: Array
    steps: NDArray[np.int64]
    has_converged: NDArray[np.bool_]


def map_estimate(
    predict: Predict, likelihood: Likelihood, start: Array, search: Search | None = None
) -> MapEstimate:
    """Return the maximum a posteriori estimates.

    Args:
        predict: Simulator.
        likelihood: Data of the patients.
        start: Draws at the start (patient, draw).
        search: How the estimates are searched.

    Raises:
        ConfigError: If the data of a patient are impossible at its start, or its simulation fails.
    """
    search = search or Search()
    z = np.array(start, float)
    value = log_likelihood(predict, likelihood, z[:, None])[:, 0]
    if not np.isfinite(value).all():
        at = np.flatnonzero(~np.isfinite(value)).tolist()
        rule = "the log-likelihood of every patient must be finite at the start"
        raise ConfigError("map_estimate", rule, f"not so for patients {at} of the batch")
    damping = np.full(len(z), _DAMPING[1])
    steps, done = np.zeros(len(z), np.int64), np.zeros(len(z), bool)
    for _ in range(search.iterations):
        local = expand(predict, likelihood, z, search.differences)
        tried = np.clip(damping[:, None] * _FACTORS, 0.0, _DAMPING[2])
        points = z[:, None] + _steps(local, z, tried)
        found = log_likelihood(predict, likelihood, points)
        cost = -2.0 * found + sum_in_order(points * points)
        best = cost.argmin(axis=1)
        pick = np.arange(len(z)), best
        decrease = -2.0 * value + sum_in_order(z * z) - cost[pick]
        better = (decrease > 0.0) & ~done
        z = np.where(better[:, None], points[pick], z)
        value = np.where(better, found[pick], value)
        steps += ~done
        # Without a better point, the search ends once the damping can rise no further.
        stuck = ~(decrease > 0.0) & (damping >= _DAMPING[2])
        done = done | (better & (decrease < search.tolerance)) | stuck
        damping = np.clip(np.where(better, tried[pick], damping * 1e3), _DAMPING[0], _DAMPING[2])
        if done.all():
            break
    return MapEstimate(z, value, -2.0 * value + sum_in_order(z * z), steps, done)


def log_likelihood(predict: Predict, likelihood: Likelihood, draws: Array) -> Array:
    """Return the log-likelihood (patient, simulation) of draws (patient, simulation, draw)."""
    return likelihood.log_likelihood(simulate(predict, likelihood, draws))


def _steps(local: Expansion, z: Array, damping: Array) -> Array:
    """Steps (patient, try, draw) of Eq. W15 for dampings (patient, try)."""
    precision = np.eye(z.shape[1]) + local.information
    scale = np.diagonal(precision, axis1=1, axis2=2)
    damped = (
        precision[:, None] + np.eye(z.shape[1]) * (damping[..., None] * scale[:, None])[..., None]
    )
    gradient = np.broadcast_to((local.score - z)[:, None, :, None], (*damped.shape[:-1], 1))
    return np.asarray(np.linalg.solve(damped, gradient)[..., 0], float)
