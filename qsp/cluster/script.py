"""The file for sbatch, for sites with a policy of their own."""

import shlex
import sys

from qsp.cluster.plan import LOGS, Plan
from qsp.cluster.submit import SIGNAL_AHEAD_S, Resources
from qsp.errors import ConfigError


def sbatch(plan: Plan, shards: list[int], resources: Resources) -> str:
    """A script that runs these shards as a job array.

    Raises:
        ConfigError: If there is nothing to run.
    """
    if not shards:
        raise ConfigError(str(plan.run), "a shard must be missing", "all done", "qsp finalize")
    run = plan.run.resolve()
    logs = run / LOGS
    options = {
        "job-name": f"qsp-{plan.id[:6]}",
        "array": f"{ranges(shards)}%{resources.at_once}",
        "time": resources.minutes,
        "cpus-per-task": resources.cpus,
        "mem": f"{round(resources.memory_gb * 1024)}M",
        "signal": f"USR1@{SIGNAL_AHEAD_S}",
        "requeue": None,
        "open-mode": "append",
        "output": logs / "%A_%a.out",
        **({"partition": resources.partition} if resources.partition else {}),
        **({"gres": f"gpu:{resources.gpus}"} if resources.gpus else {}),
        **resources.more,
    }
    lines = [
        f"#SBATCH --{name}" if value is None else f"#SBATCH --{name}={value}"
        for name, value in options.items()
    ]
    words = [sys.executable, "-m", "qsp", "shard", str(run), '"$SLURM_ARRAY_TASK_ID"', "--requeue"]
    call = " ".join(word if word.startswith('"') else shlex.quote(word) for word in words)
    return "\n".join(
        [
            "#!/bin/bash",
            f"# {len(shards)} of {len(plan.shards)} shards of {plan.title}",
            *lines,
            "",
            "# As a step: signals reach steps, and the script of a job only where a site says so.",
            f"srun {call}",
            "",
        ]
    )


def ranges(shards: list[int]) -> str:
    """Numbers as Slurm writes them: 0-3,7."""
    parts: list[list[int]] = []
    for shard in sorted(shards):
        if parts and shard == parts[-1][1] + 1:
            parts[-1][1] = shard
        else:
            parts.append([shard, shard])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
