"""The task that a scheduler starts: one shard, in a process that can be asked to stop.

A worker imports this module, to unpickle a task, before it imports JAX. It must stay light.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from qsp import process
from qsp.cluster.host import VISIBLE, stop_requests, worker_settings

STOPPED = 75
"""Exit code of a shard that was asked to stop: try again later (EX_TEMPFAIL)."""
REQUEUE_LIMIT_S = 60.0
WARNINGS = ("SIGUSR1", "SIGUSR2")
"""Signals that a job requests some time before its time limit."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One shard of a run, as a function for submitit and dask.

    Args:
        run: Folder of the run.
        shard: Number of the shard.
        cache: Whether to cache compiled programs in the folder.
        is_local: Whether `device`, rather than a scheduler, assigns the GPU.
        device: GPU of a local process; see `qsp.cluster.host.assigned_gpu`.
    """

    run: str
    shard: int
    cache: bool = True
    is_local: bool = False
    device: str | None = None

    def __call__(self) -> str:
        """Compute the shard; requeue the Slurm job if a warning stopped it."""
        process.start()
        ended, signal_name = self.compute()
        if ended == "stopped":
            requeue(signal_name)
            sys.exit(STOPPED)
        return ended

    def compute(self) -> tuple[str, str]:
        """Compute the shard.

        Returns:
            How it ended, and the name of the signal that asked it to stop; "" if none did.
        """
        if self.is_local:  # submitit has hidden all GPUs
            os.environ.pop(VISIBLE, None)
            os.environ.update({} if self.device is None else {VISIBLE: self.device})
        os.environ.update(worker_settings(os.environ))
        with stop_requests() as stop:  # before the imports, which take seconds
            from qsp.cluster.plan import COMPILED, read_plan
            from qsp.cluster.shard import run_shard
            from qsp.engine.cache import enable_jax_cache, jax_cache_dir

            plan = read_plan(Path(self.run))
            if self.cache:
                enable_jax_cache(plan.path(COMPILED))
            ended = run_shard(plan, self.shard, lambda: bool(stop), jax_cache_dir())
            return ended, stop.signal_name

    def checkpoint(self) -> object:
        """Return the submission after a signal that arrived before `compute`: the same task."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


@dataclasses.dataclass(frozen=True)
class Tasks:
    """The tasks of a job array, as a function of the number of a shard.

    Args:
        run: Folder of the run.
        cache: Whether to cache compiled programs in the folder.
    """

    run: str
    cache: bool = True

    def __call__(self, shard: int) -> str:
        """Compute a shard; see `Task`."""
        return Task(self.run, shard, self.cache)()

    def checkpoint(self, shard: int) -> object:
        """Return the submission after an early signal; see `Task.checkpoint`."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, shard)


def requeue(signal_name: str) -> bool:
    """Requeue the Slurm job of this process if a warning asked it to stop.

    After SIGTERM it does not: Slurm itself requeues a preempted job, and a canceled job must not
    come back.

    Args:
        signal_name: Name of the signal.

    Returns:
        Whether the job was requeued.
    """
    from qsp.cluster.attempts import slurm_job

    job, is_local = slurm_job(), os.environ.get("SUBMITIT_EXECUTOR") == "local"
    if not job or signal_name not in WARNINGS or is_local:
        return False
    words = ["scontrol", "requeue", job]
    try:
        done = subprocess.run(words, capture_output=True, timeout=REQUEUE_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
