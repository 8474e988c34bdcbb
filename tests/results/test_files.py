"""Files of results: compressed without loss, and read in full or variable by variable."""

import netCDF4
import numpy as np
import xarray as xr

from qsp.results import load, save
from tests import synthetic


def test_saved_results_come_back_exactly(tmp_path):
    expected = synthetic.lively(20)
    save(xr.DataTree(expected), tmp_path / "results.nc")
    found = load(tmp_path / "results.nc").to_dataset()
    numbers = [name for name in expected.data_vars if expected[name].dtype.kind == "f"]
    assert len(numbers) > 20
    xr.testing.assert_equal(found[numbers], expected[numbers])


def test_large_variables_are_compressed_and_small_ones_are_not(tmp_path):
    save(xr.DataTree(synthetic.lively(20)), tmp_path / "results.nc")
    found = load(tmp_path / "results.nc").to_dataset()
    assert found["il6"].encoding["zlib"]
    assert found["il6"].encoding["shuffle"]
    assert not found["body_weight"].encoding["zlib"]


def test_groups_are_compressed_too(tmp_path):
    ds = synthetic.lively(20)
    group = ds[["il6"]].drop_vars("patient").rename(patient="patient_traj")
    tree = xr.DataTree(ds.drop_vars("il6"), children={"trajectories": xr.DataTree(group)})
    save(tree, tmp_path / "results.nc")
    stored = load(tmp_path / "results.nc").children["trajectories"].to_dataset()
    assert stored["il6"].encoding["zlib"]
    np.testing.assert_array_equal(stored["il6"].values, group["il6"].values)


def test_a_large_file_is_read_variable_by_variable(tmp_path, monkeypatch):
    expected = synthetic.lively(20)
    save(xr.DataTree(expected), tmp_path / "results.nc")
    monkeypatch.setattr("qsp.results.netcdf.LARGE", 0)
    found = load(tmp_path / "results.nc").to_dataset()
    assert not found["il6_peak"].variable._in_memory
    np.testing.assert_array_equal(found["il6_peak"].values, expected["il6_peak"].values)
    assert not found["il6_peak"].variable._in_memory  # nor is it after it was used


def test_labels_of_a_large_file_are_read_when_they_are_used(tmp_path, monkeypatch):
    expected = synthetic.lively(20)
    save(xr.DataTree(expected), tmp_path / "results.nc")
    monkeypatch.setattr("qsp.results.netcdf.LARGE", 0)
    usual = netCDF4.get_chunk_cache()
    found = load(tmp_path / "results.nc").to_dataset()
    labels, expected = found["dose_label"], expected["dose_label"]
    assert netCDF4.get_chunk_cache() == usual
    assert not labels.variable._in_memory
    assert labels.attrs == expected.attrs
    for part in ({}, {"patient": 3}, {"patient": slice(2, 5)}, {"arm": 0, "patient": [1, 7]}):
        np.testing.assert_array_equal(labels.isel(part).values, expected.isel(part).values)
    assert (labels.isel(arm=1, patient=0) == "FD1").values.tolist() == [True] + [False] * 5
    assert labels.isel(arm=1, patient=0, dose_period=0).item() == "FD1"


def test_whole_numbers_keep_their_fill_value(tmp_path):
    ds = synthetic.lively(20)
    grades = ds["crs_grade"].astype(np.int8)
    grades[0, :5] = -1
    ds = ds.assign(crs_grade=grades)
    large = ds.isel(patient=np.arange(20).repeat(20)).assign_coords(patient=np.arange(400))
    large["crs_grade"].encoding["_FillValue"] = np.int8(-1)
    save(xr.DataTree(large), tmp_path / "results.nc")
    with netCDF4.Dataset(tmp_path / "results.nc") as file:
        assert file["crs_grade"].dtype == np.int8
        assert file["crs_grade"].getncattr("_FillValue") == -1
    assert np.isnan(load(tmp_path / "results.nc")["crs_grade"].values).any()
