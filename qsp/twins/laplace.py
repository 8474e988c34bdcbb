r"""Normal approximation of the posterior around the estimate of each patient.

The precision at the estimate is that of the prior plus the information of the data (Eq. W13). For
normal errors with the variance R, in random effects with the covariance Omega, it is

Eq. W16: $$A = \Omega^{-1} + G^T R^{-1} G + \tfrac{1}{2} (d \ln R)^T (d \ln R)$$

and contains the rows below quantification (Eq. W8). In standard normal draws Omega is I. The
evidence of the data, with the integral over the draws approximated, is

Eq. W17: $$\ln p(y) = \ell(\hat{z}) - \tfrac{1}{2} \hat{z}^T \hat{z} - \tfrac{1}{2} \ln \det A$$

In many dimensions, the posterior is wider than at its mode along the directions that the data
inform most. The coordinates of `qsp.twins.gpcn` therefore have twice the variance along
eigenvectors of A with a precision above 5, with eigenvalues a and eigenvectors v:

Eq. W18: $$C = \sum_i \frac{\kappa_i}{a_i} v_i v_i^T, \quad \kappa_i = 2 \text{ if } a_i > 5
\text{ else } 1, \quad S = \left(v_i \sqrt{\kappa_i / a_i}\right)_i, \quad S S^T = C$$
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qsp.twins.derivatives import Differences, expand
from qsp.twins.likelihood import Likelihood
from qsp.twins.simulator import Predict
from qsp.twins.sums import sum_in_order

Array = NDArray[np.float64]

STIFF, INFLATION = 5.0, 2.0
"""Precision above which the variance is inflated, and the factor (measured in SBC; Eq. W18)."""


@dataclasses.dataclass(frozen=True)
class Laplace:
    """Normal approximation of the posterior of each patient.

    Args:
        mean: (patient, draw).
        precision: (patient, draw, draw): Matrix A of Eq. W16.
        eigenvalues: (patient, direction): Of A, ascending; 1 is the prior.
        directions: (patient, draw, direction): Eigenvectors of A.
        log_evidence: (patient,): Eq. W17.
    """

    mean: Array
    precision: Array
    eigenvalues: Array
    directions: Array
    log_evidence: Array

    @property
    def covariance(self) -> Array:
        """Inverse of the precision (patient, draw, draw), without inflation."""
        scaled = self.directions / self.eigenvalues[:, None]
        return scaled @ np.ascontiguousarray(np.swapaxes(self.directions, 1, 2))

    @property
    def scale(self) -> Array:
        """Factor S of the inflated covariance (patient, draw, direction), Eq. W18."""
        inflation = np.where(self.eigenvalues > STIFF, INFLATION, 1.0)
        return self.directions * np.sqrt(inflation / self.eigenvalues)[:, None]

    @property
    def log_det_scale(self) -> Array:
        """Logarithm of the determinant of S (patient,)."""
        inflation = np.where(self.eigenvalues > STIFF, INFLATION, 1.0)
        return 0.5 * sum_in_order(np.log(inflation / self.eigenvalues))


def laplace(
    predict: Predict, likelihood: Likelihood, z: Array, differences: Differences | None = None
) -> Laplace:
    """Return the normal approximation around estimates.

    Args:
        predict: Simulator.
        likelihood: Data of the patients.
        z: Estimates (patient, draw).
        differences: Finite differences; central with the default step if not given.
    """
    how = differences or Differences(is_central=True)
    local = expand(predict, likelihood, np.asarray(z, float), how)
    precision = np.eye(z.shape[1]) + local.information
    eigenvalues, directions = np.linalg.eigh(precision)
    evidence = local.log_likelihood - 0.5 * (
        sum_in_order(z * z) + sum_in_order(np.log(eigenvalues))
    )
    return Laplace(np.array(z, float), precision, eigenvalues, directions, evidence)
