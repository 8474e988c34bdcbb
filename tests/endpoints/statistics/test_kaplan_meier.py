"""Kaplan-Meier estimate: against SciPy, by hand, and in limits."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qsp.endpoints.statistics.kaplan_meier import kaplan_meier, numbers_at_risk
from qsp.errors import ConfigError

COURSES = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=2, max_size=40)


@given(COURSES)
def test_agrees_with_scipy(course):
    time, event = np.array([t for t, _ in course], float), np.array([e for _, e in course])
    found = kaplan_meier(time, event)
    data = stats.CensoredData(uncensored=time[event], right=time[~event])
    expected = stats.ecdf(data).sf
    np.testing.assert_allclose(found.at(expected.quantiles), expected.probabilities, atol=1e-12)
    inner = (found.survival > 0) & (found.survival < 1)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # bounds where the proportion is 0 or 1
        bounds = expected.confidence_interval(method="log-log")
    at = np.searchsorted(expected.quantiles, found.time)
    for ours, theirs in ((found.lower, bounds.low), (found.upper, bounds.high)):
        np.testing.assert_allclose(ours[inner], theirs.probabilities[at][inner], atol=1e-9)


@given(COURSES)
def test_bounds_enclose_the_estimate_which_never_rises(course):
    time, event = np.array([t for t, _ in course], float), np.array([e for _, e in course])
    found = kaplan_meier(time, event)
    assert np.all(np.diff(np.concatenate([[1.0], found.survival])) < 0)
    assert np.all((found.lower <= found.survival) & (found.survival <= found.upper))
    assert (found.patients, found.events) == (len(time), event.sum())
    median, early, late = found.quantile()
    assert early <= median <= late


def test_by_hand():
    """Six patients; the one censored at 3 is at risk for the event at 3."""
    found = kaplan_meier([1, 2, 3, 3, 5, 6], [True, False, True, False, True, False])
    np.testing.assert_allclose(found.time, [1, 3, 5])
    np.testing.assert_allclose(found.survival, [5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 / 2])
    np.testing.assert_allclose(found.at([0, 0.9, 1, 4, 100]), [1, 1, 5 / 6, 5 / 8, 5 / 16])
    assert found.quantile()[0] == 5
    assert found.quantile(0.3)[0] == 3
    assert numbers_at_risk([1, 2, 3, 3, 5, 6, np.nan], [0, 2, 3, 3.1, 7]).tolist() == [
        6,
        5,
        4,
        2,
        0,
    ]


def test_level_reached_exactly_is_reached():
    assert kaplan_meier([1, 2, 3, 4], [True] * 4).quantile()[0] == 2


def test_without_events_nothing_is_reached():
    found = kaplan_meier([5.0, 7.0, np.nan], [False, False, False])
    assert found.time.size == 0
    assert found.at(6.0) == 1
    assert found.quantile() == (np.inf, np.inf, np.inf)
    assert found.patients == 2
    assert kaplan_meier([], []).patients == 0


def test_everyone_has_the_event():
    found = kaplan_meier([1.0, 1.0], [True, True])
    np.testing.assert_allclose([found.survival[0], found.lower[0], found.upper[0]], [0, 0, 1])


@given(COURSES, st.integers(2, 4))
def test_equal_weights_change_nothing(course, factor):
    time, event = np.array([t for t, _ in course], float), np.array([e for _, e in course])
    plain, weighted = (
        kaplan_meier(time, event),
        kaplan_meier(time, event, np.full(len(time), factor)),
    )
    for name in ("survival", "lower", "upper"):
        np.testing.assert_allclose(getattr(plain, name), getattr(weighted, name), atol=1e-12)


def test_weight_counts_a_patient_several_times():
    twice = kaplan_meier([1, 1, 2, 3], [True, True, False, True])
    found = kaplan_meier([1, 2, 3], [True, False, True], [2, 1, 1])
    np.testing.assert_allclose(found.survival, twice.survival)
    assert found.lower[0] < twice.lower[0]  # fewer patients in effect


def test_exponential_times_with_censoring_have_their_median():
    draws = np.random.default_rng(5)
    time, end = draws.exponential(100 / np.log(2), 20_000), draws.uniform(50, 400, 20_000)
    median, early, late = kaplan_meier(np.minimum(time, end), time <= end).quantile()
    assert early < 100 < late
    assert median == pytest.approx(100, rel=0.04)


def test_level_must_be_between_0_and_1():
    with pytest.raises(ConfigError, match="between 0 and 1"):
        kaplan_meier([1.0], [True], level=1.0)
