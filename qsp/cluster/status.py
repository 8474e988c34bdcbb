"""Where a run stands, read from its receipts and attempts, and from what Slurm was asked before."""

import dataclasses
import time
from collections.abc import Mapping

from qsp.cluster import receipts
from qsp.cluster.plan import PARTIAL, Plan
from qsp.cluster.queued import Queue

MOST_ATTEMPTS = 3
"""Times a shard may fail before it is left alone."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Where a run stands.

    Args:
        plan: Of the run.
        done: Shards with a receipt.
        running: Shards with an attempt that lives.
        queued: Job or task of Slurm by the shard that waits for it.
        queue_unknown: Why it is not known which shards wait; "" where it is.
        tries: What the tries of a shard that is not done came to, if any failed: a line each.
        failed: Shards that failed as often as they may, with the last error.
        missing: All other shards.
        patients: Patients that are done, with those of blocks of shards that are not.
        kept: Those of them in blocks of shards that do not run now, for they were stopped.
        patients_per_s: Since the first of them began, with all that ran at once; None before.
        seconds_left: At that rate.
        failed_patients: Patients by arm that could not be simulated.
    """

    plan: Plan
    done: tuple[int, ...]
    running: tuple[int, ...]
    queued: Mapping[int, str]
    queue_unknown: str
    tries: Mapping[int, list[str]]
    failed: Mapping[int, str]
    missing: tuple[int, ...]
    patients: int
    kept: int
    patients_per_s: float | None
    seconds_left: float | None
    failed_patients: int

    @property
    def is_done(self) -> bool:
        """Whether every shard has a receipt."""
        return len(self.done) == len(self.plan.shards)


def status(plan: Plan, queue: Queue | None = None, *, most_attempts: int = MOST_ATTEMPTS) -> Status:
    """Where a run stands.

    Args:
        plan: Of the run.
        queue: What waits in Slurm, from `qsp.cluster.queued.ask`; nothing by default.
        most_attempts: Times a shard may fail.
    """
    queue = queue or Queue()
    known = {shard: receipts.read_receipt(plan, shard) for shard in plan.shards}
    got = {shard: receipt for shard, receipt in known.items() if receipt is not None}
    attempts = receipts.attempts(plan)
    running, queued, tries, failed, missing = [], {}, {}, {}, []
    partial = kept = 0
    for shard in (shard for shard in plan.shards if shard not in got):
        own = attempts.get(shard, [])
        is_live = any(attempt.is_live for attempt in own)
        blocks = _in_blocks(plan, shard, own)
        partial += blocks
        kept += 0 if is_live else blocks
        said = [_said(attempt) for attempt in own if attempt.counts]
        if said:
            tries[shard] = said
        if is_live:
            running.append(shard)
        elif shard in queue.tasks:
            queued[shard] = queue.tasks[shard]
        elif len(said) >= most_attempts:
            failed[shard] = said[-1]
        else:
            missing.append(shard)
    done = sum(_size(plan, shard) for shard in got) + partial
    rate = _rate(done, [attempt for own in attempts.values() for attempt in own])
    left = plan.patients - done
    return Status(
        plan=plan,
        done=tuple(got),
        running=tuple(running),
        queued=queued,
        queue_unknown=queue.unknown,
        tries=tries,
        failed=failed,
        missing=tuple(missing),
        patients=done,
        kept=kept,
        patients_per_s=rate,
        seconds_left=left / rate if rate else None,
        failed_patients=sum(receipt.failed for receipt in got.values()),
    )


def _in_blocks(plan: Plan, shard: int, own: list[receipts.Attempt]) -> int:
    """Patients of a shard in blocks that an attempt left; the next one takes them up."""
    if not plan.path(PARTIAL, f"{shard:05d}").is_dir():
        return 0
    return max((attempt.done for attempt in own if attempt.state != "done"), default=0)


def _said(attempt: receipts.Attempt) -> str:
    """What an attempt died of, in a line."""
    return attempt.error.strip().splitlines()[-1] if attempt.error else "killed"


def _size(plan: Plan, shard: int) -> int:
    rows = plan.rows(shard)
    return rows.stop - rows.start


def _rate(done: int, tries: list[receipts.Attempt]) -> float | None:
    """Patients a second while anything ran: pauses between jobs do not count."""
    spans = sorted((a.began, time.time() if a.is_live else a.touched) for a in tries)
    busy, until = 0.0, 0.0
    for begin, end in spans:
        busy += max(0.0, end - max(begin, until))
        until = max(until, end)
    return done / busy if done and busy > 0.0 else None
