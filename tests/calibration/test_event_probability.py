"""Probability of CRS over random thresholds, against sampled thresholds and limits."""

import numpy as np
import pytest

from qsp.calibration.event_probability import Exposure, Thresholds, probabilities

THRESHOLDS = Thresholds(fever=0.11, leak=0.17, sd_patient=0.16, sd_event=0.13)
RNG = np.random.default_rng(1)
X = Exposure(
    fever_peak=0.11 * np.exp(RNG.normal(0.0, 0.4, (5, 3))),
    fever_trough=0.11 * np.exp(RNG.normal(-1.0, 0.8, (5, 3))),
    leak_peak=0.17 * np.exp(RNG.normal(-0.2, 0.4, (5, 3))),
)


def sampled(x, t, count=200_000):
    """Frequencies of events with thresholds drawn at random, by the rule of an event."""
    rng = np.random.default_rng(2)
    patient = t.sd_patient * rng.standard_normal((count, 5, 1))
    xi = np.exp(patient + t.sd_event * rng.standard_normal((count, 5, 3)))
    event = (x.fever_trough < t.fever * xi) & (x.fever_peak >= t.fever * xi)
    severe = event & (x.leak_peak >= t.leak * xi)
    return [(each.mean(0), each.any(-1).mean(0)) for each in (event, severe)]


def test_probabilities_are_the_frequencies_of_sampled_thresholds():
    for found, (by_dose, any_dose) in zip(
        probabilities(X, THRESHOLDS), sampled(X, THRESHOLDS), strict=True
    ):
        assert found.by_dose == pytest.approx(by_dose, abs=0.005)
        assert found.any_dose == pytest.approx(any_dose, abs=0.005)


def test_no_event_without_a_rise_and_certain_event_far_above():
    flat = Exposure(X.fever_trough, X.fever_trough, X.leak_peak)
    for found in probabilities(flat, THRESHOLDS):
        assert np.all(found.by_dose == 0.0)
        assert np.all(found.any_dose == pytest.approx(0.0, abs=1e-12))
    high = np.full((2, 1), 100.0)
    for found in probabilities(Exposure(high, 0.0 * high, high), THRESHOLDS):
        assert found.by_dose == pytest.approx(np.ones((2, 1)))


def test_missing_periods_do_not_count():
    missing = Exposure(*(np.where([[True, True, False]], v, np.nan) for v in vars(X).values()))
    two = Exposure(*(v[:, :2] for v in vars(X).values()))
    for some, all_ in zip(
        probabilities(missing, THRESHOLDS), probabilities(two, THRESHOLDS), strict=True
    ):
        assert some.any_dose == pytest.approx(all_.any_dose)
        assert some.after_any(np.array([True, True, False])) == pytest.approx(all_.any_dose)
        assert some.after_any(np.array([True, False, False])) == pytest.approx(all_.by_dose[:, 0])
        assert np.all(np.isnan(some.by_dose[:, 2]))
