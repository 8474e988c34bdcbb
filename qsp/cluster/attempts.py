"""Attempts: one file for each start of a shard, which reports its progress and how it ended.

Attempts limit the number of retries and inform users. They do not decide whether a shard is done;
see `qsp.cluster.receipts`.
"""

import contextlib
import dataclasses
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from qsp.cluster.atomic import read_json, write_json
from qsp.cluster.plan import ATTEMPTS, Plan

State = Literal["running", "stopped", "failed", "done"]
HEARTBEAT_S = 30.0
"""Time between two signs of life of a process. They do not show whether it makes progress."""
STALE_S = 600.0
"""An attempt on another host without a sign of life for longer counts as dead. Clocks of hosts may
differ by less than this."""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One start of a shard.

    Args:
        shard: Number of the shard.
        id: Identifier of the attempt.
        state: State that the process last reported; a stopped attempt was asked to stop.
        host: Name of the host.
        pid: Process id.
        process_start: Start time of that process in the units of the system; it tells the process
            from a later one with the same id.
        began: Start of the attempt [s since 1970].
        last_seen: Last sign of life [s since 1970].
        job: Slurm job; "" outside Slurm.
        restart: Times that Slurm requeued the job before.
        patients: Patients done so far.
        error: Traceback of a failed attempt.
    """

    shard: int
    id: str
    state: State
    host: str
    pid: int
    process_start: str
    began: float
    last_seen: float
    job: str = ""
    restart: int = 0
    patients: int = 0
    error: str = ""

    @property
    def is_live(self) -> bool:
        """Whether its process still runs, as far as this host can tell."""
        if self.state != "running":
            return False
        if self.host == socket.gethostname():
            return _process_start(self.pid) == self.process_start
        return time.time() - self.last_seen < STALE_S

    @property
    def is_failure(self) -> bool:
        """Whether it failed or was killed, and so counts toward the limit of attempts."""
        return self.state == "failed" or (self.state == "running" and not self.is_live)

    @property
    def reason(self) -> str:
        """Reason of its failure in one line."""
        return self.error.strip().splitlines()[-1] if self.error.strip() else "killed"


def start(plan: Plan, shard: int) -> Attempt:
    """Record the start of a shard in this process."""
    pid, now = os.getpid(), time.time()
    attempt = Attempt(
        shard=shard,
        id=f"{time.time_ns()}-{pid}",
        state="running",
        host=socket.gethostname(),
        pid=pid,
        process_start=_process_start(pid),
        began=now,
        last_seen=now,
        job=slurm_job(),
        restart=int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    )
    _stop_requeued(plan, attempt)
    return update(plan, attempt)


def _stop_requeued(plan: Plan, new: Attempt) -> None:
    """Mark an attempt that Slurm interrupted to requeue its job as stopped, not as failed."""
    for old in read(plan).get(new.shard, []):
        if new.job and old.job == new.job and old.restart < new.restart and old.state == "running":
            stopped = dataclasses.replace(old, state="stopped")  # keeps the time it was last seen
            write_json(_path(plan, old), dataclasses.asdict(stopped))


def update(plan: Plan, attempt: Attempt, **changes: Any) -> Attempt:
    """Record changed fields of an attempt, and that it was seen now."""
    attempt = dataclasses.replace(attempt, last_seen=time.time(), **changes)
    write_json(_path(plan, attempt), dataclasses.asdict(attempt))
    return attempt


def reread(plan: Plan, attempt: Attempt) -> Attempt:
    """Return an attempt as last recorded."""
    found = _content(_path(plan, attempt))
    return attempt if found is None else Attempt(**found)


def read(plan: Plan) -> dict[int, list[Attempt]]:
    """Return all attempts by shard, in order of time."""
    found: dict[int, list[Attempt]] = {}
    names = {field.name for field in dataclasses.fields(Attempt)}
    for path in plan.path(ATTEMPTS).glob("*.json"):
        content = _content(path)
        if content is not None and set(content) == names:
            attempt = Attempt(**content)
            if attempt.state == "running":  # a copied file of an ended attempt has a new time
                seen = max(attempt.last_seen, _modified(path))
                attempt = dataclasses.replace(attempt, last_seen=seen)
            found.setdefault(attempt.shard, []).append(attempt)
    return {shard: sorted(found[shard], key=lambda a: a.began) for shard in sorted(found)}


def forget(plan: Plan, shard: int) -> None:
    """Delete the attempts at a shard, except live ones, so that its failures no longer count."""
    for attempt in read(plan).get(shard, []):
        if not attempt.is_live:
            _path(plan, attempt).unlink(missing_ok=True)


@contextlib.contextmanager
def heartbeat(plan: Plan, attempt: Attempt) -> Iterator[None]:
    """Touch the file of an attempt at intervals, also during the computation of a long block."""
    over, path = threading.Event(), _path(plan, attempt)

    def beat() -> None:
        while not over.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def slurm_job() -> str:
    """Return the id of the Slurm job or array task of this process; "" outside Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def traceback_of(error: BaseException) -> str:
    """Return an error with its traceback as text."""
    return "".join(traceback.format_exception(error))


def _path(plan: Plan, attempt: Attempt) -> Path:
    return plan.path(ATTEMPTS, f"{attempt.shard:05d}.{attempt.id}.json")


def _content(path: Path) -> dict[str, Any] | None:
    """Return the content of a file; None if it cannot be read, which must stop no computation."""
    try:
        return read_json(path)
    except OSError:
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _process_start(pid: int) -> str:
    """Return the start time of a process from /proc; "" if it does not exist or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self").exists() else _alive(pid)
    return "" if fields[0] in "ZX" else fields[19]


def _alive(pid: int) -> str:
    """Return a constant for an existing process on systems without /proc, and "" otherwise."""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "alive"
