"""Cases in processes of their own: each starts afresh, and its peak of memory is its own."""

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
"""Would keep compiled programs from one process to the next."""


def measured(script: str, case: Mapping[str, object], limit_s: float | None = None) -> Row:
    """The row that a script prints of one case; one that says so if it fails or takes too long.

    Args:
        script: Path of the script, which takes `--one` and a case as JSON.
        case: What to measure; what a row of failure tells.
        limit_s: Seconds after which the process is ended.
    """
    command = [sys.executable, str(Path(script).resolve()), "--one", json.dumps(case)]
    environment = {key: value for key, value in os.environ.items() if key != CACHE}
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


def is_measured(figures: Row) -> bool:
    """Whether a case came to its end."""
    return figures.get("status") == "ok"


def use_cores(count: int | None) -> None:
    """Keep this process to so many cores, from before its first computation; None for all.

    Raises:
        ValueError: If there are fewer, or the system cannot do it.
    """
    if count is None:
        return
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(allowed) < count:
        raise ValueError(f"the process must have {count} cores to keep to, but has {len(allowed)}")
    os.sched_setaffinity(0, allowed[-count:])


def peak_memory_mb() -> float:
    """Most memory this process has held so far [MB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
