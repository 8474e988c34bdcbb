"""Shards that wait in the queue of Slurm: what was submitted, and one look of squeue at it.

::

    RUN/submitted/17.json   job 17 of Slurm: its name, and the shard of each of its tasks

It keeps people from filling the queue with the same shards twice. Results do not need it: a shard
that is submitted twice does no harm, so where squeue does not answer, nothing is assumed.
"""

import dataclasses
import os
import subprocess
from collections.abc import Mapping

from qsp.cluster import receipts
from qsp.cluster.atomic import read_json, write_json
from qsp.cluster.plan import Plan

SUBMITTED = "submitted"
LIMIT_S = 20.0
"""Squeue that takes longer is not waited for."""


@dataclasses.dataclass(frozen=True)
class Queue:
    """What waits, as far as one knows.

    Args:
        tasks: Job of Slurm, or task of its array, that has a shard and has not ended.
        unknown: Why nothing is known; "" where it is.
    """

    tasks: Mapping[int, str] = dataclasses.field(default_factory=dict)
    unknown: str = ""


def remember(plan: Plan, name: str, tasks: Mapping[str, int]) -> None:
    """Note what one call of sbatch submitted.

    Args:
        plan: Of the run.
        name: Of the job.
        tasks: Shard by the id of its job, or of its task in the array.
    """
    plan.path(SUBMITTED).mkdir(exist_ok=True)
    job = next(iter(tasks)).partition("_")[0]
    content = {"plan": plan.id, "name": name, "tasks": dict(tasks)}
    write_json(plan.path(SUBMITTED, f"{job}.json"), content)


def ask(plan: Plan) -> Queue:
    """Which shards are in the queue, pending or running, of those that were submitted.

    Squeue is asked once, and only where a shard that was submitted has no receipt.
    """
    names, tasks = _open(plan)
    if not tasks:
        return Queue()
    # By name, for squeue refuses to list a job that it has forgotten. What is set for people who
    # read its tables would hide jobs.
    words = ["squeue", "--noheader", "--array", "--format=%i", f"--name={','.join(sorted(names))}"]
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SQUEUE_")}
    try:
        done = subprocess.run(
            words, env=plain, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except FileNotFoundError:
        return Queue(unknown="squeue is not on this machine")
    except OSError as error:
        return Queue(unknown=f"squeue could not be started ({error.strerror})")
    except subprocess.TimeoutExpired:
        return Queue(unknown=f"squeue did not answer within {LIMIT_S:g} s")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        return Queue(unknown=f"squeue failed ({said[-1]})")
    there = set(done.stdout.split())
    return Queue({shard: task for task, shard in tasks.items() if task in there})


def _open(plan: Plan) -> tuple[set[str], dict[str, int]]:
    """Names of jobs, and shards by their tasks, of what was submitted and is not done."""
    names, tasks = set(), {}
    for path in plan.path(SUBMITTED).glob("*.json"):
        found = read_json(path)
        if found is None or found.get("plan") != plan.id:
            continue
        waiting = {
            task: shard
            for task, shard in found["tasks"].items()
            if not receipts.receipt_path(plan, shard).exists()
        }
        if waiting:
            names.add(found["name"])
            tasks |= waiting
    return names, tasks
