"""The two intervals: published values, and properties for arbitrary counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qsp.endpoints.statistics import interval
from qsp.errors import ConfigError


@st.composite
def counts(draw):
    size = draw(st.integers(1, 5000))
    return draw(st.integers(0, size)), size


def test_wilson_reproduces_a_published_example():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    lower, upper = interval.wilson([81, 15, 0, 1], [263, 148, 20, 29])
    np.testing.assert_allclose(lower, [0.2553, 0.0624, 0.0, 0.0061], atol=5e-5)
    np.testing.assert_allclose(upper, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)


@given(counts(), st.floats(0.5, 0.999))
def test_wilson_contains_the_rate_and_lies_within_zero_and_one(observed, level):
    events, size = observed
    lower, upper = interval.wilson(events, size, level=level)
    assert 0 <= lower <= events / size <= upper <= 1


@given(counts(), st.integers(2, 50))
def test_wilson_is_narrower_with_more_patients_at_the_same_rate(observed, times):
    events, size = observed
    lower, upper = interval.wilson(events, size)
    more_lower, more_upper = interval.wilson(events * times, size * times)
    assert more_upper - more_lower < upper - lower


@given(counts(), st.floats(0.5, 0.9))
def test_wilson_is_wider_at_a_higher_level(observed, level):
    narrow = np.diff(interval.wilson(*observed, level=level), axis=0)
    assert np.diff(interval.wilson(*observed, level=level + 0.09), axis=0) > narrow


@given(counts())
def test_wilson_of_non_events_is_the_mirror_image(observed):
    events, size = observed
    lower, upper = interval.wilson(events, size)
    mirrored = interval.wilson(size - events, size)
    np.testing.assert_allclose(mirrored, [1 - upper, 1 - lower], atol=1e-12)


@given(counts(), st.integers(1, 400))
def test_trial_bounds_are_quantiles_of_the_beta_binomial(observed, patients):
    events, size = observed
    exact = stats.betabinom(patients, events + 0.5, size - events + 0.5)
    bounds = [float(bound) for bound in interval.trial(events, size, patients)]
    for bound, tail in zip(bounds, (0.025, 0.975), strict=True):
        k = round(bound * patients)
        assert bound == k / patients
        # k is the smallest count whose cumulative probability is at least the tail.
        assert exact.cdf(k) >= tail - 1e-9
        assert k == 0 or exact.cdf(k - 1) < tail + 1e-9


def test_trial_interval_for_many_simulated_patients_is_binomial():
    lower, upper = interval.trial(3_000_000, 10_000_000, 100)
    exact = stats.binom(100, 0.3)
    assert (lower, upper) == (exact.ppf(0.025) / 100, exact.ppf(0.975) / 100)


def test_trial_interval_stays_wide_when_the_monte_carlo_interval_vanishes():
    monte_carlo = np.diff(interval.wilson(300_000, 1_000_000), axis=0)
    predicted = np.diff(interval.trial(300_000, 1_000_000, 100), axis=0)
    assert monte_carlo < 0.002
    assert predicted > 0.15


def test_without_evaluable_patients_there_is_no_interval():
    assert np.isnan(interval.wilson(0, 0)).all()
    assert np.isnan(interval.trial(0, 0)).all()
    assert np.isnan(interval.trial(np.nan, np.nan)).all()


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_level_outside_zero_and_one_is_refused(level):
    with pytest.raises(ConfigError, match="the level must be between 0 and 1"):
        interval.wilson(1, 2, level=level)


def test_trial_without_patients_is_refused():
    with pytest.raises(ConfigError, match="the number of patients must be at least 1, but is 0"):
        interval.trial(1, 2, 0)
