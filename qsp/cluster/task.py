"""What a scheduler starts: one shard, in a process that can be asked to stop.

This module is imported before JAX is, by whatever unpickles a task; it must stay light.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from qsp.cluster.device import settings
from qsp.cluster.signals import noted

STOPPED = 75
"""Exit code of a shard that was asked to stop: try again later (EX_TEMPFAIL)."""
REQUEUE_LIMIT_S = 60.0


@dataclasses.dataclass(frozen=True)
class Task:
    """One shard of a run, as submitit and dask call it.

    Args:
        run: Folder of the run.
        shard: Number.
        cache: Whether compiled programs are kept in the folder.
    """

    run: str
    shard: int
    cache: bool = True

    def __call__(self) -> str:
        """Compute the shard; a job of Slurm that was asked to stop goes back into the queue."""
        ended = self.attempted()
        if ended == "stopped":
            requeue()
            sys.exit(STOPPED)
        return ended

    def attempted(self) -> str:
        """Compute the shard; how it ended."""
        os.environ.update(settings(os.environ))
        from qsp.cluster.compiled import keep_compiled
        from qsp.cluster.plan import COMPILED, read_plan
        from qsp.cluster.shard import run_shard

        plan = read_plan(Path(self.run))
        if self.cache:
            keep_compiled(plan.path(COMPILED))
        with noted() as stop:
            return run_shard(plan, self.shard, lambda: bool(stop))

    def checkpoint(self) -> object:
        """For submitit, should a signal come before this process takes them: begin again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def requeue() -> bool:
    """Put the job of this process back into the queue; whether there was one and that was done."""
    from qsp.cluster.receipts import job

    if not job():
        return False
    words = ["scontrol", "requeue", job()]
    try:
        done = subprocess.run(words, capture_output=True, timeout=REQUEUE_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
