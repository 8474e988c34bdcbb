"""CVODE: scikit-sundae, whose rates are a function of Python; here one that calls machine code."""

from __future__ import annotations

import ctypes
import dataclasses
import time as clock
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from peers_case import Outcome, Run, ScalarCase, Simulate, outcome, timed, tolerances
from peers_native import Native, native
from sksundae.cvode import CVODE

NEEDS = ("scikit-sundae", "numba", "llvmlite")
MOST_STEPS = 100_000

Rates = Callable[[float, np.ndarray, np.ndarray], None]


@dataclasses.dataclass(frozen=True)
class _Ready:
    """A solver whose parameters are read from one place, and the code that it calls."""

    case: ScalarCase
    solver: Any
    own: np.ndarray
    code: Native

    def __call__(self) -> Run:
        """Every patient."""
        return timed(self.simulated)

    def simulated(self) -> Outcome:
        """Stretch by stretch."""
        model = self.case.model
        seen = np.full((self.case.patients, len(self.case.times)), np.nan)
        end, succeeded = model.initial.copy(), np.ones(self.case.patients, bool)
        for n in range(self.case.patients):
            self.own[: model.constants.shape[1]] = model.constants[n]
            first = 0
            for segment in self.case.segments:
                self.own[model.constants.shape[1] :] = segment.infusion[n]
                result = self.solver.solve(segment.times, end[n] + segment.bolus[n])
                if not result.success:
                    succeeded[n] = False
                    break
                # Asked for two times, it returns all its steps.
                states = result.y if len(segment.times) > 2 else result.y[[0, -1]]
                last = first + len(segment.times)
                seen[n, first:last], end[n] = states[:, model.il6], states[-1]
                first = last
        return outcome(self.case, seen, end, succeeded)


def prepared(case: ScalarCase, rtol: float) -> Simulate:
    """The case, compiled."""
    model = case.model
    code = native(model.rates)
    own = np.concatenate([model.constants[0], np.zeros(len(model.kinds))])
    relative, absolute = tolerances(rtol)
    rates = _callback(code.address, own.ctypes.data)
    solver = CVODE(rates, rtol=relative, atol=absolute, max_num_steps=MOST_STEPS)
    solver.solve(case.segments[0].times, model.initial[0])
    return _Ready(case, solver, own, code)


def note() -> str:
    """What to know of the figures."""
    return (
        "BDF, dense, Jacobian by differences; rates in machine code behind a callback of Python, "
        f"which costs at most {_callback_us():.1f} us a call"
    )


def _callback_us(steps: int = 5000, size: int = 2) -> float:
    """Microseconds of a call that computes nothing, with the work of a solver of two states."""

    @numba.njit
    def nothing(time: Any, state: Any, change: Any) -> None:
        change[:] = 0.0

    solver = CVODE(nothing, max_step=1.0 / steps, max_num_steps=10 * steps)
    times, start = np.array([0.0, 0.5, 1.0]), np.zeros(size)
    solver.solve(times, start)
    began = clock.process_time()
    result = solver.solve(times, start)
    return 1e6 * (clock.process_time() - began) / result.nfev


def _callback(address: int, given: int) -> Rates:
    """A function of arrays that calls the one at an address, with parameters at another."""
    pointer = ctypes.c_void_p
    code = ctypes.CFUNCTYPE(None, ctypes.c_double, pointer, pointer, pointer)(address)

    @numba.njit
    def rates(time: Any, state: Any, change: Any) -> None:
        code(time, state.ctypes.data, change.ctypes.data, given)

    return rates
