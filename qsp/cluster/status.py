"""Progress of a run, from its receipts and attempts and from the Slurm queue."""

import dataclasses
import time
from collections.abc import Mapping

from qsp.cluster import attempts, receipts
from qsp.cluster.attempts import Attempt
from qsp.cluster.backends.slurm import Queue
from qsp.cluster.plan import PARTIAL, Plan

MAX_ATTEMPTS = 3
"""Failures of a shard after which it is not started again."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Progress of a run. Each shard is in one of `done`, `running`, `queued`, `failed`, `missing`.

    Args:
        plan: The plan.
        done: Shards with a receipt.
        running: Shards with a live attempt.
        queued: Slurm job or array task of each shard that waits in the queue, by shard.
        queue_unknown: Reason why the queue is unknown; "" if it is known.
        failures: One line for each failed attempt, by shard that is not done.
        failed: Last error of each shard that reached the limit of attempts, by shard.
        missing: All other shards.
        patients: Patients done, including those of finished blocks.
        checkpointed: Those of them in finished blocks of shards that are not running.
        patients_per_s: Average rate of the whole run while at least one shard ran [1/s]; None
            before the first block.
        seconds_left: Time left at that rate [s].
        failed_patients: Simulations (patients times arms) that failed.
    """

    plan: Plan
    done: tuple[int, ...]
    running: tuple[int, ...]
    queued: Mapping[int, str]
    queue_unknown: str
    failures: Mapping[int, list[str]]
    failed: Mapping[int, str]
    missing: tuple[int, ...]
    patients: int
    checkpointed: int
    patients_per_s: float | None
    seconds_left: float | None
    failed_patients: int

    @property
    def is_done(self) -> bool:
        """Whether every shard has a receipt."""
        return len(self.done) == len(self.plan.shards)


def status(plan: Plan, queue: Queue | None = None, *, max_attempts: int = MAX_ATTEMPTS) -> Status:
    """Return the progress of a run.

    Args:
        plan: The plan.
        queue: Shards in the Slurm queue, from `qsp.cluster.backends.slurm.read_queue`; none by
            default.
        max_attempts: Failures of a shard after which it is not started again.
    """
    queue = queue or Queue()
    known = {shard: receipts.read_receipt(plan, shard) for shard in plan.shards}
    done = {shard: receipt for shard, receipt in known.items() if receipt is not None}
    by_shard = attempts.read(plan)
    running, queued, failures, failed, missing = [], {}, {}, {}, []
    in_blocks = checkpointed = 0
    for shard in (shard for shard in plan.shards if shard not in done):
        own = by_shard.get(shard, [])
        is_live = any(attempt.is_live for attempt in own)
        patients = _patients_in_blocks(plan, shard, own)
        in_blocks += patients
        checkpointed += 0 if is_live else patients
        reasons = [attempt.reason for attempt in own if attempt.is_failure]
        if reasons:
            failures[shard] = reasons
        if is_live:
            running.append(shard)
        elif shard in queue.tasks:
            queued[shard] = queue.tasks[shard]
        elif len(reasons) >= max_attempts:
            failed[shard] = reasons[-1]
        else:
            missing.append(shard)
    patients = sum(_size(plan, shard) for shard in done) + in_blocks
    rate = _rate(patients, [attempt for own in by_shard.values() for attempt in own])
    return Status(
        plan=plan,
        done=tuple(done),
        running=tuple(running),
        queued=queued,
        queue_unknown=queue.unknown,
        failures=failures,
        failed=failed,
        missing=tuple(missing),
        patients=patients,
        checkpointed=checkpointed,
        patients_per_s=rate,
        seconds_left=(plan.patients - patients) / rate if rate else None,
        failed_patients=sum(receipt.failed for receipt in done.values()),
    )


def _patients_in_blocks(plan: Plan, shard: int, own: list[Attempt]) -> int:
    """Return the patients in finished blocks of a shard, from which the next attempt goes on."""
    if not plan.path(PARTIAL, f"{shard:05d}").is_dir():
        return 0
    return max((attempt.patients for attempt in own if attempt.state != "done"), default=0)


def _size(plan: Plan, shard: int) -> int:
    rows = plan.rows(shard)
    return rows.stop - rows.start


def _rate(patients: int, all_attempts: list[Attempt]) -> float | None:
    """Return patients per second of the time in which any attempt ran, without pauses [1/s]."""
    spans = sorted((a.began, time.time() if a.is_live else a.last_seen) for a in all_attempts)
    busy, until = 0.0, 0.0
    for begin, end in spans:
        busy += max(0.0, end - max(begin, until))
        until = max(until, end)
    return patients / busy if patients and busy > 0.0 else None
