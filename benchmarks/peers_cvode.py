"""CVODE by scikit-sundae, with rates in a Python callback that calls machine code."""

from __future__ import annotations

import ctypes
import dataclasses
import time as clock
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from peers_case import Outcome, Run, ScalarCase, Simulate, outcome, timed, tolerances
from peers_native import Native, compile_native
from sksundae.cvode import CVODE

PACKAGES = ("scikit-sundae", "numba", "llvmlite")
MAX_STEPS = 100_000

Rates = Callable[[float, np.ndarray, np.ndarray], None]


@dataclasses.dataclass(frozen=True)
class _Compiled:
    """A solver, the array from which its rates read parameters, and the code of the rates."""

    case: ScalarCase
    solver: Any
    inputs: np.ndarray
    code: Native

    def __call__(self) -> Run:
        """Time the simulation of all patients."""
        return timed(self.simulate)

    def simulate(self) -> Outcome:
        """Simulate all patients, segment by segment."""
        model = self.case.model
        seen = np.full((self.case.patients, len(self.case.times)), np.nan)
        end, succeeded = model.initial.copy(), np.ones(self.case.patients, bool)
        for n in range(self.case.patients):
            self.inputs[: model.constants.shape[1]] = model.constants[n]
            first = 0
            for segment in self.case.segments:
                self.inputs[model.constants.shape[1] :] = segment.infusion[n]
                result = self.solver.solve(segment.times, end[n] + segment.bolus[n])
                if not result.success:
                    succeeded[n] = False
                    break
                # For two output times, CVODE returns all its steps.
                states = result.y if len(segment.times) > 2 else result.y[[0, -1]]
                last = first + len(segment.times)
                seen[n, first:last], end[n] = states[:, model.il6], states[-1]
                first = last
        return outcome(self.case, seen, end, succeeded)


def prepare(case: ScalarCase, rtol: float) -> Simulate:
    """Compile the case."""
    model = case.model
    code = compile_native(model.rates)
    inputs = np.concatenate([model.constants[0], np.zeros(len(model.kinds))])
    relative, absolute = tolerances(rtol)
    rates = _callback(code.address, inputs.ctypes.data)
    solver = CVODE(rates, rtol=relative, atol=absolute, max_num_steps=MAX_STEPS)
    solver.solve(case.segments[0].times, model.initial[0])
    return _Compiled(case, solver, inputs, code)


def note() -> str:
    """Note on the figures."""
    return (
        "BDF, dense, Jacobian by finite differences; rates in machine code behind a Python "
        f"callback, which costs at most {_callback_us():.1f} us per call"
    )


def _callback_us(steps: int = 5000, size: int = 2) -> float:
    """Microseconds per call of an empty callback, including the work of a solver of two states."""

    @numba.njit
    def empty(time: Any, state: Any, change: Any) -> None:
        change[:] = 0.0

    solver = CVODE(empty, max_step=1.0 / steps, max_num_steps=10 * steps)
    times, start = np.array([0.0, 0.5, 1.0]), np.zeros(size)
    solver.solve(times, start)
    began = clock.process_time()
    result = solver.solve(times, start)
    return 1e6 * (clock.process_time() - began) / result.nfev


def _callback(address: int, inputs: int) -> Rates:
    """Return a callback that calls the function at an address, with parameters at another."""
    pointer = ctypes.c_void_p
    code = ctypes.CFUNCTYPE(None, ctypes.c_double, pointer, pointer, pointer)(address)

    @numba.njit
    def rates(time: Any, state: Any, change: Any) -> None:
        code(time, state.ctypes.data, change.ctypes.data, inputs)

    return rates
