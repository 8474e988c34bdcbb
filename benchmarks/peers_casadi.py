"""CasADi: its CVODES integrator mapped over the patients, one integrator per kind of segment.

CasADi derives the Jacobian. Its expressions are compiled by gcc if it is installed.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import casadi
import numpy as np
from peers_case import Outcome, Run, ScalarCase, Segment, Simulate, outcome, timed, tolerances
from peers_graph import Program

PACKAGES = ("casadi",)
MAX_STEPS = 100_000

SYMBOLIC: Mapping[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "max": casadi.fmax,
    "min": casadi.fmin,
    "pow": casadi.power,
    "neg": lambda a: -a,
    "abs": casadi.fabs,
    "exp": casadi.exp,
    "log": casadi.log,
    "log1p": casadi.log1p,
    "expm1": casadi.expm1,
    "tanh": casadi.tanh,
    "sqrt": casadi.sqrt,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "select_n": lambda predicate, on_false, on_true: casadi.if_else(predicate, on_true, on_false),
}


@dataclasses.dataclass(frozen=True)
class _Compiled:
    """An integrator over all patients for each segment."""

    case: ScalarCase
    integrators: tuple[Any, ...]

    def __call__(self) -> Run:
        """Time the simulation of all patients."""
        return timed(self.simulate)

    def simulate(self) -> Outcome:
        """Simulate all patients, segment by segment."""
        case, model = self.case, self.case.model
        patients, seen, end = case.patients, [], model.initial
        for segment, integrate in zip(case.segments, self.integrators, strict=True):
            begin = np.full((patients, 1), segment.times[0])
            inputs = np.concatenate([model.constants, segment.infusion, begin], axis=1)
            try:
                result = integrate(x0=(end + segment.bolus).T, p=inputs.T)
            except RuntimeError:  # one failing patient fails them all
                missing = np.full((patients, len(case.times)), np.nan)
                return outcome(case, missing, missing[:, : model.size], np.zeros(patients, bool))
            states = np.reshape(result["xf"].full().T, (patients, len(segment.times), model.size))
            seen.append(states[:, :, model.il6])
            end = states[:, -1]
        return outcome(case, np.concatenate(seen, axis=1), end, np.ones(patients, bool))


def prepare(case: ScalarCase, rtol: float) -> Simulate:
    """Compile the case."""
    equations = _equations(case)
    integrators: dict[tuple[float, ...], Any] = {}
    for segment in case.segments:
        if _since_start(segment) not in integrators:
            integrators[_since_start(segment)] = _integrator(
                equations, segment, rtol, case.patients
            )
    return _Compiled(case, tuple(integrators[_since_start(segment)] for segment in case.segments))


def note() -> str:
    """Note on the figures."""
    return f"BDF, exact Jacobian; expressions {'in C' if _has_compiler() else 'interpreted'}"


def _has_compiler() -> bool:
    return shutil.which("gcc") is not None


def _since_start(segment: Segment) -> tuple[float, ...]:
    """Output times since the start; segments with the same times share an integrator."""
    return tuple(np.round(segment.times - segment.times[0], 9).tolist())


def _integrator(equations: Mapping[str, Any], segment: Segment, rtol: float, patients: int) -> Any:
    relative, absolute = tolerances(rtol)
    options = {
        "reltol": relative,
        "abstol": absolute,
        "max_num_steps": MAX_STEPS,
        "jit": _has_compiler(),
        "compiler": "shell",
        "jit_options": {"flags": ["-O3", "-march=native"]},
    }
    times = list(_since_start(segment))
    one = casadi.integrator("segment", "cvodes", equations, 0.0, times, options)
    return one.map(patients)


def _equations(case: ScalarCase) -> Mapping[str, Any]:
    """Symbols and derivatives; the last parameter is the start time of the segment."""
    model = case.model
    time, state = casadi.SX.sym("time"), casadi.SX.sym("state", model.size)
    data = casadi.SX.sym("data", model.constants.shape[1] + len(model.kinds))
    begin = casadi.SX.sym("begin")
    rates = _expressions(model.rates, {"time": [begin + time], "state": state, "data": data})
    return {
        "t": time,
        "x": state,
        "p": casadi.vertcat(data, begin),
        "ode": casadi.vertcat(*rates),
    }


def _expressions(program: Program, inputs: Mapping[str, Any]) -> list[Any]:
    values: list[Any] = []
    for node in program.nodes:
        if node.op == "const":
            values.append(casadi.SX(float(node.value)))
        elif node.op in inputs:
            values.append(inputs[node.op][int(node.value)])
        else:
            values.append(SYMBOLIC[node.op](*(values[i] for i in node.args)))
    return [values[i] for i in program.outputs]
