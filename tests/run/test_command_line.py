"""The commands from end to end: exit codes, files, and what they say."""

import csv

import numpy as np
import pytest
import xarray as xr

from tests.run.conftest import CONFIGS, call

CONTRACT = {
    ("arm", "patient", "time"): "drug_central il6 ifn_gamma tnf_alpha il2 il10 cxcl10 crs_severity "
    "t_cells_blood b_cells_blood tumor_volume",
    ("arm", "patient", "dose_period"): "il6_peak il6_peak_time ifn_gamma_peak tnf_alpha_peak "
    "il2_peak il10_peak cxcl10_peak cmax ctrough auc occupancy_max crs_grade crs_onset "
    "crs_duration dose_label dose_time dose_amount",
    ("arm", "patient", "dose_period", "tissue"): "cytokine_source trimers_peak",
    ("arm", "patient"): "best_response outcome",
    ("patient",): "body_weight body_surface age sex prevalence_weight",
}
ATTRIBUTES = (
    "config seed qsp_version jax_version git_commit wall_s compile_s lane_width solver rtol"
)


@pytest.fixture(scope="module")
def ds(small_run):
    with xr.open_dataset(small_run[0] / "results.nc") as results:
        return results.load()


def test_run_writes_three_files_and_prints_both_tables(small_run):
    out, done = small_run
    assert done.code == 0, done.err
    assert {path.name for path in out.iterdir()} == {"results.nc", "report.html", "summary.csv"}
    assert "SUD1" in done.out
    assert "Best response" in done.out
    assert str(out / "report.html") in done.out.replace("\n", "")


@pytest.mark.parametrize("dims", CONTRACT, ids="-".join)
def test_results_have_the_variables_of_the_contract(ds, dims):
    for name in CONTRACT[dims].split():
        assert ds[name].dims == dims, name
        assert ds[name].attrs["long_name"], name
        assert "units" in ds[name].attrs or np.issubdtype(ds[name].dtype, np.datetime64), name


def test_results_record_how_they_were_made(ds):
    assert not [name for name in ATTRIBUTES.split() if name not in ds.attrs]
    assert ds.attrs["lane_width"] % 64 == 0
    assert 'title = "small"' in ds.attrs["config"]


def test_periods_are_ordinals_with_labels_as_data(ds):
    assert ds["dose_period"].values[:2].tolist() == [1, 2]
    assert ds["dose_label"].sel(arm="step", patient=0).values[:3].tolist() == ["SUD1", "FD1", ""]
    assert ds["dose_label"].sel(arm="flat", patient=0).values[:2].tolist() == ["FD1", ""]
    np.testing.assert_allclose(ds["dose_amount"].sel(arm="step", patient=0)[:2], [1, 60])
    assert np.isnan(ds["il6_peak"].sel(arm="flat", dose_period=2)).all()
    assert np.isnan(ds["crs_grade"].sel(arm="flat", dose_period=2)).all()


def test_reductions_agree_with_the_trajectories(ds):
    first = ds.sel(arm="flat")
    seen = first["il6"].where(first["time"] >= 0).max("time")
    kept = first["il6_peak"].sel(dose_period=1)
    assert bool((kept >= seen * (1 - 1e-9)).all())
    np.testing.assert_allclose(kept, seen, rtol=0.1)


def test_volume_at_the_first_dose_is_that_of_the_trajectory(ds):
    at_start = ds["tumor_volume"].sel(time=0.0, method="nearest")
    np.testing.assert_allclose(ds["tumor_volume_baseline"], at_start, rtol=1e-5)


def test_the_same_run_again_is_the_same_to_the_bit(small_config, small_run, tmp_path, ds):
    done = call("run", small_config, "--out", tmp_path / "again", "--quiet", "--no-cache")
    assert done.code == 0
    assert done.out == ""
    with xr.open_dataset(tmp_path / "again" / "results.nc") as again:
        for name in ds.data_vars:
            np.testing.assert_array_equal(again[name].values, ds[name].values, err_msg=name)


def test_an_existing_folder_is_refused_and_untouched(small_config, small_run):
    before = (small_run[0] / "results.nc").stat().st_mtime_ns
    done = call("run", small_config, "--out", small_run[0])
    assert done.code == 2
    assert "--out must not exist yet" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert (small_run[0] / "results.nc").stat().st_mtime_ns == before


def test_report_and_export_read_the_results(small_run):
    out = small_run[0]
    (out / "report.html").unlink()
    assert call("report", out).code == 0
    assert (out / "report.html").stat().st_size > 100_000
    assert call("export", out, "--csv").code == 0
    tables = list((out / "csv").glob("*.csv"))
    assert len(tables) >= 3
    with (out / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) > 20


def test_trajectories_of_chosen_patients_lie_apart_with_bands_in_the_root(small_config, tmp_path):
    words = ("--set", "trajectories.ids=[1, 4]", "--quiet", "--no-cache")
    assert call("run", small_config, "--out", tmp_path / "run", *words).code == 0
    results = xr.open_datatree(tmp_path / "run" / "results.nc")
    assert results["trajectories"]["patient_traj"].values.tolist() == [1, 4]
    assert results["il6_quantiles"].dims == ("quantile", "arm", "time")
    assert results["il6_peak"].sizes["patient"] == 6
    results.close()


def test_typical_is_one_patient(small_config, tmp_path):
    words = ("--typical", "--quiet", "--no-cache")
    assert call("run", small_config, "--out", tmp_path / "run", *words).code == 0
    with xr.open_dataset(tmp_path / "run" / "results.nc") as results:
        assert results.sizes["patient"] == 1


def test_check_prints_the_doses_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("check", CONFIGS / "mosunetuzumab_step_up_vs_flat.toml")
    assert done.code == 0
    assert "day 15" in done.out
    assert "60 mg" in done.out
    assert list(tmp_path.iterdir()) == []


BAD = {
    "no such config": ("run", "nothing.toml"),
    "unknown key": ("run", "CONFIG", "--set", "patiens=3"),
    "unit": ("run", "CONFIG", "--set", "arms.flat.doses.0.amount=60 L"),
    "molecule": ("run", "CONFIG", "--set", "molecule=mosunetuzumap"),
    "solver": ("run", "CONFIG", "--solver", "Tsit6"),
    "rtol": ("run", "CONFIG", "--rtol", "1"),
    "patients": ("run", "CONFIG", "--patients", "0"),
    "arm parameter": ("run", "CONFIG", "--set", "arms.flat.parameters.synapse.alfa=1"),
    "parameters": ("run", "CONFIG", "--parameters", "nothing.toml"),
    "covariates": ("run", "CONFIG", "--covariates", "nothing.csv"),
    "no export format": ("export", "nowhere"),
    "option": ("run", "CONFIG", "--pateints", "3"),
    "explain": ("explain", "no_such_name"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_one_line_and_exit_code_2(case, small_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(*(small_config if word == "CONFIG" else word for word in BAD[case]))
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_impossible_draws_fail_alone_and_are_counted(small_config, tmp_path, ds):
    """A normal law of the peripheral volume makes some volumes negative."""
    law = 'value = "6.17 L", distribution = "normal", sd = "20 L", status = "assumed"'
    (tmp_path / "mine.toml").write_text(f"[disposition]\nV2 = {{ {law} }}\n")
    words = ("run", small_config, "--parameters", tmp_path / "mine.toml", "--no-cache")
    refused = call(*words, "--out", tmp_path / "refused")
    assert refused.code == 1
    assert "of the simulated patients failed, more than 5%" in refused.err
    assert (tmp_path / "refused" / "results.nc").exists()
    done = call(*words, "--out", tmp_path / "run", "--allow-failures")
    assert done.code == 0
    with xr.open_dataset(tmp_path / "run" / "results.nc") as results:
        failed = results["outcome"].values == 1
        assert 0 < failed.sum() < failed.size
        assert f"{failed.sum()} of 12 simulated patients failed" in done.err
        assert np.isnan(results["il6_peak"].values[failed]).all()
        assert np.isfinite(results["il6_peak"].values[~failed][:, 0]).all()
