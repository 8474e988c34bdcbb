"""Residuals: the rise of fever after a dose, and the robust form."""

import numpy as np
import pytest
import xarray as xr

from qsp.calibration.rates import _largest_rise
from qsp.calibration.residuals import ROBUST, Residual


def rise(values, start, end, peak):
    """Start and end of the largest rise of one patient, with a value every half day."""
    time = 0.5 * np.arange(len(values))
    course = xr.DataArray([values], dims=("patient", "time"), coords={"time": time})
    trough, top = _largest_rise(course, start, end, np.array([peak]))
    return float(trough[0]), float(top[0])


def test_fever_that_rises_at_once_has_its_trough_at_the_dose():
    assert rise([0.0, 0.1, 0.3, 0.2], 0.0, np.inf, 0.31) == (0.0, 0.31)


def test_falling_fever_of_an_earlier_dose_is_not_the_end_of_a_rise():
    """Fever is highest at the dose, falls, and rises again: a new event starts in between."""
    assert rise([0.4, 0.1, -0.05, 0.2, 0.15], 0.0, np.inf, 0.4) == (-0.05, 0.2)


def test_fever_that_only_falls_does_not_rise():
    trough, top = rise([0.4, 0.3, 0.1], 0.0, np.inf, 0.4)
    assert trough == top == 0.4


def test_only_times_between_two_doses_count():
    values = [0.0, 0.5, 0.2, 0.1, 0.3, 0.9, 1.0]
    assert rise(values, 1.0, 2.5, 0.3) == (0.1, 0.3)


@pytest.mark.parametrize("value", [-30.0, -1.0, 0.0, 0.1, 5.0])
def test_robust_residuals_are_equal_to_small_ones_and_grow_as_a_root_of_large_ones(value):
    robust = Residual("row", 1.0, 1.0, value).robust
    assert np.sign(robust) == np.sign(value)
    assert abs(robust) <= abs(value)
    if abs(value) <= 0.1:
        assert robust == pytest.approx(value, rel=1e-3)
    if abs(value) >= 30.0:
        assert robust**2 == pytest.approx(2.0 * ROBUST * abs(value), rel=0.1)
