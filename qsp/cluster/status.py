"""Where a run stands, read from its receipts and attempts; no scheduler is asked."""

import dataclasses
import time

from qsp.cluster import receipts
from qsp.cluster.plan import Plan

MOST_ATTEMPTS = 3
"""Times a shard may fail before it is left alone."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Where a run stands.

    Args:
        plan: Of the run.
        done: Shards with a receipt.
        running: Shards with an attempt that lives.
        failed: Shards that failed as often as they may, with the last error.
        missing: All other shards.
        patients: Patients that are done, with those of blocks of shards that run.
        patients_per_s: Since the first of them began, with all that ran at once; None before.
        seconds_left: At that rate.
        failed_patients: Patients by arm that could not be simulated.
    """

    plan: Plan
    done: tuple[int, ...]
    running: tuple[int, ...]
    failed: dict[int, str]
    missing: tuple[int, ...]
    patients: int
    patients_per_s: float | None
    seconds_left: float | None
    failed_patients: int

    @property
    def is_done(self) -> bool:
        """Whether every shard has a receipt."""
        return len(self.done) == len(self.plan.shards)


def status(plan: Plan, *, most_attempts: int = MOST_ATTEMPTS) -> Status:
    """Where a run stands.

    Args:
        plan: Of the run.
        most_attempts: Times a shard may fail.
    """
    known = {shard: receipts.read_receipt(plan, shard) for shard in plan.shards}
    got = {shard: receipt for shard, receipt in known.items() if receipt is not None}
    tries = receipts.attempts(plan)
    running, failed, missing, partial = [], {}, [], 0
    for shard in plan.shards:
        if shard in got:
            continue
        own = tries.get(shard, [])
        live = [attempt for attempt in own if attempt.is_live]
        bad = [attempt for attempt in own if attempt.counts]
        if live:
            running.append(shard)
            partial += max(attempt.done for attempt in live)
        elif len(bad) >= most_attempts:
            failed[shard] = bad[-1].error.strip().splitlines()[-1] if bad[-1].error else "killed"
        else:
            missing.append(shard)
    done = sum(_size(plan, shard) for shard in got) + partial
    rate = _rate(done, [attempt for own in tries.values() for attempt in own])
    left = plan.patients - done
    return Status(
        plan=plan,
        done=tuple(got),
        running=tuple(running),
        failed=failed,
        missing=tuple(missing),
        patients=done,
        patients_per_s=rate,
        seconds_left=left / rate if rate else None,
        failed_patients=sum(receipt.failed for receipt in got.values()),
    )


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
