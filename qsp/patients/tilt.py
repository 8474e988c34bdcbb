r"""Weights of patients that meet published shares and differ least from their weights before.

The weights minimize the relative entropy to the weights q before, and the distance of the shares
from the published ones in units of their sampling covariance R,

    sum_i w_i ln(w_i / q_i) + r' R^-1 r / 2,   r = sum_i w_i g_i,

where the feature g_ik of patient i is 1 or 0 (a value of at most the k-th published one, or above)
minus the published share. They are an exponential tilt, w_i ~ q_i exp(l' g_i); the multipliers l
are the minimum of a convex function of as many variables as there are published shares. A feature
is 0 in patients without a value, so that shares are those of the patients with one.

Source: Csiszar 1975, Ann Probab 3:146 (relative entropy and exponential tilts); Dudik, Phillips and
Schapire 2007, J Mach Learn Res 8:1217 (regularized maximum entropy).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_STEPS = 1000
CLOSE = 1e-10
"""Largest component of the gradient at the minimum [1]."""
_ENOUGH = 1e-4
"""Part of the predicted decrease that a step must reach (Armijo)."""
_SMALLEST = 1e-10
"""Smallest part of a Newton step."""
_ROUNDING = 1e-14
"""Rounding of the minimized value, relative to it."""

Floats = NDArray[np.float64]


class Tilt(NamedTuple):
    """Weights and their multipliers.

    Args:
        weight (patient,): Weights that add up to 1.
        multipliers (feature,): Multipliers of the features.
        converged: Whether the gradient vanishes. Without a ridge it does not if no weights above 0
            meet all shares.
    """

    weight: Floats
    multipliers: Floats
    converged: bool


def features(values: Floats, at_most: Floats, shares: Floats) -> Floats:
    """Return the features of the points of one distribution.

    Args:
        values (patient,): Values; NaN if missing.
        at_most (point,): Published values, in the same unit.
        shares (point,): Published proportions with at most this value [1].

    Returns:
        (patient, point): Indicator minus share; 0 in patients without a value.
    """
    known = np.isfinite(values)
    return np.where(known[:, None], (values[:, None] <= at_most) - shares, 0.0)


def tilt(feature: Floats, prior: Floats, ridge: Floats) -> Tilt:
    """Return the weights that meet the shares, by Newton's method with step halving.

    Args:
        feature (patient, feature): Features, from `features`.
        prior (patient,): Weights before, not negative, on any scale.
        ridge (feature, feature): Covariance of the published shares; 0 to meet them exactly.
    """
    prior = prior / prior.sum()
    multipliers = np.zeros(feature.shape[1])
    weight, value = _weights(feature, prior, multipliers)
    for _ in range(MOST_STEPS):
        mean = weight @ feature
        gradient = mean + ridge @ multipliers
        if np.abs(gradient).max(initial=0.0) < CLOSE:
            return Tilt(weight, multipliers, True)
        curvature = (feature * weight[:, None]).T @ feature - np.outer(mean, mean) + ridge
        step = -np.linalg.lstsq(curvature, gradient, rcond=1e-12)[0]
        size, slope = 1.0, gradient @ step
        before = value + multipliers @ ridge @ multipliers / 2
        weight, value = _weights(feature, prior, multipliers + step)
        while size > _SMALLEST:
            tried = multipliers + size * step
            after = value + tried @ ridge @ tried / 2
            rounding = _ROUNDING * max(1.0, abs(before))
            if after <= before + _ENOUGH * size * slope + rounding:
                break
            size /= 2
            weight, value = _weights(feature, prior, multipliers + size * step)
        multipliers = multipliers + size * step
    return Tilt(weight, multipliers, False)


def _weights(feature: Floats, prior: Floats, multipliers: Floats) -> tuple[Floats, float]:
    """Return the tilted weights, and the logarithm of their sum before they are normalized."""
    exponent = feature @ multipliers
    largest = exponent.max()
    raised = prior * np.exp(exponent - largest)
    total = raised.sum()
    return raised / total, float(largest + np.log(total))
