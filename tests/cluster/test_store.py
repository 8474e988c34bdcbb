"""The store: concurrent writers, invalid parts, and chunks of fill values."""

import multiprocessing

import numpy as np
import pytest
import xarray as xr
import zarr

from qsp.errors import ConfigError
from qsp.results.zarr_store import Store


def results(first, count):
    """Results of some patients, with each kind of variable."""
    ids = np.arange(first, first + count)
    values = np.outer(np.ones(2), ids)[..., None] * np.ones(3)
    grades = np.where(values % 3 == 0, -1, 1).astype(np.int8)
    labels = np.full(values.shape, "SUD1", dtype="<U4")
    labels[:, ids % 2 == 0] = "FD1"
    dims = ("arm", "patient", "dose_period")
    ds = xr.Dataset(
        {
            "il6_peak": (dims, values, {"units": "pg/mL"}),
            "empty": (dims, np.full(values.shape, np.nan)),
            "crs_grade": (dims, grades),
            "zero": (("patient",), np.zeros(count, np.int16)),
            "dose_label": (dims, labels),
            "calendar": (("arm", "visit"), np.ones((2, 4))),
        },
        {"patient": ids, "arm": ["a", "b"]},
    )
    ds["crs_grade"].encoding["_FillValue"] = np.int8(-1)
    return ds


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.zarr")
    store.create(results(0, 2), np.arange(10), 4)
    return store


def write(path, first, count):
    Store(path).write(results(first, count), slice(first, first + count))


def test_concurrent_writers_give_the_same_store_as_one_writer(store):
    # The fork server imports the modules once for all processes.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "zarr"])
    workers = [
        context.Process(target=write, args=(store.path, first, count))
        for first, count in ((0, 4), (4, 4), (8, 2), (4, 4))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    store.close({}, complete=True)
    found, expected = store.read().to_dataset().load(), results(0, 10)
    for name in ("il6_peak", "empty", "zero", "calendar", "patient", "arm", "dose_label"):
        one, other = found[name].values, expected[name].values
        assert ((one == other) | ((one != one) & (other != other))).all(), name
    grades = expected["crs_grade"].values
    assert np.array_equal(np.nan_to_num(found["crs_grade"].values, nan=-1), grades)
    assert found["il6_peak"].attrs["units"] == "pg/mL"


def test_zarr_settings_of_another_thread_hide_no_chunk(store, monkeypatch):
    """Two shards may run in one process, and zarr settings hold for the whole process."""
    opened = zarr.open_group

    def meanwhile(*words, **options):
        zarr.config.set({"array.write_empty_chunks": False})
        return opened(*words, **options)

    monkeypatch.setattr(zarr, "open_group", meanwhile)
    assert all(store.write(results(0, 4), slice(0, 4)).values())


def test_a_chunk_of_fill_values_is_written(store):
    digests = store.write(results(0, 4), slice(0, 4))
    assert all(digests.values())
    assert set(digests) == {"il6_peak", "empty", "crs_grade", "zero", "dose_label"}
    assert not any(store.digests(slice(4, 8)).values())


@pytest.mark.parametrize(("first", "count"), [(1, 4), (0, 3), (2, 2), (0, 8)])
def test_a_part_of_a_chunk_is_refused(store, first, count):
    with pytest.raises(ConfigError, match="must be a whole chunk"):
        write(store.path, first, count)


def test_other_variables_are_refused(store):
    part = results(0, 4)
    with pytest.raises(ConfigError, match="variables of the plan, but is zero"):
        store.write(part.drop_vars("zero"), slice(0, 4))
    with pytest.raises(ConfigError, match="variables of the plan, but is more"):
        store.write(part.assign(more=part["il6_peak"]), slice(0, 4))


def test_writing_again_changes_no_byte(store):
    first = store.write(results(4, 4), slice(4, 8))
    assert store.write(results(4, 4), slice(4, 8)) == first
