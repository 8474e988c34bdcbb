"""Startup of the Python API: time from the start of the interpreter, and peak memory.

    .venv/bin/python benchmarks/from_python.py
    .venv/bin/python benchmarks/from_python.py --only simulate --repeats 11 --check
    .venv/bin/python benchmarks/from_python.py --only large --patients 20000

Each start is a new process, `python -c`. It is timed from the start of the interpreter to the
return of `qsp.simulate`, or of the first `jax.grad` of a peak; imports are included. A cold start
has an empty `QSP_CACHE_DIR`, a cached start has the programs that a cold one left there; no cache
of JAX is enabled. A trial with many patients also uses its results, and is limited in memory
instead of time. Figures are medians.
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
from collections.abc import Iterator, Sequence
from pathlib import Path

from rows import emit, row

ROOT = Path(__file__).resolve().parent.parent
PATIENTS, MANY = 200, 10_000
MAX_MB = 1500
STARTS = ("cold", "cached")
SETTINGS = ("QSP_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
"""Environment variables that choose a cache of compiled programs."""

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
        name: Name for `--only`.
        title: Text for the table.
        code: Code that is timed.
        limits: Longest time of a cold and of a cached start [s]; None for no limit.
        use: Code that checks the results afterwards.
        max_mb: Largest peak memory [MB]; None for no limit.
        repeats: Largest number of starts; None for no limit.
    """

    name: str
    title: str
    code: str
    limits: tuple[float | None, float | None] = (None, None)
    use: str = ""
    max_mb: float | None = None
    repeats: int | None = None


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
    """Measure the cases and print one row for each kind of start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="starts of each kind")
    parser.add_argument("--patients", type=int, default=MANY, help="patients of the large trial")
    parser.add_argument("--only", choices=("simulate", "gradient", "large"))
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is exceeded")
    arguments = parser.parse_args()
    all_met = True
    for case in _cases(arguments.patients):
        if arguments.only not in (None, case.name):
            continue
        for kind, starts in _measured(case, arguments.repeats).items():
            middle, limit = _median(starts), case.limits[STARTS.index(kind)]
            met = limit is None or middle.seconds < limit
            met &= case.max_mb is None or middle.peak_mb < case.max_mb
            all_met &= met
            figures = {
                "seconds": round(middle.seconds, 2),
                "limit_s": limit,
                "cpu_s": round(middle.cpu_s, 2),
                "peak_memory_mb": round(middle.peak_mb),
                "limit_mb": case.max_mb,
                "met": met,
                "repeats": len(starts),
            }
            emit(row("from_python", case.name, case=case.title, start=kind, **figures))
    sys.exit(arguments.check and not all_met)


def _cases(patients: int) -> Iterator[Case]:
    few, many = (
        TRIAL.format(patients=count) + SIMULATE.format(patients=count)
        for count in (PATIENTS, patients)
    )
    yield Case("simulate", f"qsp.simulate, {PATIENTS} patients", few, (30.0, 4.0))
    gradient = TRIAL.format(patients=PATIENTS) + GRADIENT
    yield Case("gradient", "first jax.grad of a peak", gradient, (40.0, 8.0))
    title, use = f"qsp.simulate, {patients:,} patients", USE.format(patients=patients)
    yield Case("large", title, many, use=use, max_mb=MAX_MB, repeats=3)


def _measured(case: Case, repeats: int) -> dict[str, list[Start]]:
    """Return the starts of each kind; every pair of starts has a cache of its own."""
    starts: dict[str, list[Start]] = {kind: [] for kind in STARTS}
    for _ in range(min(repeats, case.repeats or repeats)):
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
        env=environment | {"QSP_CACHE_DIR": cache},
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
