"""Pooled CRS events, CRS by tumor burden, and ratios of paired rates, on synthetic results."""

import math

import numpy as np
import pytest

from qsp.validation import events
from tests import synthetic


def with_events(grade, duration, peak, baseline=3.0):
    patients = len(grade)
    ds = synthetic.neutral(("a",), patients=patients, labels=("SUD1", "FD1"))
    ds = synthetic.put(
        ds,
        crs_grade=np.array(grade)[None],
        crs_duration=np.array(duration, float)[None],
        il6_peak=np.array(peak, float)[None],
    )
    return ds.assign(il6_baseline=(("arm", "patient"), np.full((1, patients), baseline)))


def test_events_of_all_doses_are_pooled():
    ds = with_events(
        [[1, 0], [2, 1], [0, 0]],
        [[1.0, np.nan], [3.0, 8.0], [np.nan, np.nan]],
        [[30.0, 1.0], [90.0, 5.9], [30.0, 30.0]],
    )
    found = events.pooled(ds)
    assert found.number == 3
    assert found.duration == 3.0
    assert found.long == pytest.approx(1 / 3)
    assert found.low_il6 == pytest.approx(1 / 3)


def test_limits_of_long_and_low_events():
    ds = with_events([[1, 1]], [[7.0, 7.01]], [[6.0, 5.99]])
    found = events.pooled(ds)
    assert (found.long, found.low_il6) == (0.5, 0.5)


def test_without_events_there_are_no_shares():
    found = events.pooled(with_events([[0, 0]], [[np.nan] * 2], [[3.0, 3.0]]))
    assert found.number == 0
    assert math.isnan(found.duration)
    assert math.isnan(found.long)


def by_burden(lower, upper):
    """Results of thirds of 10 patients with this number of events in the outer ones."""
    has = [k < lower for k in range(10)] + [False] * 10 + [k < upper for k in range(10)]
    ds = synthetic.neutral(("a",), patients=30, labels=("SUD1",))
    grade = np.array(has, int)[None, :, None]
    volume = np.arange(30.0)[None]
    return synthetic.put(ds, crs_grade=grade, tumor_volume_baseline=volume)


def test_odds_ratio_compares_the_outer_thirds():
    found = events.burden_odds_ratio(by_burden(2, 6))
    expected = (6.5 / 4.5) / (2.5 / 8.5)
    error = 1.96 * math.sqrt(1 / 6.5 + 1 / 4.5 + 1 / 2.5 + 1 / 8.5)
    assert found.value == pytest.approx(expected)
    assert found.upper == pytest.approx(expected * math.exp(error))
    assert found.lower == pytest.approx(expected * math.exp(-error))


def test_odds_ratio_is_finite_without_events_in_a_third():
    assert events.burden_odds_ratio(by_burden(0, 0)).value == pytest.approx(1.0)
    assert 1.0 < events.burden_odds_ratio(by_burden(0, 10)).value < math.inf


def test_odds_ratio_leaves_out_failed_patients():
    ds = by_burden(2, 6)
    failed = synthetic.fail(synthetic.fail(ds, 0, 20), 0, 22)
    left = ds.isel(patient=[n for n in range(30) if n not in (20, 22)])
    assert events.burden_odds_ratio(failed) == events.burden_odds_ratio(left)
    assert events.burden_odds_ratio(failed) != events.burden_odds_ratio(ds)


def paired(flat, step):
    grade = np.array([flat, step])[:, :, None]
    ds = synthetic.neutral(("flat", "step"), patients=len(flat), labels=("SUD1",))
    return synthetic.put(ds, crs_grade=grade)


def test_ratio_of_paired_rates_has_an_interval_around_it():
    ds = paired([2] * 30 + [0] * 70, [2] * 20 + [1] * 80)
    found = events.ratio_of_rates(ds, "flat", "step", at_least=2)
    assert found.value == pytest.approx(1.5)
    assert 1.15 < found.lower < 1.5 < found.upper <= 2.0


def test_pairs_narrow_the_interval_of_a_ratio():
    nested = events.ratio_of_rates(
        paired([2] * 40 + [0] * 60, [2] * 20 + [0] * 80), "flat", "step", at_least=2
    )
    apart = events.ratio_of_rates(
        paired([2] * 40 + [0] * 60, [0] * 80 + [2] * 20), "flat", "step", at_least=2
    )
    assert nested.value == apart.value == 2.0
    assert nested.upper - nested.lower < apart.upper - apart.lower


def test_same_arms_have_a_ratio_of_one():
    found = events.ratio_of_rates(paired([2, 0] * 20, [2, 0] * 20), "flat", "step", at_least=2)
    assert tuple(found) == (1.0, 1.0, 1.0)


def test_ratio_to_an_arm_without_events_has_no_value():
    found = events.ratio_of_rates(paired([2, 0], [0, 0]), "flat", "step", at_least=2)
    assert math.isnan(found.value)
