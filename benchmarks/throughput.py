"""Patients per second in the main job, by backend, chunk, workers and precision. JSON lines.

    .venv/bin/python benchmarks/throughput.py [--patients 256] [--repeats 3]

Each repeat simulates every patient in every arm for 84 days without trajectories. Figures are
medians over the repeats, without compilation; `load` is the load average of the machine. Chunk
sizes are compared on one worker, precisions at a tolerance that float32 can satisfy. Each row comes
from a new process; on accelerators it uses all of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from collections.abc import Iterator
from typing import Any, Literal

import base_case
import jax
from isolated import run_isolated, use_cores
from rows import Row, emit, per_core, row

from qsp.engine import batch
from qsp.engine.method import Method
from qsp.engine.workers import all_workers
from qsp.run import Prepared, Request, prepare

CHUNK_SIZES = (32, 64, 128)
"""Simulations per chunk by XLA, which run in step; native code runs a vector register in step."""
PRECISIONS: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")
LOOSE = 1e-4
"""Relative tolerance for the comparison of precisions."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Settings of one measurement.

    Args:
        patients: Number of patients in each arm.
        repeats: Number of simulations.
        chunk_size: Patients per chunk.
        workers: Number of cores; None for all.
        precision: Precision of all arithmetic.
        backend: Backend that computes the chunks.
        rtol: Relative tolerance.
    """

    patients: int
    repeats: int
    chunk_size: int = batch.CHUNK_SIZE
    workers: int | None = None
    precision: Literal["float64", "float32"] = "float64"
    backend: Literal["auto", "native", "xla"] = "auto"
    rtol: float = Method.rtol

    @property
    def method(self) -> Method:
        """Method of integration."""
        return Method(rtol=self.rtol, precision=self.precision, backend=self.backend)


def main() -> None:
    """Run all cases and print one row per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        emit(_measure(Case(**json.loads(arguments.one))))
        return
    for case in _cases(Case(arguments.patients, arguments.repeats)):
        emit(run_isolated(__file__, dataclasses.asdict(case)))


def _cases(base: Case) -> Iterator[Case]:
    is_cpu = jax.devices()[0].platform == "cpu"
    for chunk_size in CHUNK_SIZES:
        one = 1 if is_cpu else None
        yield dataclasses.replace(base, chunk_size=chunk_size, workers=one, backend="xla")
    for workers in range(1, len(all_workers()) + 1 if is_cpu else 1):
        yield dataclasses.replace(base, workers=workers)
    for precision in PRECISIONS:
        yield dataclasses.replace(base, precision=precision, rtol=LOOSE, backend="xla")


def _measure(case: Case) -> Row:
    """Measure one case, in this process."""
    use_cores(case.workers)
    batch.CHUNK_SIZE = case.chunk_size
    prepared = prepare(Request(base_case.CONFIG, [f"patients={case.patients}"]))
    arms = len(prepared.trial.arms)
    passes = [_pass(prepared, case.method) for _ in range(case.repeats)]
    rate = arms * case.patients / statistics.median(one["run_s"] for one in passes)
    return row(
        "throughput",
        case.method.solver.lower(),
        status="ok",
        precision=case.precision,
        chunk_size=case.chunk_size,
        workers=len(all_workers()),
        backend=passes[0]["backend"],
        rtol=case.rtol,
        patients=case.patients,
        arms=arms,
        days=prepared.trial.days,
        patient_arms_per_s=round(rate, 1),
        **per_core(rate, arms * case.patients),
        compile_s=round(passes[0]["compile_s"], 2),
        repeats=case.repeats,
        mean_steps=round(passes[0]["mean_steps"]),
        failures=int(passes[0]["failures"]),
    )


def _pass(prepared: Prepared, method: Method) -> dict[str, Any]:
    ds = base_case.endpoints(prepared, method)
    return {
        "backend": ds.attrs["backend"],
        "compile_s": ds.attrs["compile_s"],
        "run_s": ds.attrs["wall_s"] - ds.attrs["compile_s"],
        "mean_steps": float(ds["steps"].mean()),
        "failures": float((ds["outcome"] != 0).sum()),
    }


if __name__ == "__main__":
    main()
