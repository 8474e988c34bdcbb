"""The file for sbatch, for sites with a policy of their own."""

import shlex
import sys

from qsp.cluster.plan import LOGS, Plan
from qsp.cluster.submit import LONGEST_ARRAY, SIGNAL_AHEAD_S, Resources
from qsp.errors import ConfigError


def sbatch(plan: Plan, shards: list[int], resources: Resources) -> str:
    """A script that runs these shards as a job array, or as many as one array may have.

    Raises:
        ConfigError: If there is nothing to run, or an option would be more than one line.
    """
    if not shards:
        rule, todo = "there must be shards to compute", f"Next: qsp finalize {plan.run}"
        raise ConfigError(str(plan.run), rule, "all done", todo)
    run, now = plan.run.resolve(), shards[:LONGEST_ARRAY]
    options = {
        "job-name": f"qsp-{plan.id[:6]}",
        "array": f"0-{len(now) - 1}%{resources.at_once}",
        "time": resources.minutes,
        "cpus-per-task": resources.cpus,
        "mem": f"{round(resources.memory_gb * 1024)}M",
        "signal": f"USR1@{SIGNAL_AHEAD_S}",
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
    after = f"; {rest} more: print it again when these are done" if rest else ""
    of = f"{len(now)} of {len(plan.shards)} shards of {' '.join(plan.title.split())}{after}"
    call = shlex.join([sys.executable, "-m", "qsp", "shard", str(run)])
    return "\n".join(
        [
            "#!/bin/bash",
            f"# {of}",
            "# Save it, edit it, submit it with sbatch; without --requeue where a site forbids it.",
            *lines,
            "",
            f"shards=({' '.join(map(str, now))})",
            "# As a step: signals reach steps, and the script of a job only where a site says so.",
            "# Cores are said again: since version 22.05 steps do not inherit them.",
            f"srun --cpus-per-task={resources.cpus} "
            f'{call} "${{shards[$SLURM_ARRAY_TASK_ID]}}" --requeue',
            "",
        ]
    )
