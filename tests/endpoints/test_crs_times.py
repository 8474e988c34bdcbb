"""Late onset, time to resolution, and CRS by quartile of exposure, checked by hand."""

import numpy as np
import pytest

from qsp.endpoints import crs, crs_times, exposure_response
from tests import synthetic


@pytest.fixture
def four():
    """Onset after 30 h on SUD1 (patients 0 and 1) and after 80 h on FD1 (patients 1 and 2)."""
    grade = np.array([[1, 0], [2, 1], [0, 3], [0, 0]])
    return synthetic.put(
        synthetic.neutral(patients=4),
        crs_grade=grade,
        crs_onset=np.where(grade > 0, [30 / 24, 80 / 24], np.nan),
        crs_duration=np.where(grade > 0, [1.0, 2.0], np.nan),
    )


def test_onset_after_given_hours_by_dose(four):
    late = crs_times.late_onset(four)["value"].sel(arm="a")
    assert late.sel(label="SUD1").values.tolist() == [0.5, 0.0, 0.0]  # after 24, 48, 72 h
    assert late.sel(label="FD1").values.tolist() == [0.5, 0.5, 0.5]


def test_onset_after_given_hours_of_any_dose_counts_a_patient_once(four):
    late = crs_times.late_onset(four, by="any")["value"].sel(arm="a")
    assert late.values.tolist() == [0.75, 0.5, 0.5]


def test_late_onset_of_a_higher_grade_and_with_a_failed_patient(four):
    late = crs_times.late_onset(synthetic.fail(four, 0, 2), by="any", hours=(24,), at_least=2)
    assert late["value"].item() == pytest.approx(1 / 3)
    assert late["failed"].item() == 1


def test_onset_exactly_at_the_limit_is_not_late(four):
    assert crs_times.late_onset(four, hours=(30.0,)).sel(label="SUD1")["value"].item() == 0.0


def test_resolution_is_onset_plus_duration(four):
    end = crs_times.resolution(four, quantiles=(0.5,)).isel(quantile=0, arm=0)["value"]
    assert end.sel(label="SUD1").item() == pytest.approx(54)
    assert end.sel(label="FD1").item() == pytest.approx(128)
    pooled = crs_times.resolution(four, by="any", quantiles=(1.0,))
    assert pooled["value"].item() == pytest.approx(128)
    assert pooled["evaluable"].item() == 4  # events


def test_longest_duration_is_the_highest_quantile(four):
    hours = crs.duration(four, by="any", quantiles=(0.5, 1.0))["value"].squeeze()
    assert hours.values.tolist() == [36.0, 48.0]


def test_events_that_last_beyond_the_end_are_counted_as_censored(four):
    """On FD1 of patients 1 and 2; the flag of a patient without an event or who failed is void."""
    ends = synthetic.put(four, crs_censored=np.array([[0, 0], [0, 1], [0, 1], [0, 1]]))
    by_dose = crs.duration(ends).isel(arm=0)
    assert by_dose["censored"].sel(label=["SUD1", "FD1"]).values.tolist() == [0, 2]
    assert by_dose["value"].sel(quantile=0.5, label="FD1").item() == 48.0
    pooled = crs.duration(ends, by="any").isel(arm=0)
    assert (pooled["censored"].item(), pooled["evaluable"].item()) == (2, 4)
    assert crs.duration(synthetic.fail(ends, 0, 2), by="any").isel(arm=0)["censored"].item() == 1


def test_duration_of_results_without_censoring_has_no_count(four):
    assert "censored" not in crs.duration(four.drop_vars("crs_censored"))


def test_quartiles_are_of_the_patients_of_one_dose_period():
    ds = synthetic.neutral(patients=8)
    ds["cmax"].values[0, :, 0] = np.arange(8)
    ds["auc"].values[0, :, 0] = np.arange(8)[::-1]
    ds["cmax"].values[0, :, 1] = 100.0 + np.arange(8)  # another dose: no effect on SUD1
    ds["crs_grade"].values[0, :, 0] = [0, 0, 0, 1, 0, 2, 3, 2]
    rates = exposure_response.by_quartile(ds).sel(arm="a", label="SUD1")
    assert rates["value"].sel(metric="cmax").values.tolist() == [0, 0, 0.5, 1]
    assert rates["value"].sel(metric="auc").values.tolist() == [1, 0.5, 0, 0]
    assert rates["evaluable"].sel(metric="cmax").values.tolist() == [2, 2, 2, 2]


def test_patients_without_a_period_are_in_no_quartile():
    ds = synthetic.fail(synthetic.neutral(patients=5), 0, 4)
    ds["cmax"].values[0, :4, 0] = np.arange(4)
    rates = exposure_response.by_quartile(ds, metrics=("cmax",)).sel(arm="a", label="SUD1")
    assert rates["evaluable"].sum().item() == 4
