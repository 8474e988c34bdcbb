"""The threshold of grade 3 gives the published number of patients."""

import numpy as np
import pytest

from qsp.calibration.grades import threshold_of_rate, worst_leak


def test_threshold_gives_the_expected_number_of_patients():
    rng = np.random.default_rng(0)
    trials = [np.exp(rng.normal(mean, 0.5, 4000)) for mean in (0.0, 0.6)]
    found = threshold_of_rate(trials, [0.02, 0.10], [300, 100])
    number = sum(n * (each >= found).mean() for each, n in zip(trials, (300, 100), strict=True))
    assert number == pytest.approx(0.02 * 300 + 0.10 * 100, abs=0.2)


def test_only_events_of_grade_2_or_higher_count():
    grade = np.array([[0, 1], [2, 3], [2, 0]])
    leak = np.array([[9.0, 9.0], [0.4, 0.6], [0.5, np.nan]])
    shift = np.array([[1.0, 1.0], [1.0, 2.0], [0.5, 1.0]])
    assert worst_leak(grade, leak, shift).tolist() == [0.0, 0.4, 1.0]
