"""Compute one shard: block by block, then whole chunks of the store, and the receipt last.

The process may be killed at any time and the shard started again, on any machine, or run twice at
once: finished blocks are loaded, the same kind of device writes the same bytes, and a shard with a
receipt is not computed again.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from qsp.cluster import attempts, checkpoint, receipts
from qsp.cluster.attempts import Attempt
from qsp.cluster.host import device
from qsp.cluster.plan import PARTIAL, Plan
from qsp.cluster.receipts import Receipt
from qsp.engine.cache import CacheDir
from qsp.errors import SolveError
from qsp.run import Prepared, run

Ended = Literal["done", "already done", "stopped"]
SECONDS: tuple[str, ...] = ("start", "compile", "compute", "checkpoint", "write")
"""Parts of the time of a shard. "compute" is the time for sampling and simulating its patients, in
all attempts; the others are those of the attempt that finished it."""


def run_shard(
    plan: Plan,
    shard: int,
    stop: Callable[[], bool] = lambda: False,
    cache_dir: CacheDir = "default",
) -> Ended:
    """Compute a shard, unless it is done.

    Args:
        plan: The plan.
        shard: Number of the shard.
        stop: Called after every block; if it returns true, the shard stops there. Finished blocks
            are kept.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.

    Returns:
        How the shard ended.

    Raises:
        ConfigError: If there is no such shard, or inputs or code differ from the plan.
    """
    plan.check_shard(shard)
    plan.check_unchanged()  # before the attempt: a changed file is not a failure of the shard
    if not receipts.defect(plan, shard, plan.store):
        return "already done"
    attempt = attempts.start(plan, shard)
    try:
        with attempts.heartbeat(plan, attempt):
            return _compute(plan, attempt, stop, cache_dir)
    except (KeyboardInterrupt, SystemExit):  # ended by the user, so not a failure
        attempts.update(plan, attempts.reread(plan, attempt), state="stopped")
        raise
    except BaseException as error:
        text = attempts.traceback_of(error)
        attempts.update(plan, attempts.reread(plan, attempt), state="failed", error=text)
        raise


def _compute(plan: Plan, attempt: Attempt, stop: Callable[[], bool], cache_dir: CacheDir) -> Ended:
    seconds = dict.fromkeys(SECONDS, 0.0)
    shard, rows = attempt.shard, plan.rows(attempt.shard)
    with _timed(seconds, "start"):
        prepared = plan.prepared()
        parts = prepared.of(prepared.ids[rows]).in_blocks(plan.block)
    buffer, number = checkpoint.ShardBuffer(rows.stop - rows.start), 0
    while parts:
        part = parts.pop(0)
        loaded = checkpoint.load_block(_block_path(plan, shard, number), plan.id, part.ids)
        is_new = loaded is None
        if loaded is None:
            block = compute_block(plan, shard, number, part, seconds, cache_dir)
        else:
            block = loaded
        seconds["compute"] += float(block.attrs[checkpoint.COMPUTE_S])
        with _timed(seconds, "write"):
            buffer.append(block)
        number += 1
        attempt = attempts.update(plan, attempt, patients=buffer.filled)
        # Only after a new block: a shard that is stopped every time still makes progress.
        if parts and is_new and stop():
            attempts.update(plan, attempt, state="stopped")
            return "stopped"
        del part, loaded, block  # free the memory of a block before the next one is computed
    if not receipts.defect(plan, shard, plan.store):  # another attempt finished it meanwhile
        return _ended(plan, attempt, "already done")
    with _timed(seconds, "write"):
        results = buffer.dataset()
        chunks = _write(plan, shard, results)
    failed = int((results["outcome"].values != 0).sum())
    receipts.write_receipt(plan, _receipt(plan, attempt, chunks, failed, seconds))
    return _ended(plan, attempt, "done")


def _write(plan: Plan, shard: int, results: xr.Dataset) -> dict[str, str]:
    """Write the chunks of a shard; return their digests by array."""
    rows = plan.rows(shard)
    _reopen(plan)
    chunks = plan.store.write(results, rows)
    if _reopen(plan):  # closing it as incomplete may have deleted chunks without a receipt
        chunks = plan.store.digests(rows)
    if not all(chunks.values()):
        lost = ", ".join(name for name, digest in chunks.items() if not digest)
        raise SolveError(f"chunks of shard {shard} disappeared after they were written: {lost}")
    return chunks


def _reopen(plan: Plan) -> bool:
    """Reopen a store that was closed without these patients; return whether it was closed."""
    if not plan.store.is_closed:
        return False
    plan.store.reopen()
    return True


def _receipt(
    plan: Plan,
    attempt: Attempt,
    chunks: dict[str, str],
    failed: int,
    seconds: dict[str, float],
) -> Receipt:
    about: dict[str, Any] = {
        "host": attempt.host,
        "job": attempts.slurm_job(),
        "device": device(),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    }
    return Receipt(
        plan=plan.id,
        shard=attempt.shard,
        chunks=chunks,
        failed=failed,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        about=about,
        began=attempt.began,
        ended=time.time(),
    )


def _ended(plan: Plan, attempt: Attempt, ended: Ended) -> Ended:
    attempts.update(plan, attempt, state="done")
    shutil.rmtree(_block_path(plan, attempt.shard, 0).parent, ignore_errors=True)
    return ended


def compute_block(
    plan: Plan,
    shard: int,
    number: int,
    part: Prepared,
    seconds: dict[str, float],
    cache_dir: CacheDir = "default",
) -> xr.Dataset:
    """Compute a block of patients and save it as a checkpoint.

    Args:
        plan: The plan.
        shard: Number of the shard.
        number: Number of the block in the shard.
        part: Patients of the block.
        seconds: Times by part [s]; those of this block are added.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.

    Returns:
        Results of the block; the attribute `COMPUTE_S` is the time spent on them, without
        compilation [s].
    """
    began = time.perf_counter()
    ds = run(part, whole=False, cache_dir=cache_dir).to_dataset()
    compile_s = float(ds.attrs["compile_s"])
    seconds["compile"] += compile_s
    ds.attrs[checkpoint.COMPUTE_S] = time.perf_counter() - began - compile_s
    path = _block_path(plan, shard, number)
    with _timed(seconds, "checkpoint"):
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save_block(ds, path, plan.id)
    return ds


def _block_path(plan: Plan, shard: int, number: int) -> Path:
    return plan.path(PARTIAL, f"{shard:05d}", f"{number:05d}.npz")


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] += time.perf_counter() - began
