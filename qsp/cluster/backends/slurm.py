"""Slurm: submit shards as job arrays, print the file for sbatch, and read the queue.

::

    RUN/submitted/17.json   Slurm job 17: its name, and the shard of each of its tasks

The record of submitted jobs keeps users from submitting the same shards twice. Results do not
depend on it, because a shard that runs twice does no harm. If squeue does not answer, all shards
count as not submitted.
"""

import dataclasses
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from qsp.cluster import receipts
from qsp.cluster.atomic import read_json, write_json
from qsp.cluster.backends.executor import same_code, submitit_executor
from qsp.cluster.plan import LOGS, Plan
from qsp.cluster.task import Tasks
from qsp.errors import ConfigError, SolveError

SUBMITTED = "submitted"
MAX_ARRAY = 1000
"""Tasks of a job array that Slurm accepts by default; more shards need several arrays."""
WARN_BEFORE_S = 90
"""Time between the warning signal and the time limit of a job."""
SQUEUE_LIMIT_S = 20.0


@dataclasses.dataclass(frozen=True)
class Resources:
    """Resources of a shard on a cluster.

    Args:
        partition: Partition of Slurm; "" for its default.
        minutes: Time limit of a shard [min].
        cpus: Cores.
        gpus: GPUs, 0 or 1.
        memory_gb: Memory [GB].
        at_once: Shards of a submission that may run at the same time.
        more: Further options of sbatch, by name.
    """

    partition: str = ""
    minutes: int = 60
    cpus: int = 2
    gpus: int = 0
    memory_gb: float = 8.0
    at_once: int = 64
    more: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Queue:
    """Shards of a run that are in the Slurm queue, pending or running.

    Args:
        tasks: Job, or task of a job array, by shard.
        unknown: Reason why the queue is unknown; "" if it is known.
    """

    tasks: Mapping[int, str] = dataclasses.field(default_factory=dict)
    unknown: str = ""


def submit_arrays(
    plan: Plan, shards: Sequence[int], resources: Resources, *, cache: bool = True
) -> list[str]:
    """Submit shards as a job array, or as several if one array cannot hold them.

    Args:
        plan: The plan.
        shards: Numbers of the shards.
        resources: Resources of each shard.
        cache: Whether to cache compiled programs in the folder of the run.

    Returns:
        Id of the array task of each shard.

    Raises:
        ConfigError: If submitit or sbatch is missing.
        SolveError: If sbatch rejects a job.
    """
    executor = submitit_executor(plan.run, "slurm")
    parts = [shards[n : n + MAX_ARRAY] for n in range(0, len(shards), MAX_ARRAY)]
    more = {"requeue": True, **resources.more}
    name = str(more.pop("job-name", f"qsp-{plan.id[:6]}"))
    gres = {"slurm_gres": f"gpu:{resources.gpus}"} if resources.gpus else {}
    executor.update_parameters(
        name=name,
        timeout_min=resources.minutes,
        cpus_per_task=resources.cpus,
        mem_gb=resources.memory_gb,
        slurm_array_parallelism=max(1, resources.at_once // max(1, len(parts))),
        slurm_signal_delay_s=WARN_BEFORE_S,
        slurm_additional_parameters=more,
        slurm_srun_args=[f"--cpus-per-task={resources.cpus}"],  # not inherited since Slurm 22.05
        **({"slurm_partition": resources.partition} if resources.partition else {}),
        **gres,
    )
    tasks, ids = Tasks(str(plan.run.resolve()), cache), []
    for part in parts:
        try:
            with same_code():
                jobs = [job.job_id for job in executor.map_array(tasks, list(part))]
        except RuntimeError as rejected:  # of submitit, with the message of sbatch
            message = _last_line(str(rejected)) or "no message"
            raise SolveError(f"sbatch rejected the job: {message}") from None
        record_submission(plan, name, dict(zip(jobs, part, strict=True)))
        ids += jobs
    return ids


def record_submission(plan: Plan, name: str, tasks: Mapping[str, int]) -> None:
    """Record the tasks of one call of sbatch.

    Args:
        plan: The plan.
        name: Name of the job.
        tasks: Shard by the id of its job or array task.
    """
    plan.path(SUBMITTED).mkdir(exist_ok=True)
    job = next(iter(tasks)).partition("_")[0]
    content = {"plan": plan.id, "name": name, "tasks": dict(tasks)}
    write_json(plan.path(SUBMITTED, f"{job}.json"), content)


def read_queue(plan: Plan) -> Queue:
    """Return the submitted shards that are in the Slurm queue, pending or running.

    It runs squeue once, and only if a submitted shard has no receipt.
    """
    names, tasks = _unfinished(plan)
    if not tasks:
        return Queue()
    # By name, because squeue fails for the id of a job that it no longer knows. Settings of users
    # (SQUEUE_*) may hide jobs.
    words = ["squeue", "--noheader", "--array", "--format=%i", f"--name={','.join(sorted(names))}"]
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SQUEUE_")}
    try:
        done = subprocess.run(
            words, env=plain, capture_output=True, text=True, timeout=SQUEUE_LIMIT_S, check=False
        )
    except FileNotFoundError:
        return Queue(unknown="squeue is not on this machine")
    except OSError as error:
        return Queue(unknown=f"squeue could not be started ({error.strerror})")
    except subprocess.TimeoutExpired:
        return Queue(unknown=f"squeue did not answer within {SQUEUE_LIMIT_S:g} s")
    if done.returncode:
        message = _last_line(done.stderr) or f"exit code {done.returncode}"
        return Queue(unknown=f"squeue failed ({message})")
    present = set(done.stdout.split())
    return Queue({shard: task for task, shard in tasks.items() if task in present})


def _unfinished(plan: Plan) -> tuple[set[str], dict[str, int]]:
    """Return the names of jobs, and the shards by task, that were submitted and are not done."""
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


def sbatch_file(plan: Plan, shards: Sequence[int], resources: Resources) -> str:
    """Return a file for sbatch that runs shards as one job array.

    Args:
        plan: The plan.
        shards: Numbers of the shards; the file has the first `MAX_ARRAY` of them.
        resources: Resources of each shard.

    Raises:
        ConfigError: If there are no shards, or an option is longer than one line.
    """
    if not shards:
        rule, todo = "the run must have missing shards", f"Next: qsp finalize {plan.run}"
        raise ConfigError(str(plan.run), rule, "complete", todo)
    run, now = plan.run.resolve(), shards[:MAX_ARRAY]
    options = {
        "job-name": f"qsp-{plan.id[:6]}",
        "array": f"0-{len(now) - 1}%{resources.at_once}",
        "time": resources.minutes,
        "cpus-per-task": resources.cpus,
        "mem": f"{round(resources.memory_gb * 1024)}M",
        "signal": f"USR1@{WARN_BEFORE_S}",
        "requeue": None,
        "open-mode": "append",
        "chdir": run,
        "output": f"{LOGS}/%A_%a.out",
        **({"partition": resources.partition} if resources.partition else {}),
        **({"gres": f"gpu:{resources.gpus}"} if resources.gpus else {}),
        **resources.more,
    }
    lines = [f"#SBATCH --{name}" + ("" if v is None else f"={v}") for name, v in options.items()]
    for line in lines:
        if not line.isprintable():
            raise ConfigError("--sbatch", "an option must be one line", repr(line))
    rest = len(shards) - len(now)
    after = f"; {rest} more: print the file again when these are done" if rest else ""
    title = f"{len(now)} of {len(plan.shards)} shards of {' '.join(plan.title.split())}{after}"
    call = shlex.join([sys.executable, "-m", "qsp", "shard", str(run)])
    return "\n".join(
        [
            "#!/bin/bash",
            f"# {title}",
            "# Save, edit and submit this file with sbatch. Remove --requeue if your site forbids "
            "it.",
            *lines,
            "",
            f"shards=({' '.join(map(str, now))})",
            "# srun: Slurm sends the warning signal to job steps, and to the script only if the "
            "site allows it.",
            "# Steps do not inherit --cpus-per-task since version 22.05.",
            f"srun --cpus-per-task={resources.cpus} "
            f'{call} "${{shards[$SLURM_ARRAY_TASK_ID]}}" --requeue',
            "",
        ]
    )


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""
