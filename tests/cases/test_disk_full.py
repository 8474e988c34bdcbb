"""A full disk is reported in one line, and leaves no part of a file behind.

Only root can mount a small disk, as in continuous integration.
"""

import os
import shutil
import subprocess

import numpy as np
import pytest
import xarray as xr

from qsp.errors import SolveError
from qsp.report.export import export_csv
from qsp.results.disk import writing
from qsp.results.netcdf import save


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount a disk")
    words = [mount, "-t", "tmpfs", "-o", "size=120k", "none", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("this container cannot mount a disk")
    yield folder
    # HDF5 may hold the file that it could not write: a lazy unmount does not wait for it.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def results():
    """Results that fill the disk: noise cannot be compressed."""
    noise = np.random.default_rng(1).normal(size=(2, 50_000))
    coords = {"arm": ["a", "b"], "patient": np.arange(50_000)}
    return xr.Dataset({"il6_peak": (("arm", "patient"), noise)}, coords)


def test_results_on_a_full_disk(small_disk, results):
    with pytest.raises(SolveError, match=f"{small_disk}: the disk is full; free space"):
        save(xr.DataTree(results), small_disk / "results.nc")
    assert list(small_disk.iterdir()) == []


def test_tables_on_a_full_disk_leave_no_cut_file(small_disk, results):
    with pytest.raises(SolveError, match="the disk is full"):
        export_csv(results, small_disk / "csv")
    assert list((small_disk / "csv").iterdir()) == []


def test_a_disk_that_is_already_full(small_disk, results):
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "other").write_bytes(bytes(200_000))
    with pytest.raises(SolveError, match="the disk is full"):
        save(xr.DataTree(results), small_disk / "results.nc")


def test_another_error_is_not_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("qsp.results.disk.FULL", 0)
    with pytest.raises(PermissionError), writing(tmp_path):
        raise PermissionError
    with pytest.raises(SolveError, match="the disk is full"), writing(tmp_path):
        raise OSError(28, "No space left on device")
