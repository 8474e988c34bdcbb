"""Simulated counterparts of published values, on synthetic results."""

import numpy as np
import pytest

from qsp.endpoints import add_best_response
from qsp.validation import measure
from qsp.validation.study import Study
from tests import synthetic

KDA = 146.0


def study(ds):
    return Study(ds, ds)


def by_period(ds, name, *columns):
    """Set the values of one arm, one column per dose period."""
    return synthetic.put(ds, **{name: np.array(columns, float).T[None]})


@pytest.fixture
def neutral():
    return synthetic.neutral(("A", "B"), patients=4, labels=("SUD1", "FD1", "C3", "C4"))


def test_rate_of_one_period_and_of_several_periods(neutral):
    ds = by_period(neutral, "crs_grade", [1, 0, 0, 0], [2, 2, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0])
    found = study(ds)
    assert measure.crs_rate(found, "A", ("SUD1",), 1).value == 25.0
    assert measure.crs_rate(found, "A", ("FD1",), 2).value == 50.0
    assert measure.crs_rate(found, "A", ("C3", "C4"), 1).value == 25.0
    assert measure.crs_rate(found, "A", (), 1).value == 75.0
    assert measure.crs_exactly(found, "A", 2).value == 50.0


def test_rate_has_its_monte_carlo_interval(neutral):
    ds = by_period(neutral, "crs_grade", [1, 1, 0, 0], [0] * 4, [0] * 4, [0] * 4)
    rate = measure.crs_rate(study(ds), "A", ("SUD1",), 1)
    assert (rate.lower, rate.upper) == pytest.approx((15.0, 85.0), abs=0.1)  # Wilson, 2 of 4


def test_failed_patients_are_left_out_of_rates(neutral):
    ds = by_period(neutral, "crs_grade", [1, 0, 0, 0], [0] * 4, [0] * 4, [0] * 4)
    assert measure.crs_rate(study(synthetic.fail(ds, 0, 3)), "A", (), 1).value == pytest.approx(
        100 / 3
    )


def test_onset_and_duration_are_those_of_events(neutral):
    ds = by_period(neutral, "crs_grade", [1, 1, 1, 0], [0] * 4, [0] * 4, [0] * 4)
    ds = by_period(ds, "crs_onset", [0.25, 0.5, 2.0, 9.0], *[[np.nan] * 4] * 3)
    ds = by_period(ds, "crs_duration", [1.0, 2.0, 4.0, 9.0], *[[np.nan] * 4] * 3)
    assert measure.crs_onset(study(ds), "A", ("SUD1",)).value == 12.0
    assert measure.crs_duration(study(ds), "A").value == 2.0
    early = measure.crs_on_infusion_day(study(ds), "A")
    assert early.value == pytest.approx(200 / 3)
    assert early.lower < early.value < early.upper


def test_no_event_has_no_onset(neutral):
    assert np.isnan(measure.crs_onset(study(neutral), "A", ("SUD1",)).value)
    assert np.isnan(measure.crs_on_infusion_day(study(neutral), "A").value)


def test_peaks_of_pooled_arms_have_the_weights_of_the_publication(neutral):
    peaks = np.empty((2, 4, 4))
    peaks[0], peaks[1] = 10.0, 1000.0
    found = study(synthetic.put(neutral, il6_peak=peaks))
    assert measure.il6_peak(found, {"A": 1.0}, ("SUD1",)).value == 10.0
    assert measure.il6_peak(found, {"A": 3.0, "B": 1.0}, ("SUD1",)).value == 10.0
    assert measure.il6_peak(found, {"A": 1.0, "B": 3.0}, ("SUD1",)).value == 1000.0


def test_peak_time_counts_from_the_dose(neutral):
    ds = synthetic.put(neutral, il6_peak_time=7.25)
    assert measure.il6_peak_time(study(ds), "A", ("FD1",)).value == pytest.approx(6.0)


def test_level_is_the_median_of_values_above_the_limit():
    ds = synthetic.neutral(("A",), patients=4, times=(0.0, 0.25, 0.5))
    values = np.array([[3.0, 10.0, 40.0, 60.0]]).T * np.ones(3)
    found = study(synthetic.put(ds, il6=values[None]))
    assert measure.level(found, "A", "il6", 0.25).value == 25.0
    assert measure.level(found, "A", "il6", 0.25, above=10.0).value == 50.0
    assert np.isnan(measure.level(found, "A", "il6", 0.25, above=100.0).value)


def test_level_of_some_patients_has_their_weights():
    ds = synthetic.neutral(("A",), patients=3, times=(0.0, 1.0))
    values = np.array([[10.0, 20.0, 30.0]]).T * np.ones(2)
    ds = synthetic.put(ds, il6=values[None], prevalence_weight=[9.0, 1.0, 5.0])
    apart = ds[["il6"]].isel(patient=[1, 2])
    assert measure.level(Study(ds, apart), "A", "il6", 1.0).value == 30.0


def test_concentration_is_in_the_unit_of_the_table(neutral):
    ds = by_period(neutral, "cmax", [1.0, 1.0, 1.0, 5.0], *[[9.0] * 4] * 3)
    ug = measure.concentration(study(ds), "A", ("SUD1",), "cmax", mean=True, unit="ug/mL")
    assert ug.value == pytest.approx(2.0 * KDA / 1000)
    pg = measure.concentration(study(ds), "A", ("SUD1",), "cmax", mean=False, unit="pg/mL")
    assert pg.value == pytest.approx(1.0 * KDA * 1000)


def test_area_is_the_sum_over_periods(neutral):
    ds = by_period(neutral, "auc", [1.0] * 4, [2.0] * 4, [4.0] * 4, [8.0] * 4)
    found = measure.area(study(ds), "A", ("SUD1", "FD1"), mean=True, unit="ug/mL")
    assert found.value == pytest.approx(3.0 * KDA / 1000)


def test_serum_is_the_median_at_a_time(neutral):
    ds = synthetic.put(neutral, drug_central=2.0)
    assert measure.serum(study(ds), "A", 1.0, "ug/mL").value == pytest.approx(2 * KDA / 1000)


def test_response_is_the_best_of_each_patient(neutral):
    volume = np.array(
        [[50.0, 50.0, 50.0], [50.0, 10.0, 10.0], [50.0, 0.1, 0.1], [50.0, 99.0, 99.0]]
    )
    ds = add_best_response(synthetic.put(neutral, tumor_volume_visit=volume[None]))
    assert measure.responders(study(ds), "A", complete=False).value == 50.0
    assert measure.responders(study(ds), "A", complete=True).value == 25.0
