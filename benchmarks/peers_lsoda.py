"""LSODA by numbalsoda, with rates and the loop over patients compiled."""

from __future__ import annotations

import dataclasses
from typing import Any

import numba
import numpy as np
from numbalsoda import lsoda
from peers_case import Run, ScalarCase, Simulate, outcome, timed, tolerances
from peers_native import Native, compile_native

PACKAGES = ("numbalsoda", "numba", "llvmlite")
MAX_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class _Compiled:
    """Flat arrays for the compiled loop, and the code of the rates."""

    case: ScalarCase
    rtol: float
    code: Native
    inputs: np.ndarray
    last: np.ndarray
    bolus: np.ndarray
    infusion: np.ndarray

    def states(self, patients: int) -> tuple[Any, ...]:
        """Run the loop for the first patients."""
        model, (relative, absolute) = self.case.model, tolerances(self.rtol)
        return _solve_all(
            self.code.address,
            model.initial[:patients],
            self.inputs,
            self.case.times,
            self.last,
            self.bolus,
            self.infusion,
            model.il6,
            relative,
            absolute,
        )

    def __call__(self) -> Run:
        """Time the simulation of all patients."""
        return timed(lambda: outcome(self.case, *self.states(self.case.patients)))


def prepare(case: ScalarCase, rtol: float) -> Simulate:
    """Compile the case."""
    model = case.model
    compiled = _Compiled(
        case=case,
        rtol=rtol,
        code=compile_native(model.rates),
        inputs=np.pad(model.constants, ((0, 0), (0, len(model.kinds)))),
        last=np.cumsum([len(segment.times) for segment in case.segments]),
        bolus=np.stack([segment.bolus for segment in case.segments]),
        infusion=np.stack([segment.infusion for segment in case.segments]),
    )
    compiled.states(1)
    return compiled


def note() -> str:
    """Note on the figures."""
    return "rates and the loop over patients in machine code, Jacobian by finite differences"


@numba.njit
def _solve_all(  # noqa: PLR0913 - compiled code takes flat arguments
    rates: Any,
    initial: Any,
    inputs: Any,
    times: Any,
    last: Any,
    bolus: Any,
    infusion: Any,
    il6: Any,
    rtol: Any,
    atol: Any,
) -> Any:
    """Return IL-6 at the output times, final states and success of every patient."""
    patients, kinds = initial.shape[0], infusion.shape[2]
    seen = np.full((patients, len(times)), np.nan)
    end = initial.copy()
    succeeded = np.ones(patients, np.bool_)
    for n in range(patients):
        data = inputs[n].copy()
        first = 0
        for s in range(len(last)):
            data[len(data) - kinds :] = infusion[s, n]
            states, success = lsoda(
                rates,
                end[n] + bolus[s, n],
                times[first : last[s]],
                data=data,
                rtol=rtol,
                atol=atol,
                mxstep=MAX_STEPS,
            )
            end[n] = states[-1]
            seen[n, first : last[s]] = states[:, il6]
            first = last[s]
            if not success:
                succeeded[n] = False
                break
    return seen, end, succeeded
