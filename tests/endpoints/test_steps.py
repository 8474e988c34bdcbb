"""Results of dose periods by their names, which differ between arms and patients."""

import numpy as np

from qsp.endpoints.steps import by_label
from tests import synthetic


def two_arms():
    """Arm a has A1 and A2, except patient 1, who has A2 first; arm b has A2 and B."""
    ds = synthetic.neutral(arms=("a", "b"), patients=2, labels=("A1", "A2"))
    ds["il6_peak"].values[:] = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, np.nan]]]
    ds["dose_label"].values[:] = [[["A1", "A2"], ["A2", "A1"]], [["A2", "B"], ["A2", ""]]]
    ds["crs_grade"].values[:] = [[[0, 1], [2, 3]], [[0, 4], [1, -1]]]
    return ds


def test_values_are_found_by_name():
    found = by_label(two_arms())
    assert list(found.label) == ["A1", "A2", "B"]
    peaks = found.il6_peak
    assert peaks.sel(arm="a", label="A2").values.tolist() == [2.0, 3.0]
    np.testing.assert_array_equal(peaks.sel(label="A1"), [[1.0, 4.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(peaks.sel(arm="b", label="B"), [6.0, np.nan])
    assert peaks.attrs["units"] == "pg/mL"


def test_grade_of_a_missing_period_is_nan():
    grades = by_label(two_arms()).crs_grade
    np.testing.assert_array_equal(grades.sel(arm="b", label="B"), [4.0, np.nan])
    np.testing.assert_array_equal(grades.sel(arm="a", label="A1"), [0.0, 3.0])


def test_variables_are_those_of_dose_periods():
    ds = two_arms()
    found = by_label(ds)
    assert "dose_period" not in found.dims
    periods = {name for name, values in ds.data_vars.items() if "dose_period" in values.dims}
    assert set(found) == periods - {"dose_label"}
    assert found.cytokine_source.sizes["tissue"] == ds.sizes["tissue"]
