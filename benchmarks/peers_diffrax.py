"""Diffrax as it comes: its solvers, controller and root finder under `jax.vmap`.

The equations are those of the package, in JAX. The states are those that the compiled peers have,
in the same units, so that diffrax's one absolute tolerance suits all of them.
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

NEEDS = ()
MOST_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class _Ready:
    """A compiled program for one chunk of patients."""

    case: ScalarCase
    parameters: Any
    program: Callable[..., Any]

    def __call__(self) -> Run:
        """Every patient."""
        return timed(self.simulated)

    def simulated(self) -> Outcome:
        """Chunk by chunk; the last is filled up with its first patient."""
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
        """IL-6, last state and success of some patients."""
        model, segments = self.case.model, self.case.segments
        own = jax.tree.map(lambda leaf: leaf[rows], self.parameters)
        bolus = np.stack([segment.bolus[rows] for segment in segments], axis=1)
        infusion = np.zeros((len(rows), len(segments), len(DOSE_KINDS)))
        for n, segment in enumerate(segments):
            infusion[:, n, list(model.kinds)] = segment.infusion[rows]
        start = (model.initial[rows], model.scale[rows], own)
        with double():
            return [np.asarray(part) for part in self.program(*start, bolus, infusion, times)]


def prepared(case: Case, scalars: ScalarCase, rtol: float, solver: str) -> Simulate:
    """A case by one of diffrax's solvers, compiled."""
    one = _patient(case, scalars, rtol, getattr(dfx, solver)())
    program = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, 0, None)))
    ready = _Ready(scalars, case.parameters, program)
    ready.chunk(np.zeros(CHUNK_SIZE, int), np.zeros_like(_times(scalars)))
    return ready


def note() -> str:
    """What to know of the figures."""
    return f"{CHUNK_SIZE} patients in step, as diffrax does under vmap; Jacobian by JAX"


def _times(case: ScalarCase) -> np.ndarray:
    """(stretch, output): Padded with the end of each stretch."""
    longest = max(len(segment.times) for segment in case.segments)
    return np.stack(
        [np.pad(s.times, (0, longest - len(s.times)), mode="edge") for s in case.segments]
    )


def _patient(
    case: Case, scalars: ScalarCase, rtol: float, solver: dfx.AbstractSolver
) -> Callable[..., Any]:
    """IL-6 (stretch, output), last state and success of one patient."""
    relative, absolute = tolerances(rtol)
    rates: Any = dfx.ODETerm(_rates(case, scalars))

    def il6(time: Any, y: Array, given: Any) -> Array:
        return y[scalars.model.il6]

    def segment(p: Any, scale: Array, carry: tuple[Array, Array], given: Any) -> Any:
        (state, fine), (bolus, infusion, times) = carry, given
        found: Any = dfx.diffeqsolve(
            rates,
            solver,
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=state + bolus,
            args=(p, scale, infusion),
            saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(t1=True), dfx.SubSaveAt(ts=times, fn=il6)]),
            stepsize_controller=dfx.PIDController(rtol=relative, atol=absolute),
            max_steps=MOST_STEPS,
            adjoint=dfx.ForwardMode(),
            throw=False,
        )
        (end,), seen = found.ys
        return (end, fine & (found.result == dfx.RESULTS.successful)), seen

    def patient(start: Any, scale: Any, p: Any, bolus: Any, infusion: Any, times: Any) -> Any:
        (end, fine), seen = jax.lax.scan(
            lambda carry, given: segment(p, scale, carry, given),
            (start, jnp.asarray(True)),
            (bolus, infusion, times),
        )
        return seen, end, fine

    return patient


def _rates(case: Case, scalars: ScalarCase) -> Callable[[Any, Array, Any], Array]:
    """Derivatives of the states in their units; the last is the area under the drug in blood."""
    model, system = scalars.model, case.system
    places = np.array(model.states)
    with double():
        one = jax.tree.map(lambda leaf: leaf[0], case.parameters)
        unravel = ravel_pytree(system.initial(one))[1]

    def rates(time: Any, y: Array, given: Any) -> Array:
        p, scale, infusion = given
        state = unravel(jnp.zeros(model.all_states).at[places].set((y * scale)[:-1]))
        all_rates = ravel_pytree(system.rates(time, state, p, infusion))[0]
        return jnp.append(all_rates[places], system.areas(state, p).drug) / scale

    return rates
