"""One shard: computed block by block, written as whole chunks, and receipted last.

It may be killed at any moment and run again, here or elsewhere, or run twice at once: blocks that
are there are taken up, what is written is the same bytes, and a shard with a receipt is left alone.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr

from qsp.cluster import receipts
from qsp.cluster.atomic import temporary
from qsp.cluster.plan import PARTIAL, Plan
from qsp.cluster.receipts import Attempt, Receipt
from qsp.results import load, save
from qsp.results.encoded import as_computed
from qsp.run import Prepared, run

Ended = Literal["done", "already done", "stopped"]
PLAN_ID = "plan_id"
SECONDS: tuple[str, ...] = ("start", "compile", "compute", "keep", "write")
"""What a shard spends time on: to compute is to draw and to simulate its patients."""


def run_shard(plan: Plan, shard: int, stop: Callable[[], bool] = lambda: False) -> Ended:
    """Compute a shard, unless it is done.

    Args:
        plan: Of the run.
        shard: Number.
        stop: Asked after every block whether to stop there; what is done is kept.

    Returns:
        How it ended.

    Raises:
        ConfigError: If there is no such shard, or inputs or code are not those of the plan.
    """
    plan.check_shard(shard)
    if not receipts.wrong(plan, shard, plan.store):
        return "already done"
    attempt = receipts.begin(plan, shard)
    try:
        return _attempted(plan, attempt, stop)
    except BaseException as error:
        receipts.note(plan, attempt, state="failed", error=receipts.said(error))
        raise


def _attempted(plan: Plan, attempt: Attempt, stop: Callable[[], bool]) -> Ended:
    seconds = dict.fromkeys(SECONDS, 0.0)
    shard = attempt.shard
    with _timed(seconds, "start"):
        prepared = plan.prepared()
        parts = prepared.of(prepared.ids[plan.rows(shard)]).in_blocks(plan.block)
    found: list[xr.Dataset] = []
    while parts:
        found.append(block_of(plan, shard, len(found), parts.pop(0), seconds))
        attempt = receipts.note(plan, attempt, done=sum(ds.sizes["patient"] for ds in found))
        if parts and stop():
            receipts.note(plan, attempt, state="stopped")
            return "stopped"
    with _timed(seconds, "write"):
        whole = _together(found)
        chunks = plan.store.write(whole, plan.rows(shard))
    failed = int((whole["outcome"].values != 0).sum())
    about = {"host": attempt.host, "job": receipts.job(), **_device()}
    receipts.write_receipt(
        plan,
        Receipt(
            plan.id, shard, chunks, failed, _rounded(seconds), about, attempt.began, time.time()
        ),
    )
    receipts.note(plan, attempt, state="done")
    shutil.rmtree(_folder(plan, shard), ignore_errors=True)
    return "done"


def block_of(
    plan: Plan, shard: int, number: int, part: Prepared, seconds: dict[str, float]
) -> xr.Dataset:
    """Results of a block of patients: those that an earlier attempt left, or else computed.

    Args:
        plan: Of the run.
        shard: Its number.
        number: Of the block.
        part: The patients of the block.
        seconds: What time is spent on, by name; it is added to.
    """
    path = _folder(plan, shard) / f"{number:05d}.nc"
    known = _left(path, plan, part.ids)
    if known is not None:
        return known
    with _timed(seconds, "compute"):
        tree = run(part, whole=False)
    seconds["compute"] -= float(tree.attrs["compile_s"])
    seconds["compile"] += float(tree.attrs["compile_s"])
    tree.attrs[PLAN_ID] = plan.id
    with _timed(seconds, "keep"):
        _keep(tree, path)
    return tree.to_dataset()


def _keep(tree: xr.DataTree, path: Path) -> None:
    partial = temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(tree, partial)
        os.replace(partial, path)
    except FileNotFoundError:  # another attempt has just ended, and removed the folder
        partial.unlink(missing_ok=True)


def _left(path: Path, plan: Plan, ids: np.ndarray) -> xr.Dataset | None:
    """A block that is there and is of this plan and these patients."""
    try:
        ds = load(path).to_dataset().load()
    except (OSError, ValueError, KeyError):
        return None
    is_it = ds.attrs.get(PLAN_ID) == plan.id and np.array_equal(ds["patient"].values, ids)
    return ds if is_it else None


def _folder(plan: Plan, shard: int) -> Path:
    return plan.path(PARTIAL, f"{shard:05d}")


def _together(found: list[xr.Dataset]) -> xr.Dataset:
    """Blocks in the order of their patients, whether they were read or computed."""
    of_patients = [n for n, v in found[0].data_vars.items() if "patient" in v.dims]
    parts = [as_computed(ds[of_patients]) for ds in found]
    return xr.concat(parts, dim="patient", coords="minimal", compat="override", join="exact")


def _device() -> dict[str, Any]:
    device = jax.devices()[0]
    return {
        "device": device.device_kind,
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
