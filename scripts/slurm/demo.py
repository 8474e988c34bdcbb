"""Demonstrate a sharded run with failures on a temporary Slurm cluster (`scripts/slurm/demo`)."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from qsp import run as runs
from qsp.cli.text_table import TextTable, print_table
from qsp.cluster import attempts, receipts
from qsp.cluster.plan import Plan, read_plan
from qsp.results.netcdf import as_computed
from qsp.run import Request, prepare
from tests.cluster.mini_slurm import MiniSlurm

CONFIG = Path("configs/mosunetuzumab_step_up_vs_flat.toml")
SHARDS = 10
LIMIT_S = 1800.0
RESOURCES = ("--cpus", "2", "--gpus", "1", "--memory-gb", "2", "--minutes", "30")


@dataclasses.dataclass
class Demo:
    """A run and a log of its events."""

    slurm: MiniSlurm
    plan: Plan
    began: float = dataclasses.field(default_factory=time.monotonic)
    rows: list[list[str]] = dataclasses.field(default_factory=list)

    def note(self, event: str, found: str) -> None:
        """Log an event as a row of the table."""
        done = len(self.plan.shards) - len(receipts.missing(self.plan))
        self.rows.append([f"{time.monotonic() - self.began:.0f}", event, found, str(done)])
        print(f"{self.rows[-1][0]:>5} s  {event}: {found}", flush=True)

    def qsp(self, *words: object) -> str:
        """Run a command of qsp on this cluster; return its output."""
        command = [sys.executable, "-m", "qsp", *map(str, words)]
        done = subprocess.run(
            command, env=self.slurm.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def live(self) -> list[attempts.Attempt]:
        """Return the live attempts."""
        by_shard = attempts.read(self.plan).values()
        return [attempt for own in by_shard for attempt in own if attempt.is_live]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition."""
        self.slurm.wait_until(condition, LIMIT_S, what)


def main() -> None:
    """Run the demonstration and print the table; exit with 1 if results differ by a bit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000)
    patients = parser.parse_args().patients
    with tempfile.TemporaryDirectory(prefix="qsp-demo-", dir="/tmp") as name:
        folder = Path(name)
        slurm = MiniSlurm(folder / "slurm")
        slurm.start()
        try:
            same = _demo(slurm, folder / "run", patients)
        finally:
            slurm.stop()
    sys.exit(0 if same else 1)


def _demo(slurm: MiniSlurm, run: Path, patients: int) -> bool:
    size = -(-patients // SHARDS)
    words = ["--patients", patients, "--shards-of", size, "--block", max(1, size // 20)]
    command = [sys.executable, "-m", "qsp", "plan", CONFIG, "--out", run, *words]
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
    demo = Demo(slurm, read_plan(run))
    demo.note("plan", f"{patients:,} patients x 4 arms in {SHARDS} shards")
    demo.note("submit", demo.qsp("submit", run, "--slurm", *RESOURCES))
    lines = demo.qsp("submit", run, "--slurm", *RESOURCES).splitlines()
    [queued] = [line for line in lines if "Slurm queue" in line]
    demo.note("submit again", queued.partition(".")[0])
    _submit_by_hand(demo)
    _interrupt(demo)
    demo.until(lambda: not slurm.queue(), "an empty queue")
    demo.note("queue empty", f"missing: {receipts.missing(demo.plan) or 'none'}")
    while receipts.missing(demo.plan):
        demo.note("resume", demo.qsp("resume", run, "--slurm", *RESOURCES))
        demo.until(lambda: not slurm.queue(), "an empty queue")
    demo.note("finalize", demo.qsp("finalize", run).splitlines()[-1])
    same = _same(demo.plan)
    demo.note("compared with a serial run", "bitwise equal" if same else "DIFFERENT")
    events = TextTable("Events", ["s", "event", "found", "done"], demo.rows)
    print_table(events, Console(width=110))
    return same


def _submit_by_hand(demo: Demo) -> None:
    """Submit the same shards again with a printed batch script; qsp has no record of these jobs."""
    file = demo.plan.path("run.sbatch")
    file.write_text(demo.qsp("sbatch", demo.plan.run, *RESOURCES) + "\n", encoding="utf-8")
    demo.note("submit all by hand", demo.slurm.run("sbatch", str(file)))


def _interrupt(demo: Demo) -> None:
    """Kill a process, preempt jobs, and take a node down."""
    demo.until(lambda: len(demo.live()) == len(demo.slurm.nodes), "a shard on each node")
    victim = demo.live()[0]
    os.kill(victim.pid, signal.SIGKILL)
    demo.note(
        "kill -9", f"shard {victim.shard}, with {victim.patients} patients in finished blocks"
    )
    demo.until(lambda: len(demo.live()) == len(demo.slurm.nodes), "a shard on each node again")
    running = sorted({attempt.shard for attempt in demo.live()})
    demo.slurm.run("srun", "-p", "urgent", "-N2", "-n2", "-c2", "sleep", "1", limit=LIMIT_S)
    demo.note("preemption", f"shards {', '.join(map(str, running))} were stopped, and resume")
    demo.until(lambda: len(demo.live()) == len(demo.slurm.nodes), "a shard on each node again")
    demo.slurm.node_down("n1")
    demo.note("node lost", "n1; its shard goes to n2")
    demo.until(demo.live, "a shard on the other node")
    demo.slurm.node_up("n1")
    demo.note("node back", "n1")


def _same(plan: Plan) -> bool:
    """Return whether the run has each patient once and is bitwise equal to a serial run."""
    prepared = prepare(Request(CONFIG, (f"patients={plan.patients}",)))
    found = as_computed(runs.read(plan.run).to_dataset().load())
    if found["patient"].values.tolist() != list(range(plan.patients)):
        return False
    for part in dataclasses.replace(prepared, trajectories=np.array([], int)).in_blocks():
        one = as_computed(runs.run(part, whole=False).to_dataset())
        other = found.sel(patient=part.ids)
        for name in (n for n, v in one.data_vars.items() if "patient" in v.dims):
            a, b = one[name].values, other[name].values
            equal = (
                np.array_equal(a, b, equal_nan=True)
                if a.dtype.kind == "f"
                else a.tolist() == b.tolist()
            )
            if not equal:
                print(f"{name} differs")
                return False
    return True


if __name__ == "__main__":
    main()
