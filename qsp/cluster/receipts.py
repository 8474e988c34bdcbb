"""What is known of a shard: its receipt, and each start of it.

A receipt is written after the data and says which bytes they are; nothing else counts as done.
Attempts are for people and for bounds on retries.
"""

import contextlib
import dataclasses
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qsp.cluster.atomic import read_json, write_json
from qsp.cluster.plan import ATTEMPTS, RECEIPTS, Plan

if TYPE_CHECKING:
    from qsp.results.zarr_store import Store

State = Literal["running", "stopped", "failed", "done"]
BEAT_S = 30.0
"""So often an attempt shows that its process lives; whether that gets on, nobody can see."""
STALE_S = 600.0
"""An attempt elsewhere that has shown nothing for so long is taken for dead. Clocks of machines may
differ by less than that."""


@dataclasses.dataclass(frozen=True)
class Receipt:
    """A shard is done.

    Args:
        plan: Id of the plan.
        shard: Number.
        chunks: Digest of each chunk by the name of its array.
        failed: Patients (by arm) that could not be simulated.
        seconds: That the attempt took which ended it, by part.
        about: Host, device, job: for people.
        began: Of that attempt [s since 1970].
        ended: Of it.
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
    """File of the receipt of a shard."""
    return plan.path(RECEIPTS, f"{shard:05d}.json")


def write_receipt(plan: Plan, receipt: Receipt) -> None:
    """Say that a shard is done."""
    write_json(receipt_path(plan, receipt.shard), dataclasses.asdict(receipt))


def read_receipt(plan: Plan, shard: int) -> Receipt | None:
    """The receipt of a shard; None where there is none of this plan and this shard."""
    found = read_json(receipt_path(plan, shard))
    names = {field.name for field in dataclasses.fields(Receipt)}
    if found is None or set(found) != names:
        return None
    receipt = Receipt(**found)
    return receipt if (receipt.plan, receipt.shard) == (plan.id, shard) else None


def drop(plan: Plan, shard: int, judged: bytes) -> bool:
    """Take back a receipt that was judged; not one that was written since."""
    path = receipt_path(plan, shard)
    if not judged or content(plan, shard) != judged:
        return False
    path.unlink(missing_ok=True)
    return True


def content(plan: Plan, shard: int) -> bytes:
    """Bytes of a receipt; none where there is none."""
    try:
        return receipt_path(plan, shard).read_bytes()
    except OSError:
        return b""


def wrong(plan: Plan, shard: int, store: "Store") -> str:
    """What is wrong with a shard that should be done, in words; "" where nothing is."""
    receipt = read_receipt(plan, shard)
    if receipt is None:
        there = receipt_path(plan, shard).exists()
        return "its receipt is of another plan or shard, or broken" if there else "no receipt"
    found = store.digests(plan.rows(shard))
    if set(found) != set(receipt.chunks):
        return "its receipt is for other variables"
    missing = [name for name, digest in found.items() if not digest]
    if missing:
        return f"missing chunk of {', '.join(missing)}"
    other = [name for name, digest in found.items() if digest != receipt.chunks[name]]
    return f"other bytes than its receipt says in {', '.join(other)}" if other else ""


def missing(plan: Plan) -> list[int]:
    """Shards without a receipt."""
    return [shard for shard in plan.shards if read_receipt(plan, shard) is None]


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One start of a shard.

    Args:
        shard: Number.
        id: Of this start.
        job: Of Slurm; "" elsewhere.
        restart: How often the job was requeued before.
        state: Stopped ones were asked to stop, and do not count as tries.
        host: Where.
        pid: Process.
        born: When that process began, as the system counts it.
        began: Start [s since 1970].
        touched: Last word of it.
        done: Patients so far.
        error: What it died of.
    """

    shard: int
    id: str
    state: State
    host: str
    pid: int
    born: str
    began: float
    touched: float
    job: str = ""
    restart: int = 0
    done: int = 0
    error: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it still runs, as far as one can see from here."""
        if self.state != "running":
            return False
        if self.host == socket.gethostname():
            return _born(self.pid) == self.born
        return time.time() - self.touched < STALE_S

    @property
    def counts(self) -> bool:
        """Whether it was a try that came to nothing: it failed, or was killed."""
        return self.state == "failed" or (self.state == "running" and not self.is_live)


def begin(plan: Plan, shard: int) -> Attempt:
    """Note that a shard starts."""
    host, pid, now = socket.gethostname(), os.getpid(), time.time()
    attempt = Attempt(
        shard=shard,
        id=f"{time.time_ns()}-{pid}",
        state="running",
        host=host,
        pid=pid,
        born=_born(pid),
        began=now,
        touched=now,
        job=job(),
        restart=int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    )
    _give_up_requeued(plan, attempt)
    return note(plan, attempt)


def _give_up_requeued(plan: Plan, new: Attempt) -> None:
    """What a job left running when Slurm put it back into the queue was no failure of the shard."""
    for old in attempts(plan).get(new.shard, []):
        if new.job and old.job == new.job and old.restart < new.restart and old.state == "running":
            stopped = dataclasses.replace(old, state="stopped")  # when it was last seen, not now
            write_json(_path(plan, old), dataclasses.asdict(stopped))


def note(plan: Plan, attempt: Attempt, **changes: Any) -> Attempt:
    """Write what is new about an attempt."""
    attempt = dataclasses.replace(attempt, touched=time.time(), **changes)
    write_json(_path(plan, attempt), dataclasses.asdict(attempt))
    return attempt


def latest(plan: Plan, attempt: Attempt) -> Attempt:
    """What was last noted of an attempt."""
    found = _content(_path(plan, attempt))
    return attempt if found is None else Attempt(**found)


def _path(plan: Plan, attempt: Attempt) -> Path:
    return plan.path(ATTEMPTS, f"{attempt.shard:05d}.{attempt.id}.json")


@contextlib.contextmanager
def beating(plan: Plan, attempt: Attempt) -> Iterator[None]:
    """Touch the file of an attempt now and then, also while it computes one long block."""
    over, path = threading.Event(), _path(plan, attempt)

    def beat() -> None:
        while not over.wait(BEAT_S):
            with contextlib.suppress(OSError):
                os.utime(path)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def attempts(plan: Plan) -> dict[int, list[Attempt]]:
    """All starts, by shard, in the order of time."""
    found: dict[int, list[Attempt]] = {}
    names = {field.name for field in dataclasses.fields(Attempt)}
    for path in plan.path(ATTEMPTS).glob("*.json"):
        content = _content(path)
        if content is not None and set(content) == names:
            attempt = Attempt(**content)
            if attempt.state == "running":  # files of those that ended may be copies
                attempt = dataclasses.replace(attempt, touched=max(attempt.touched, _beaten(path)))
            found.setdefault(attempt.shard, []).append(attempt)
    return {shard: sorted(found[shard], key=lambda a: a.began) for shard in sorted(found)}


def _content(path: Path) -> dict[str, Any] | None:
    """Of the file of an attempt, which is for people: one that cannot be read now stops nothing."""
    try:
        return read_json(path)
    except OSError:
        return None


def _beaten(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def forgive(plan: Plan, shard: int) -> None:
    """Forget the tries of a shard, so that it may be tried again as often; not one that runs."""
    for attempt in attempts(plan).get(shard, []):
        if not attempt.is_live:
            _path(plan, attempt).unlink(missing_ok=True)


def job() -> str:
    """Id of the Slurm job or array task this process runs in; "" outside."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def said(error: BaseException) -> str:
    """An error with where it came from."""
    return "".join(traceback.format_exception(error))


def _born(pid: int) -> str:
    """When a process began; "" where there is none, or one that has ended and is only a number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self").exists() else _alive(pid)
    return "" if fields[0] in "ZX" else fields[19]


def _alive(pid: int) -> str:
    """The same on a system that does not tell when: whether it is there."""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "alive"
