"""Patients a second in the main job: by backend, chunk, workers, precision. JSON lines.

    .venv/bin/python benchmarks/throughput.py [--patients 256] [--repeats 3]

Each repeat simulates every patient in every arm for 84 days without trajectories; compilation is
apart. The median is the figure to quote; `load` says how busy the machine was. Widths are compared
on one worker, precisions at the tolerance that both can hold. Each row comes from a process of its
own; on an accelerator it uses all there are.
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
from apart import measured, use_cores
from rows import Row, emit, per_core, row

from qsp.engine import batch
from qsp.engine.method import Method
from qsp.engine.workers import all_workers
from qsp.run import Prepared, Request, prepare

WIDTHS = (32, 64, 128)
"""Lanes of a chunk by XLA; native ones wait only for the others of a vector register."""
PRECISIONS: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")
LOOSE = 1e-4
"""Relative tolerance where precisions are compared."""


@dataclasses.dataclass(frozen=True)
class Case:
    """How the trial is computed.

    Args:
        patients: How many, in each arm.
        repeats: Of the simulation.
        chunk_size: Patients of a chunk.
        workers: Cores; None for all that there is.
        precision: Of all arithmetic.
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
        """How the trial is integrated."""
        return Method(rtol=self.rtol, precision=self.precision, backend=self.backend)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        emit(_measured(Case(**json.loads(asked.one))))
        return
    for case in _cases(Case(asked.patients, asked.repeats)):
        emit(measured(__file__, dataclasses.asdict(case)))


def _cases(base: Case) -> Iterator[Case]:
    is_cpu = jax.devices()[0].platform == "cpu"
    for width in WIDTHS:
        one = 1 if is_cpu else None
        yield dataclasses.replace(base, chunk_size=width, workers=one, backend="xla")
    for workers in range(1, len(all_workers()) + 1 if is_cpu else 1):
        yield dataclasses.replace(base, workers=workers)
    for precision in PRECISIONS:
        yield dataclasses.replace(base, precision=precision, rtol=LOOSE, backend="xla")


def _measured(case: Case) -> Row:
    """This process is for one case."""
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
