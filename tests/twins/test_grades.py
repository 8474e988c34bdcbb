"""Likelihood of grades: against the probabilities of the calibration, and as a distribution."""

import itertools

import numpy as np
import pytest
from scipy.special import ndtr

from qsp.calibration.events_by_shift import Course
from qsp.calibration.grade_probability import GradeThresholds, grade_probability
from qsp.errors import ConfigError
from qsp.twins.derivatives import Differences, expand
from qsp.twins.grades import NOT_OBSERVED, Grades

THRESHOLDS = GradeThresholds(np.array([0.11, 0.17, 0.27, 0.40]), sd_patient=0.16, sd_event=0.13)
TINY = 1e-9


def prediction(trough, peak, leak):
    """Predictions of one simulation."""
    return np.array([[[*trough, *peak, *leak]]], float)


def likelihood(grades, x, wrong=TINY):
    own = Grades(np.array([grades]), THRESHOLDS, wrong)
    return np.exp(own.log_likelihood(x)[0, 0])


def test_two_doses_agree_with_the_calibration():
    """Triangles of fever and leak; any grade and each grade after each dose."""
    fever, leak = (0.13, 0.18), (0.10, 0.25)
    courses = [
        Course(np.array([0.0, 1.0, 3.0]), np.array([[0.0, f, 0.0]]), np.array([[0.0, w, 0.0]]))
        for f, w in zip(fever, leak, strict=True)
    ]
    expected = grade_probability(courses, THRESHOLDS)
    x = prediction((0.0, 0.0), fever, leak)
    assert 1.0 - likelihood([0, 0], x) == pytest.approx(expected.over_all[0, 0], abs=1e-6)
    for dose in range(2):
        grades = [NOT_OBSERVED, NOT_OBSERVED]
        for grade in range(1, 5):
            at_least = 0.0
            for each in range(grade, 5):
                grades[dose] = each
                at_least += likelihood(grades, x)
            assert at_least == pytest.approx(expected.by_dose[grade - 1, 0, dose], abs=1e-5)


def test_trough_of_fever_excludes_low_thresholds():
    """Without an effect of the patient, Eq. W9 is a difference of normal probabilities."""
    own = GradeThresholds(THRESHOLDS.level, sd_patient=0.0, sd_event=0.13)
    x = prediction([0.10], [0.14], [9.0])
    found = np.exp(Grades(np.array([[4]]), own, TINY).log_likelihood(x)[0, 0])
    expected = ndtr(np.log(0.14 / 0.11) / 0.13) - ndtr(np.log(0.10 / 0.11) / 0.13)
    assert found == pytest.approx(expected, rel=1e-6)


def test_probabilities_of_all_outcomes_sum_to_one():
    x = prediction((0.0, 0.05), (0.13, 0.18), (0.10, 0.25))
    total = sum(likelihood(each, x, 0.02) for each in itertools.product(range(5), repeat=2))
    assert total == pytest.approx(1.0)


def test_wrong_report_is_possible():
    """Without fever, an event is reported only by mistake: one of four other grades."""
    assert likelihood([3], prediction([0.0], [0.0], [0.0]), 0.02) == pytest.approx(0.02 / 4)


def test_grade_that_was_not_observed_has_no_effect():
    x = prediction((0.0, np.nan), (0.13, np.nan), (0.10, np.nan))
    single = prediction([0.0], [0.13], [0.10])
    assert likelihood([1, NOT_OBSERVED], x) == pytest.approx(likelihood([1], single), rel=1e-12)
    assert likelihood([1, 0], x) == 0.0


def test_score_and_information_of_the_draws():
    """One dose: the score is the derivative, and the information its expected square."""
    x = np.log(prediction([1e-6], [0.13], [0.20]))[0, 0]

    def simulate(z):
        return np.exp(x + z @ np.array([[0.0, 0.3, 0.1], [0.0, 0.0, 0.5]]))

    how = Differences(step=1e-4, is_central=True, negligible=0.0)
    z = np.array([[0.2, -0.3]])
    found = [expand(simulate, Grades(np.array([[g]]), THRESHOLDS), z, how) for g in range(5)]
    scores = np.array([each.score[0] for each in found])
    chance = np.exp([each.log_likelihood[0] for each in found])
    assert chance @ scores == pytest.approx([0.0, 0.0], abs=1e-7)
    expected = np.einsum("g,gi,gj->ij", chance, scores, scores)
    for each in found:
        np.testing.assert_allclose(each.information[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Grades(np.array([[5]]), THRESHOLDS), r"from 0 to 4.* but is \[5\]"),
        (lambda: Grades(np.array([[1]]), THRESHOLDS, 0.0), "above 0 and below 1"),
        (
            lambda: Grades(np.array([[1]]), GradeThresholds(np.ones(2), 0.1, 0.1)),
            "four levels, but is 2",
        ),
    ],
)
def test_invalid_input_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        wrong()
