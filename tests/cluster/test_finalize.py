"""Finalizing a run: damaged data are found, named, and repaired by resuming the run."""

import json
import pydoc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qsp import run as runs
from qsp.cluster import attempts, receipts
from qsp.cluster.finalize import finalize
from qsp.cluster.plan import FRAME
from qsp.cluster.shard import run_shard
from qsp.endpoints import crs
from qsp.errors import ConfigError, SolveError
from qsp.results.zarr_store import Store
from tests.cluster.same import assert_same_bits
from tests.run.conftest import call


def flip(plan):
    path = plan.store.chunks(plan.rows(1))["il6_peak"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def truncate(plan):
    path = plan.store.chunks(plan.rows(1))["dose_label"]
    path.write_bytes(path.read_bytes()[:-3])


def lose_chunk(plan):
    plan.store.chunks(plan.rows(1))["outcome"].unlink()


def change_receipt(plan, /, **changes):
    path = receipts.receipt_path(plan, 1)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGE = {
    "a flipped byte": (flip, "chunk differs from its receipt: il6_peak"),
    "a truncated chunk": (truncate, "chunk differs from its receipt: dose_label"),
    "a missing chunk": (lose_chunk, "missing chunk of outcome"),
    "a foreign receipt": (
        lambda plan: change_receipt(plan, plan="0123456789abcdef"),
        "receipt damaged, or of another plan or shard",
    ),
    "the receipt of another shard": (
        lambda plan: change_receipt(plan, shard=0),
        "receipt damaged, or of another plan or shard",
    ),
    "a receipt for fewer variables": (
        lambda plan: change_receipt(plan, chunks={}),
        "receipt lists other variables",
    ),
    "a truncated receipt": (
        lambda plan: receipts.receipt_path(plan, 1).write_text('{"plan": "'),
        "receipt damaged, or of another plan or shard",
    ),
    "no receipt": (lambda plan: receipts.receipt_path(plan, 1).unlink(), "no receipt"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_shard_is_found_named_and_computed_again(done, name, serial):
    damage, named = DAMAGE[name]
    damage(done)
    final = finalize(done)
    assert not final.complete
    assert final.defects == {1: named}
    assert receipts.missing(done) == [1]
    with pytest.raises(ConfigError, match="must be closed"):
        runs.read(done.run)
    run_shard(done, 1)
    assert finalize(done).complete
    assert_same_bits(runs.read(done.run).to_dataset(), serial)


def test_an_incomplete_run_is_closed_only_on_request(plan, serial, no_figures):
    """One shard was never run and one is damaged: the results leave out their patients."""
    run_shard(plan, 0)
    run_shard(plan, 1)
    flip(plan)
    final = finalize(plan, incomplete=True)
    assert final.complete is False
    assert set(final.defects) == {1, 2}
    ds = runs.read(plan.run).to_dataset()
    assert ds.attrs["complete"] == 0
    assert_same_bits(ds, serial.isel(patient=plan.rows(0)))
    stored = xr.open_dataset(plan.store.path, engine="zarr", consolidated=False)
    rest = stored.isel(patient=slice(8, 22))
    assert (rest["outcome"] == 3).all()
    assert np.isnan(rest["il6_peak"]).all()
    assert np.isnan(rest["prevalence_weight"]).all()
    result = call("report", plan.run)
    assert result.code == 0
    assert "Warning: INCOMPLETE: 14 of 22 patients" in result.err
    page = (plan.run / "report.html").read_text(encoding="utf-8")
    assert "INCOMPLETE: 14 of 22 patients were not run" in page
    for shard in (1, 2):
        run_shard(plan, shard)
    assert finalize(plan).complete
    assert_same_bits(runs.read(plan.run).to_dataset(), serial)


def test_finalizing_a_damaged_store_reopens_it(done):
    finalize(done)
    lose_chunk(done)
    assert not finalize(done).complete
    with pytest.raises(ConfigError, match="must be closed"):
        runs.read(done.run)


def test_a_receipt_written_during_the_check_is_kept(done, monkeypatch):
    path = receipts.receipt_path(done, 2)
    receipt = path.read_bytes()
    path.unlink()
    original = receipts.defect

    def late(plan, shard, store):
        found = original(plan, shard, store)
        path.write_bytes(receipt)  # shard 2 ends while shard 0 is checked, and after its own check
        if shard == 2:
            return "no receipt"
        return found

    monkeypatch.setattr(receipts, "defect", late)
    finalize(done)
    assert path.read_bytes() == receipt


def test_a_run_without_a_finished_shard_is_not_closed(plan):
    with pytest.raises(SolveError, match="no shard of the run is done"):
        finalize(plan, incomplete=True)


def test_a_store_is_read_like_any_other_run(done, serial):
    finalize(done, netcdf=True)
    found = runs.read(done.run).to_dataset()
    assert found.attrs["complete"] == 1
    assert found.attrs["command"].startswith("qsp run ")
    assert str(done.run) not in json.dumps({k: str(v) for k, v in found.attrs.items()})
    assert not found["il6_peak"].variable._in_memory
    one_file = xr.open_dataset(done.run / "results.nc")
    with one_file:
        assert_same_bits(one_file, serial)
    assert found.attrs["wall_s"] == pytest.approx(one_file.attrs["wall_s"])


def test_temporary_files_of_killed_writers_are_deleted(done):
    partial = done.store.path / "il6_peak" / "c" / "0" / "0.abc.partial"
    partial.write_bytes(b"half")
    finalize(done)
    assert not partial.exists()


def test_endpoints_computed_with_dask_equal_those_in_memory(done, serial):
    finalize(done)
    by_dask = xr.open_dataset(done.store.path, engine="zarr", chunks={})
    assert by_dask["il6_peak"].chunks[1] == (8, 8, 6)
    for endpoint in (crs.incidence, crs.worst_grade):
        xr.testing.assert_identical(endpoint(by_dask), endpoint(serial))
    assert float(crs.incidence(by_dask)["value"].max()) > 0.0


def test_reports_and_tables_of_a_store(done):
    finalize(done)
    assert call("report", done.run).code == 0
    assert "small" in (done.run / "report.html").read_text(encoding="utf-8")
    assert call("export", done.run, "--tables", "patients").code == 0


def test_the_command_names_the_damaged_shard_and_exits_with_1(done):
    flip(done)
    result = call("finalize", done.run)
    assert result.code == 1
    assert "1 of 3 shards are missing or damaged" in result.err
    assert "il6_peak" in result.out
    assert "qsp resume" in result.err


def stale(monkeypatch, target, where):
    """Let reading fail below a folder, as on a file system that does not respond."""
    module, _, name = target.rpartition(".")
    original = getattr(pydoc.locate(module), name)

    def read(file, *words, **more):
        path = file if isinstance(file, Path) else file.name
        if f"/{where}/" in str(path):
            raise OSError(116, "Stale file handle")
        return original(file, *words, **more)

    monkeypatch.setattr(target, read)


@pytest.mark.parametrize(
    ("target", "where"),
    [("hashlib.file_digest", "il6_peak"), ("pathlib.Path.read_text", "receipts")],
)
def test_data_that_cannot_be_read_now_count_neither_as_missing_nor_as_damaged(
    done, monkeypatch, target, where
):
    """Otherwise a short failure of a file system would discard the work of days."""
    before = {path: path.read_bytes() for path in done.path("receipts").iterdir()}
    assert len(before) == 3
    with monkeypatch.context() as patch:
        stale(patch, target, where)
        for verb in (("finalize",), ("resume", "--local")):
            result = call(verb[0], done.run, *verb[1:])
            assert result.code == 1
            assert "Stale file handle" in result.err
            assert where in result.err  # which file
    assert {path: path.read_bytes() for path in done.path("receipts").iterdir()} == before
    assert finalize(done).complete


def test_an_attempt_that_cannot_be_read_now_is_ignored(done, monkeypatch):
    stale(monkeypatch, "pathlib.Path.read_text", "attempts")
    assert attempts.read(done) == {}
    assert call("status", done.run).code == 0


def test_a_shard_that_ends_while_an_incomplete_run_is_closed_is_kept(plan, monkeypatch, serial):
    """Closing reads every byte of the other shards first, which takes a while."""
    run_shard(plan, 0)
    original, late = receipts.defect, []

    def defect(plan, shard, store):
        found = original(plan, shard, store)
        if shard == 2 and not late:
            late.append(run_shard(plan, 1))
        return found

    monkeypatch.setattr("qsp.cluster.finalize.receipts.defect", defect)
    finalize(plan, incomplete=True)
    assert late == ["done"]
    assert receipts.defect(plan, 1, plan.store) == ""
    found = runs.read(plan.run).to_dataset()
    assert_same_bits(found, serial.isel(patient=slice(0, 16)))


def test_a_store_that_is_closed_while_a_shard_is_written_is_reopened(plan, monkeypatch):
    run_shard(plan, 0)
    original = Store.write

    def write(store, *words):
        chunks = original(store, *words)
        finalize(plan, incomplete=True)  # deletes chunks without a receipt
        return chunks

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", write)
        with pytest.raises(SolveError, match="disappeared after they were written"):
            run_shard(plan, 1)
    assert not plan.store.is_closed
    assert run_shard(plan, 1) == "done"


def break_file(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["patient/c/0", "il6_peak/zarr.json", "zarr.json"])
def test_a_damaged_file_of_the_frame_is_restored_from_its_copy(done, name, serial):
    break_file(done.store.path / name)
    result = call("finalize", done.run)
    assert result.code == 0, result.err
    assert f"{name}: damaged; restored from the copy in the plan" in result.out
    assert_same_bits(runs.read(done.run).to_dataset(), serial)


@pytest.mark.parametrize("name", ["patient/c/0", "zarr.json"])
def test_a_damaged_copy_is_reported(done, name):
    for folder in (done.store.path, done.path(FRAME)):
        break_file(folder / name)
    with pytest.raises(SolveError, match=rf"{name} and its copy in .* are both damaged"):
        finalize(done)
    assert receipts.missing(done) == []


def test_an_unreadable_store_is_reported_in_one_line(done):
    (done.store.path / "zarr.json").write_text("x")
    result = call("report", done.run)
    assert result.code == 2
    assert "results.zarr must be readable" in result.err
    assert "qsp finalize" in result.err


def test_the_option_incomplete_closes_an_incomplete_run(plan):
    run_shard(plan, 0)
    assert call("finalize", plan.run).code == 1
    assert call("finalize", plan.run, "--incomplete").code == 0
    assert "closed INCOMPLETE" in call("status", plan.run).out


def test_writing_a_shard_reopens_a_store_that_was_closed_incomplete(plan):
    run_shard(plan, 0)
    finalize(plan, incomplete=True)
    assert plan.store.is_closed
    run_shard(plan, 1)
    assert not plan.store.is_closed
    with pytest.raises(ConfigError, match="must be closed"):
        runs.read(plan.run)


def test_shards_of_several_kinds_of_devices_are_reported(done):
    assert len(finalize(done).devices) == 1
    change_receipt(done, about={"device": "another"})
    assert "another" in finalize(done).devices
    assert "last digits may differ" in call("finalize", done.run).out
