"""CRS endpoints of four patients with two doses, checked by hand."""

import numpy as np
import pytest

from qsp.endpoints import crs, steps
from tests import synthetic

#            SUD1 FD1
GRADES = [[0, 2], [1, 1], [3, 0], [0, 0]]


@pytest.fixture
def four():
    """Grades as above; onset after 6 h on SUD1 and 12 h on FD1; events last 1 and 2 days."""
    grade = np.array(GRADES)
    return synthetic.put(
        synthetic.neutral(patients=4),
        crs_grade=grade,
        crs_onset=np.where(grade > 0, [0.25, 0.5], np.nan),
        crs_duration=np.where(grade > 0, [1.0, 2.0], np.nan),
    )


def test_incidence_by_label(four):
    rates = crs.incidence(four)
    at = rates.sel(arm="a")
    assert at["value"].sel(label="SUD1").values.tolist() == [0.5, 0.25, 0.25]  # 1+3, 3, 3
    assert at["value"].sel(label="FD1").values.tolist() == [0.5, 0.25, 0.0]  # 2+1, 2, none
    assert at["events"].sel(label="SUD1", grade=1).item() == 2
    assert at["evaluable"].sel(label="SUD1", grade=1).item() == 4
    assert rates["value"].dims == ("grade", "arm", "label")
    assert rates.attrs["trial_size"] == 100


def test_incidence_over_any_dose_takes_the_worst_grade(four):
    rates = crs.incidence(four, by="any").sel(arm="a")
    assert rates["value"].values.tolist() == [0.75, 0.5, 0.25]


def test_incidence_by_dose_period_equals_that_by_label_of_a_fixed_regimen(four):
    by_label = crs.incidence(four)["value"].values
    np.testing.assert_array_equal(crs.incidence(four, by="dose_period")["value"].values, by_label)


def test_rates_have_both_intervals_and_they_differ(four):
    rates = crs.incidence(four, by="any", trial_size=10).sel(arm="a", grade=1)
    # 3 of 4: Wilson from the formula; a trial of 10 reports tenths.
    assert rates["lower"].item() == pytest.approx(0.30064, abs=1e-5)
    assert rates["upper"].item() == pytest.approx(0.95441, abs=1e-5)
    assert rates["trial_lower"].item() * 10 == pytest.approx(2)
    assert rates["trial_upper"].item() == 1.0
    assert "Wilson" in rates["lower"].attrs["long_name"]
    assert "trial of 10" in rates["trial_lower"].attrs["long_name"]


def test_failed_patient_is_counted_and_in_no_rate(four):
    rates = crs.incidence(synthetic.fail(four, 0, 2), by="any").sel(arm="a", grade=1)
    assert rates["value"].item() == pytest.approx(2 / 3)
    assert rates["evaluable"].item() == 3
    assert rates["failed"].item() == 1
    assert rates["unassessed"].item() == 0


def test_failed_patient_with_a_grade_left_in_the_file_is_in_no_rate(four):
    # The outcome decides, not the stored grade.
    rates = crs.incidence(synthetic.put(four, outcome=[0, 0, 2, 0]), by="any").sel(arm="a", grade=1)
    assert rates["value"].item() == pytest.approx(2 / 3)
    assert crs.onset(synthetic.put(four, outcome=[0, 0, 2, 0]), by="any")["evaluable"].item() == 3


def test_patient_without_the_dose_is_unassessed_not_free_of_crs(four):
    grade = four["crs_grade"].values.copy()
    grade[0, 3, 1] = -1
    label = four["dose_label"].values.copy()
    label[0, 3, 1] = ""
    rates = crs.incidence(synthetic.put(four, crs_grade=grade, dose_label=label))
    at = rates.sel(arm="a", label="FD1", grade=1)
    assert at["value"].item() == pytest.approx(2 / 3)
    assert at["unassessed"].item() == 1
    assert at["failed"].item() == 0


def test_label_gathers_periods_of_different_ordinals():
    """A held dose shifts the ordinals of one patient, but not the labels of its steps."""
    ds = synthetic.neutral(patients=2, labels=("SUD1", "SUD1 again", "FD1"))
    label = np.array([[["SUD1", "FD1", ""], ["SUD1", "SUD1 again", "FD1"]]], dtype=object)
    grade = np.array([[[0, 1, -1], [0, 0, 0]]])
    rates = crs.incidence(synthetic.put(ds, dose_label=label, crs_grade=grade), at_least=(1,))
    assert rates["value"].sel(label="FD1").item() == 0.5
    assert rates["evaluable"].sel(label="SUD1 again").item() == 1
    assert [step.label for step in steps(synthetic.put(ds, dose_label=label))] == [
        "SUD1",
        "SUD1 again",
        "FD1",
    ]


def test_prevalence_weights_shift_the_rate_and_shrink_the_effective_number(four):
    weighted = synthetic.put(four, prevalence_weight=[1.0, 1.0, 1.0, 5.0])
    rates = crs.incidence(weighted, by="any").sel(arm="a", grade=1)
    assert rates["value"].item() == pytest.approx(3 / 8)
    assert rates["effective_size"].item() == pytest.approx(64 / 28)
    assert rates["evaluable"].item() == 4
    scaled = crs.incidence(synthetic.put(four, prevalence_weight=0.1), by="any")
    assert scaled["effective_size"].values == pytest.approx(4.0)


def test_patient_of_weight_zero_is_ignored(four):
    weighted = synthetic.put(four, prevalence_weight=[0.0, 1.0, 1.0, 1.0])
    assert crs.incidence(weighted, by="any").sel(arm="a", grade=2)["value"].item() == pytest.approx(
        1 / 3
    )


def test_worst_grade_distribution_adds_up_to_one(four):
    rates = crs.worst_grade(four).sel(arm="a")
    assert rates["value"].values.tolist() == [0.25, 0.25, 0.25, 0.25, 0.0]


def test_onset_and_duration_in_hours_among_those_with_crs(four):
    onset = crs.onset(four).sel(arm="a", quantile=0.5)
    assert onset["value"].sel(label="SUD1").item() == 6.0
    assert onset["value"].sel(label="FD1").item() == 12.0
    assert onset["evaluable"].sel(label="SUD1").item() == 2
    pooled = crs.onset(four, by="any").sel(arm="a")
    assert pooled["value"].sel(quantile=0.5).item() == 9.0  # 6, 6, 12, 12
    assert pooled["evaluable"].item() == 4  # events
    assert crs.duration(four, by="any").sel(arm="a", quantile=0.5)["value"].item() == 36.0
    assert crs.duration(four)["value"].attrs["units"] == "hour"


def test_pooled_onset_without_weights_in_the_file(four):
    bare = four.drop_vars("prevalence_weight")
    assert crs.onset(bare, by="any").sel(quantile=0.5)["value"].item() == 9.0


def test_onset_without_any_crs_is_not_a_number():
    onset = crs.onset(synthetic.neutral())
    assert np.isnan(onset["value"]).all()
    assert int(onset["evaluable"].sum()) == 0


def test_cumulative_incidence_steps_at_the_first_event_of_each_patient(four):
    # First events: patient 0 at day 7.5, 1 and 2 at day 0.25, 3 never.
    at = crs.cumulative_incidence(four, times=[0.0, 0.25, 7.4, 7.5, 84.0]).sel(arm="a")
    assert at["value"].values.tolist() == [0.0, 0.5, 0.5, 0.75, 0.75]
    grade_2 = crs.cumulative_incidence(four, times=[1.0, 84.0], at_least=2)
    assert grade_2["value"].values.ravel().tolist() == [0.25, 0.5]
    assert crs.cumulative_incidence(four)["time"].values[-1] == 84.0


def test_cumulative_incidence_ends_at_the_any_dose_rate(four):
    failed = synthetic.fail(four, 0, 1)
    last = crs.cumulative_incidence(failed).isel(time=-1)["value"].item()
    assert last == crs.incidence(failed, by="any", at_least=(1,))["value"].item()


def test_every_patient_failed_gives_no_rate_but_a_count(four):
    rates = crs.incidence(synthetic.put(four, outcome=2), by="any")
    assert np.isnan(rates["value"]).all()
    assert np.isnan(rates["lower"]).all()
    assert np.isnan(rates["trial_upper"]).all()
    assert rates["failed"].values.ravel().tolist() == [4, 4, 4]


def test_arm_without_doses_has_no_steps():
    ds = synthetic.put(synthetic.neutral(arms=("drug", "none")), dose_amount=1.0)
    label = ds["dose_label"].values.copy()
    label[1] = ""
    ds = synthetic.put(ds, dose_label=label)
    ds["crs_grade"].values[1] = -1
    assert {step.arm for step in steps(ds)} == {"drug"}
    rates = crs.incidence(ds)
    assert rates["evaluable"].sel(arm="none").values.max() == 0
    label[:] = ""
    assert crs.incidence(synthetic.put(ds, dose_label=label)).sizes["label"] == 0
