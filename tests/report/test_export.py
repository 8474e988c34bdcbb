"""CSV tables: long, complete, with units, with column names for NONMEM."""

import csv

import numpy as np
import pytest

from qsp import report
from qsp.endpoints import add_best_response
from tests import synthetic


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trial():
    return add_best_response(synthetic.lively(6))


@pytest.fixture(scope="module")
def folder(trial, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "csv"
    written = report.export_csv(trial, folder)
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    return folder


def test_one_file_per_set_of_dimensions(folder, trial):
    rows = {path.name: len(read(path)) for path in folder.iterdir() if path.name != "units.csv"}
    times = trial.sizes["time"]
    assert rows == {
        "patients.csv": 4 * 6,
        "periods.csv": 4 * 6 * 6,
        "tissues.csv": 4 * 6 * 6 * 4,
        "visits.csv": 4 * 6 * 5,
        "trajectories.csv": 4 * 6 * times,
    }


def test_values_are_those_of_the_results(folder, trial):
    row = next(
        row
        for row in read(folder / "periods.csv")
        if (row["ARM"], row["ID"], row["PERIOD"]) == ("flat", "4", "2")
    )
    own = trial.sel(arm="flat", patient=4, dose_period=2)
    assert float(row["IL6_PEAK"]) == pytest.approx(own["il6_peak"].item(), rel=1e-6)
    assert (row["LABEL"], row["AMT"], row["ARMN"]) == ("FD2", "60", "2")
    last = read(folder / "trajectories.csv")[-1]
    assert float(last["CP"]) == pytest.approx(trial["drug_central"].values[-1, -1, -1], rel=1e-6)


def test_missing_values_are_points(folder):
    rows = read(folder / "periods.csv")
    free = [row for row in rows if row["CRS_GRADE"] == "0"]
    assert free
    assert {row["CRS_ONSET"] for row in free} == {"."}


def test_failed_patient_stays_in_the_tables(trial, tmp_path):
    failed = synthetic.fail(trial, 0, 1)
    report.export_csv(failed, tmp_path)
    row = next(r for r in read(tmp_path / "patients.csv") if (r["ARMN"], r["ID"]) == ("1", "1"))
    assert row["OUTCOME"] == "2"
    assert row["TUMOR_END"] == "."


def test_every_column_has_its_unit(folder):
    meanings = {(row["FILE"], row["COLUMN"]): row for row in read(folder / "units.csv")}
    for path in folder.iterdir():
        if path.name == "units.csv":
            continue
        for column in read(path)[0]:
            assert (path.name, column) in meanings
            assert len(column) <= 20
    assert meanings["trajectories.csv", "TIME"]["UNITS"] == "day"
    assert meanings["patients.csv", "WT"] == {
        "FILE": "patients.csv",
        "COLUMN": "WT",
        "VARIABLE": "body_weight",
        "UNITS": "kg",
        "LONG_NAME": "Body weight",
    }


def test_columns_of_a_file_are_distinct(folder):
    for path in folder.iterdir():
        header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        assert len(set(header)) == len(header)


def test_stored_bands_and_single_patients_of_a_large_run(trial, tmp_path):
    large = trial.drop_vars([n for n in trial.data_vars if "time" in trial[n].dims])
    stored = trial["il6"].quantile([0.05, 0.5, 0.95], "patient").assign_attrs(trial["il6"].attrs)
    large["il6_quantiles"] = stored
    single = trial[["il6"]].isel(patient=slice(2)).rename(patient="patient_traj")
    report.export_csv(large, tmp_path, trajectories=single)
    assert len(read(tmp_path / "bands.csv")) == 4 * 3 * trial.sizes["time"]
    lines = read(tmp_path / "trajectories.csv")
    assert {row["ID"] for row in lines} == {"0", "1"}
    values = [float(row["IL6"]) for row in lines[: trial.sizes["time"]]]
    np.testing.assert_allclose(values, trial["il6"].values[0, 0], rtol=1e-6)
