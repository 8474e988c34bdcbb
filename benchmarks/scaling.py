"""Cost and memory by number of patients, doses, days, workers and form of the tumor. JSON lines.

    .venv/bin/python benchmarks/scaling.py [--full] [--axes patients,workers]

One of them varies at a time.

The base case is that of `base_case.py`: one arm, without trajectories. Each case runs in a new
process by `qsp.run.run_into`, which writes results and report into a temporary folder. `simulate_s`
is the median over repeats, without compilation; `total_s` is the whole first repeat, from reading
the config to the report, without imports. `bytes_per_patient` is the size of the results in memory
without what all patients share, and `states` the number of states of a patient. `--full` adds
1,000,000 patients, which takes most of an hour.
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
import jax
import numpy as np
from isolated import is_complete, peak_memory_mb, run_isolated, use_cores
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
"""Patients for the comparison of workers, in units of the base; enough to balance their load."""

ROUNDS = 3
"""Rounds over the numbers of workers, so that a varying load of the machine affects all alike."""

FULL = 1_000_000
AXES = ("patients", "doses", "days", "workers", "tumor")
FORMS = ("pool", "lesions")
FORMS_PATIENTS = 10
"""Patients for the comparison of forms of the tumor, in units of the base; enough that the memory
of a patient counts."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One point of a sweep.

    Args:
        axis: The sweep.
        patients: Number of patients.
        doses: Number of weekly doses; None for those of the arm.
        days: Length of the trial [day].
        workers: Number of cores; None for all.
        tumor: Form of the tumor; None for that of the config.
    """

    axis: str
    patients: int
    doses: int | None = None
    days: int = base_case.DAYS
    workers: int | None = None
    tumor: str | None = None

    @property
    def name(self) -> str:
        """Name: the value on the axis."""
        value = getattr(self, self.axis)
        if self.axis == "tumor":
            return f"tumor as {value}"
        return f"{value:,} {self.axis if value != 1 else self.axis.removesuffix('s')}"

    @property
    def repeats(self) -> int:
        """Repeats in one process; one for long cases, and for workers, which run in rounds."""
        return 1 if self.axis == "workers" or self.patients > 10_000 else 3


@dataclasses.dataclass(frozen=True)
class Pass:
    """Seconds and outcome of one run.

    Args:
        total_s: Seconds of the run with its report.
        compile_s: Seconds of compilation.
        simulate_s: Seconds of simulation.
        steps: (arm, patient): Solver steps.
        failures: Number of patients in whom the solver failed.
        bytes_per_patient: Size of the results of a patient in memory.
    """

    total_s: float
    compile_s: float
    simulate_s: float
    steps: np.ndarray
    failures: int
    bytes_per_patient: int


def main() -> None:
    """Run all cases and print their rows and ratios."""
    arguments = _arguments()
    if arguments.one:
        process.start()  # as the command line does
        emit(_measure(Case(**json.loads(arguments.one))))
        return
    rows: list[Row] = []
    for case in _cases(arguments.axes, arguments.base, arguments.max_patients):
        rows.append(run_isolated(__file__, dataclasses.asdict(case)))
        emit(rows[-1])
    done = [line for line in rows if is_complete(line)]
    for line in (*_growth(done), *_speedup(done), *_forms(done)):
        emit(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_const", dest="max_patients", const=FULL)
    parser.add_argument("--most", type=int, dest="max_patients", help="largest number of patients")
    parser.add_argument("--base", type=int, default=1_000, help="patients of the other axes")
    parser.add_argument("--axes", type=lambda text: text.split(","), default=AXES)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.set_defaults(max_patients=PATIENTS[-1])
    return parser.parse_args()


def _cases(axes: Sequence[str], base: int, max_patients: int) -> Iterator[Case]:
    for axis in axes:
        if axis == "patients":
            yield from (Case(axis, size) for size in (*PATIENTS, FULL) if size <= max_patients)
        elif axis == "doses":
            yield from (Case(axis, base, count, DOSES_DAYS) for count in DOSES)
        elif axis == "days":
            yield from (Case(axis, base, days=days) for days in DAYS)
        elif axis == "tumor":
            yield from (Case(axis, FORMS_PATIENTS * base, tumor=form) for form in FORMS)
        else:
            patients = WORKERS_PATIENTS * base
            yield from (Case(axis, patients, workers=n) for _ in range(ROUNDS) for n in WORKERS)


def _measure(case: Case) -> Row:
    """Measure one case, in this process."""
    use_cores(case.workers)
    began = clock.perf_counter()
    prepared = base_case.prepared(case.patients, doses=case.doses, days=case.days, tumor=case.tumor)
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
        doses=sum(dose.period > 0 for dose in arm.regimens[0].administrations),
        days=case.days,
        workers=case.workers,
        tumor=prepared.config.method.tumor,
        rtol=prepared.method.rtol,
        patients_per_s=round(case.patients / simulate_s, 1),
        **per_core(case.patients / simulate_s, case.patients),
        ms_per_patient=round(1e3 * simulate_s / case.patients, 4),
        simulate_s=round(simulate_s, 3),
        compile_s=round(first.compile_s, 2),
        total_s=round(prepare_s + first.total_s, 2),
        repeats=len(passes),
        peak_memory_mb=peak_memory_mb(),
        bytes_per_patient=first.bytes_per_patient,
        states=_states(prepared),
        failures=first.failures,
        mean_steps=round(float(first.steps.mean()), 1),
        slowest_to_mean_steps=round(_slowest_to_mean(first.steps), 3),
    )


def _pass(out: Path, prepared: Prepared) -> Pass:
    began = clock.perf_counter()
    results = run_into(out, prepared)
    total_s = clock.perf_counter() - began
    with results:
        ds = results.to_dataset()
        compile_s, wall_s = (float(ds.attrs[key]) for key in ("compile_s", "wall_s"))
        steps = ds["steps"].values
        failures = int((ds["outcome"].values != 0).sum())
        of_patients = [each.nbytes for each in ds.variables.values() if "patient" in each.dims]
    size = round(sum(of_patients) / ds.sizes["patient"])
    return Pass(total_s, compile_s, wall_s - compile_s, steps, failures, size)


def _states(prepared: Prepared) -> int:
    """Return the number of states of a patient."""
    parameters = prepared.cohort.people.parameters
    shapes = jax.eval_shape(jax.vmap(prepared.system.initial), parameters)
    return sum(leaf.size // leaf.shape[0] for leaf in jax.tree.leaves(shapes))


def _slowest_to_mean(steps: np.ndarray) -> float:
    """Ratio of the steps that vector registers take to the steps of all patients.

    A register takes the steps of its slowest trajectory. The ratio is a lower bound of the cost of
    waiting, because trajectories wait for each other at every dose.
    """
    [by_patient] = steps
    width = register_width()
    taken = sum(
        by_patient[first : min(first + width, block + BLOCK)].max() * width
        for block in range(0, len(by_patient), BLOCK)
        for first in range(block, min(block + BLOCK, len(by_patient)), width)
    )
    return float(taken / by_patient.sum())


def _growth(rows: Sequence[Row]) -> Iterator[Row]:
    """Ratios of the cost of a patient to that in 1,000, and of memory to that of 10,000."""
    sizes = {line["patients"]: line for line in rows if line["axis"] == "patients"}
    for key, size in {"ms_per_patient": 1_000, "peak_memory_mb": 10_000}.items():
        if size in sizes:
            yield from (ratio(line, sizes[size], key) for n, line in sizes.items() if n != size)


def _speedup(rows: Sequence[Row]) -> Iterator[Row]:
    """Ratios of the speed of several workers to that of one, by medians over the rounds."""
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


def _forms(rows: Sequence[Row]) -> Iterator[Row]:
    """Ratios of the memory with lesions to that with one pool of tumor cells."""
    by_form = {line["tumor"]: line for line in rows if line["axis"] == "tumor"}
    if all(form in by_form for form in FORMS):
        pool, lesions = (by_form[form] for form in FORMS)
        yield from (ratio(lesions, pool, key) for key in ("bytes_per_patient", "peak_memory_mb"))


def _rate(figures: Row) -> float:
    return float(str(figures["patients_per_s"]))


if __name__ == "__main__":
    main()
