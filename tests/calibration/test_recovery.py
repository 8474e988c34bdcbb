"""Recovery: published values are replaced by known ones, whatever they were."""

import numpy as np
import pytest

from qsp.calibration import recovery
from qsp.calibration.residuals import Residual, _comparison, _ratio


def rows():
    return [
        Residual.difference("rate", 40.0, 55.0, 5.0),
        _ratio("il6", 20.0, 60.0, 0.5),
        _comparison("flat over step-up", 1.5, 2.0, 0.2),
        Residual("steroid", 1.0, 0.0, 0.5),
    ]


def test_a_residual_against_its_own_value_is_zero_and_comparisons_are_left_out():
    own = {each.name: each.simulated for each in rows()}
    found = list(recovery.against(rows(), own))
    assert [each.name for each in found] == ["rate", "il6"]
    assert [each.value for each in found] == [0.0, 0.0]


def test_the_error_of_a_residual_is_kept():
    found = list(recovery.against(rows(), {"rate": 50.0, "il6": 20.0 * np.e}))
    assert [each.value for each in found] == pytest.approx([-2.0, -2.0])
    assert [each.published for each in found] == pytest.approx([50.0, 20.0 * np.e])


def test_a_row_without_a_known_value_is_left_out():
    assert [each.name for each in recovery.against(rows(), {"rate": 1.0})] == ["rate"]


def test_the_truth_is_within_its_range_and_depends_on_the_seed_alone():
    z = recovery.truth(2000, 3)
    assert np.array_equal(z, recovery.truth(2000, 3))
    assert np.abs(z).max() <= recovery.LARGEST
    assert z.std() == pytest.approx(recovery.SPREAD, rel=0.05)


def test_misses_are_those_of_rates():
    known = {"a": {"rate": 40.0, "il6": 20.0}, "b": {"other": 10.0}}
    found = {"a": {"rate": 43.0, "il6": 90.0}, "b": {"other": 8.0}}
    assert recovery.misses(found, known, {"rate", "other"}) == pytest.approx([3.0, 2.0])
