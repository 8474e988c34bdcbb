"""Posteriors that are not normal: quadrature in one draw, and simulation-based calibration."""

import numpy as np
import pytest
from scipy import stats

from qsp.twins.derivatives import Differences
from qsp.twins.diagnostics import effective_sample_size, split_rhat
from qsp.twins.gpcn import Sampling, gpcn
from qsp.twins.likelihood import LinearError, LogError, Measured
from qsp.twins.map_estimate import Search
from qsp.twins.mixture import fit_mixture
from qsp.twins.simulator import single
from tests.twins.closed_forms import one_compartment_oral, study


@pytest.fixture(scope="module")
def skewed():
    """One draw, prediction exp(2 z); one value below 0.3, and one measured as 1.5."""
    measured = Measured(
        np.array([[0.3], [1.5]]), LinearError(additive=0.4), np.array([[True], [False]])
    )

    def predict(z):
        return np.exp(2.0 * z)

    fit = fit_mixture(single(predict), measured, [1.0], np.zeros((2, 1)))
    chains = gpcn(single(predict), measured, fit, np.arange(2), 1, Sampling(64, 60, 600))
    z = np.linspace(-8.0, 4.0, 20001)
    draws = np.tile(z[:, None], (2, 1, 1))
    density = np.exp(measured.log_likelihood(predict(draws)) - 0.5 * z * z)
    return fit, chains, z, density


def test_walkers_agree_with_quadrature(skewed):
    _, chains, z, density = skewed
    for own, weight in zip(chains.z, density, strict=True):
        weight = weight / weight.sum()
        mean = weight @ z
        sd = np.sqrt(weight @ (z - mean) ** 2)
        skew = weight @ ((z - mean) / sd) ** 3
        assert own.mean() == pytest.approx(mean, abs=0.03 * sd)
        assert own.std() == pytest.approx(sd, rel=0.03)
        assert stats.skew(own.ravel()) == pytest.approx(skew, abs=0.15)


def test_step_is_adapted_to_the_acceptance():
    """Two measurements that inform a curved ridge; independent proposals would be rejected."""
    measured = Measured(np.array([[0.0, 2.0]]), LinearError(additive=0.05))

    def predict(z):
        ridge = z[..., 0] ** 2 + z[..., 1] ** 2
        return np.stack([0.05 * z[..., 2], ridge], axis=-1)

    fit = fit_mixture(single(predict), measured, [1.0], np.array([[1.0, 1.0, 0.0]]))
    chains = gpcn(single(predict), measured, fit, np.array([4]), 1, Sampling(64, 200, 100))
    assert chains.beta[0] < 1.0
    assert 0.2 < chains.acceptance[0] < 0.4


REPLICATES, WALKERS = 240, 31


@pytest.fixture(scope="module")
def ranks():
    """Ranks of the truth among walkers, for replicates as patients of one batch.

    Three draws (absorption, clearance, volume), five samples with heavy tails of which the low ones
    are below quantification. Quantities are the draws, the two directions that are informed most
    (functions of the data only), and the log-likelihood.
    """
    random = np.random.default_rng(20)
    truth = random.normal(size=(REPLICATES, 3))
    times = [[(t, 1.0) for t in (1.0, 4.0, 12.0, 24.0, 48.0)]] * REPLICATES
    data = study([[(0.0, 100.0)]] * REPLICATES, times)

    def predict(z):
        ka, cl, v = np.moveaxis(np.array([1.0, 5.0, 50.0]) * np.exp(0.5 * z), -1, 0)
        return one_compartment_oral(data, ka, cl, v) + 1e-9

    error = LogError(0.25)
    exact = np.log(predict(truth[:, None])[:, 0])
    value = np.exp(exact + 0.25 * random.standard_t(5, size=exact.shape))
    limit = 0.1
    measured = Measured(np.maximum(value, limit), error, value < limit)
    assert 0.05 < (value < limit).mean() < 0.3
    search = Search(iterations=15, differences=Differences(step=0.02, negligible=0.0))
    fit = fit_mixture(single(predict), measured, [1.0], np.zeros((REPLICATES, 3)), search=search)
    ids = np.arange(REPLICATES)
    chains = gpcn(single(predict), measured, fit, ids, 2, Sampling(WALKERS, 60, 200))
    directions = fit.approximations[0].directions[:, :, :0:-1]
    samples = chains.z[:, :, -1]
    quantities = [
        (samples, truth[:, None]),
        (samples @ directions, truth[:, None] @ directions),
        (
            chains.log_likelihood[:, :, -1:],
            measured.log_likelihood(predict(truth[:, None]))[..., None],
        ),
    ]
    found = np.concatenate([(a < b).sum(axis=1) for a, b in quantities], axis=-1)
    return found, chains, directions


def chance(ranks):
    """Probability of a chi-square as large with uniform ranks, in 8 bins."""
    counts = np.histogram(ranks, bins=8, range=(-0.5, WALKERS + 0.5))[0]
    return stats.chisquare(counts).pvalue


def test_ranks_of_the_truth_are_uniform(ranks):
    found, *_ = ranks
    assert found.shape == (REPLICATES, 6)
    for quantity in range(6):
        assert chance(found[:, quantity]) > 0.01 / 6


def test_too_narrow_posteriors_would_be_seen():
    """Walkers with 0.7 of the standard deviation of the truth."""
    random = np.random.default_rng(3)
    truth = random.normal(size=(REPLICATES, 1))
    walkers = 0.7 * random.normal(size=(REPLICATES, WALKERS))
    assert chance((walkers < truth).sum(axis=1)) < 0.01 / 6


def test_chains_of_the_replicates_have_converged(ranks):
    """Split R-hat below 1.05 and more than 100 effective samples in 95 % of patients."""
    _, chains, directions = ranks
    samples = np.moveaxis(np.concatenate([chains.z, chains.z @ directions[:, None]], -1), -1, 1)
    converged = (split_rhat(samples) < 1.05) & (effective_sample_size(samples) > 100)
    assert converged.all(axis=1).mean() > 0.95
    assert ((chains.acceptance > 0.15) & (chains.acceptance < 0.7)).mean() > 0.95
