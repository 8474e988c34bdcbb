"""Combine the shards into one dataset, after checking every byte against its receipt."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import xarray as xr

from qsp.cluster import attempts, receipts
from qsp.cluster.atomic import temporary_path
from qsp.cluster.plan import FRAME, Plan
from qsp.errors import SolveError
from qsp.results import save_blocks
from qsp.results.netcdf import as_computed
from qsp.results.zarr_store import CLOSED
from qsp.run import folder

ROOT = "zarr.json"
"""Metadata of the whole store. Closing a run changes its attributes, so its digest is not fixed."""


@dataclasses.dataclass(frozen=True)
class Final:
    """Outcome of finalizing a run.

    Args:
        complete: Whether every shard is done.
        defects: Description of the defect of each shard that is not done, by shard.
        failed: Simulations (patients times arms) that failed.
        devices: Kinds of devices that computed the shards; between kinds, last digits may differ.
        repaired: Damaged files of the frame that were restored from their copies.
        netcdf: Path of the results as one file, if requested.
    """

    complete: bool
    defects: dict[int, str]
    failed: int
    devices: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    netcdf: Path | None = None


def finalize(plan: Plan, *, netcdf: bool = False, incomplete: bool = False) -> Final:
    """Check every shard and close the store.

    A shard whose data differ from its receipt loses the receipt, so that resuming the run computes
    it again.

    Args:
        plan: The plan.
        netcdf: Whether to write `results.nc` next to the store.
        incomplete: Whether to close the store although shards are missing; it is then marked as
            incomplete.

    Returns:
        The outcome. If shards are missing and `incomplete` is false, the store stays open.

    Raises:
        ConfigError: If the plan is of another major version of the model.
        SolveError: If no shard is done, or a file of the frame and its copy are both damaged.
    """
    plan.check_model()
    repaired = repair_frame(plan)
    checked = {shard: receipts.receipt_bytes(plan, shard) for shard in plan.shards}
    found = {shard: receipts.defect(plan, shard, plan.store) for shard in plan.shards}
    defects = {shard: text for shard, text in found.items() if text}
    for shard in defects:
        receipts.revoke(plan, shard, checked[shard])
    known = [receipts.read_receipt(plan, shard) for shard in plan.shards if shard not in defects]
    good = [receipt for receipt in known if receipt is not None]
    failed = sum(receipt.failed for receipt in good)
    if defects:
        plan.store.reopen()
    if defects and not incomplete:
        return Final(complete=False, defects=defects, failed=failed, repaired=tuple(repaired))
    if not good:
        raise SolveError("no shard of the run is done")
    compile_s = sum(receipt.seconds["compile"] for receipt in good)
    wall_s = sum(receipt.seconds["compute"] for receipt in good)
    plan.store.close(
        {"compile_s": compile_s, "wall_s": wall_s, CLOSED: plan.id}, complete=not defects
    )
    for shard in defects:
        if not receipts.receipt_bytes(plan, shard):  # it may have finished since it was checked
            plan.store.clear(plan.rows(shard))
    file = _write_netcdf(plan) if netcdf else None
    devices = tuple(sorted({str(receipt.about["device"]) for receipt in good}))
    return Final(not defects, defects, failed, devices, tuple(repaired), file)


def recheck(plan: Plan) -> dict[int, str]:
    """Revoke receipts that do not match the data, and forget the attempts at their shards.

    Returns:
        Description of the defect of each such shard, by shard.
    """
    revoked = {}
    for shard in plan.shards:
        checked = receipts.receipt_bytes(plan, shard)
        text = receipts.defect(plan, shard, plan.store)
        if text and receipts.revoke(plan, shard, checked):
            revoked[shard] = text
            attempts.forget(plan, shard)
            plan.store.reopen()
    return revoked


def repair_frame(plan: Plan) -> list[str]:
    """Restore damaged files of the frame from their copies in `RUN/frame`.

    The frame is the part of the store that belongs to no shard: ids, names, shapes and units. No
    shard could write it again.

    Returns:
        Names of the restored files.

    Raises:
        SolveError: If a copy is damaged, too.
    """
    damaged = _damaged(plan)
    for name in damaged:
        _restore(plan.path(FRAME, name), plan.store.path / name)
    if lost := _damaged(plan):
        raise SolveError(
            f"{plan.store.path / lost[0]} and its copy in {plan.path(FRAME)} are both damaged: "
            "make the plan again in another folder, with the same input and code, and copy the "
            "file from there"
        )
    return damaged


def _damaged(plan: Plan) -> list[str]:
    found = plan.store.files(plan.frame)
    damaged = [name for name, digest in plan.frame.items() if found[name] != digest]
    return damaged if _has_attributes(plan.store.path / ROOT) else [*damaged, ROOT]


def _has_attributes(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8"))["attributes"], dict)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _restore(copy: Path, path: Path) -> None:
    partial = temporary_path(path)
    if copy.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, partial)
        os.replace(partial, path)


def _write_netcdf(plan: Plan) -> Path:
    """Write the results into one file, shard by shard."""
    path = plan.path(folder.RESULTS)
    ds = plan.store.read().to_dataset()
    partial = temporary_path(path)
    try:
        save_blocks((_shard_of(ds, plan.rows(shard)) for shard in plan.shards), partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _shard_of(ds: xr.Dataset, rows: slice) -> xr.DataTree:
    """Load a shard; only the first keeps the times of the run, because they are summed."""
    part = as_computed(ds.isel(patient=rows).load())
    if rows.start:
        part = part.assign_attrs(compile_s=0.0, wall_s=0.0)
    return xr.DataTree(part)
