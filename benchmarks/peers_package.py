"""The package itself, through its public verb."""

from __future__ import annotations

import dataclasses
import time as clock

import numpy as np
from peers_case import Case, Outcome, Run, Simulate

from qsp.engine.batch import CHUNK_SIZE
from qsp.engine.method import Method
from qsp.native.codegen import register_width
from qsp.simulation import simulate

NEEDS = ("llvmlite",)
ML_PER_L = 1000.0


class Clock:
    """Reads the time when the program is compiled and after each chunk of patients."""

    def __init__(self) -> None:
        self.readings: list[tuple[float, float]] = []

    def compiled(self, seconds: float) -> None:
        """Nothing yet: the run begins at `start`."""

    def start(self, sims: int) -> None:
        """The run begins."""
        self._read()

    def advance(self, sims: int) -> None:
        """A chunk is done."""
        self._read()

    def _read(self) -> None:
        self.readings.append((clock.process_time(), clock.perf_counter()))

    @property
    def seconds(self) -> tuple[float, float]:
        """Of the processor and by the clock, from the first reading to the last."""
        (cpu, wall), (later_cpu, later_wall) = self.readings[0], self.readings[-1]
        return later_cpu - cpu, later_wall - wall


@dataclasses.dataclass(frozen=True)
class _Ready:
    """Compiled at the first call."""

    case: Case
    method: Method

    def __call__(self) -> Run:
        """Every patient, without trajectories."""
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


def prepared(case: Case, rtol: float, method: Method) -> Simulate:
    """A case by one of the methods of the package, at another tolerance."""
    return _Ready(case, dataclasses.replace(method, rtol=rtol))


def note(method: Method) -> str:
    """What to know of the figures."""
    together = CHUNK_SIZE if method.backend == "xla" else register_width()
    return f"{together} patients in step, with all that a run records"
