"""Adapters to what runs shards: Slurm and local processes by submitit, and any client of dask.

None of them is asked what became of a shard: its receipt says that.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qsp.cluster.device import given
from qsp.cluster.plan import LOGS, Plan
from qsp.cluster.queued import remember
from qsp.cluster.task import Task, Tasks, attempted
from qsp.errors import ConfigError

PAUSE_S = 0.2
LONGEST_ARRAY = 1000
"""Tasks of an array of Slurm, by its default; more are several arrays."""
SIGNAL_AHEAD_S = 90
"""Slurm warns a job so long before its time is over."""


@dataclasses.dataclass(frozen=True)
class Resources:
    """What a shard needs of a cluster.

    Args:
        partition: Of Slurm; its default where empty.
        minutes: Most time of a shard.
        cpus: Cores.
        gpus: GPUs; one or none.
        memory_gb: Memory [GB].
        at_once: Shards of one submission that may run at the same time.
        more: Further options of sbatch, by name.
    """

    partition: str = ""
    minutes: int = 60
    cpus: int = 2
    gpus: int = 0
    memory_gb: float = 8.0
    at_once: int = 64
    more: dict[str, str] = dataclasses.field(default_factory=dict)


def to_slurm(
    plan: Plan, shards: Sequence[int], resources: Resources, *, cache: bool = True
) -> list[str]:
    """Submit shards as one job array, or several where one may not have so many.

    Returns:
        Job id of each.

    Raises:
        ConfigError: If submitit or sbatch is missing.
    """
    executor = _executor(plan.path(LOGS), "slurm")
    parts = [shards[n : n + LONGEST_ARRAY] for n in range(0, len(shards), LONGEST_ARRAY)]
    more = {"requeue": True, **resources.more}
    name = str(more.pop("job-name", f"qsp-{plan.id[:6]}"))
    gres = {"slurm_gres": f"gpu:{resources.gpus}"} if resources.gpus else {}
    executor.update_parameters(
        name=name,
        timeout_min=resources.minutes,
        cpus_per_task=resources.cpus,
        mem_gb=resources.memory_gb,
        slurm_array_parallelism=max(1, resources.at_once // max(1, len(parts))),
        slurm_signal_delay_s=SIGNAL_AHEAD_S,
        slurm_additional_parameters=more,
        **({"slurm_partition": resources.partition} if resources.partition else {}),
        **gres,
    )
    tasks, ids = Tasks(str(plan.run.resolve()), cache), []
    for part in parts:
        jobs = [job.job_id for job in executor.map_array(tasks, list(part))]
        remember(plan, name, dict(zip(jobs, part, strict=True)))
        ids += jobs
    return ids


def to_processes(
    tasks: Sequence[Task], workers: int, told: Callable[[], None] = lambda: None
) -> str:
    """Run shards of one run in processes of this machine, and wait for them.

    Args:
        tasks: One for each shard.
        workers: Processes at a time.
        told: Called after each look.

    Returns:
        What the first process that failed said, "" where none did.

    Raises:
        ConfigError: If submitit is missing.
    """
    waiting, said = list(tasks), ""
    running: dict[int, Any] = {}  # by place, so that each GPU has one process
    executor = _executor(Path(waiting[0].run, LOGS), "local")
    executor.update_parameters(timeout_min=60 * 24 * 7)
    try:
        while waiting or running:
            ended = {place: job for place, job in running.items() if job.done()}
            said = next(filter(None, [said, *map(_failure, ended.values())]), "")
            running = {place: job for place, job in running.items() if place not in ended}
            for place in range(workers):
                if waiting and place not in running:
                    mine = given(os.environ, place)
                    task = dataclasses.replace(waiting.pop(0), is_local=True, device=mine)
                    running[place] = executor.submit(task)
            told()
            time.sleep(PAUSE_S)
    finally:
        for job in running.values():
            job.cancel()
    return said


def _failure(job: Any) -> str:
    """Last line of what a process died of."""
    try:
        error = job.exception()
    except Exception as unknown:
        error = unknown
    return str(error).strip().splitlines()[-1] if error else ""


def to_dask(tasks: Sequence[Task], client: Any, told: Callable[[], None] = lambda: None) -> str:
    """Run shards on the workers of a dask client, and wait for them.

    Workers see the folder of the run at the same path. One that dies gives its shards to others; a
    shard that fails leaves that in its attempts.

    Args:
        tasks: One for each shard.
        client: A `dask.distributed.Client`.
        told: Called after each look.

    Returns:
        What the first task that failed said, "" where none did.
    """
    futures = [client.submit(attempted, task, pure=False, retries=0) for task in tasks]
    while not all(future.done() for future in futures):
        told()
        time.sleep(PAUSE_S)
    told()
    errors = [future.exception() for future in futures if future.status == "error"]
    return str(errors[0]).strip() if errors else ""


def _executor(logs: Path, cluster: str) -> Any:
    try:
        import submitit
    except ImportError:
        rule, todo = "submitit must be installed", "pip install 'qsp[cluster]'"
        raise ConfigError(f"--{cluster}", rule, "missing", todo) from None
    try:
        return submitit.AutoExecutor(folder=logs / "%j", cluster=cluster)
    except RuntimeError:
        rule, todo = "sbatch must be there", "Log in where jobs are submitted, or use --local"
        raise ConfigError(f"--{cluster}", rule, "missing", todo) from None
