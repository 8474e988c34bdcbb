"""Diffrax: its solvers, step size controller and root finder under `jax.vmap`.

The equations are those of this package, in JAX. States and units are those of the compiled solvers,
so that the single absolute tolerance of diffrax suits all states.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from peers_case import Case, Outcome, Run, ScalarCase, Simulate, outcome, timed, tolerances

from qsp.engine.batch import CHUNK_SIZE
from qsp.engine.precision import double
from qsp.system import DOSE_KINDS

PACKAGES = ()
MAX_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class _Compiled:
    """A compiled program for one chunk of patients."""

    case: ScalarCase
    parameters: Any
    program: Callable[..., Any]

    def __call__(self) -> Run:
        """Time the simulation of all patients."""
        return timed(self.simulate)

    def simulate(self) -> Outcome:
        """Simulate all patients in chunks; the last is padded with its first patient."""
        parts, times = [], _times(self.case)
        for first in range(0, self.case.patients, CHUNK_SIZE):
            count = min(CHUNK_SIZE, self.case.patients - first)
            rows = np.where(np.arange(CHUNK_SIZE) < count, first + np.arange(CHUNK_SIZE), first)
            parts.append([part[:count] for part in self.chunk(rows, times)])
        il6, end, succeeded = (np.concatenate(part) for part in zip(*parts, strict=True))
        lengths = [len(segment.times) for segment in self.case.segments]
        seen = [il6[:, n, :length] for n, length in enumerate(lengths)]
        return outcome(self.case, np.concatenate(seen, axis=1), end, succeeded)

    def chunk(self, rows: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
        """Return IL-6, final state and success of some patients."""
        model, segments = self.case.model, self.case.segments
        parameters = jax.tree.map(lambda leaf: leaf[rows], self.parameters)
        bolus = np.stack([segment.bolus[rows] for segment in segments], axis=1)
        infusion = np.zeros((len(rows), len(segments), len(DOSE_KINDS)))
        for n, segment in enumerate(segments):
            infusion[:, n, list(model.kinds)] = segment.infusion[rows]
        start = (model.initial[rows], model.scale[rows], parameters)
        with double():
            return [np.asarray(part) for part in self.program(*start, bolus, infusion, times)]


def prepare(case: Case, scalars: ScalarCase, rtol: float, solver: str) -> Simulate:
    """Compile a case with a solver of diffrax."""
    one = _patient(case, scalars, rtol, getattr(dfx, solver)())
    program = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, 0, None)))
    compiled = _Compiled(scalars, case.parameters, program)
    compiled.chunk(np.zeros(CHUNK_SIZE, int), np.zeros_like(_times(scalars)))
    return compiled


def note() -> str:
    """Note on the figures."""
    return f"{CHUNK_SIZE} patients in step under vmap; Jacobian by JAX"


def _times(case: ScalarCase) -> np.ndarray:
    """(segment, output): Output times, padded with the end of each segment."""
    longest = max(len(segment.times) for segment in case.segments)
    return np.stack(
        [np.pad(s.times, (0, longest - len(s.times)), mode="edge") for s in case.segments]
    )


def _patient(
    case: Case, scalars: ScalarCase, rtol: float, solver: dfx.AbstractSolver
) -> Callable[..., Any]:
    """Return a function for IL-6 (segment, output), final state and success of one patient."""
    relative, absolute = tolerances(rtol)
    rates: Any = dfx.ODETerm(_rates(case, scalars))

    def il6(time: Any, y: Array, args: Any) -> Array:
        return y[scalars.model.il6]

    def segment(p: Any, scale: Array, carry: tuple[Array, Array], inputs: Any) -> Any:
        (state, succeeded), (bolus, infusion, times) = carry, inputs
        solution: Any = dfx.diffeqsolve(
            rates,
            solver,
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=state + bolus,
            args=(p, scale, infusion),
            saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(t1=True), dfx.SubSaveAt(ts=times, fn=il6)]),
            stepsize_controller=dfx.PIDController(rtol=relative, atol=absolute),
            max_steps=MAX_STEPS,
            adjoint=dfx.ForwardMode(),
            throw=False,
        )
        (end,), seen = solution.ys
        return (end, succeeded & (solution.result == dfx.RESULTS.successful)), seen

    def patient(start: Any, scale: Any, p: Any, bolus: Any, infusion: Any, times: Any) -> Any:
        (end, succeeded), seen = jax.lax.scan(
            lambda carry, inputs: segment(p, scale, carry, inputs),
            (start, jnp.asarray(True)),
            (bolus, infusion, times),
        )
        return seen, end, succeeded

    return patient


def _rates(case: Case, scalars: ScalarCase) -> Callable[[Any, Array, Any], Array]:
    """Return the derivatives of the scaled states; the last is the AUC of the drug in blood."""
    model, system = scalars.model, case.system
    places = np.array(model.states)
    with double():
        one = jax.tree.map(lambda leaf: leaf[0], case.parameters)
        unravel = ravel_pytree(system.initial(one))[1]

    def rates(time: Any, y: Array, args: Any) -> Array:
        p, scale, infusion = args
        state = unravel(jnp.zeros(model.all_states).at[places].set((y * scale)[:-1]))
        all_rates = ravel_pytree(system.rates(time, state, p, infusion))[0]
        return jnp.append(all_rates[places], system.areas(state, p).drug) / scale

    return rates
