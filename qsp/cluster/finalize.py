"""From shards to one dataset: every byte is checked against its receipt before it counts."""

import dataclasses
import os
from pathlib import Path

import xarray as xr

from qsp.cluster import frame, receipts
from qsp.cluster.atomic import temporary
from qsp.cluster.plan import Plan
from qsp.errors import SolveError
from qsp.results import save_blocks
from qsp.results.encoded import as_computed
from qsp.results.zarr_store import CLOSED
from qsp.run import folder


@dataclasses.dataclass(frozen=True)
class Final:
    """What came of a run.

    Args:
        complete: Whether every shard is there and as its receipt says.
        wrong: What is wrong, by shard.
        failed: Patients by arm that could not be simulated.
        devices: What computed the shards; on several, last digits may differ between shards.
        mended: Files of no shard that were broken and taken from their copy.
        netcdf: File of the results in one piece, where it was asked for.
    """

    complete: bool
    wrong: dict[int, str]
    failed: int
    devices: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    netcdf: Path | None = None


def finalize(plan: Plan, *, netcdf: bool = False, incomplete: bool = False) -> Final:
    """Check every shard and close the store.

    A shard whose bytes are not those of its receipt loses the receipt, so that it is computed again
    when the run is resumed.

    Args:
        plan: Of the run.
        netcdf: Whether to write `results.nc` beside the store.
        incomplete: Whether to close a store from which shards are missing; it says so.

    Returns:
        What came of it. With shards missing and `incomplete` not given nothing is written but that.

    Raises:
        SolveError: If there is nothing to close, or a file of no shard is broken in both copies.
    """
    mended = frame.mend(plan)
    judged = {shard: receipts.content(plan, shard) for shard in plan.shards}
    wrong = {shard: receipts.wrong(plan, shard, plan.store) for shard in plan.shards}
    wrong = {shard: what for shard, what in wrong.items() if what}
    for shard in wrong:
        receipts.drop(plan, shard, judged[shard])
    kept = [receipts.read_receipt(plan, shard) for shard in plan.shards if shard not in wrong]
    good = [receipt for receipt in kept if receipt is not None]
    failed = sum(receipt.failed for receipt in good)
    if wrong:
        plan.store.reopen()
    if wrong and not incomplete:
        return Final(complete=False, wrong=wrong, failed=failed, mended=tuple(mended))
    if not good:
        raise SolveError("no shard of the run is done")
    compile_s = sum(receipt.seconds["compile"] for receipt in good)
    wall_s = sum(receipt.seconds["compute"] for receipt in good)
    plan.store.close(
        {"compile_s": compile_s, "wall_s": wall_s, CLOSED: plan.id}, complete=not wrong
    )
    for shard in wrong:
        if not receipts.content(plan, shard):  # else it has been done since it was looked at
            plan.store.clear(plan.rows(shard))
    file = _netcdf(plan) if netcdf else None
    devices = tuple(sorted({str(receipt.about["device"]) for receipt in good}))
    return Final(not wrong, wrong, failed, devices, tuple(mended), file)


def recheck(plan: Plan) -> dict[int, str]:
    """Take back receipts that are for other bytes than there are, and the tries of their shards.

    Returns:
        What was wrong, by shard.
    """
    found = {}
    for shard in plan.shards:
        judged = receipts.content(plan, shard)
        what = receipts.wrong(plan, shard, plan.store)
        if what and receipts.drop(plan, shard, judged):
            found[shard] = what
            receipts.forgive(plan, shard)
            plan.store.reopen()
    return found


def _netcdf(plan: Plan) -> Path:
    """The results in one file, written shard by shard."""
    path = plan.path(folder.RESULTS)
    ds = plan.store.read().to_dataset()
    partial = temporary(path)
    try:
        save_blocks((_part(ds, plan.rows(shard)) for shard in plan.shards), partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _part(ds: xr.Dataset, rows: slice) -> xr.DataTree:
    """A shard in memory; attributes that add up over parts are those of the run, once."""
    part = as_computed(ds.isel(patient=rows).load())
    if rows.start:
        part = part.assign_attrs(compile_s=0.0, wall_s=0.0)
    return xr.DataTree(part)
