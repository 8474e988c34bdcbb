"""Run each case of a benchmark in a new process, with separate compilation and peak memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time as clock
from collections.abc import Mapping
from pathlib import Path

from rows import Row, row

CACHE = "JAX_COMPILATION_CACHE_DIR"
"""Environment variable that is unset: it would carry compiled programs between processes."""


def run_isolated(
    script: str | Path,
    case: Mapping[str, object],
    limit_s: float | None = None,
    checkout: Path | None = None,
    python: Path | None = None,
) -> Row:
    """Run a script on one case in a new process and return the row that it prints.

    If the process fails or exceeds the limit, the row has a `status` other than "ok" and a reason.

    Args:
        script: Path of the script, which takes `--one` and a case as JSON.
        case: The case; a row of failure repeats it.
        limit_s: Seconds after which the process is ended; None for no limit.
        checkout: Root of the checkout whose package the script imports; None for the installed one.
        python: Interpreter; None for that of this process.
    """
    command = [
        str(python or sys.executable),
        str(Path(script).resolve()),
        "--one",
        json.dumps(case),
    ]
    environment = {key: value for key, value in os.environ.items() if key != CACHE}
    if checkout is not None:
        environment["PYTHONPATH"] = str(checkout)
    began = clock.perf_counter()
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=limit_s, env=environment
        )
    except subprocess.TimeoutExpired:
        return row(Path(script).stem, "none", status="timeout", **case, limit_s=limit_s)
    if done.returncode:
        reason = f"exit status {done.returncode}"
        return row(Path(script).stem, "none", status="failed", **case, reason=reason)
    figures = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "process_s": round(clock.perf_counter() - began, 1)}


def is_complete(figures: Row) -> bool:
    """Whether the process of a case succeeded."""
    return figures.get("status") == "ok"


def use_cores(count: int | None) -> None:
    """Pin this process to a number of cores before its first computation; None for all.

    Raises:
        ValueError: If the process has fewer cores, or the system cannot pin processes.
    """
    if count is None:
        return
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(allowed) < count:
        raise ValueError(f"the process must have at least {count} cores, but has {len(allowed)}")
    os.sched_setaffinity(0, allowed[-count:])


def peak_memory_mb() -> float:
    """Peak memory of this process [MB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
