"""What a scheduler starts: one shard, in a process that can be asked to stop.

This module is imported before JAX is, by whatever unpickles a task; it must stay light.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from qsp import process
from qsp.cluster.device import VISIBLE, settings
from qsp.cluster.signals import noted

STOPPED = 75
"""Exit code of a shard that was asked to stop: try again later (EX_TEMPFAIL)."""
REQUEUE_LIMIT_S = 60.0
WARNINGS = ("SIGUSR1", "SIGUSR2")
"""Signals that a job asks for, some time before it has to go."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One shard of a run, as submitit and dask call it.

    Args:
        run: Folder of the run.
        shard: Number.
        cache: Whether compiled programs are kept in the folder.
        is_local: Whether no scheduler gives the process its device, but `device` does.
        device: Of a local process: what `qsp.cluster.device.given` says of it.
    """

    run: str
    shard: int
    cache: bool = True
    is_local: bool = False
    device: str | None = None

    def __call__(self) -> str:
        """Compute the shard; a job of Slurm that was warned goes back into the queue."""
        process.start()
        ended, asked_by = self.attempted()
        if ended == "stopped":
            requeue(asked_by)
            sys.exit(STOPPED)
        return ended

    def attempted(self) -> tuple[str, str]:
        """Compute the shard; how it ended, and the signal that asked it to stop, if one did."""
        if self.is_local:  # submitit has hidden every GPU
            os.environ.pop(VISIBLE, None)
            os.environ.update({} if self.device is None else {VISIBLE: self.device})
        os.environ.update(settings(os.environ))
        with noted() as stop:  # from before the imports, which take seconds
            from qsp.cluster.plan import COMPILED, read_plan
            from qsp.cluster.shard import run_shard
            from qsp.engine.cache import jax_cache_dir
            from qsp.run.compile_cache import enable_compile_cache

            plan = read_plan(Path(self.run))
            if self.cache:
                enable_compile_cache(plan.path(COMPILED))
            ended = run_shard(plan, self.shard, lambda: bool(stop), jax_cache_dir())
            return ended, stop.asked_by

    def checkpoint(self) -> object:
        """For submitit, should a signal come before this process takes them: begin again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


@dataclasses.dataclass(frozen=True)
class Tasks:
    """The function of an array: from a number to its shard."""

    run: str
    cache: bool = True

    def __call__(self, shard: int) -> str:
        """Compute a shard; see `Task`."""
        return Task(self.run, shard, self.cache)()

    def checkpoint(self, shard: int) -> object:
        """For submitit, as of one task."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, shard)


def attempted(task: Task) -> str:
    """Compute the shard of a task, in a worker that nobody warns."""
    return task.attempted()[0]


def requeue(asked_by: str) -> bool:
    """Put the job of this process back into the queue, where a warning asked it to stop.

    On SIGTERM it does not: who preempts a job requeues it, and who cancels one means it.

    Args:
        asked_by: Name of the signal.

    Returns:
        Whether there was a job, and it went.
    """
    from qsp.cluster.receipts import job

    if not job() or asked_by not in WARNINGS or os.environ.get("SUBMITIT_EXECUTOR") == "local":
        return False
    words = ["scontrol", "requeue", job()]
    try:
        done = subprocess.run(words, capture_output=True, timeout=REQUEUE_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
