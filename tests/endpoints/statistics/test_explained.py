"""Shares of a variance that covariates explain, against regressions and known populations."""

import math

import numpy as np
import pytest
import scipy.stats

from qsp.endpoints.statistics.explained import explained


def regression(response, *covariates):
    """R^2 of ordinary least squares with an intercept."""
    design = np.stack([np.ones_like(response), *covariates], axis=1)
    rest = response - design @ np.linalg.lstsq(design, response, rcond=None)[0]
    return 1.0 - rest.var() / response.var()


def test_shares_are_those_of_regressions_on_the_data():
    random = np.random.default_rng(4)
    x = random.normal(size=(3, 200))
    x[2] += 0.8 * x[0]
    y = 2.0 * x[0] - x[1] + random.normal(size=200)
    found = explained(np.corrcoef([y, *x]), 200)
    assert found.value == pytest.approx(regression(y, *x), rel=1e-10)
    assert found.alone == pytest.approx([regression(y, each) for each in x], rel=1e-10)
    others = [regression(y, *np.delete(x, n, axis=0)) for n in range(3)]
    assert found.added == pytest.approx(found.value - np.array(others), abs=1e-10)
    assert found.adjusted == pytest.approx(1 - (1 - found.value) * 199 / 196, rel=1e-10)


def test_collinear_covariates_explain_together_what_one_explains():
    one = np.array([[1.0, 0.6], [0.6, 1.0]])
    two = np.array([[1.0, 0.6, -0.6], [0.6, 1.0, -1.0], [-0.6, -1.0, 1.0]])
    assert explained(one, 100).value == pytest.approx(0.36)
    found = explained(two, 100)
    assert found.value == pytest.approx(0.36)
    assert found.alone == pytest.approx([0.36, 0.36])
    assert found.added == pytest.approx([0.0, 0.0], abs=1e-12)


def test_interval_of_one_covariate_is_near_that_of_fisher():
    """r = 1/2 in 1,003 patients: tanh(atanh(1/2) -+ 1.96 / sqrt(1000))^2."""
    found = explained(np.array([[1.0, 0.5], [0.5, 1.0]]), 1003)
    half = 1.959964 / math.sqrt(1000)
    assert found.lower == pytest.approx(math.tanh(math.atanh(0.5) - half) ** 2, abs=0.002)
    assert found.upper == pytest.approx(math.tanh(math.atanh(0.5) + half) ** 2, abs=0.002)


def test_interval_begins_at_zero_up_to_the_critical_value_of_f():
    """With k covariates and n patients, R^2 = k F / (k F + n - k - 1) is critical at 2.5 %."""
    critical = 3 * scipy.stats.f.ppf(0.975, 3, 96)
    for factor, begins_at_zero in ((0.99, True), (1.01, False)):
        root = math.sqrt(factor * critical / (critical + 96) / 3)
        correlation = np.eye(4)
        correlation[0, 1:] = correlation[1:, 0] = root
        assert (explained(correlation, 100).lower == 0.0) is begins_at_zero


@pytest.mark.parametrize("truth", [0.01, 0.05, 0.3, 0.7])
def test_interval_covers_the_share_of_the_population(truth):
    """In 2,000 trials of 150 patients with five covariates, the interval covers 94 to 96.5 %."""
    random = np.random.default_rng(5)
    slope = math.sqrt(truth / (1.0 - truth) / 5)
    covered = 0
    for _ in range(2000):
        x = random.normal(size=(5, 150))
        found = explained(np.corrcoef([slope * x.sum(0) + random.normal(size=150), *x]), 150)
        covered += found.lower <= truth <= found.upper
    assert 0.94 <= covered / 2000 <= 0.965


def test_too_few_patients_or_no_covariate_have_no_share():
    two = np.eye(3)
    assert math.isnan(explained(two, 19).value)
    assert np.isnan(explained(two, 19).alone).all()
    assert explained(two, 20).value == 0.0
    assert math.isnan(explained(np.eye(1), 1000).value)


def test_response_that_is_a_covariate_is_explained():
    found = explained(np.ones((2, 2)), 50)
    assert (found.value, found.lower, found.upper) == pytest.approx((1.0, 1.0, 1.0))
