"""This package, by `qsp.simulation.simulate`."""

from __future__ import annotations

import dataclasses
import time as clock

import numpy as np
from peers_case import Case, Outcome, Run, Simulate

from qsp.engine.batch import CHUNK_SIZE
from qsp.engine.method import Method
from qsp.native.codegen import register_width
from qsp.simulation import simulate

PACKAGES = ("llvmlite",)
ML_PER_L = 1000.0


class Clock:
    """Progress that reads the clocks after compilation and after each chunk of patients."""

    def __init__(self) -> None:
        self.readings: list[tuple[float, float]] = []

    def compiled(self, seconds: float) -> None:
        """Ignore the end of compilation; the run begins at `start`."""

    def start(self, sims: int) -> None:
        """Read the clocks at the begin of the run."""
        self._read()

    def advance(self, sims: int) -> None:
        """Read the clocks at the end of a chunk."""
        self._read()

    def _read(self) -> None:
        self.readings.append((clock.process_time(), clock.perf_counter()))

    @property
    def seconds(self) -> tuple[float, float]:
        """CPU and wall-clock seconds between the first and the last reading."""
        (cpu, wall), (later_cpu, later_wall) = self.readings[0], self.readings[-1]
        return later_cpu - cpu, later_wall - wall


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """A case and a method; the first call compiles them."""

    case: Case
    method: Method

    def __call__(self) -> Run:
        """Time the simulation of all patients, without trajectories."""
        clock = Clock()
        ds = simulate(
            self.case.trial,
            self.case.cohort,
            system=self.case.system,
            method=self.method,
            trajectories=np.array([], int),
            progress=clock,
        ).to_dataset()
        result = Outcome(
            il6_peak=ds["il6_peak"].max("dose_period").values[0],
            auc=ds["auc"].sum("dose_period", min_count=1).values[0],
            tumor=ds["tumor_volume_end"].values[0] / ML_PER_L,
            failed=ds["outcome"].values[0] != 0,
        )
        return Run(result, *clock.seconds, compile_s=ds.attrs["compile_s"])


def prepare(case: Case, rtol: float, method: Method) -> Simulate:
    """Prepare a case with a method of this package at a relative tolerance."""
    return _Prepared(case, dataclasses.replace(method, rtol=rtol))


def note(method: Method) -> str:
    """Note on the figures."""
    in_step = CHUNK_SIZE if method.backend == "xla" else register_width()
    return f"{in_step} patients in step, with everything that a run records"
