r"""Convergence of chains: split R-hat and effective sample size.

Each chain is split in two halves, which are the M chains of n steps below. With the variance W
within chains and B/n between their means (Gelman et al. 2013, Bayesian Data Analysis, 11.4),

Eq. W23: $$\hat{R} = \sqrt{\frac{V}{W}}, \quad V = \frac{n - 1}{n} W + \frac{B}{n}$$

The effective sample size has the autocorrelations rho of Vehtari et al. (2021, Bayesian Anal
16:667), with the autocovariance c of a chain. The sum ends before the first pair of neighbors that
is negative, and pairs do not rise (Geyer 1992, Stat Sci 7:473):

Eq. W24: $$\rho_t = 1 - \frac{W - \bar{c}_t}{V}, \quad ESS = \frac{M n}{-1 + 2 \sum_{k \geq 0}
\min_{j \leq k}(\rho_{2j} + \rho_{2j+1})}$$
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def split_rhat(samples: Array) -> Array:
    """Return split R-hat (Eq. W23); NaN if all samples are equal.

    Args:
        samples: (..., chain, step), at least 4 steps.
    """
    within, total, _ = _variances(_halves(samples))
    with np.errstate(invalid="ignore"):
        return np.sqrt(total / np.where(within > 0.0, within, np.nan))


def effective_sample_size(samples: Array) -> Array:
    """Return the effective sample size (Eq. W24), at most M n log10(M n).

    Args:
        samples: (..., chain, step), at least 4 steps.
    """
    halves = _halves(samples)
    within, total, centered = _variances(halves)
    chains, n = halves.shape[-2:]
    lags = [(centered[..., : n - t] * centered[..., t:]).sum(-1).mean(-1) / n for t in range(n)]
    # The variance of Eq. W23 divides by n - 1, so that the autocorrelation at lag 0 is set to 1.
    scale = np.where(total > 0.0, total, np.nan)
    rho = [np.ones_like(within), *(1.0 - (within - c) / scale for c in lags[1:])]
    pairs = np.stack([rho[t] + rho[t + 1] for t in range(0, n - 1, 2)], axis=-1)
    falling = np.minimum.accumulate(np.where(np.isnan(pairs), 0.0, pairs), axis=-1)
    time = -1.0 + 2.0 * np.maximum(falling, 0.0).sum(axis=-1)
    size = chains * n
    found = size / np.maximum(time, 1.0 / np.log10(size))
    return np.where(total > 0.0, found, np.nan)


def _halves(samples: Array) -> Array:
    """Split each chain into two (..., 2 chain, step / 2); a middle step is left out."""
    n = samples.shape[-1] // 2
    if n < 2:
        raise ValueError(f"chains must have at least 4 steps, but have {samples.shape[-1]}")
    return np.concatenate([samples[..., :n], samples[..., -n:]], axis=-2)


def _variances(chains: Array) -> tuple[Array, Array, Array]:
    """Variance within chains, total variance V, and samples minus the mean of their chain."""
    n = chains.shape[-1]
    means = chains.mean(axis=-1)
    centered = chains - means[..., None]
    within = chains.var(axis=-1, ddof=1).mean(axis=-1)
    return within, (n - 1) / n * within + means.var(axis=-1, ddof=1), centered
