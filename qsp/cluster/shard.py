"""One shard: computed block by block, written as whole chunks, and receipted last.

It may be killed at any moment and run again, here or elsewhere, or run twice at once: blocks that
are there are taken up, what is written is the same bytes (on the same kind of device), and a shard
with a receipt is left alone.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from qsp.cluster import partial, receipts
from qsp.cluster.hardware import device
from qsp.cluster.plan import PARTIAL, Plan
from qsp.cluster.receipts import Attempt, Receipt
from qsp.engine.cache import CacheDir
from qsp.errors import SolveError
from qsp.run import Prepared, run

Ended = Literal["done", "already done", "stopped"]
SECONDS: tuple[str, ...] = ("start", "compile", "compute", "keep", "write")
"""What a shard spends time on. To compute is to draw and to simulate its patients, by whichever
attempt; all else is of the attempt that ended it."""


def run_shard(
    plan: Plan,
    shard: int,
    stop: Callable[[], bool] = lambda: False,
    cache_dir: CacheDir = "default",
) -> Ended:
    """Compute a shard, unless it is done.

    Args:
        plan: Of the run.
        shard: Number.
        stop: Asked after every block whether to stop there; what is done is kept.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.

    Returns:
        How it ended.

    Raises:
        ConfigError: If there is no such shard, or inputs or code are not those of the plan.
    """
    plan.check_shard(shard)
    plan.check_unchanged()  # which would be no fault of the shard
    if not receipts.wrong(plan, shard, plan.store):
        return "already done"
    attempt = receipts.begin(plan, shard)
    try:
        with receipts.beating(plan, attempt):
            return _attempted(plan, attempt, stop, cache_dir)
    except (KeyboardInterrupt, SystemExit):  # somebody at the keyboard: no try that failed
        receipts.note(plan, receipts.latest(plan, attempt), state="stopped")
        raise
    except BaseException as error:
        said = receipts.said(error)
        receipts.note(plan, receipts.latest(plan, attempt), state="failed", error=said)
        raise


def _attempted(
    plan: Plan, attempt: Attempt, stop: Callable[[], bool], cache_dir: CacheDir
) -> Ended:
    seconds = dict.fromkeys(SECONDS, 0.0)
    shard = attempt.shard
    with _timed(seconds, "start"):
        prepared = plan.prepared()
        parts = prepared.of(prepared.ids[plan.rows(shard)]).in_blocks(plan.block)
    rows = plan.rows(shard)
    whole, count = partial.Whole(rows.stop - rows.start), 0
    while parts:
        part = parts.pop(0)
        known = partial.left(_file(plan, shard, count), plan.id, part.ids)
        block = block_of(plan, shard, count, part, seconds, cache_dir) if known is None else known
        seconds["compute"] += float(block.attrs[partial.COMPUTE_S])
        with _timed(seconds, "write"):
            whole.add(block)
        count += 1
        attempt = receipts.note(plan, attempt, done=whole.filled)
        # Only after a new block: who is stopped again and again gets on all the same.
        if parts and known is None and stop():
            receipts.note(plan, attempt, state="stopped")
            return "stopped"
        del part, known, block  # what a block holds is given up before the next one is computed
    if not receipts.wrong(plan, shard, plan.store):  # by another attempt, meanwhile
        return _ended(plan, attempt, "already done")
    with _timed(seconds, "write"):
        results = whole.dataset()
        _reopen(plan)
        chunks = plan.store.write(results, rows)
        if _reopen(plan):  # who closed it meanwhile may have taken chunks without a receipt away
            chunks = plan.store.digests(rows)
    if not all(chunks.values()):
        unwritten = ", ".join(name for name, digest in chunks.items() if not digest)
        raise SolveError(f"chunks of shard {shard} are not where they were written: {unwritten}")
    failed = int((results["outcome"].values != 0).sum())
    about = {"host": attempt.host, "job": receipts.job(), **_device()}
    receipts.write_receipt(
        plan,
        Receipt(
            plan.id, shard, chunks, failed, _rounded(seconds), about, attempt.began, time.time()
        ),
    )
    return _ended(plan, attempt, "done")


def _reopen(plan: Plan) -> bool:
    """Open a store that was closed incomplete, with these patients as not run; whether it was."""
    if not plan.store.is_closed:
        return False
    plan.store.reopen()
    return True


def _ended(plan: Plan, attempt: Attempt, ended: Ended) -> Ended:
    receipts.note(plan, attempt, state="done")
    shutil.rmtree(_file(plan, attempt.shard, 0).parent, ignore_errors=True)
    return ended


def block_of(
    plan: Plan,
    shard: int,
    number: int,
    part: Prepared,
    seconds: dict[str, float],
    cache_dir: CacheDir = "default",
) -> xr.Dataset:
    """Compute a block of patients and keep it; its attribute says how many seconds that took.

    Args:
        plan: Of the run.
        shard: Its number.
        number: Of the block.
        part: The patients of the block.
        seconds: What time is spent on, by name; it is added to.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
    """
    began = time.perf_counter()
    ds = run(part, whole=False, cache_dir=cache_dir).to_dataset()
    compile_s = float(ds.attrs["compile_s"])
    seconds["compile"] += compile_s
    ds.attrs[partial.COMPUTE_S] = time.perf_counter() - began - compile_s
    path = _file(plan, shard, number)
    with _timed(seconds, "keep"):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.keep(ds, path, plan.id)
    return ds


def _file(plan: Plan, shard: int, number: int) -> Path:
    return plan.path(PARTIAL, f"{shard:05d}", f"{number:05d}.npz")


def _device() -> dict[str, Any]:
    return {
        "device": device(),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    }


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seconds.items()}


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] += time.perf_counter() - began
