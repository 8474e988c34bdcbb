"""Receipts of shards: a shard is done when its receipt exists and matches the data.

A receipt is written after the data, and records the digest of every chunk of the shard.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsp.cluster.atomic import read_json, write_json
from qsp.cluster.plan import RECEIPTS, Plan

if TYPE_CHECKING:
    from qsp.results.zarr_store import Store


@dataclasses.dataclass(frozen=True)
class Receipt:
    """Record of a finished shard.

    Args:
        plan: Id of the plan.
        shard: Number of the shard.
        chunks: Digest of each chunk by the name of its array.
        failed: Simulations (patients times arms) that failed.
        seconds: Time of the attempt that finished the shard, by part [s].
        about: Host, device and job, for information.
        began: Start of that attempt [s since 1970].
        ended: End of that attempt [s since 1970].
    """

    plan: str
    shard: int
    chunks: Mapping[str, str]
    failed: int
    seconds: Mapping[str, float]
    about: Mapping[str, Any]
    began: float
    ended: float


def receipt_path(plan: Plan, shard: int) -> Path:
    """Return the path of the receipt of a shard."""
    return plan.path(RECEIPTS, f"{shard:05d}.json")


def write_receipt(plan: Plan, receipt: Receipt) -> None:
    """Write a receipt, by which its shard is done."""
    write_json(receipt_path(plan, receipt.shard), dataclasses.asdict(receipt))


def read_receipt(plan: Plan, shard: int) -> Receipt | None:
    """Read the receipt of a shard; None if there is none for this plan and this shard."""
    found = read_json(receipt_path(plan, shard))
    names = {field.name for field in dataclasses.fields(Receipt)}
    if found is None or set(found) != names:
        return None
    receipt = Receipt(**found)
    return receipt if (receipt.plan, receipt.shard) == (plan.id, shard) else None


def receipt_bytes(plan: Plan, shard: int) -> bytes:
    """Return the content of a receipt file; empty if it cannot be read."""
    try:
        return receipt_path(plan, shard).read_bytes()
    except OSError:
        return b""


def revoke(plan: Plan, shard: int, checked: bytes) -> bool:
    """Delete a receipt, unless it was written again after its content was checked.

    Args:
        plan: The plan.
        shard: Number of the shard.
        checked: Content of the receipt when it was checked; see `receipt_bytes`.

    Returns:
        Whether the receipt was deleted.
    """
    if not checked or receipt_bytes(plan, shard) != checked:
        return False
    receipt_path(plan, shard).unlink(missing_ok=True)
    return True


def defect(plan: Plan, shard: int, store: "Store") -> str:
    """Compare the data of a shard with its receipt.

    Args:
        plan: The plan.
        shard: Number of the shard.
        store: Store with the data.

    Returns:
        Description of the first difference; "" if the shard is done.
    """
    receipt = read_receipt(plan, shard)
    if receipt is None:
        exists = receipt_path(plan, shard).exists()
        return "receipt damaged, or of another plan or shard" if exists else "no receipt"
    found = store.digests(plan.rows(shard))
    if set(found) != set(receipt.chunks):
        return "receipt lists other variables"
    lost = [name for name, digest in found.items() if not digest]
    if lost:
        return f"missing chunk of {', '.join(lost)}"
    changed = [name for name, digest in found.items() if digest != receipt.chunks[name]]
    return f"chunk differs from its receipt: {', '.join(changed)}" if changed else ""


def missing(plan: Plan) -> list[int]:
    """Return the numbers of the shards without a receipt."""
    return [shard for shard in plan.shards if read_receipt(plan, shard) is None]
