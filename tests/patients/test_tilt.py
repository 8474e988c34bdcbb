"""Weights of maximum entropy: closed forms, and the conditions of the minimum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, logit

from qsp.patients.tilt import features, tilt

NONE = np.zeros((1, 1))


def two_bins(low, count, share):
    """Feature of `count` patients, `low` of whom have the lower value."""
    values = np.where(np.arange(count) < low, 1.0, 2.0)
    return features(values, np.array([1.0]), np.array([share]))


@given(st.integers(1, 29), st.floats(0.02, 0.98))
def test_two_bins_have_the_closed_form(low, share):
    """Each patient of a bin has the published share of the bin over its patients."""
    found = tilt(two_bins(low, 30, share), np.ones(30), NONE)
    assert found.converged
    np.testing.assert_allclose(found.weight[:low], share / low, rtol=1e-6)
    np.testing.assert_allclose(found.weight[low:], (1 - share) / (30 - low), rtol=1e-6)


@given(st.integers(1, 29), st.floats(0.02, 0.98), st.integers(1, 500))
def test_two_bins_with_a_ridge_solve_one_equation(low, share, n):
    variance = share * (1 - share) / n
    found = tilt(two_bins(low, 30, share), np.ones(30), np.array([[variance]]))
    start = logit(low / 30)
    multiplier = brentq(lambda m: expit(start + m) - share + variance * m, -2000, 2000, xtol=1e-13)
    assert found.weight[:low].sum() == pytest.approx(expit(start + multiplier), abs=1e-8)


def test_shares_are_those_of_the_patients_with_a_value():
    values = np.array([1.0, 2.0, 2.0, np.nan, np.nan])
    found = tilt(features(values, np.array([1.0]), np.array([0.5])), np.ones(5), NONE)
    assert found.weight[0] == pytest.approx(found.weight[1:3].sum())
    assert found.weight[3] == pytest.approx(found.weight[4])
    assert found.weight.sum() == pytest.approx(1.0)


def test_weights_before_are_kept_within_a_bin():
    prior = np.array([1.0, 3.0, 2.0, 0.0])
    values = np.array([1.0, 1.0, 2.0, 2.0])
    found = tilt(features(values, np.array([1.0]), np.array([0.2])), prior, NONE)
    np.testing.assert_allclose(found.weight, [0.05, 0.15, 0.8, 0.0], atol=1e-9)


def test_shares_that_are_met_already_move_nothing():
    feature = two_bins(12, 30, 0.4)
    np.testing.assert_allclose(tilt(feature, np.ones(30), NONE).weight, 1 / 30, rtol=1e-12)


@given(st.integers(0, 2**31))
def test_no_other_weights_are_better(seed):
    """The objective of the minimum is below that of weights nearby."""
    random = np.random.default_rng(seed)
    feature = features(random.normal(size=40), np.array([-0.5, 0.4]), np.array([0.2, 0.5]))
    ridge = np.array([[0.16, 0.1], [0.1, 0.25]]) / 50
    prior = random.uniform(0.5, 2.0, 40)
    prior /= prior.sum()

    def objective(weight):
        miss = weight @ feature
        return weight @ np.log(weight / prior) + miss @ np.linalg.solve(ridge, miss) / 2

    found = tilt(feature, prior, ridge)
    assert found.converged
    for _ in range(20):
        other = found.weight * np.exp(0.05 * random.normal(size=40))
        assert objective(other / other.sum()) > objective(found.weight)


def test_shares_that_no_weights_meet_do_not_converge():
    """No patient has the lower value."""
    assert not tilt(two_bins(0, 10, 0.3), np.ones(10), NONE).converged


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_a_share_out_of_reach_has_the_multiplier_of_its_ridge(size):
    """If all patients are in one bin, the ridge takes the whole difference."""
    far = two_bins(30, 30, 0.4)
    near = two_bins(12, 30, 0.7)
    found = tilt(np.concatenate([far, near], axis=1), np.ones(30), size * np.eye(2))
    assert found.converged
    assert found.multipliers[0] == pytest.approx(-0.6 / size, rel=1e-6)
    alone = tilt(near, np.ones(30), size * np.eye(1))
    np.testing.assert_allclose(found.weight, alone.weight, rtol=1e-6)


@pytest.mark.parametrize("seed", [17, 26, 60, 130, 264])
def test_large_multipliers_of_shares_out_of_reach_do_not_stop_the_steps(seed):
    """The minimized value is large, so that its rounding exceeds the last decreases."""
    draws = np.random.default_rng(seed)
    values, at_most = draws.normal(size=(500, 6)), draws.normal(size=6)
    near = (values <= at_most) - draws.uniform(0.1, 0.9, 6)
    far = np.full((500, 3), draws.uniform(0.1, 0.6))
    ridge = np.diag(np.full(9, 10.0 ** draws.uniform(-5, -2)))
    assert tilt(np.concatenate([near, far], axis=1), np.ones(500), ridge).converged
