"""Startup of the Python API: time from the start of the interpreter, and peak memory.

    .venv/bin/python benchmarks/from_python.py [--repeats 5]
    .venv/bin/python benchmarks/from_python.py --patients 10000

Each start is a new process, `python -c`. It is timed from the start of the interpreter to the
return of `qsp.simulate`, or of the first `jax.grad` of a peak; imports are included. A cold start
has an empty cache of compiled programs, a cached start has the cache that a cold one filled. The
gradient is compiled by XLA, whose programs are cached only where the user enables the cache of JAX;
its starts set `JAX_COMPILATION_CACHE_DIR`. A start with more patients than the design case checks
the results, and is limited in memory instead of time. The exit code is 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENTS = 200
MAX_MB = 1500
STARTS = ("cold", "cached")
SETTINGS = ("QSP_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
"""Environment variables that choose the cache of compiled programs."""

TRIAL = """
import qsp
drug = qsp.molecule("mosunetuzumab")
people = qsp.population("nhl").sample({patients}, molecule=drug, seed=1)
step = qsp.regimen(
    qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
    qsp.iv("2 mg", day=8, over="4 h", period="SUD2"),
    qsp.iv("60 mg", day=15, every="21 day", times=4, over="4 h", period="FD"),
    before=qsp.dexamethasone("20 mg", lead="1 h"),
)
flat = qsp.regimen(qsp.iv("60 mg", day=1, over="4 h", period="FD1"))
"""
SIMULATE = """
run = qsp.simulate({{"step": step, "flat": flat}}, people, days=84, visits=[42, 84],
                   save=["t_cells.activated"], progress=False)
"""
GRADIENT = """
import jax
def peak(alpha):
    person = people.typical.set("synapse.alpha", alpha)
    return qsp.trajectory(step, person, days=28).peak("il6", period="FD")
slope = float(jax.grad(peak)(9e-4))
"""
USE = """
assert run.ds.sizes["patient"] == {patients} and run.failures < 0.05 * {patients}
assert (run.difference("step", "flat")["patients"] > 0.9 * {patients}).all()
assert 0 < float(qsp.endpoints.crs.incidence(run, by="any").value.sel(arm="flat").max()) < 1
"""
REPORT = """
import json, resource, sys, time
end = time.time()
unit = 1 if sys.platform == "darwin" else 1024
usage = resource.getrusage(resource.RUSAGE_SELF)
{use}
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
print(json.dumps([end, usage.ru_utime + usage.ru_stime, peak_mb]))
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """Code to start, and its limits.

    Args:
        title: First column of the table.
        code: Code that is timed.
        limits: Longest time of a cold and of a cached start [s]; None for no limit.
        use: Code that checks the results afterwards.
        max_mb: Largest peak memory [MB]; None for no limit.
        cache: Environment variable that names the cache.
    """

    title: str
    code: str
    limits: Mapping[str, float | None]
    use: str = ""
    max_mb: float | None = None
    cache: str = "QSP_CACHE_DIR"


@dataclasses.dataclass(frozen=True)
class Start:
    """Figures of a start.

    Args:
        seconds: Time from the start of the interpreter [s].
        cpu_s: Time of all cores in this period [s].
        peak_mb: Peak memory of the process [MB].
    """

    seconds: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Measure all cases, print a table and exit with 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="starts of each kind")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--only", choices=("simulate", "gradient"))
    arguments = parser.parse_args()
    row = "{:<34} {:<7} {:>8} {:>8} {:>8} {:>9} {:>9}  {}"
    print(row.format("case", "start", "time [s]", "limit", "CPU [s]", "peak [MB]", "limit", "met"))
    all_met = True
    for case in _cases(arguments.patients, arguments.only):
        for kind, starts in _measured(case, arguments.repeats).items():
            middle = _median(starts)
            limit = case.limits[kind]
            met = limit is None or middle.seconds < limit
            met &= case.max_mb is None or middle.peak_mb < case.max_mb
            all_met &= met
            figures = (f"{middle.seconds:.1f}", _text(limit), f"{middle.cpu_s:.1f}")
            memory = (f"{middle.peak_mb:.0f}", _text(case.max_mb))
            print(
                row.format(case.title, kind, *figures, *memory, "yes" if met else "NO"), flush=True
            )
    sys.exit(not all_met)


def _text(limit: float | None) -> str:
    return "-" if limit is None else f"{limit:g}"


def _cases(patients: int, only: str | None) -> list[Case]:
    trial = TRIAL.format(patients=patients)
    simulate = Case(
        f"qsp.simulate, {patients} patients",
        trial + SIMULATE.format(patients=patients),
        dict(zip(STARTS, (30.0, 4.0), strict=True)),
    )
    if patients != PATIENTS:
        no_limits: dict[str, float | None] = dict.fromkeys(STARTS)
        use = USE.format(patients=patients)
        return [dataclasses.replace(simulate, limits=no_limits, use=use, max_mb=MAX_MB)]
    gradient = Case(
        "first jax.grad of a peak",
        trial + GRADIENT,
        dict(zip(STARTS, (40.0, 8.0), strict=True)),
        cache="JAX_COMPILATION_CACHE_DIR",
    )
    if only != "simulate" and not _has_trajectory():
        print("The gradient is skipped: this version has no qsp.trajectory.", file=sys.stderr)
        return [simulate]
    return [
        case
        for name, case in (("simulate", simulate), ("gradient", gradient))
        if only in (None, name)
    ]


def _has_trajectory() -> bool:
    code = "import sys, qsp; sys.exit(not hasattr(qsp, 'trajectory'))"
    return not subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode


def _measured(case: Case, repeats: int) -> dict[str, list[Start]]:
    """Return the starts of each kind; every pair of starts has a cache of its own."""
    starts: dict[str, list[Start]] = {kind: [] for kind in STARTS}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for kind in STARTS:
                starts[kind].append(_started(case, folder))
    return starts


def _started(case: Case, cache: str) -> Start:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environment["PYTHONPATH"] = str(ROOT)
    code = case.code + REPORT.format(use=case.use)
    began = clock.time()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {case.cache: cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    end, cpu_s, peak_mb = json.loads(done.stdout.splitlines()[-1])
    return Start(end - began, cpu_s, peak_mb)


def _median(starts: Sequence[Start]) -> Start:
    fields = (dataclasses.astuple(start) for start in starts)
    return Start(*map(statistics.median, zip(*fields, strict=True)))


if __name__ == "__main__":
    main()
