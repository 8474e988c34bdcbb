"""Shards: bitwise equal results in any order and after any interruption."""

import os
import shutil
import time

import numpy as np
import pytest

from qsp.cluster import attempts, checkpoint, receipts
from qsp.cluster import shard as shards
from qsp.cluster.finalize import finalize
from qsp.cluster.plan import ATTEMPTS, PARTIAL
from qsp.cluster.shard import run_shard
from qsp.cluster.status import status
from qsp.errors import ConfigError
from tests.cluster.same import assert_same_bits


def ending(monkeypatch, after, error):
    """Let every block after the first `after` raise an error; return the computed ids."""
    computed, original = [], shards.run

    def run(part, **options):
        if len(computed) == after:
            raise error
        computed.append(part.ids.tolist())
        return original(part, **options)

    monkeypatch.setattr(shards, "run", run)
    return computed


def counted(monkeypatch):
    return ending(monkeypatch, -1, RuntimeError())


def ids(plan, shard):
    """Ids of the patients of a shard, which in this run are their positions."""
    rows = plan.rows(shard)
    return list(range(rows.start, rows.stop))


def blocks_of(plan, shard):
    return sorted(path.name for path in plan.path(PARTIAL, f"{shard:05d}").glob("*"))


def test_shards_in_any_order_equal_the_run_without_shards(plan, serial):
    for shard in (2, 0, 1):
        assert run_shard(plan, shard) == "done"
    assert finalize(plan).complete
    assert_same_bits(plan.store.read().to_dataset(), serial)
    assert list(plan.path(PARTIAL).iterdir()) == []


def test_the_first_block_was_computed_with_the_plan(plan, monkeypatch):
    assert blocks_of(plan, 0) == ["00000.npz"]
    computed = counted(monkeypatch)
    run_shard(plan, 0)
    assert computed == [[3, 4, 5], [6, 7]]


def test_a_shard_that_is_done_is_left_alone(done, monkeypatch):
    computed = counted(monkeypatch)
    before = receipts.receipt_path(done, 1).read_bytes()
    assert run_shard(done, 1) == "already done"
    assert computed == []
    assert receipts.receipt_path(done, 1).read_bytes() == before


def test_a_shard_that_is_asked_to_stop_keeps_its_blocks(plan, monkeypatch, serial):
    computed = counted(monkeypatch)
    assert run_shard(plan, 1, lambda: len(computed) == 2) == "stopped"
    assert blocks_of(plan, 1) == ["00000.npz", "00001.npz"]
    assert receipts.read_receipt(plan, 1) is None
    [attempt] = attempts.read(plan)[1]
    assert (attempt.state, attempt.patients, attempt.is_failure) == ("stopped", 6, False)
    assert run_shard(plan, 1) == "done"
    assert computed == [[8, 9, 10], [11, 12, 13], [14, 15]]
    found = plan.store.read().to_dataset().sel(patient=ids(plan, 1))
    assert_same_bits(found, serial.isel(patient=plan.rows(1)))


def test_a_shard_that_is_stopped_every_time_makes_progress(plan, monkeypatch):
    computed = counted(monkeypatch)
    ends = [run_shard(plan, 1, lambda: True) for _ in range(3)]
    assert ends == ["stopped", "stopped", "done"]
    assert computed == [[8, 9, 10], [11, 12, 13], [14, 15]]


def test_failures_in_one_process_are_counted_separately(plan, monkeypatch):
    for _ in range(3):
        with monkeypatch.context() as patch:
            ending(patch, 0, RuntimeError("again"))
            with pytest.raises(RuntimeError):
                run_shard(plan, 2)
    found = status(plan, max_attempts=3)
    assert found.failed == {2: "RuntimeError: again"}
    assert found.missing == (0, 1)


def test_an_attempt_that_slurm_requeued_is_not_a_failure(plan, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = attempts.start(plan, 1)
    assert attempts.update(plan, first, pid=2**22 + 1).is_failure
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    attempts.start(plan, 1)
    assert [a.state for a in attempts.read(plan)[1]] == ["stopped", "running"]
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    attempts.start(plan, 1)
    assert [a.state for a in attempts.read(plan)[1]] == ["stopped", "running", "running"]


def test_a_new_process_with_the_id_of_a_dead_one_is_not_the_attempt(plan):
    attempt = attempts.start(plan, 1)
    assert attempt.is_live
    assert not attempts.update(plan, attempt, process_start="1").is_live


def test_a_block_is_not_saved_after_its_folder_was_deleted(plan, serial):
    checkpoint.save_block(serial, plan.path(PARTIAL, "00009", "00000.npz"), plan.id)
    assert not plan.path(PARTIAL, "00009").exists()


def test_a_stop_request_after_the_last_block_has_no_effect(plan, monkeypatch):
    computed = counted(monkeypatch)
    assert run_shard(plan, 1, lambda: len(computed) == 3) == "done"


def test_a_failed_shard_keeps_its_blocks_and_the_error(plan, monkeypatch):
    with monkeypatch.context() as patch:
        ending(patch, 1, MemoryError("out of memory"))
        with pytest.raises(MemoryError):
            run_shard(plan, 2)
    [attempt] = attempts.read(plan)[2]
    assert attempt.state == "failed"
    assert attempt.patients == 3  # in the blocks from which the next attempt goes on
    assert attempt.is_failure
    assert "MemoryError: out of memory" in attempt.error
    assert run_shard(plan, 2) == "done"


@pytest.mark.parametrize("broken", ["truncated", "of another plan", "of other patients"])
def test_a_damaged_or_foreign_block_is_computed_again(plan, monkeypatch, broken, serial):
    blocks = plan.path(PARTIAL, "00001")
    run_shard(plan, 1, lambda: True)
    if broken == "truncated":
        content = (blocks / "00000.npz").read_bytes()
        (blocks / "00000.npz").write_bytes(content[: len(content) // 2])
    elif broken == "of other patients":
        shutil.copyfile(plan.path(PARTIAL, "00000", "00000.npz"), blocks / "00000.npz")
    else:
        block = checkpoint.load_block(blocks / "00000.npz", plan.id, serial["patient"].values[8:11])
        checkpoint.save_block(block, blocks / "00000.npz", "0123456789abcdef")
    computed = counted(monkeypatch)
    assert run_shard(plan, 1) == "done"
    assert computed[0] == [8, 9, 10]
    found = plan.store.read().to_dataset().sel(patient=ids(plan, 1))
    assert_same_bits(found, serial.isel(patient=plan.rows(1)))


def test_a_failed_patient_is_recorded_and_the_shard_is_done(plan, monkeypatch):
    original = shards.run

    def run(part, **options):
        tree = original(part, **options)
        tree["outcome"].values[:] = 2
        return tree

    monkeypatch.setattr(shards, "run", run)
    assert run_shard(plan, 1) == "done"
    assert receipts.read_receipt(plan, 1).failed == 16
    assert not receipts.defect(plan, 1, plan.store)


def test_a_number_without_a_shard_is_refused(plan):
    with pytest.raises(ConfigError, match="the shard must be from 0 to 2, but is 3"):
        run_shard(plan, 3)


def test_two_attempts_write_the_same_bytes(plan):
    run_shard(plan, 1)
    first = receipts.read_receipt(plan, 1).chunks
    receipts.receipt_path(plan, 1).unlink()
    for path in plan.store.chunks(plan.rows(1)).values():
        path.unlink()
    run_shard(plan, 1)
    assert receipts.read_receipt(plan, 1).chunks == first
    assert all(len(digest) == 64 for digest in first.values())
    assert len(first) > 40
    assert np.all([path.exists() for path in plan.store.chunks(plan.rows(1)).values()])


def test_an_attempt_on_another_host_is_live_while_its_file_is_touched(plan, monkeypatch):
    """Also while one block takes longer than the time after which an attempt is stale."""
    monkeypatch.setattr(attempts, "HEARTBEAT_S", 0.01)
    attempt = attempts.update(plan, attempts.start(plan, 1), host="elsewhere")
    [file] = plan.path(ATTEMPTS).glob("00001.*")

    def seen():
        [found] = attempts.read(plan)[1]
        return found.is_live

    long_ago = attempt.last_seen - 2.0 * attempts.STALE_S
    file.write_text(file.read_text().replace(repr(attempt.last_seen), repr(long_ago)))
    os.utime(file, (long_ago, long_ago))
    assert not seen()
    with attempts.heartbeat(plan, attempt):
        deadline = time.time() + 20.0
        while not seen():
            assert time.time() < deadline
    os.utime(file, (long_ago, long_ago))
    time.sleep(0.05)
    assert not seen()


def test_compute_time_of_a_shard_is_the_sum_over_its_blocks(plan, monkeypatch):
    run_shard(plan, 1, lambda: True)
    [file] = plan.path(PARTIAL, "00001").glob("*")
    first = checkpoint.load_block(file, plan.id, plan.prepared().ids[plan.rows(1)][:3])
    before = first.attrs[checkpoint.COMPUTE_S]
    assert before > 0.0
    counted(monkeypatch)
    run_shard(plan, 1)
    assert receipts.read_receipt(plan, 1).seconds["compute"] > before
    assert checkpoint.COMPUTE_S not in plan.store.read().attrs


def test_a_shard_that_another_attempt_finished_is_not_written_again(done, monkeypatch):
    path = receipts.receipt_path(done, 1)
    receipt = path.read_bytes()
    path.unlink()
    original, written = shards.run, []

    def run(part, **options):
        path.write_bytes(receipt)
        return original(part, **options)

    monkeypatch.setattr(shards, "run", run)
    monkeypatch.setattr("qsp.results.zarr_store.Store.write", lambda *_: written.append(1))
    assert run_shard(done, 1) == "already done"
    assert written == []
    assert attempts.read(done)[1][-1].state == "done"


def test_a_keyboard_interrupt_is_not_a_failure(plan, monkeypatch):
    ending(monkeypatch, 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_shard(plan, 2)
    [attempt] = attempts.read(plan)[2]
    assert (attempt.state, attempt.patients, attempt.is_failure) == ("stopped", 3, False)


def test_a_block_of_another_kind_of_device_is_computed_again(plan, monkeypatch):
    """For example the first block, if the plan is made without a GPU and computed with one."""
    assert checkpoint.load_block(plan.path(PARTIAL, "00000", "00000.npz"), plan.id, np.arange(3))
    monkeypatch.setattr("qsp.cluster.checkpoint.device", lambda: "NVIDIA H100")
    assert not checkpoint.load_block(
        plan.path(PARTIAL, "00000", "00000.npz"), plan.id, np.arange(3)
    )
