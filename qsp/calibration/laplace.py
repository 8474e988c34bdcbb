"""Laplace approximation of a fit: a normal distribution of its whitened parameters.

The prior of the whitened parameters is N(0, I), and residuals are divided by their errors. With the
Jacobian J of the residuals at the fit, the covariance is (J'J + I)^-1. Large residuals are damped
as in the fit, whose Jacobian is that of the damped residuals.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

LEARNED = 0.5
"""Posterior over prior sd below which the data determine a direction; assumed."""


@dataclasses.dataclass(frozen=True)
class Laplace:
    """Normal distribution of whitened parameters around a fit.

    Args:
        names: Names of the parameters.
        z: Whitened parameters of the fit (parameter,).
        jacobian: Derivatives of the residuals (residual, parameter).
    """

    names: tuple[str, ...]
    z: np.ndarray
    jacobian: np.ndarray

    @property
    def has_derivatives(self) -> bool:
        """Whether the fit computed a Jacobian; without one nothing is known but the prior."""
        return bool(np.any(self.jacobian))

    @functools.cached_property
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Posterior sd (direction,), smallest first, and unit vectors (parameter, direction).

        Each is relative to the prior, in which every direction has the sd 1.
        """
        information, vectors = np.linalg.eigh(self.jacobian.T @ self.jacobian)
        sd = 1.0 / np.sqrt(1.0 + np.maximum(information, 0.0))
        return sd[::-1], vectors[:, ::-1]

    @functools.cached_property
    def covariance(self) -> np.ndarray:
        """Covariance of the whitened parameters (parameter, parameter)."""
        sd, vectors = self.directions
        return (vectors * sd**2) @ vectors.T

    @functools.cached_property
    def sd(self) -> np.ndarray:
        """Posterior over prior sd of each parameter (parameter,)."""
        return np.sqrt(np.diag(self.covariance))

    def correlation(self, first: str, second: str) -> float:
        """Return the posterior correlation of two parameters."""
        i, j = self.names.index(first), self.names.index(second)
        return float(self.covariance[i, j] / (self.sd[i] * self.sd[j]))

    def at(self, normal: np.ndarray) -> np.ndarray:
        """Return whitened parameters (..., parameter) at independent standard normal draws.

        The symmetric root of the covariance is used, which does not depend on the signs of the
        directions.

        Args:
            normal: Standard normal draws (..., parameter).
        """
        sd, vectors = self.directions
        return self.z + normal @ (vectors * sd) @ vectors.T
