"""How many patients a second: the main job's trial, compile apart. One JSON line.

    .venv/bin/python benchmarks/throughput.py [--patients 256] [--repeats 3]

Each repeat simulates every patient in every arm for 84 days without trajectories. The median is the
figure to quote; `load` says how busy the machine was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from pathlib import Path

import diffrax
import jax
import numpy as np

from qsp.run import Request, prepare
from qsp.run.provenance import git_commit
from qsp.simulation import simulate

CONFIG = Path(__file__).resolve().parent.parent / "configs/mosunetuzumab_step_up_vs_flat.toml"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    prepared = prepare(Request(CONFIG, [f"patients={asked.patients}"]))
    lanes = asked.patients * len(prepared.trial.arms)
    compile_s, run_s, steps, failed = [], [], [], []
    for _ in range(asked.repeats):
        ds = simulate(
            prepared.trial,
            prepared.cohort,
            system=prepared.system,
            method=prepared.method,
            trajectories=np.array([], int),
        ).to_dataset()
        compile_s.append(ds.attrs["compile_s"])
        run_s.append(ds.attrs["wall_s"] - ds.attrs["compile_s"])
        steps.append(float(ds["steps"].mean()))
        failed.append(int((ds["outcome"] != 0).sum()))
    row = {
        "bench": "throughput",
        "method": prepared.method.solver.lower(),
        "rtol": prepared.method.rtol,
        "device": jax.devices()[0].device_kind,
        "precision": "float64",
        "patients": asked.patients,
        "arms": len(prepared.trial.arms),
        "days": prepared.trial.days,
        "patient_arms_per_s": round(lanes / statistics.median(run_s), 1),
        "compile_s": round(max(compile_s), 2),
        "mean_steps": round(statistics.mean(steps)),
        "failures": max(failed),
        "load": round(os.getloadavg()[0], 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"jax": jax.__version__, "diffrax": diffrax.__version__},
        "commit": git_commit(),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
