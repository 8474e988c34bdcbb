"""Cytokine and exposure endpoints, checked by hand."""

import numpy as np
import pytest

from qsp.endpoints import bands, cytokines, exposure, has_trajectory
from qsp.errors import ConfigError
from tests import synthetic


@pytest.fixture
def three():
    """Three patients with IL-6 peaks of 30, 60, 90 on SUD1 and 300 on FD1; baseline 3 pg/mL."""
    peaks = [[30.0, 300.0], [60.0, 300.0], [90.0, 300.0]]
    times = [[0.25, 7.5], [0.5, 7.5], [0.75, 8.0]]
    return synthetic.put(synthetic.neutral(patients=3), il6_peak=peaks, il6_peak_time=times)


def il6(result):
    return result["value"].sel(cytokine="il6", quantile=0.5)


def test_peaks_are_medians_over_patients(three):
    assert il6(cytokines.peaks(three)).values.tolist() == [[60.0, 300.0]]
    assert il6(cytokines.peaks(three, by="any")).item() == 300.0
    outer = cytokines.peaks(three, quantiles=(0.0, 0.5, 1.0))["value"].sel(
        cytokine="il6", label="SUD1"
    )
    assert outer.values.ravel().tolist() == [30.0, 60.0, 90.0]


def test_failed_patient_is_excluded_and_counted(three):
    peaks = cytokines.peaks(synthetic.fail(three, 0, 2))
    assert il6(peaks).sel(label="SUD1").item() == 45.0
    assert peaks["failed"].values.max() == 1
    assert peaks["evaluable"].values.max() == 2


def test_fold_change_over_the_first_saved_value(three):
    assert il6(cytokines.fold_changes(three)).values.tolist() == [[20.0, 100.0]]


def test_fold_change_over_the_known_baseline_of_each_patient(three):
    three["il6_baseline"] = three["il6"].isel(time=0, drop=True) * 0.0 + [[6.0, 6.0, 12.0]]
    # Folds of the three patients: 5, 10, 7.5, then 50, 50, 25.
    assert il6(cytokines.fold_changes(three)).values.tolist() == [[7.5, 50.0]]


def test_fold_change_where_only_bands_are_stored(three):
    only = three.drop_vars(cytokines.CYTOKINES)
    for name in cytokines.CYTOKINES:
        only[f"{name}_quantiles"] = three[name].quantile([0.05, 0.5, 0.95], "patient")
    assert il6(cytokines.fold_changes(only)).values.tolist() == [[20.0, 100.0]]


def test_unknown_baseline_is_refused(three):
    with pytest.raises(ConfigError, match="the baseline of il6 must be known, but is missing"):
        cytokines.fold_changes(three.drop_vars("il6"))


def test_time_of_peak_counts_from_the_start_of_the_period(three):
    hours = cytokines.peak_times(three)["value"].sel(quantile=0.5)
    assert hours.values.tolist() == [[12.0, 12.0]]


def test_ratio_to_a_reference_arm():
    ds = synthetic.neutral(arms=("step_up", "flat"), patients=3)
    ds["il6_peak"].values[0] = [[10.0, 20.0], [10.0, 40.0], [10.0, 100.0]]
    ds["il6_peak"].values[1] = [[60.0, 1.0], [80.0, 1.0], [100.0, 1.0]]
    ratio = cytokines.peak_ratio(ds, reference="step_up").sel(cytokine="il6")
    assert ratio["value"].values.tolist() == [1.0, 2.0]  # 80 / 40
    within = ratio["within_patient"].sel(arm="flat", quantile=0.5)  # 3, 2, 1
    assert within.item() == 2.0
    with pytest.raises(
        ConfigError, match="the reference must be an arm, but is 'x'. Arms: step_up, flat"
    ):
        cytokines.peak_ratio(ds, reference="x")


def test_patient_failed_in_one_arm_has_no_ratio():
    ds = synthetic.fail(synthetic.neutral(arms=("a", "b"), patients=3), 0, 1)
    ratio = cytokines.peak_ratio(ds, reference="a")
    assert ratio["evaluable"].sel(cytokine="il6").values.tolist() == [2, 2]


def test_source_shares_of_tissues(three):
    three["cytokine_source"].values[:] = [1.0, 2.0, 1.0, 4.0]
    shares = cytokines.source_shares(three, by="any")["value"].sel(arm="a")
    assert shares.sel(tissue="skin").item() == pytest.approx(0.5)
    assert float(shares.sum()) == pytest.approx(1.0)
    three["cytokine_source"].values[:] = 0.0
    assert np.isnan(cytokines.source_shares(three)["value"]).all()


def test_exposure_in_molar_and_mass_units(three):
    found = exposure.metrics(three).sel(arm="a", quantile=0.5, label="FD1")
    assert found["cmax"].item() == 2.0
    # 2 nmol/L of 146 kDa are 292 ug/L.
    assert found["cmax_mass"].item() == pytest.approx(0.292)
    assert found["auc_mass"].item() == pytest.approx(7.0 * 0.146)
    units = {name: found[name].attrs["units"] for name in ("cmax", "cmax_mass", "auc", "auc_mass")}
    assert units == {
        "cmax": "nmol/L",
        "cmax_mass": "ug/mL",
        "auc": "nmol*day/L",
        "auc_mass": "ug*day/mL",
    }


def test_exposure_over_all_doses(three):
    ds = synthetic.put(three, cmax=[2.0, 5.0], ctrough=[0.5, 0.2], auc=[7.0, 9.0])
    whole = exposure.metrics(ds, by="any").sel(arm="a", quantile=0.5)
    assert (whole["cmax"].item(), whole["ctrough"].item(), whole["auc"].item()) == (5.0, 0.2, 16.0)


@pytest.mark.parametrize("weight", [None, 0.0, -1.0])
def test_exposure_needs_the_molecular_weight(three, weight):
    three.attrs["molecular_weight_kda"] = weight
    if weight is None:
        del three.attrs["molecular_weight_kda"]
    with pytest.raises(ConfigError, match="the attribute molecular_weight_kda must be positive"):
        exposure.metrics(three)


def test_bands_over_time_leave_failed_patients_out(three):
    three["il6"].values[0, :, 1] = [10.0, 20.0, 1000.0]
    band = bands(synthetic.fail(three, 0, 2), "il6", quantiles=(0.0, 0.5, 1.0))
    assert band.sel(arm="a", time=1.0).values.tolist() == [10.0, 15.0, 20.0]
    assert band.attrs["units"] == "pg/mL"


def test_stored_quantiles_are_used(three):
    stored = three["il6"].quantile([0.05, 0.25, 0.5, 0.75, 0.95], "patient")
    only = three.drop_vars("il6").assign(il6_quantiles=stored)
    assert has_trajectory(only, "il6")
    assert bands(only, "il6").sizes == {"quantile": 3, "arm": 1, "time": 3}
    with pytest.raises(ConfigError, match="il2x or il2x_quantiles must be present"):
        bands(only, "il2x")
