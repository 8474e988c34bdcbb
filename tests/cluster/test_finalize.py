"""The end of a run: whatever is not as its receipt says is found, named, and mended by resume."""

import json
import pydoc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qsp import run as runs
from qsp.cluster import receipts
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


def change_receipt(made, **changes):
    path = receipts.receipt_path(made, 1)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


BROKEN = {
    "a flipped byte": (flip, "other bytes than its receipt says in il6_peak"),
    "a truncated chunk": (truncate, "other bytes than its receipt says in dose_label"),
    "a missing chunk": (lose_chunk, "missing chunk of outcome"),
    "a foreign receipt": (
        lambda plan: change_receipt(plan, plan="0123456789abcdef"),
        "its receipt is of another plan or shard, or broken",
    ),
    "the receipt of another shard": (
        lambda plan: change_receipt(plan, shard=0),
        "its receipt is of another plan or shard, or broken",
    ),
    "a receipt for fewer variables": (
        lambda plan: change_receipt(plan, chunks={}),
        "its receipt is for other variables",
    ),
    "a receipt cut off": (
        lambda plan: receipts.receipt_path(plan, 1).write_text('{"plan": "'),
        "its receipt is of another plan or shard, or broken",
    ),
    "no receipt": (lambda plan: receipts.receipt_path(plan, 1).unlink(), "no receipt"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_named_and_mended(done, name, serial):
    break_it, named = BROKEN[name]
    break_it(done)
    final = finalize(done)
    assert not final.complete
    assert final.wrong == {1: named}
    assert receipts.missing(done) == [1]
    with pytest.raises(ConfigError, match="must be closed"):
        runs.read(done.run)
    run_shard(done, 1)
    assert finalize(done).complete
    assert_same_bits(runs.read(done.run).to_dataset(), serial)


def test_a_run_that_is_not_complete_is_closed_only_when_asked(plan, serial, no_figures):
    """One shard was never run, one has other bytes than it should: their patients are not there."""
    run_shard(plan, 0)
    run_shard(plan, 1)
    flip(plan)
    final = finalize(plan, incomplete=True)
    assert final.complete is False
    assert set(final.wrong) == {1, 2}
    ds = runs.read(plan.run).to_dataset()
    assert ds.attrs["complete"] == 0
    assert_same_bits(ds, serial.isel(patient=plan.rows(0)))
    stored = xr.open_dataset(plan.store.path, engine="zarr", consolidated=False)
    rest = stored.isel(patient=slice(8, 22))
    assert (rest["outcome"] == 3).all()
    assert np.isnan(rest["il6_peak"]).all()
    assert np.isnan(rest["prevalence_weight"]).all()
    said = call("report", plan.run)
    assert said.code == 0
    assert "Warning: INCOMPLETE: 14 of 22 patients" in said.err
    page = (plan.run / "report.html").read_text(encoding="utf-8")
    assert "INCOMPLETE: 14 of 22 patients were not run" in page
    for shard in (1, 2):
        run_shard(plan, shard)
    assert finalize(plan).complete
    assert_same_bits(runs.read(plan.run).to_dataset(), serial)


def test_a_closed_store_that_is_found_broken_is_open_again(done):
    finalize(done)
    lose_chunk(done)
    assert not finalize(done).complete
    with pytest.raises(ConfigError, match="must be closed"):
        runs.read(done.run)


def test_a_receipt_that_came_while_others_were_checked_stays(done, monkeypatch):
    path = receipts.receipt_path(done, 2)
    receipt = path.read_bytes()
    path.unlink()
    original = receipts.wrong

    def late(plan, shard, store):
        found = original(plan, shard, store)
        path.write_bytes(receipt)  # shard 2 ends while shard 0 is looked at, and after its own look
        if shard == 2:
            return "no receipt"
        return found

    monkeypatch.setattr(receipts, "wrong", late)
    finalize(done)
    assert path.read_bytes() == receipt


def test_a_run_of_which_nothing_is_done_is_not_closed(plan):
    with pytest.raises(SolveError, match="no shard of the run is done"):
        finalize(plan, incomplete=True)


def test_the_store_of_a_run_is_read_as_any_run(done, serial):
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


def test_leftovers_of_killed_writers_are_swept(done):
    left = done.store.path / "il6_peak" / "c" / "0" / "0.abc.partial"
    left.write_bytes(b"half")
    finalize(done)
    assert not left.exists()


def test_endpoints_of_a_store_by_dask_are_those_in_memory(done, serial):
    finalize(done)
    by_dask = xr.open_dataset(done.store.path, engine="zarr", chunks={})
    assert by_dask["il6_peak"].chunks[1] == (8, 8, 6)
    for endpoint in (crs.incidence, crs.alternatives):
        xr.testing.assert_identical(endpoint(by_dask), endpoint(serial))
    assert float(crs.incidence(by_dask)["value"].max()) > 0.0


def test_reports_and_tables_of_a_store(done):
    finalize(done)
    assert call("report", done.run).code == 0
    assert "small" in (done.run / "report.html").read_text(encoding="utf-8")
    assert call("export", done.run, "--tables", "patients").code == 0


def test_the_command_names_what_is_broken_and_exits_with_1(done):
    flip(done)
    said = call("finalize", done.run)
    assert said.code == 1
    assert "2 is missing" not in said.err
    assert "il6_peak" in said.out
    assert "qsp resume" in said.err


def stale(monkeypatch, target, where):
    """Let reading fail below a folder, as on a disk that does not answer."""
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
def test_what_cannot_be_read_now_is_neither_missing_nor_broken(done, monkeypatch, target, where):
    """It must not cost the work of days."""
    there = {path: path.read_bytes() for path in done.path("receipts").iterdir()}
    assert len(there) == 3
    with monkeypatch.context() as patch:
        stale(patch, target, where)
        for verb in (("finalize",), ("resume", "--local")):
            said = call(verb[0], done.run, *verb[1:])
            assert said.code == 1
            assert "Stale file handle" in said.err
            assert where in said.err  # which file
    assert {path: path.read_bytes() for path in done.path("receipts").iterdir()} == there
    assert finalize(done).complete


def test_an_attempt_that_cannot_be_read_now_stops_nobody(done, monkeypatch):
    stale(monkeypatch, "pathlib.Path.read_text", "attempts")
    assert receipts.attempts(done) == {}
    assert call("status", done.run).code == 0


def test_a_shard_that_ends_while_an_incomplete_run_is_closed_stays(plan, monkeypatch, serial):
    """Every byte of the others is read before, which takes its time."""
    run_shard(plan, 0)
    original, late = receipts.wrong, []

    def wrong(plan, shard, store):
        found = original(plan, shard, store)
        if shard == 2 and not late:
            late.append(run_shard(plan, 1))
        return found

    monkeypatch.setattr("qsp.cluster.finalize.receipts.wrong", wrong)
    finalize(plan, incomplete=True)
    assert late == ["done"]
    assert receipts.wrong(plan, 1, plan.store) == ""
    found = runs.read(plan.run).to_dataset()
    assert_same_bits(found, serial.isel(patient=slice(0, 16)))


def test_a_store_that_is_closed_while_a_shard_is_written_is_open_again(plan, monkeypatch):
    run_shard(plan, 0)
    original = Store.write

    def write(store, *words):
        chunks = original(store, *words)
        finalize(plan, incomplete=True)  # takes away what has no receipt
        return chunks

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", write)
        with pytest.raises(SolveError, match="are not where they were written"):
            run_shard(plan, 1)
    assert not plan.store.is_closed
    assert run_shard(plan, 1) == "done"


def break_file(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["patient/c/0", "il6_peak/zarr.json", "zarr.json"])
def test_what_is_of_no_shard_is_taken_from_its_copy(done, name, serial):
    break_file(done.store.path / name)
    said = call("finalize", done.run)
    assert said.code == 0, said.err
    assert f"{name}: broken, and taken from the copy of the plan" in said.out
    assert_same_bits(runs.read(done.run).to_dataset(), serial)


@pytest.mark.parametrize("name", ["patient/c/0", "zarr.json"])
def test_a_copy_that_is_broken_too_is_said(done, name):
    for folder in (done.store.path, done.path(FRAME)):
        break_file(folder / name)
    with pytest.raises(SolveError, match=rf"{name} is not as planned, nor is its copy"):
        finalize(done)
    assert receipts.missing(done) == []


def test_a_store_that_is_none_is_said_in_one_line(done):
    (done.store.path / "zarr.json").write_text("x")
    said = call("report", done.run)
    assert said.code == 2
    assert "results.zarr must be readable" in said.err
    assert "qsp finalize" in said.err


def test_who_asks_for_an_incomplete_run_has_it(plan):
    run_shard(plan, 0)
    assert call("finalize", plan.run).code == 1
    assert call("finalize", plan.run, "--incomplete").code == 0
    assert "closed INCOMPLETE" in call("status", plan.run).out


def test_a_store_that_was_closed_incomplete_is_open_before_it_is_written(plan):
    run_shard(plan, 0)
    finalize(plan, incomplete=True)
    assert plan.store.is_closed
    run_shard(plan, 1)
    assert not plan.store.is_closed
    with pytest.raises(ConfigError, match="must be closed"):
        runs.read(plan.run)


def test_shards_of_several_devices_are_said_to_differ(done):
    assert len(finalize(done).devices) == 1
    change_receipt(done, about={"device": "another"})
    assert "another" in finalize(done).devices
    assert "last digits may differ" in call("finalize", done.run).out
