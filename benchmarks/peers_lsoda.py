"""Compiled LSODA: numbalsoda, with native rates, driven by a compiled loop."""

from __future__ import annotations

import dataclasses
from typing import Any

import numba
import numpy as np
from numbalsoda import lsoda
from peers_case import Run, ScalarCase, Simulate, outcome, timed, tolerances
from peers_native import Native, native

NEEDS = ("numbalsoda", "numba", "llvmlite")
MOST_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class _Ready:
    """Flat arrays for the compiled loop, and the code that it calls."""

    case: ScalarCase
    rtol: float
    code: Native
    given: np.ndarray
    last: np.ndarray
    bolus: np.ndarray
    infusion: np.ndarray

    def states(self, patients: int) -> tuple[Any, ...]:
        """What the loop returns for the first patients."""
        model, (relative, absolute) = self.case.model, tolerances(self.rtol)
        return _all(
            self.code.address,
            model.initial[:patients],
            self.given,
            self.case.times,
            self.last,
            self.bolus,
            self.infusion,
            model.il6,
            relative,
            absolute,
        )

    def __call__(self) -> Run:
        """Every patient."""
        return timed(lambda: outcome(self.case, *self.states(self.case.patients)))


def prepared(case: ScalarCase, rtol: float) -> Simulate:
    """The case, compiled."""
    model = case.model
    ready = _Ready(
        case=case,
        rtol=rtol,
        code=native(model.rates),
        given=np.pad(model.constants, ((0, 0), (0, len(model.kinds)))),
        last=np.cumsum([len(segment.times) for segment in case.segments]),
        bolus=np.stack([segment.bolus for segment in case.segments]),
        infusion=np.stack([segment.infusion for segment in case.segments]),
    )
    ready.states(1)
    return ready


def note() -> str:
    """What to know of the figures."""
    return "rates and the loop over patients in machine code, Jacobian by differences"


@numba.njit
def _all(  # noqa: PLR0913 - compiled code takes flat arguments
    rates: Any,
    initial: Any,
    given: Any,
    times: Any,
    last: Any,
    bolus: Any,
    infusion: Any,
    il6: Any,
    rtol: Any,
    atol: Any,
) -> Any:
    """IL-6 at the outputs, the last states, and whether all went well, of every patient."""
    patients, kinds = initial.shape[0], infusion.shape[2]
    seen = np.full((patients, len(times)), np.nan)
    end = initial.copy()
    succeeded = np.ones(patients, np.bool_)
    for n in range(patients):
        own = given[n].copy()
        first = 0
        for s in range(len(last)):
            own[len(own) - kinds :] = infusion[s, n]
            states, fine = lsoda(
                rates,
                end[n] + bolus[s, n],
                times[first : last[s]],
                data=own,
                rtol=rtol,
                atol=atol,
                mxstep=MOST_STEPS,
            )
            end[n] = states[-1]
            seen[n, first : last[s]] = states[:, il6]
            first = last[s]
            if not fine:
                succeeded[n] = False
                break
    return seen, end, succeeded
