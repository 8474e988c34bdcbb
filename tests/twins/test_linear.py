"""All methods on linear predictions with normal errors, against the analytic posterior."""

import numpy as np
import pytest

from qsp.errors import ConfigError
from qsp.twins.derivatives import Differences
from qsp.twins.diagnostics import effective_sample_size, split_rhat
from qsp.twins.esmda import esmda
from qsp.twins.gpcn import Sampling, gpcn
from qsp.twins.laplace import STIFF, laplace
from qsp.twins.map_estimate import Search, map_estimate
from qsp.twins.mixture import fit_mixture
from qsp.twins.simulator import single, with_covariance
from tests.twins.linear import Linear

CASE = Linear.random(seed=1, patients=4, observations=3, draws=6)
IDS = np.array([3, 14, 15, 92])
ALL = Differences(negligible=0.0)
SEARCH = Search(iterations=20, tolerance=1e-14, differences=ALL)
CENTRAL = Differences(is_central=True, negligible=0.0)


def fitted(case, prior=(1.0,)):
    start = np.zeros((len(case.value), case.slopes.shape[2]))
    return fit_mixture(
        case.predict, case.measured, prior, start, search=SEARCH, differences=CENTRAL
    )


def test_estimate_and_approximation_are_exact():
    mean, covariance = CASE.posterior()
    fit = fitted(CASE)
    np.testing.assert_allclose(fit.estimates[0].z, mean, atol=1e-8)
    around = fit.approximations[0]
    np.testing.assert_allclose(around.covariance, covariance, atol=1e-10)
    np.testing.assert_allclose(around.log_evidence, CASE.log_evidence()[:, 0], atol=1e-8)


def test_variance_is_doubled_along_stiff_directions_only():
    around = fitted(CASE).approximations[0]
    inflated = around.scale @ np.swapaxes(around.scale, 1, 2)
    for direction in range(6):
        v = around.directions[:, :, direction]
        ratio = np.einsum("pi,pij,pj->p", v, inflated, v) * around.eigenvalues[:, direction]
        stiff = around.eigenvalues[:, direction] > STIFF
        np.testing.assert_allclose(ratio, np.where(stiff, 2.0, 1.0))
    assert (around.eigenvalues > STIFF).any()
    log_det = np.linalg.slogdet(around.scale)[1]
    np.testing.assert_allclose(around.log_det_scale, log_det)


def test_walkers_sample_the_posterior():
    mean, covariance = CASE.posterior()
    chains = gpcn(
        single(CASE.simulate), CASE.measured, fitted(CASE), IDS, 5, Sampling(32, 100, 400)
    )
    samples = np.moveaxis(chains.z, -1, 1)
    assert (split_rhat(samples) < 1.02).all()
    ess = effective_sample_size(samples)
    assert (ess > 500).all()
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    error = (samples.mean(axis=(2, 3)) - mean) / (sd / np.sqrt(ess))
    assert np.abs(error).max() < 3.5
    flat = samples.reshape(4, 6, -1)
    for own, expected in zip(flat, covariance, strict=True):
        np.testing.assert_allclose(np.cov(own), expected, atol=0.08)
    # The approximation is exact but for its inflation: independent proposals are best.
    np.testing.assert_array_equal(chains.beta, 1.0)


def test_ensemble_smoother_agrees():
    mean, covariance = CASE.posterior()
    ensemble = esmda(CASE.simulate, CASE.measured, 6, IDS, seed=5, members=1000)
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert (np.abs(ensemble.mean(axis=1) - mean) / sd).max() < 0.15
    for own, expected in zip(ensemble, covariance, strict=True):
        np.testing.assert_allclose(np.cov(own.T), expected, atol=0.1)


def test_few_members_are_refused():
    with pytest.raises(ConfigError, match="members must be at least 300, but is 100"):
        esmda(CASE.simulate, CASE.measured, 6, IDS, seed=5, members=100)


MIXTURE = Linear.random(seed=2, patients=5, observations=3, draws=4, offset=(0.0, 1.5, 25.0))
PRIOR = (0.5, 0.3, 0.2)


def test_components_are_weighed_by_their_evidence():
    joint = MIXTURE.log_evidence() + np.log(PRIOR)
    fit = fitted(MIXTURE, PRIOR)
    np.testing.assert_allclose(fit.log_evidence, np.logaddexp.reduce(joint, axis=1), atol=1e-7)
    expected = np.exp(joint - fit.log_evidence[:, None])
    assert (expected[:, 2] < 0.01).all()
    expected[expected < 0.01] = 0.0
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit.probability, expected, atol=1e-7)


def test_walkers_visit_the_components_with_their_probability():
    expected = np.exp(MIXTURE.log_evidence() + np.log(PRIOR))
    expected /= expected.sum(axis=1, keepdims=True)
    fit = fitted(MIXTURE, PRIOR)
    chains = gpcn(MIXTURE.predict, MIXTURE.measured, fit, np.arange(5), 6, Sampling(32, 100, 1500))
    found = (chains.component[..., None] == np.arange(3)).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert ((expected > 0.1) & (expected < 0.9)).any()


@pytest.mark.parametrize("prior", [(0.5, 0.4, 0.2), (1.0, 0.0, 0.0)])
def test_prior_probabilities_are_checked(prior):
    with pytest.raises(ConfigError, match="must be above 0 and sum to 1"):
        fitted(MIXTURE, prior)


def test_draws_without_effect_stay_at_the_prior_exactly():
    """The last draw moves a measurement by 0.5 % of its error."""
    slopes = CASE.slopes.copy()
    slopes[..., -1] *= 0.0025 / np.abs(slopes[..., -1]).max(axis=1, keepdims=True)
    case = Linear(slopes, CASE.value, CASE.offset)
    z = np.full((4, 6), 0.3)
    found = map_estimate(case.simulate, case.measured, z, Search(iterations=20, tolerance=1e-14))
    np.testing.assert_allclose(found.z[:, -1], 0.0, atol=1e-12)
    around = laplace(case.simulate, case.measured, found.z)
    np.testing.assert_array_equal(around.precision[:, -1], np.tile(np.eye(6)[-1], (4, 1)))


def test_search_stops_at_a_failed_start():
    with pytest.raises(ConfigError, match=r"finite at the start, but is not so for patients \[1\]"):
        map_estimate(
            lambda z: np.where(np.arange(4)[:, None, None] == 1, np.nan, CASE.simulate(z)),
            CASE.measured,
            np.zeros((4, 6)),
        )


def test_failed_simulations_are_avoided():
    """Simulations fail where the first draw exceeds its start; all others go on."""

    def predict(z):
        return np.where(z[..., :1] > 0.0, np.nan, CASE.simulate(z))

    found = map_estimate(predict, CASE.measured, np.zeros((4, 6)), SEARCH)
    assert np.isfinite(found.objective).all()
    assert (found.z[:, 0] <= 0.0).all()


def test_wrong_shape_of_predictions_is_refused():
    with pytest.raises(ConfigError, match=r"\(4, 1, 3\), but is \(4, 1, 2\)"):
        map_estimate(lambda z: CASE.simulate(z)[..., :2], CASE.measured, np.zeros((4, 6)))


@pytest.mark.parametrize("omega", [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.4, 1.0]]])
def test_covariance_must_be_positive_definite(omega):
    with pytest.raises(ConfigError, match="symmetric and positive definite"):
        with_covariance(CASE.simulate, omega)
