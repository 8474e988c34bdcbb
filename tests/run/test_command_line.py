"""The commands from end to end: exit codes, files, and messages."""

import csv
import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qsp import run as runs
from qsp.cli.output import plain
from qsp.config import load
from qsp.endpoints import COLUMNS, summary
from qsp.model import MODEL_VERSION
from qsp.results import record_of
from qsp.run import Request
from qsp.run import record as records
from tests.run.conftest import CONFIGS, call

CONTRACT = {
    ("arm", "patient", "time"): "drug_central il6 ifn_gamma tnf_alpha il2 il10 cxcl10 il1 "
    "crs_severity t_cells_blood b_cells_blood tumor_volume",
    ("arm", "patient", "dose_period"): "il6_peak il6_peak_time ifn_gamma_peak tnf_alpha_peak "
    "il2_peak il10_peak cxcl10_peak cmax ctrough auc occupancy_max crs_grade crs_onset "
    "crs_duration dose_label dose_time dose_amount",
    ("arm", "patient", "dose_period", "tissue"): "cytokine_source trimers_peak",
    ("arm", "patient"): "best_response outcome",
    ("patient",): "body_weight body_surface age sex prevalence_weight",
}
ATTRIBUTES = (
    "config command seed qsp_version model_version jax_version git_commit wall_s compile_s "
    "chunk_size solver rtol backend"
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
    assert "Solver ROCK4, backend native" in done.out
    assert str(out / "report.html") in done.out.replace("\n", "")


@pytest.mark.parametrize("dims", CONTRACT, ids="-".join)
def test_results_have_the_variables_of_the_contract(ds, dims):
    for name in CONTRACT[dims].split():
        assert ds[name].dims == dims, name
        assert ds[name].attrs["long_name"], name
        assert "units" in ds[name].attrs or np.issubdtype(ds[name].dtype, np.datetime64), name


def test_results_record_how_they_were_made(ds):
    assert not [name for name in ATTRIBUTES.split() if name not in ds.attrs]
    assert ds.attrs["chunk_size"] % 64 == 0
    assert 'title = "small"' in ds.attrs["config"]


def test_results_have_the_record_of_the_run(small_config, small_run, ds):
    record, expected = record_of(ds), records.run_record(prepared(small_config, small_run[0]))
    method = record.method
    assert (method.solver, method.backend) == ("ROCK4", "native")
    assert record == dataclasses.replace(expected, method=method)
    assert [arm.name for arm in record.arms] == ds["arm"].values.tolist()
    assert record.config["arms"]["step"]["doses"][0]["amount"] == "1 mg"
    assert ds.attrs["model_version"] == record.model_version == MODEL_VERSION
    assert f"Model version {MODEL_VERSION}" in _words(small_run[0] / "report.html")


def prepared(config, out):
    return runs.prepare(Request(config, out=out))


def _words(page):
    return " ".join(re.sub("<[^>]*>", " ", page.read_text(encoding="utf-8")).split())


def test_attributes_for_people_are_those_of_the_record(ds):
    record = record_of(ds)
    for name in ("molecule", "molecular_weight_kda", "population", "disease", "seed", "days"):
        assert ds.attrs[name] == getattr(record, name), name
    assert ds.attrs["command"] == records.command(record.request)


def test_the_default_model_is_computed_natively(small_run, ds):
    assert ds.attrs["backend"] == "native"
    assert "Backend" in (small_run[0] / "report.html").read_text(encoding="utf-8")


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
    peak = first["il6_peak"].sel(dose_period=1)
    assert bool((peak >= seen * (1 - 1e-9)).all())
    np.testing.assert_allclose(peak, seen, rtol=0.1)


def test_baseline_volume_equals_the_trajectory_at_the_first_dose(ds):
    at_start = ds["tumor_volume"].sel(time=0.0, method="nearest")
    np.testing.assert_allclose(ds["tumor_volume_baseline"], at_start, rtol=1e-5)


def test_repeating_a_run_gives_bitwise_equal_results(
    small_config, small_run, tmp_path, ds, no_report
):
    done = call("run", small_config, "--out", tmp_path / "again", "--quiet", "--no-cache")
    assert done.code == 0
    assert done.out == ""
    with xr.open_dataset(tmp_path / "again" / "results.nc") as again:
        for name in ds.data_vars:
            np.testing.assert_array_equal(again[name].values, ds[name].values, err_msg=name)


def test_programs_read_the_summary_of_a_run(small_config, small_run, tmp_path, ds, no_report):
    words = ("run", small_config, "--quiet", "--no-cache")
    done = call(*words, "--out", tmp_path / "json", "--json", "--to", tmp_path / "table.csv")
    assert done.code == 0, done.err
    expected = [plain(dataclasses.asdict(row), COLUMNS) for row in summary(ds)]
    assert json.loads(done.out) == expected
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [row["metric"] for row in csv.DictReader(file)] == [r["metric"] for r in expected]
    assert done.err.splitlines() == [f"Table: {tmp_path / 'table.csv'}"]


def test_an_existing_folder_is_refused_and_not_changed(small_config, small_run):
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


def test_trajectories_of_chosen_patients_are_in_their_own_group(small_config, tmp_path, no_figures):
    words = ("--set", "trajectories.ids=[1, 4]", "--quiet", "--no-cache")
    assert call("run", small_config, "--out", tmp_path / "run", *words).code == 0
    results = xr.open_datatree(tmp_path / "run" / "results.nc")
    assert results["trajectories"]["patient_traj"].values.tolist() == [1, 4]
    assert results["il6_quantiles"].dims == ("quantile", "arm", "time")
    assert results["il6_peak"].sizes["patient"] == 6
    results.close()


def test_typical_is_one_patient(small_config, tmp_path, no_figures):
    words = ("--typical", "--quiet", "--no-cache")
    assert call("run", small_config, "--out", tmp_path / "run", *words).code == 0
    with xr.open_dataset(tmp_path / "run" / "results.nc") as results:
        assert results.sizes["patient"] == 1


def test_results_have_the_ids_and_covariates_of_the_files(small_config, tmp_path, no_figures):
    """Table IDs 11 and 7 and weights by id: each patient keeps its dose and weight."""
    (tmp_path / "doses.csv").write_text(
        "ID,TIME,AMT,RATE,EVID,CMT,PERIOD\n11,0,60,360,1,central,FD1\n7,0,1,6,1,central,SUD1\n"
    )
    (tmp_path / "who.csv").write_text("ID,WT\n11,95\n7,55\n")
    config = tmp_path / "table.toml"
    text = small_config.read_text()
    config.write_text(text[: text.index("[premed")] + 'dose_table = { file = "doses.csv" }\n')
    out = tmp_path / "run"
    words = ("--covariates", tmp_path / "who.csv", "--no-cache")
    done = call("run", config, *words, "--out", out)
    assert done.code == 0, done.err
    note = "The run has the 2 patients of who.csv, not the 6 of the config."
    assert f"Note: {note}" in " ".join(done.out.split())
    with xr.open_dataset(out / "results.nc") as results:
        assert results["patient"].values.tolist() == [7, 11]
        assert results["body_weight"].values.tolist() == [55.0, 95.0]
        assert results["dose_label"].values[0, :, 0].tolist() == ["SUD1", "FD1"]
        np.testing.assert_allclose(results["dose_amount"].values[0, :, 0], [1.0, 60.0])
        assert results.attrs["notes"] == note


def command(config, *words, **options):
    request = Request(config, words, **options)
    return records.command(records.request_record(request, load(config, words)))


class TestRecordedCommand:
    def test_defaults_are_left_out(self, small_config):
        assert command(small_config) == f"qsp run {small_config}"

    def test_each_option_is_in_it_once(self, small_config):
        found = command(small_config, "patients=20", "seed=4", "patients=30", "method.rtol=1e-6")
        assert found == f"qsp run {small_config} --seed 4 --patients 30 --rtol 1e-6"

    def test_it_has_no_override_that_a_later_one_replaces(self, small_config):
        dose = "arms.flat.doses.0.amount=30 mg"
        whole = 'arms.flat={ same_doses_as = "step" }'
        assert command(small_config, dose, whole).endswith(f"--set '{whole}'")
        assert "30 mg" not in command(small_config, dose, whole)
        assert command(small_config, dose).endswith(f"--set '{dose}'")

    def test_it_has_folder_and_files(self, small_config):
        files = {"parameters": Path("mine.toml"), "covariates": Path("who.csv"), "out": Path("x")}
        found = command(small_config, "patients=6", **files)
        assert found.endswith("small.toml --parameters mine.toml --covariates who.csv --out x")

    def test_the_typical_patient_needs_no_seed(self, small_config):
        assert command(small_config, "seed=3", typical=True).endswith("small.toml --typical")


@pytest.mark.parametrize(
    ("words", "other"),
    [
        (("--patients", "10"), "--patients"),
        (("--set", "patients=10"), "--patients"),
        (("--covariates", "nothing.csv"), "--covariates"),
    ],
)
def test_typical_patient_is_refused_with_other_patients(small_config, words, other):
    done = call("run", small_config, "--typical", *words)
    assert done.code == 2
    assert done.err.startswith(
        f"qsp: --typical: the typical patient must be the only one, but is combined with {other}. "
    )


@pytest.fixture
def three_regimens(small_config, tmp_path):
    """Patients 1 and 3 have the same doses; SUD1 is two doses."""
    lines = [
        *("1,0,1,1,depot,SUD1", "1,1,2,1,depot,SUD1", "1,7,60,1,depot,FD1"),
        *("3,0,1,1,depot,SUD1", "3,1,2,1,depot,SUD1", "3,7,60,1,depot,FD1"),
        *("2,0,5,1,depot,SUD1", "2,7,60,1,depot,FD1"),
        *("9,0,0.02,1,depot,SUD1", "9,2,20,1,dexamethasone,"),
    ]
    table = "\n".join(["ID,TIME,AMT,EVID,CMT,PERIOD", *lines])
    (tmp_path / "doses.csv").write_text(table + "\n")
    text = small_config.read_text().replace("patients = 6\n", "")
    config = tmp_path / "table.toml"
    config.write_text(text[: text.index("[premed")] + 'dose_table = { file = "doses.csv" }\n')
    return config


def test_check_prints_each_regimen_with_its_patients_and_periods(three_regimens):
    done = call("check", three_regimens)
    assert done.code == 0, done.err
    printed = " ".join(done.out.split())
    assert "dose_table, patients 1, 3 " in printed
    assert "dose_table, patient 2 " in printed
    assert "dose_table, patient 9 " in printed
    assert "Dose periods: SUD1 3 mg in 2 doses; FD1 60 mg in 1 dose" in printed
    assert "Dose periods: SUD1 5 mg in 1 dose; FD1 60 mg in 1 dose" in printed
    assert "Dose periods: SUD1 20 ug in 1 dose " in printed
    assert "4 patients x 1 arm" in printed


def test_check_prints_ten_regimens_and_the_number_of_the_others(three_regimens):
    table = three_regimens.with_name("doses.csv")
    lines = [f"{n},0,{n},1,depot,SUD1" for n in range(1, 15)]
    table.write_text("\n".join(["ID,TIME,AMT,EVID,CMT,PERIOD", *lines]) + "\n")
    done = call("check", three_regimens)
    assert done.out.count("Dose periods:") == 10
    assert "and 4 more regimens of dose_table" in done.out


def test_typical_patient_is_refused_with_several_regimens(three_regimens):
    done = call("run", three_regimens, "--typical")
    assert done.code == 2
    assert "the number of IDs in doses.csv must be 1, but is 4. " in done.err


def test_check_notes_the_patients_of_a_covariate_file(small_config, tmp_path):
    (tmp_path / "who.csv").write_text("id,body_weight\n1,80\n")
    done = call("check", small_config, "--covariates", tmp_path / "who.csv")
    assert "1 patient x 2 arms" in done.out
    assert "Note: The run has the 1 patient of who.csv, not the 6 of the config." in done.out


@pytest.mark.parametrize("command", ["report", "export"])
def test_a_folder_without_a_run_is_refused(command, small_run, tmp_path):
    missing = call(command, small_run[0].with_name("smal"))
    assert missing.code == 2
    assert "the folder must hold a run (results.nc), but is missing. Did you mean" in missing.err
    assert "'small'" in missing.err
    empty = call(command, tmp_path)
    assert empty.code == 2
    assert (
        f"{tmp_path}: the folder must hold a run (results.nc), but is a folder without one."
        in empty.err
    )
    (tmp_path / "results.nc").write_text("no results")
    assert "results.nc: the file must hold the results of a run" in call(command, tmp_path).err


def test_export_prints_one_path_a_line(small_run, tmp_path):
    """A pipe has no width: a long path is not broken, and brackets in it are not markup."""
    run = tmp_path / ("a" * 60) / ("[b]" * 20)
    shutil.copytree(small_run[0], run, ignore=shutil.ignore_patterns("csv"))
    printed = call("export", run, "--no-trajectories").out.splitlines()
    assert len(printed) >= 3
    assert all(Path(line).is_file() for line in printed)
    assert set(map(Path, printed)) == set((run / "csv").iterdir())


def test_export_writes_the_requested_tables(small_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(small_run[0], run, ignore=shutil.ignore_patterns("csv"))
    assert call("export", run, "--no-trajectories").code == 0
    written = {path.name for path in (run / "csv").iterdir()}
    assert "patients.csv" in written
    assert "trajectories.csv" not in written
    shutil.rmtree(run / "csv")
    assert call("export", run, "--tables", "patients, periods.csv").code == 0
    written = {path.name for path in (run / "csv").iterdir()}
    assert written == {"patients.csv", "periods.csv", "units.csv"}
    with (run / "csv" / "periods.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * 2 + 6  # two doses in one arm, one in the other
    wrong = call("export", run, "--tables", "patient")
    assert wrong.code == 2
    assert "Did you mean 'patients'? Tables: patients, periods, tissues" in wrong.err


def test_new_creates_its_folder(tmp_path):
    assert call("new", "newmab", "--out", tmp_path / "mine" / "drugs").code == 0
    assert (tmp_path / "mine" / "drugs" / "newmab.toml").is_file()
    (tmp_path / "file").write_text("")
    refused = call("new", "newmab", "--out", tmp_path / "file")
    assert refused.code == 2
    assert "--out must be a folder, but is a file" in refused.err


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
    "no run to export": ("export", "nowhere"),
    "molecule in the config": ("check", "CONFIG", "--set", "molecule=mosunetuzumap"),
    "option": ("run", "CONFIG", "--pateints", "3"),
    "explain": ("explain", "no_such_name"),
}


@pytest.mark.parametrize("case", BAD)
def test_invalid_input_is_one_line_and_exit_code_2(case, small_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(*(small_config if word == "CONFIG" else word for word in BAD[case]))
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_patients_with_impossible_parameters_fail_and_are_counted(
    small_config, tmp_path, ds, no_figures
):
    """A normal distribution of the peripheral volume includes negative volumes."""
    entry = 'value = "6.17 L", distribution = "normal", sd = "20 L", status = "assumed"'
    (tmp_path / "mine.toml").write_text(f"[disposition]\nV2 = {{ {entry} }}\n")
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
