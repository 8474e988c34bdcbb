"""Rows of the summary: complete, in order, and with the values of the endpoints."""

import math

import pytest

from qsp.endpoints import COLUMNS, add_best_response, crs, summary
from tests import synthetic


@pytest.fixture(scope="module")
def rows():
    return summary(add_best_response(synthetic.lively(30)), trial_size=50)


def test_each_row_is_one_arm_period_and_metric(rows):
    keys = [(row.arm, row.dose_period, row.metric) for row in rows]
    assert len(set(keys)) == len(keys)
    assert set(synthetic.ARMS) == {row.arm for row in rows}


def test_only_the_doses_of_an_arm_are_listed(rows):
    flat = {row.dose_period for row in rows if row.arm == "flat" and row.metric == "il6_peak"}
    assert flat == {"FD1", "FD2", "FD3", "FD4", "FD5", "FD6", "any dose"}


def test_rates_have_two_intervals_and_quantities_one(rows):
    for row in rows:
        is_rate = row.interval.startswith("Wilson")
        assert is_rate == (row.trial_size == 50)
        assert is_rate == math.isfinite(row.trial_lower)
        if math.isfinite(row.value):
            assert row.lower <= row.value <= row.upper, row


def test_every_row_has_the_failures_of_its_arm(rows):
    failed = {row.arm: row.failures for row in rows}
    assert failed == {
        "step_up": 1, "flat": 1, "step_up_no_premedication": 0, "flat_no_premedication": 1,
    }  # fmt: skip
    assert {row.failures for row in rows if row.arm == "flat"} == {1}


def test_numbers_are_those_of_the_endpoint(rows):
    ds = add_best_response(synthetic.lively(30))
    rate = crs.incidence(ds, trial_size=50).sel(arm="flat", label="FD1", grade=2)
    row = next(
        r
        for r in rows
        if (r.arm, r.dose_period, r.metric) == ("flat", "FD1", "crs_grade_2_or_more")
    )
    assert (row.value, row.lower, row.trial_upper) == (
        rate["value"].item(),
        rate["lower"].item(),
        rate["trial_upper"].item(),
    )
    assert row.n == 29


def test_units_and_visits(rows):
    units = {row.metric: row.units for row in rows}
    assert units["crs_onset"] == "hour"
    assert units["il6_peak"] == "pg/mL"
    assert units["il6_fold_change"] == "1"
    assert units["cmax_mass"] == "ug/mL"
    assert units["tumor_change"] == "%"
    visits = [row.dose_period for row in rows if row.metric == "tumor_change" and row.arm == "flat"]
    assert visits == ["visit day 22", "visit day 43", "visit day 64", "visit day 85"]


def test_columns_are_the_documented_ones():
    for name in (
        "arm",
        "dose_period",
        "metric",
        "value",
        "lower",
        "upper",
        "n",
        "failures",
        "units",
    ):
        assert name in COLUMNS
