"""Results written block by block: the same file as in one piece, complete or absent."""

import pytest
import xarray as xr

from qsp.errors import ConfigError
from qsp.results import load, save_blocks
from tests import synthetic


def parts(ds, size=7):
    """The results of a run, in parts of `size` patients."""
    ds = ds.assign_attrs(compile_s=2.0, wall_s=5.0)
    count = ds.sizes["patient"]
    slices = [slice(first, first + size) for first in range(0, count, size)]
    return [xr.DataTree(ds.isel(patient=rows)) for rows in slices]


@pytest.fixture
def ds():
    return synthetic.lively(20)


def partial_of(path):
    return path.with_name(f".{path.name}.partial")


def test_parts_are_joined_along_the_patients(ds, tmp_path):
    save_blocks(parts(ds), tmp_path / "results.nc")
    found = load(tmp_path / "results.nc")
    assert found["patient"].values.tolist() == ds["patient"].values.tolist()
    xr.testing.assert_equal(found["il6_peak"].variable, ds["il6_peak"].variable)
    assert found["dose_label"].values.tolist() == ds["dose_label"].values.tolist()
    assert found.attrs["wall_s"] == 15.0  # of three parts


def test_an_unfinished_file_of_an_earlier_run_is_overwritten(ds, tmp_path):
    path = tmp_path / "results.nc"
    save_blocks(parts(ds)[:1], path)
    path.rename(partial_of(path))
    save_blocks(parts(ds), path)
    assert load(path)["patient"].values.tolist() == ds["patient"].values.tolist()
    assert [each.name for each in tmp_path.iterdir()] == ["results.nc"]


def test_a_broken_file_of_an_earlier_run_is_overwritten(ds, tmp_path):
    path = tmp_path / "results.nc"
    partial_of(path).write_bytes(b"CDF, cut off")
    save_blocks(parts(ds), path)
    assert load(path).sizes["patient"] == 20


def test_a_part_that_fails_leaves_no_file(ds, tmp_path):
    def failing():
        yield parts(ds)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_blocks(failing(), tmp_path / "results.nc")
    assert list(tmp_path.iterdir()) == []


def test_later_parts_may_have_longer_names_and_any_letters(ds, tmp_path):
    first, *rest = parts(ds)
    renamed = [
        xr.DataTree(part.to_dataset().assign(dose_label=part["dose_label"] + " – erhöht, 2×"))
        for part in rest
    ]
    save_blocks([first, *renamed], tmp_path / "results.nc")
    found = load(tmp_path / "results.nc")["dose_label"]
    expected = xr.concat([part["dose_label"] for part in (first, *renamed)], dim="patient")
    assert found.values.tolist() == expected.values.tolist()


def test_a_name_longer_than_the_file_allows_is_refused_and_not_cut(ds, tmp_path):
    long = xr.DataTree(ds.assign(dose_label=ds["dose_label"] + "x" * 30))
    with pytest.raises(ConfigError, match="at most 32 letters in a file"):
        save_blocks([long], tmp_path / "results.nc")
