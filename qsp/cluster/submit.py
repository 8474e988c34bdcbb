"""Adapters to what runs shards: Slurm by submitit, and any client of dask; see also `local`.

None of them is asked what became of a shard: its receipt says that.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from qsp.cluster.adapters import executor_of, same_code
from qsp.cluster.plan import Plan
from qsp.cluster.queued import remember
from qsp.cluster.task import Task, Tasks, attempted
from qsp.errors import SolveError

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
        SolveError: If sbatch refuses.
    """
    executor = executor_of(plan.run, "slurm")
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
        slurm_srun_args=[f"--cpus-per-task={resources.cpus}"],  # not inherited since 22.05
        **({"slurm_partition": resources.partition} if resources.partition else {}),
        **gres,
    )
    tasks, ids = Tasks(str(plan.run.resolve()), cache), []
    for part in parts:
        try:
            with same_code():
                jobs = [job.job_id for job in executor.map_array(tasks, list(part))]
        except RuntimeError as refused:  # submitit's, with what sbatch said
            raise SolveError(f"sbatch took no job: {_last(str(refused))}") from None
        remember(plan, name, dict(zip(jobs, part, strict=True)))
        ids += jobs
    return ids


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


def _last(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "it said nothing"
