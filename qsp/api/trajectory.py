"""One patient under one regimen, as a differentiable function of parameters, doses and times.

`trajectory` solves; `Trajectory` gives peaks, areas and values. Both work under `jax.grad`,
`jax.jacfwd`, `jax.vmap` and `jax.jit`. The solve is in float64 whatever `jax_enable_x64` is, and
results have the type that JAX gives the caller: float64 with the flag on, float32 with it off.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from qsp.engine import differentiable
from qsp.engine.differentiable import Observed, Steps
from qsp.engine.method import Method
from qsp.engine.precision import double, in_double
from qsp.engine.steps import Inputs, Place, Problem
from qsp.engine.timeline import timeline
from qsp.errors import ConfigError, suggest
from qsp.model.cytokines import CYTOKINES
from qsp.system import DOSE_KINDS, Parameters, System, program_kinds
from qsp.trial.schedule import Events

QUANTITIES = (
    *("drug_central", *CYTOKINES, "il1", "crs_severity"),
    *("t_cells_blood", "b_cells_blood", "tumor_volume"),
)
"""Quantities of a trajectory, in the units of the results of `qsp.simulate`."""

MAX_STEPS = 16_384
"""Default for the maximum number of steps in a solve; a step takes about 1 kB per trajectory."""

Adjoint = Literal["reverse", "forward"]


class Regimen(Protocol):
    """Object that `trajectory` accepts as a regimen."""

    @property
    def events(self) -> Events:
        """Scheduled events (event,)."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """Names of the dose periods 1, 2, ..."""
        ...


class Person(Protocol):
    """Object that `trajectory` accepts as a patient."""

    @property
    def parameters(self) -> Parameters:
        """Parameters of the patient, without a patient axis."""
        ...


class Trajectory(eqx.Module):
    """Solution of one patient under one regimen, from `trajectory` or `solve`.

    Args:
        observed: Peaks, areas and states, step by step.
        steps: Accepted steps.
        inputs: Parameters and dosing.
        period: (segment,): Ordinal of the dose period of each segment.
        labels: Names of the dose periods.
        problem: System and method.
        dtype: Type of the results.
        adjoint: Mode of the derivatives.
    """

    observed: Observed
    steps: Steps
    inputs: Inputs
    period: Array
    labels: tuple[str, ...] = eqx.field(static=True)
    problem: Problem = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    adjoint: Adjoint = eqx.field(static=True)

    def peak(self, name: str, period: str | int | None = None) -> Array:
        """Return the largest value of a quantity.

        Args:
            name: One of `QUANTITIES`.
            period: Label or number of a dose period; a label without its number, such as "FD" for
                FD1 to FD4, means all of these. By default the whole trajectory.

        Raises:
            ConfigError: If the quantity or the period is unknown.
        """
        n, is_within = _index(name), self._within(period)

        def largest(peak: Array, is_within: Array) -> Array:
            return jnp.where(is_within, peak[:, n], -jnp.inf).max()

        return self._call(largest, self.observed.peak, is_within).astype(self.dtype)

    def area(self, name: str, period: str | int | None = None) -> Array:
        """Return the integral of a quantity over time [unit of the quantity times day].

        Args:
            name: One of `QUANTITIES`.
            period: Dose period, as in `peak`.

        Raises:
            ConfigError: If the quantity or the period is unknown.
        """
        n, is_within = _index(name), self._within(period)

        def total(area: Array, is_within: Array) -> Array:
            return jnp.where(is_within, area[:, n], 0.0).sum()

        return self._call(total, self.observed.area, is_within).astype(self.dtype)

    def at(self, name: str, times: Any) -> Array:
        """Return values of a quantity; at the time of a dose, the value after it.

        Args:
            name: One of `QUANTITIES`.
            times: Times since the first dose, of any shape [day]. Times outside the trajectory
                have the value at its nearest end.

        Raises:
            ConfigError: If the quantity is unknown.
        """
        with double():
            at = jnp.asarray(times, jnp.float64)
        n = _index(name)
        return self._call(lambda found, at: _values(found, at)[..., n], self, at).astype(self.dtype)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return in_double(function, self.adjoint == "reverse", *arguments)

    def _value(self, time: Array) -> Array:
        """(quantity,): Values at a time, by a step of its own from the step before."""
        boundary, place = self.inputs.timeline.boundary, self.steps.place
        start = boundary[place.segment]
        length = boundary[place.segment + 1] - start
        time = jnp.clip(time, boundary[0], boundary[-1])
        stop = jax.lax.stop_gradient(start + place.stop * length)
        is_after = (stop > jax.lax.stop_gradient(time)) & self._is_step
        n = jnp.where(is_after.any(), jnp.argmax(is_after).astype(jnp.int32), self.steps.number - 1)
        whole = length[n]
        fraction = (time - start[n]) / jnp.where(whole > 0.0, whole, 1.0)
        here = Place(place.segment[n], place.start[n], jnp.where(whole > 0.0, fraction, 1.0))
        return differentiable.interpolate(self.problem, self.observed.state[n], here, self.inputs)

    @property
    def _is_step(self) -> Array:
        return jnp.arange(self.problem.max_steps, dtype=jnp.int32) < self.steps.number

    def _within(self, period: str | int | None) -> Array:
        """(step,): Whether the step is in a dose period."""
        if period is None:
            return self._is_step
        chosen = jnp.asarray(_ordinals(period, self.labels), jnp.int32)
        return self._is_step & jnp.isin(self.period[self.steps.place.segment], chosen)


def trajectory(
    regimen: Regimen | Events,
    person: Person | Parameters,
    *,
    days: float,
    adjoint: Adjoint = "reverse",
    method: Method | None = None,
    max_steps: int = MAX_STEPS,
) -> Trajectory:
    """Solve one patient under one regimen, differentiably.

    Args:
        regimen: Regimen, or events of one patient. Amounts, times and durations may be traced.
        person: Patient, or the parameters of one patient. They may be traced.
        days: End of the trajectory, in days since the first dose.
        adjoint: "reverse" for `jax.grad` and `jax.vjp`; "forward" for `jax.jvp` and `jax.jacfwd`,
            which costs one pass for each number, and suits few numbers and many results.
        method: Numerical method; by default ROCK4 with a relative tolerance of 1e-10, so that
            differences of two trajectories agree with derivatives.
        max_steps: Maximum number of steps in the solve.

    Raises:
        ConfigError: If an argument is out of range.
        SolveError: If the solver fails or a result is not finite. A traced program, such as one
            under `jax.jit`, raises a `RuntimeError` with the same text when it runs.
    """
    events = regimen if isinstance(regimen, Events) else regimen.events
    labels = () if isinstance(regimen, Events) else tuple(regimen.labels)
    return solve(
        events,
        person if isinstance(person, Parameters) else person.parameters,
        days=days,
        labels=labels,
        adjoint=adjoint,
        method=method,
        max_steps=max_steps,
    )


def solve(  # noqa: PLR0913
    events: Events,
    parameters: Parameters,
    *,
    days: float,
    labels: Sequence[str] = (),
    system: System | None = None,
    method: Method | None = None,
    adjoint: Adjoint = "reverse",
    max_steps: int = MAX_STEPS,
) -> Trajectory:
    """Solve one patient from events and parameters; see `trajectory`.

    The steps are chosen once by their error, and derivatives are those of the chosen steps.

    Args:
        events: Events (event,); kinds and periods must be known, other arrays may be traced.
        parameters: Parameters of one patient.
        days: End [day].
        labels: Names of the dose periods.
        system: Equations; by default with binding in closed form.
        method: Numerical method.
        adjoint: "reverse" or "forward".
        max_steps: Maximum number of steps in the solve.
    """
    method = method or Method(rtol=1e-10)
    _check(method, adjoint, days)
    dtype = jnp.result_type(float)  # of the caller, outside of the scope of the solve
    kinds = program_kinds(np.asarray(events.kind))

    def prepare(events: Events, parameters: Parameters) -> tuple[Inputs, Array]:
        begin = jax.lax.stop_gradient(jnp.minimum(events.time.min(initial=0.0), 0.0))
        segments, period = timeline(events, begin, jnp.asarray(float(days)), kinds)
        return Inputs(parameters, segments), period

    with double():
        parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), parameters)
        events = Events(
            *(
                jnp.asarray(leaf, jnp.int32 if name in ("kind", "period") else jnp.float64)
                for name, leaf in zip(Events._fields, events, strict=True)
            )
        )
    inputs, period = in_double(prepare, adjoint == "reverse", events, parameters)
    problem = Problem(system or System(), method, _observe, max_steps)
    run: Any = differentiable.reverse if adjoint == "reverse" else differentiable.forward
    observed, steps = run(problem, inputs)
    return Trajectory(observed, steps, inputs, period, tuple(labels), problem, dtype, adjoint)


def dose_events(times: Any, amounts: Any, *, duration: Any = 0.0, kind: str = "drug_iv") -> Events:
    """Return events of one drug from arrays that may be traced; each dose begins a period.

    Args:
        times: (dose,): Start of each dose since the first dose of the molecule [day].
        amounts: (dose,): Amounts [nmol of the molecule, mg of a supportive drug].
        duration: Duration of each infusion [day]; 0 for a bolus.
        kind: Kind of dose, of `qsp.system.DOSE_KINDS`.

    Raises:
        ConfigError: If the kind is unknown.
    """
    if kind not in DOSE_KINDS:
        raise ConfigError("kind", "kind must be known", repr(kind), suggest(kind, DOSE_KINDS))
    with double():
        time, amount, over = (jnp.asarray(at, jnp.float64) for at in (times, amounts, duration))
        time, amount, over = jnp.broadcast_arrays(time, amount, over)
        rate = jnp.where(over > 0.0, amount / jnp.where(over > 0.0, over, 1.0), 0.0)
    index = np.full(time.shape, DOSE_KINDS.index(kind), np.int32)
    is_molecule = kind in ("drug_iv", "drug_sc")
    period = np.arange(1, len(time) + 1, dtype=np.int32) * np.int32(is_molecule)
    return Events(time, index, amount, rate, over, period)


@jax.jit
def _values(found: Trajectory, times: Array) -> Array:
    """(..., quantity): Values at times."""
    return jnp.vectorize(found._value, signature="()->(n)")(times)


def _observe(system: System, x: Any, p: Parameters) -> Array:
    """(quantity,): Values of `QUANTITIES`."""
    now = system.snapshot(x, p)
    return jnp.stack(
        [
            *(now.drug_central, *now.cytokines, now.il1, now.crs_severity),
            *(now.t_cells_blood, now.b_cells_blood, now.tumor_volume),
        ]
    )


def _index(name: str) -> int:
    if name not in QUANTITIES:
        todo = suggest(name.lower(), QUANTITIES) or f"Choose from {', '.join(QUANTITIES)}"
        raise ConfigError("trajectory", "name must be a known quantity", repr(name), todo)
    return QUANTITIES.index(name)


def _ordinals(period: str | int, labels: tuple[str, ...]) -> list[int]:
    """Numbers of the dose periods that a label means."""
    if not isinstance(period, str):
        return [period]
    group = re.compile(re.escape(period) + r"\d+")
    found = [n for n, label in enumerate(labels, 1) if label == period or group.fullmatch(label)]
    if not found:
        todo = suggest(period, labels) or f"Choose from {', '.join(labels) or 'the numbers'}"
        raise ConfigError("trajectory", "period must be a dose period", repr(period), todo)
    return found


def _check(method: Method, adjoint: str, days: float) -> None:
    if adjoint not in typing.get_args(Adjoint):
        rule = "adjoint must be 'reverse' or 'forward'"
        raise ConfigError("trajectory", rule, repr(adjoint), "Leave it out")
    if method.solver != "ROCK4" or method.precision != "float64":
        rule = "the solver must be ROCK4 in float64"
        raise ConfigError("trajectory", rule, method.solver, "Leave it out")
    if isinstance(days, Tracer):
        raise ConfigError("trajectory", "days must be a number", "traced", "Give a number")
    if not np.isfinite(days) or days <= 0:
        raise ConfigError("trajectory", "days must be above 0", days, "Give the end in days")
