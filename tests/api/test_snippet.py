"""The first lines that a user writes, with the expected result of each."""

import numpy as np
import pytest

import qsp


@pytest.fixture(scope="module")
def drug():
    return qsp.molecule("mosunetuzumab").set("synapse.alpha", "2e-3").scale("binding.KD_CD3", 0.5)


def test_molecule_takes_set_and_scale(drug):
    assert drug.changes == {
        "synapse.alpha": {"value": "2e-3"},
        "binding.KD_CD3": {"scale": 0.5},
    }


@pytest.fixture(scope="module")
def patients(drug):
    return qsp.population("nhl").sample(6, molecule=drug, seed=1)


def test_people_have_typical_covariates_parameters_and_at(patients):
    assert len(patients) == 6
    assert patients.typical.parameters.loc[0, "synapse.alpha"] == 2e-3
    assert patients.covariates["body_weight"].nunique() == 6
    assert patients.parameters.shape[0] == 6
    assert len(patients.at({"t_cells.k_act": [-1.0, 0.0, 1.0]})) == 3


def step_up():
    return qsp.regimen(
        qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        qsp.iv("2 mg", day=8, over="4 h", period="SUD2"),
        qsp.iv("60 mg", day=15, every="7 day", times=2, over="4 h", period="FD"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    )


def test_regimen_names_periods():
    assert step_up().periods == ("SUD1", "SUD2", "FD1", "FD2")


def test_regimen_prints_the_unit_of_plain_numbers():
    printed = repr(qsp.regimen(qsp.iv(1, day=1), qsp.civ(0.009, day=8)))
    assert printed == "Regimen(1 mg iv day 1, 0.009 mg/day civ day 8)"


@pytest.fixture(scope="module")
def saved(patients):
    flat = qsp.regimen(qsp.iv("60 mg", day=1, over="4 h", period="FD1"))
    return qsp.simulate(
        {"step": step_up(), "flat": flat},
        patients,
        days=28,
        visits=[14, 28],
        save=["t_cells.activated"],
        progress=False,
    )


def test_results_print_what_was_run(saved):
    text = repr(saved)
    for word in (
        "step, flat",
        "6 of nhl",
        "ROCK4",
        saved.ds.attrs["backend"],
        "0 of 12",
        "seconds",
    ):
        assert word in text


def test_endpoints_take_results(saved):
    rate = qsp.endpoints.crs.incidence(saved, by="any").value.sel(arm="flat", grade=1)
    assert 0.0 < float(rate) <= 1.0


def test_figures_take_results(saved):
    assert qsp.plots.crs_by_dose(saved).axes


def test_dataset_has_time_courses_by_arm(saved):
    assert saved.ds.il6.sel(arm="step").dims == ("patient", "time")
    assert saved.ds["t_cells.activated"].attrs["units"] == "Mcell"


def test_dose_periods_are_found_by_name(saved):
    peaks = saved.by_label.il6_peak
    first = saved.ds.il6_peak.sel(arm="step", dose_period=3)
    np.testing.assert_array_equal(peaks.sel(arm="step", label="FD1"), first)
    flat = saved.ds.il6_peak.sel(arm="flat", dose_period=1)
    np.testing.assert_array_equal(peaks.sel(arm="flat", label="FD1"), flat)
    assert peaks.sel(arm="flat", label="SUD1").isnull().all()
    assert peaks.attrs == saved.ds.il6_peak.attrs
    grades = saved.by_label.crs_grade.sel(arm="step", label="SUD1")
    np.testing.assert_array_equal(grades, saved.ds.crs_grade.sel(arm="step", dose_period=1))


def test_difference_is_of_rates(saved):
    table = saved.difference("step", "flat")
    np.testing.assert_allclose(table["difference"], table["first"] - table["second"], atol=1e-15)


def test_run_is_saved_with_its_report(saved, tmp_path):
    out = saved.save(tmp_path / "runs" / "mine")
    assert saved.report() == out / "report.html"
    again = qsp.read(out)
    np.testing.assert_array_equal(again.by_label.il6_peak, saved.by_label.il6_peak)
    np.testing.assert_array_equal(again.by_label.crs_grade, saved.by_label.crs_grade)
