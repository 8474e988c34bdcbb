"""Simulated counterparts of published values, on synthetic results."""

import numpy as np
import pytest

from qsp.endpoints import add_best_response
from qsp.trial import KINDS
from qsp.validation import measure
from qsp.validation.selected import NotComputed
from qsp.validation.study import APPROVED, Study
from tests import synthetic
from tests.validation.rows import target

KDA = 146.0


def study(ds):
    return Study(ds, ds)


def value(name, found, **row):
    """Simulated value of a row with a function, in arm A."""
    return measure.FUNCTIONS[name](found, target(**({"arms": {"A": 1.0}} | row))).value


def by_period(ds, name, *columns):
    """Set the values of one arm, one column per dose period."""
    return synthetic.put(ds, **{name: np.array(columns, float).T[None]})


@pytest.fixture
def neutral():
    return synthetic.neutral(("A", "B"), patients=4, labels=("SUD1", "FD1", "C3", "C4"))


def test_rate_of_one_period_and_of_several_periods(neutral):
    ds = by_period(neutral, "crs_grade", [1, 0, 0, 0], [2, 2, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0])
    found = study(ds)
    assert value("crs_period", found, periods=("SUD1",)) == 25.0
    assert value("crs_g2", found, periods=("FD1",)) == 50.0
    assert value("crs_period", found, periods=("C3", "C4")) == 25.0
    assert value("crs_any", found) == 75.0
    assert value("crs_g2", found) == 50.0
    assert value("crs_g3", found) == 0.0
    assert value("crs_recurrent", found) == 50.0


def test_rate_of_a_period_is_among_patients_dosed_in_it(neutral):
    ds = by_period(neutral, "crs_grade", [1, 0, 0, 0], [1, 0, -1, -1], [-1] * 4, [-1] * 4)
    assert value("crs_period", study(ds), periods=("FD1",)) == 50.0


def test_rate_has_its_monte_carlo_interval(neutral):
    ds = by_period(neutral, "crs_grade", [1, 1, 0, 0], [0] * 4, [0] * 4, [0] * 4)
    rate = measure.crs_period(study(ds), target(arms={"A": 1.0}, periods=("SUD1",)))
    assert (rate.lower, rate.upper) == pytest.approx((15.0, 85.0), abs=0.1)  # Wilson, 2 of 4


def test_failed_patients_are_left_out_of_rates(neutral):
    ds = by_period(neutral, "crs_grade", [1, 0, 0, 0], [0] * 4, [0] * 4, [0] * 4)
    assert value("crs_any", study(synthetic.fail(ds, 0, 3))) == pytest.approx(100 / 3)


def test_onset_and_duration_are_those_of_events(neutral):
    ds = by_period(neutral, "crs_grade", [1, 1, 1, 0], [0] * 4, [0] * 4, [0] * 4)
    ds = by_period(ds, "crs_onset", [0.25, 0.5, 2.0, 9.0], *[[np.nan] * 4] * 3)
    ds = by_period(ds, "crs_duration", [1.0, 2.0, 4.0, 9.0], *[[np.nan] * 4] * 3)
    assert value("onset_median", study(ds), periods=("SUD1",)) == 12.0
    assert value("duration_median", study(ds)) == 2.0
    early = measure.crs_on_infusion_day(study(ds), target(arms={"A": 1.0}))
    assert early.value == pytest.approx(200 / 3)
    assert early.lower < early.value < early.upper


def test_no_event_has_no_onset(neutral):
    assert np.isnan(value("onset_median", study(neutral), periods=("SUD1",)))
    assert np.isnan(value("crs_on_infusion_day", study(neutral)))


def test_peaks_of_pooled_arms_have_the_weights_of_the_publication(neutral):
    peaks = np.empty((2, 4, 4))
    peaks[0], peaks[1] = 10.0, 1000.0
    found = study(synthetic.put(neutral, il6_peak=peaks))
    assert value("il6_median_peak", found, arms={"A": 1.0}, periods=("SUD1",)) == 10.0
    assert value("il6_median_peak", found, arms={"A": 3.0, "B": 1.0}, periods=("SUD1",)) == 10.0
    assert value("il6_median_peak", found, arms={"A": 1.0, "B": 3.0}, periods=("SUD1",)) == 1000.0


def test_peak_time_counts_from_the_dose(neutral):
    ds = synthetic.put(neutral, il6_peak_time=7.25)
    assert value("il6_peak_time", study(ds), periods=("FD1",)) == pytest.approx(6.0)


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
    ug = value("cmax_mean", study(ds), periods=("SUD1",), unit="ug/mL")
    assert ug == pytest.approx(2.0 * KDA / 1000)
    pg = value("cmax_median", study(ds), periods=("SUD1",), unit="pg/mL")
    assert pg == pytest.approx(1.0 * KDA * 1000)


def test_area_is_the_sum_over_periods(neutral):
    ds = by_period(neutral, "auc", [1.0] * 4, [2.0] * 4, [4.0] * 4, [8.0] * 4)
    found = value("auc_mean", study(ds), periods=("SUD1", "FD1"), unit="ug*day/mL")
    assert found == pytest.approx(3.0 * KDA / 1000)


def test_average_concentration_is_the_area_over_the_length_of_the_period(neutral):
    ds = by_period(neutral, "auc", [14.0] * 4, [7.0] * 4, [7.0] * 4, [7.0] * 4)
    found = value("cavg_median", study(ds), periods=("SUD1",), unit="ug/mL")
    assert found == pytest.approx(2.0 * KDA / 1000)  # over seven days


def test_serum_is_the_median_at_a_time(neutral):
    ds = synthetic.put(neutral, drug_central=2.0)
    assert measure.serum(study(ds), "A", 1.0, "ug/mL").value == pytest.approx(2 * KDA / 1000)


def test_response_is_the_best_of_each_patient(neutral):
    volume = np.array(
        [[50.0, 50.0, 50.0], [50.0, 10.0, 10.0], [50.0, 0.1, 0.1], [50.0, 99.0, 99.0]]
    )
    ds = add_best_response(synthetic.put(neutral, tumor_volume_visit=volume[None]))
    assert value("orr", study(ds)) == 50.0
    assert value("cr", study(ds)) == 25.0


# === times and rescue =============================================================================


def over_time(**values):
    """Results of four patients with values (patient, time) at 0 h, 6 h, 24 h and 7 d 6 h."""
    ds = synthetic.neutral(("A",), patients=4, times=(0.0, 0.25, 1.0, 7.25))
    return synthetic.put(ds, **{name: np.array(v, float)[None] for name, v in values.items()})


def test_value_at_a_time_counts_from_the_start_of_its_dose():
    levels = np.array([[1.0, 2.0, 3.0, 4.0]]) * np.array([[1.0, 2.0, 3.0, 10.0]]).T
    found = study(over_time(il6=levels))
    assert value("il6_median", found, periods=("SUD1",), hours=24.0, unit="pg/mL") == 7.5
    assert value("il6_median", found, periods=("FD1",), hours=6.0, unit="pg/mL") == 10.0
    assert value("il6_mean", found, periods=("SUD1",), hours=6.0, unit="pg/mL") == 8.0
    above = value("il6_median_detectable", found, periods=("SUD1",), hours=24.0)
    assert above == 30.0


def test_time_that_was_not_saved_is_not_computed():
    with pytest.raises(NotComputed, match="day 2 was not saved"):
        value("il6_median", study(over_time()), periods=("SUD1",), hours=48.0)


def test_t_cells_are_relative_to_those_of_the_same_patient():
    cells = np.array([[10.0, 2.0, 4.0, 9.0], [100.0, 40.0, 60.0, 80.0]] * 2)
    found = study(over_time(t_cells_blood=cells))
    assert value("t_cells_relative", found, periods=("SUD1",), hours=6.0) == pytest.approx(0.3)
    assert value("t_cells_relative", found, periods=("FD1",), hours=6.0) == pytest.approx(0.85)


def rescued(ds, patients, drug="tocilizumab", reason=4):
    """Results in which some patients received a drug, as rescue by default."""
    shape = (ds.sizes["arm"], ds.sizes["patient"], 2)
    drugs, reasons = np.full(shape, -1), np.full(shape, -1)
    drugs[:, patients, 1], reasons[:, patients, 1] = KINDS.index(drug), reason
    dims = ("arm", "patient", "administration")
    return ds.assign(administered_drug=(dims, drugs), administered_reason=(dims, reasons))


def test_mean_without_patients_who_received_tocilizumab():
    levels = np.array([[1.0], [2.0], [3.0], [1000.0]]) * np.ones(4)
    row = {"periods": ("SUD1",), "hours": 6.0}
    ds = over_time(il6=levels)
    assert value("il6_mean", study(rescued(ds, [3])), **row) == 251.5
    assert value("il6_mean_without_tocilizumab", study(rescued(ds, [3])), **row) == 2.0
    assert value("il6_mean_without_tocilizumab", study(ds), **row) == 251.5  # no rules


def test_peak_of_patients_with_crs_and_without_tocilizumab(neutral):
    ds = by_period(neutral, "crs_grade", [1, 1, 2, 0], [0] * 4, [0] * 4, [0] * 4)
    ds = by_period(ds, "il6_peak", [10.0, 30.0, 900.0, 1.0], *[[1.0] * 4] * 3)
    assert value("il6_median_peak_of_crs", study(ds)) == 30.0
    assert value("il6_median_peak_of_crs", study(rescued(ds, [2]))) == 20.0


def test_share_of_patients_who_received_a_rescue_drug(neutral):
    ds = by_period(neutral, "crs_grade", [1, 2, 0, 0], [0] * 4, [0] * 4, [0] * 4)
    found = study(rescued(ds, [1]))
    assert value("tocilizumab_share", found) == 25.0
    assert value("tocilizumab_share_of_crs", found) == 50.0
    with pytest.raises(NotComputed, match="no dexamethasone by a rule"):
        value("steroid_share", found)
    with pytest.raises(NotComputed, match="no tocilizumab by a rule"):
        value("tocilizumab_share", study(rescued(ds, [1], reason=1)))  # ahead of a dose
    with pytest.raises(NotComputed, match="no rescue in the study"):
        value("tocilizumab_share", study(ds))


def test_value_is_that_of_the_arm_of_its_row():
    ds = synthetic.neutral((APPROVED, "other"), patients=4, labels=("SUD1",))
    ds = synthetic.put(ds, crs_grade=np.array([[1, 2, 0, 0], [1, 2, 2, 0]], float)[..., None])
    found = study(rescued(ds, [1]))
    found.results["administered_drug"].values[1] = -1

    def simulated(name, arm=APPROVED):
        return measure.simulated(found, target(function=name, arms={arm: 1.0})).value

    assert (simulated("crs_any"), simulated("crs_any", "other")) == (50.0, 75.0)
    assert simulated("tocilizumab_share") == 25.0
    assert simulated("tocilizumab_share_of_crs") == 50.0
