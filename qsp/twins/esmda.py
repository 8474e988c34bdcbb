r"""Ensemble smoother with multiple data assimilation, an independent check of the posterior.

An ensemble from the prior is moved to the data in K steps, each with the variance of the errors
multiplied by K (Emerick and Reynolds 2013, Comput Geosci 55:3). With predictions m and values x in
units of the error, deviations Z and M from the means of the ensemble, and noise epsilon,

Eq. W25: $$z_j \leftarrow z_j + Z M^T (M M^T + K (N_e - 1) I)^{-1} (x + \sqrt{K} \epsilon_j - m_j)$$

The product is computed as Z (M'M + K (N_e - 1) I)^-1 M', whose size does not depend on the number
of measurements. The method is exact for linear predictions and normal
errors as the ensemble grows. Errors with heavy tails count with the variance 1/I of Eq. W6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qsp.errors import ConfigError
from qsp.twins.derivatives import simulate
from qsp.twins.likelihood import Measured
from qsp.twins.random_numbers import RandomNumbers
from qsp.twins.simulator import Predict
from qsp.twins.sums import sum_in_order

Array = NDArray[np.float64]

LEAST_MEMBERS = 300
"""Members below which intervals are too narrow: coverage was 0.81 with 100, 0.91 with 300."""


def esmda(  # noqa: PLR0913
    predict: Predict,
    measured: Measured,
    dimension: int,
    ids: NDArray[np.int64],
    seed: int,
    *,
    members: int = LEAST_MEMBERS,
    steps: int = 4,
) -> Array:
    """Return an ensemble from the posterior of each patient (patient, member, draw).

    Args:
        predict: Simulator.
        measured: Measurements, none of them below quantification.
        dimension: Number of draws.
        ids: Patient ids (patient,), whole numbers.
        seed: Seed of the study.
        members: Number of members.
        steps: Number of steps K.

    Raises:
        ConfigError: If there are too few members, or values below quantification.
    """
    if members < LEAST_MEMBERS:
        raise ConfigError("esmda", f"members must be at least {LEAST_MEMBERS}", members)
    if np.any(np.asarray(measured.is_below) & np.asarray(measured.is_used)):
        rule = "measurements must not be below quantification"
        raise ConfigError("esmda", rule, todo="Use gpcn, whose likelihood contains them")
    random = RandomNumbers(seed, ids, "esmda")
    z = random.normals(0, members, dimension)
    for step in range(1, steps + 1):
        prediction = simulate(predict, measured, z)
        _, precision = measured.weights(sum_in_order(np.moveaxis(prediction, 1, -1)) / members)
        root = np.where(np.asarray(measured.is_used), np.sqrt(precision), 0.0)[:, None]
        rows = np.where(root > 0.0, measured.rows(prediction), 0.0) * root
        noise = np.sqrt(steps) * random.normals(step, rows.shape[2], members)
        missing = np.where(root > 0.0, measured.observed[:, None] * root - rows, 0.0)
        missing = missing + np.swapaxes(noise, 1, 2) * (root > 0.0)
        z = z + _move(_deviation(z), _deviation(rows), missing, steps * (members - 1.0))
    return z


def _move(z: Array, rows: Array, missing: Array, alpha: float) -> Array:
    """Change of the members in Eq. W25."""
    gram, right = np.zeros((2, len(z), z.shape[1], z.shape[1]))
    for k in range(rows.shape[2]):
        row = rows[:, :, None, k]
        gram = gram + row * rows[:, None, :, k]
        right = right + row * missing[:, None, :, k]
    weights = np.linalg.solve(gram + alpha * np.eye(z.shape[1]), right)
    return np.ascontiguousarray(np.swapaxes(weights, 1, 2)) @ z


def _deviation(values: Array) -> Array:
    """Deviations from the mean over members (patient, member, column)."""
    return values - (sum_in_order(np.moveaxis(values, 1, -1)) / values.shape[1])[:, None]
