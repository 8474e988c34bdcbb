"""Cost and memory by patients, doses, days and workers, each alone. JSON lines.

    .venv/bin/python benchmarks/scaling.py [--full] [--axes patients,workers]

The base case is `base_case.py`: one arm, without trajectories. Each case runs in a process of its
own, through `qsp.run.run_into` into a temporary folder: results and report are written.
`simulate_s` is the median of repeats, without compilation; `total_s` is the first of them with all
that it takes, from reading the config to the report, imports apart. `--full` adds 1,000,000
patients, which takes the better part of an hour.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time as clock
from collections.abc import Iterator, Sequence
from pathlib import Path

import base_case
import numpy as np
from apart import is_measured, measured, peak_memory_mb, use_cores
from rows import Row, emit, per_core, ratio, row

from qsp import process
from qsp.native.codegen import register_width
from qsp.run import Prepared, run_into
from qsp.run.prepared import BLOCK

PATIENTS = (100, 1_000, 10_000, 100_000)
DOSES = (1, 6, 12, 26, 52)
DOSES_DAYS = 365
DAYS = (28, 84, 182, 365)
WORKERS = (1, 2)
WORKERS_PATIENTS = 4
"""Patients where workers are compared, in units of the base: two have to end at about one time."""

ROUNDS = 3
"""Of workers, in turns: a neighbor who slows the machine for a while slows all alike."""

FULL = 1_000_000
AXES = ("patients", "doses", "days", "workers")


@dataclasses.dataclass(frozen=True)
class Case:
    """One point of a sweep.

    Args:
        axis: The sweep.
        patients: How many.
        doses: Weekly doses; those of the arm if None.
        days: Length of the trial.
        workers: Cores; all if None.
    """

    axis: str
    patients: int
    doses: int | None = None
    days: int = base_case.DAYS
    workers: int | None = None

    @property
    def name(self) -> str:
        """What is particular about it."""
        value = getattr(self, self.axis)
        return f"{value:,} {self.axis if value != 1 else self.axis.removesuffix('s')}"

    @property
    def repeats(self) -> int:
        """One where it takes long, and of workers, whose processes are repeated."""
        return 1 if self.axis == "workers" or self.patients > 10_000 else 3


@dataclasses.dataclass(frozen=True)
class Pass:
    """Seconds of one simulation, and what it left.

    Args:
        whole_s: To the report.
        compile_s: Of that.
        simulate_s: Of that.
        steps: (arm, patient): Of the solver.
        failures: Patients.
    """

    whole_s: float
    compile_s: float
    simulate_s: float
    steps: np.ndarray
    failures: int


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    if asked.one:
        process.start()  # as the command line does
        emit(_measured(Case(**json.loads(asked.one))))
        return
    rows: list[Row] = []
    for case in _cases(asked.axes, asked.base, asked.most):
        rows.append(measured(__file__, dataclasses.asdict(case)))
        emit(rows[-1])
    done = [line for line in rows if is_measured(line)]
    for line in (*_growth(done), *_speedup(done)):
        emit(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_const", dest="most", const=FULL)
    parser.add_argument("--most", type=int, help="largest number of patients")
    parser.add_argument("--base", type=int, default=1_000, help="patients of the other axes")
    parser.add_argument("--axes", type=lambda text: text.split(","), default=AXES)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.set_defaults(most=PATIENTS[-1])
    return parser.parse_args()


def _cases(axes: Sequence[str], base: int, most: int) -> Iterator[Case]:
    for axis in axes:
        if axis == "patients":
            yield from (Case(axis, size) for size in (*PATIENTS, FULL) if size <= most)
        elif axis == "doses":
            yield from (Case(axis, base, count, DOSES_DAYS) for count in DOSES)
        elif axis == "days":
            yield from (Case(axis, base, days=days) for days in DAYS)
        else:
            crowd = WORKERS_PATIENTS * base
            yield from (Case(axis, crowd, workers=n) for _ in range(ROUNDS) for n in WORKERS)


def _measured(case: Case) -> Row:
    """This process is for one case."""
    use_cores(case.workers)
    began = clock.perf_counter()
    prepared = base_case.prepared(case.patients, doses=case.doses, days=case.days)
    prepare_s = clock.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        passes = [_pass(Path(folder) / str(n), prepared) for n in range(case.repeats)]
    simulate_s = statistics.median(one.simulate_s for one in passes)
    first, [arm] = passes[0], prepared.trial.arms
    return row(
        "scaling",
        prepared.method.solver.lower(),
        status="ok",
        case=case.name,
        axis=case.axis,
        patients=case.patients,
        doses=sum(given.period > 0 for given in arm.regimens[0].administrations),
        days=case.days,
        workers=case.workers,
        rtol=prepared.method.rtol,
        patients_per_s=round(case.patients / simulate_s, 1),
        **per_core(case.patients / simulate_s, case.patients),
        ms_per_patient=round(1e3 * simulate_s / case.patients, 4),
        simulate_s=round(simulate_s, 3),
        compile_s=round(first.compile_s, 2),
        total_s=round(prepare_s + first.whole_s, 2),
        repeats=len(passes),
        peak_memory_mb=peak_memory_mb(),
        failures=first.failures,
        mean_steps=round(float(first.steps.mean()), 1),
        slowest_to_mean_steps=round(_slowest_to_mean(first.steps), 3),
    )


def _pass(out: Path, prepared: Prepared) -> Pass:
    began = clock.perf_counter()
    results = run_into(out, prepared)
    whole_s = clock.perf_counter() - began
    with results:
        ds = results.to_dataset()
        compile_s, wall_s = (float(ds.attrs[key]) for key in ("compile_s", "wall_s"))
        steps = ds["steps"].values
        failures = int((ds["outcome"].values != 0).sum())
    return Pass(whole_s, compile_s, wall_s - compile_s, steps, failures)


def _slowest_to_mean(steps: np.ndarray) -> float:
    """Steps of the slowest lane of each register times its lanes, over those of all patients.

    A lower bound of what waiting costs: lanes wait for each other at every dose.
    """
    [of_patients] = steps
    width = register_width()
    taken = sum(
        of_patients[first : min(first + width, block + BLOCK)].max() * width
        for block in range(0, len(of_patients), BLOCK)
        for first in range(block, min(block + BLOCK, len(of_patients)), width)
    )
    return float(taken / of_patients.sum())


def _growth(rows: Sequence[Row]) -> Iterator[Row]:
    """Cost of a patient against that among 1,000, memory against that of 10,000."""
    sizes = {line["patients"]: line for line in rows if line["axis"] == "patients"}
    for key, size in {"ms_per_patient": 1_000, "peak_memory_mb": 10_000}.items():
        if size in sizes:
            yield from (ratio(line, sizes[size], key) for n, line in sizes.items() if n != size)


def _speedup(rows: Sequence[Row]) -> Iterator[Row]:
    """Each number of workers against one, by the medians of the rounds."""
    by_workers = {
        count: [line for line in rows if line["axis"] == "workers" and line["workers"] == count]
        for count in WORKERS
    }
    if not all(by_workers.values()):
        return
    one, *more = (
        {**lines[0], "patients_per_s": statistics.median(map(_rate, lines))}
        for lines in by_workers.values()
    )
    yield from (ratio(line, one, "patients_per_s") for line in more)


def _rate(figures: Row) -> float:
    return float(str(figures["patients_per_s"]))


if __name__ == "__main__":
    main()
