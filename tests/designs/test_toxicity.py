"""Dose-limiting toxicity read from results, counted by hand."""

import numpy as np
import pytest

from qsp.designs import dose_limiting
from qsp.errors import ConfigError
from tests import synthetic

#          arm a                              arm b
GRADES = [[[0, 2], [1, 1], [3, 0], [0, 0]], [[3, 0], [0, 4], [0, 3], [0, 1]]]


@pytest.fixture
def two():
    """Two arms of four patients, doses on days 0 and 7; events start 6 h and 12 h after them."""
    grade = np.array(GRADES)
    return synthetic.put(
        synthetic.neutral(arms=("a", "b"), patients=4),
        crs_grade=grade,
        crs_onset=np.where(grade > 0, [0.25, 0.5], np.nan),
    )


def test_worst_grade_over_all_doses_limits_the_dose(two):
    toxic = dose_limiting(two)
    assert toxic.dims == ("level", "patient")
    assert toxic["level"].values.tolist() == ["a", "b"]
    assert toxic.values.tolist() == [[0, 0, 1, 0], [1, 1, 1, 0]]
    assert dose_limiting(two, at_least=4).values.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert toxic.attrs["definition"] == "CRS of grade 3 or more, over all dose periods"
    assert toxic.attrs["units"] == "1"


def test_window_counts_events_that_start_in_it(two):
    assert dose_limiting(two, window=7).values.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    assert dose_limiting(two, window=7.5).values.tolist() == [[0, 0, 1, 0], [1, 1, 1, 0]]
    assert "within 7 days" in dose_limiting(two, window=7).attrs["definition"]


@pytest.mark.parametrize("window", [None, 28])
def test_failed_patient_is_unknown(two, window):
    toxic = dose_limiting(synthetic.fail(two, 1, 0), window=window)
    assert np.isnan(toxic.sel(level="b").values[0])
    assert toxic.sel(level="a").values.tolist() == [0, 0, 1, 0]


def test_levels_are_the_arms_in_the_requested_order(two):
    toxic = dose_limiting(two, levels=["b", "a"])
    assert toxic["level"].values.tolist() == ["b", "a"]
    assert toxic.values.tolist() == [[1, 1, 1, 0], [0, 0, 1, 0]]
    assert dose_limiting(two, levels=["b"]).sizes == {"level": 1, "patient": 4}


def test_weights_are_a_coordinate(two):
    weighted = synthetic.put(two, prevalence_weight=[1.0, 2.0, 0.0, 1.0])
    assert dose_limiting(weighted)["prevalence_weight"].values.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at_least": 5}, "grade must be from 1 to 4, but is 5"),
        ({"window": 0}, "window must be above 0 days"),
        ({"levels": ["a", "c"]}, "one of the arms a, b, but is 'c'"),
        ({"levels": ["a", "a"]}, "each once"),
        ({"levels": []}, "each once, but is empty"),
    ],
)
def test_invalid_arguments_are_refused(two, options, message):
    with pytest.raises(ConfigError, match=message):
        dose_limiting(two, **options)


def test_missing_variable_is_named(two):
    with pytest.raises(ConfigError, match="the variable crs_onset must be present"):
        dose_limiting(two.drop_vars("crs_onset"), window=28)
    assert dose_limiting(two.drop_vars("crs_onset")).shape == (2, 4)
