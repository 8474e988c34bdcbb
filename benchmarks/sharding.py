"""Overhead of running a trial in shards. JSON lines; about 10 minutes on 2 cores.

    .venv/bin/python benchmarks/sharding.py [--seconds 120] [--shards 4]

The main job runs in shards of about `--seconds` each, with the commands that a cluster runs: plan,
every shard in a new process that loads its programs from the cache of the run, and finalize. A
short run determines the number of patients per shard. The overhead is the time not spent on
sampling and simulating patients, relative to the time spent on them; a scheduler's queue is not
included. Finally the report is written from the store, and its peak memory is measured; it is not
part of the overhead.

Plan and finalize run once, so their share is smaller in a run of more shards. The first block is
computed with the plan: its seconds are included in `plan_s` and `compute_s`, but not in `start_s`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time as clock
from pathlib import Path

from rows import Row, emit, row

from qsp.cluster import receipts
from qsp.cluster.plan import BLOCK, read_plan
from qsp.engine.method import Method

CONFIG = Path(__file__).resolve().parent.parent / "configs/mosunetuzumab_step_up_vs_flat.toml"
SHORT = 12_000
"""Patients of the short run; with fewer, start-up time would distort the cost per patient."""


def main() -> None:
    """Run in shards and print one row per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--shards", type=int, default=4)
    arguments = parser.parse_args()
    short = _run(SHORT, 1)
    emit(short)
    computed, lasted = (float(str(short[name])) for name in ("compute_s", "shard_s"))
    # The first block of the short run was computed with the plan.
    overhead = lasted - computed * (1.0 - BLOCK / SHORT)
    size = round((arguments.seconds - overhead) / computed * SHORT / BLOCK) * BLOCK
    emit(_run(size * arguments.shards, arguments.shards))


def _run(patients: int, shards: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="qsp-sharding-") as folder:
        run = Path(folder) / "run"
        size = -(-patients // shards)
        plan_s, _ = _run_command(
            "plan", CONFIG, "--patients", patients, "--shards-of", size, "--out", run
        )
        plan = read_plan(run)
        shards_s = [_run_command("shard", run, number)[0] for number in plan.shards]
        finalize_s, _ = _run_command("finalize", run)
        report_s, report_mb = _run_command("report", run)
        shard_receipts = [receipts.read_receipt(plan, number) for number in plan.shards]
        seconds = [receipt.seconds for receipt in shard_receipts if receipt is not None]
        stored = sum(path.stat().st_size for path in plan.store.path.rglob("*") if path.is_file())
    computed = sum(one["compute"] for one in seconds)
    total = plan_s + sum(shards_s) + finalize_s
    return row(
        "sharding",
        Method().solver.lower(),
        status="ok",
        patients=patients,
        arms=4,
        shards=shards,
        shard_s=round(sum(shards_s) / shards, 1),
        compute_s=round(computed, 1),
        plan_s=round(plan_s, 1),
        start_s=round(sum(shards_s) - sum(sum(one.values()) for one in seconds), 1),
        prepare_s=round(sum(one["start"] for one in seconds), 1),
        compile_s=round(sum(one["compile"] for one in seconds), 1),
        keep_s=round(sum(one["checkpoint"] for one in seconds), 1),
        write_s=round(sum(one["write"] for one in seconds), 1),
        finalize_s=round(finalize_s, 1),
        overhead=round(total / computed - 1.0, 3),
        bytes_per_patient=round(stored / patients),
        report_s=round(report_s, 1),
        report_mb=round(report_mb),
    )


def _run_command(*words: object) -> tuple[float, float]:
    """Run a command of `qsp` and return its seconds and its peak memory [MB]."""
    began = clock.perf_counter()
    command = [sys.executable, "-m", "qsp", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed with exit status {process.returncode}")
    return clock.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
