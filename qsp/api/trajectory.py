"""One patient under one regimen, as a differentiable function of parameters, doses and times.

`trajectory` solves; `Trajectory` gives peaks, areas and values. Both work under `jax.grad`,
`jax.jacfwd`, `jax.vmap` and `jax.jit`. The solve is in float64 whatever `jax_enable_x64` is, and
results have the type that JAX gives the caller: float64 with the flag on, float32 with it off.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from qsp.api.changes import number
from qsp.api.people import People
from qsp.api.regimens import Regimen
from qsp.api.traced import traced_inputs
from qsp.engine import differentiable
from qsp.engine.cache import jax_cache
from qsp.engine.differentiable import Assemble, Observed, Steps
from qsp.engine.method import Method
from qsp.engine.precision import double, in_double
from qsp.engine.steps import Inputs, Place, Problem
from qsp.engine.timeline import Timeline, timeline
from qsp.errors import ConfigError, suggest
from qsp.model.axes import TwoAxes
from qsp.model.cytokines import CYTOKINES
from qsp.system import DOSE_KINDS, Parameters, System, program_kinds
from qsp.trial.schedule import Events

QUANTITIES = (
    *("drug_central", *CYTOKINES, "il1", "crs_severity"),
    *("t_cells_blood", "b_cells_blood", "tumor_volume", "fever", "leak"),
)
"""Quantities of a trajectory, in the units of the results of `qsp.simulate`. With one axis of
severity there is no leak."""

MAX_STEPS = 16_384
"""Default for the maximum number of steps in a solve; a step takes about 1 kB per trajectory."""

RTOL = 1e-10
"""Default for the relative tolerance."""

Adjoint = Literal["reverse", "forward"]


class Trajectory(eqx.Module):
    """Solution of one patient under one regimen, from `trajectory` or `solve`.

    Args:
        observed: Peaks, areas and states, step by step.
        steps: Accepted steps.
        values: Values with respect to which the solution is differentiable.
        period: (segment,): Ordinal of the dose period of each segment.
        labels: Names of the dose periods.
        assemble: Function of the values that returns parameters and dosing.
        problem: System and method.
        dtype: Type of the results.
        adjoint: Mode of the derivatives.
    """

    observed: Observed
    steps: Steps
    values: Any
    period: Array
    labels: tuple[str, ...] = eqx.field(static=True)
    assemble: Assemble = eqx.field(static=True)
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
            SolveError: If the period begins after the end; see `trajectory`.
        """
        return self._reduced(_largest, self.observed.peak, name, period)

    def area(self, name: str, period: str | int | None = None) -> Array:
        """Return the integral of a quantity over time [unit of the quantity times day].

        Args:
            name: One of `QUANTITIES`.
            period: Dose period, as in `peak`.

        Raises:
            ConfigError: If the quantity or the period is unknown.
            SolveError: If the period begins after the end; see `trajectory`.
        """
        return self._reduced(_total, self.observed.area, name, period)

    def at(self, name: str, times: Any) -> Array:
        """Return values of a quantity; at the time of a dose, the value after it.

        Args:
            name: One of `QUANTITIES`.
            times: Times since the first dose, of any shape [day]. Times outside the trajectory
                have the value at its nearest end.

        Raises:
            ConfigError: If the quantity is unknown or a time is NaN. A traced time that is NaN has
                the value NaN.
        """
        with double():
            at = jnp.asarray(times, jnp.float64)
        if not isinstance(at, Tracer) and np.isnan(at).any():
            rule, todo = "times must be numbers", "Leave missing times out"
            raise ConfigError("trajectory", rule, "NaN", todo)
        problem = self.problem
        n, steps = _index(name, problem.system), jax.lax.stop_gradient(self.steps)

        # An argument, not a closure: a custom rule must not close over values that JAX traces.
        def read(observed: Observed, steps: Steps, values: Any, at: Array) -> Array:
            found = _values(problem, observed, steps, self.assemble(values), at)[..., n]
            return jnp.where(jnp.isnan(at), jnp.nan, found)

        return self._call(read, self.observed, steps, self.values, at).astype(self.dtype)

    def _reduced(self, reduction: Any, rows: Array, name: str, period: str | int | None) -> Array:
        """Reduction of the rows of the steps in a dose period."""
        reduction = functools.partial(reduction, _index(name, self.problem.system))
        return self._call(reduction, rows, self._within(period)).astype(self.dtype)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return in_double(function, self.adjoint == "reverse", *arguments)

    @property
    def _is_step(self) -> Array:
        return jnp.arange(self.problem.max_steps, dtype=jnp.int32) < self.steps.number

    def _within(self, period: str | int | None) -> Array:
        """(step,): Whether the step is in a dose period."""
        if period is None:
            return self._is_step
        chosen = np.array(_ordinals(period, self.labels), np.int32)
        with double(), jax_cache():
            return differentiable.checked_period(
                _is_within(self._is_step, self.period, self.steps.place.segment, chosen)
            )


def trajectory(
    regimen: Regimen,
    people: People,
    *,
    days: float,
    adjoint: Adjoint = "reverse",
    method: Method | Mapping[str, Any] | None = None,
    max_steps: int = MAX_STEPS,
) -> Trajectory:
    """Solve one patient under one regimen, differentiably.

    The result is a function of everything that JAX traces: values of parameters, in canonical
    units, from ``people.set``; amounts of doses of the molecule [mg; mg/day in `qsp.civ`]; and
    their days. It works under `jax.grad`, `jax.jacfwd`, `jax.vmap` and `jax.jit`.

    The result is continuous in the day of a dose. Its derivative jumps where the dose, or the end
    of its infusion, changes places with another event, and where a maximum moves to another dose;
    there it is the derivative on one side. Dose periods are in the order of the regimen: the peak
    of a period jumps where its dose passes the first dose of another period. A dose at the end of
    the trajectory or later is not given.

    Args:
        regimen: Regimen without rules. With a traced day, the dose on day 1 is listed first, and
            doses of supportive drugs follow the day of the dose that they precede.
        people: One patient: ``people.typical``, ``people.select([3])`` or ``people.at(...)``.
        days: End of the trajectory, in days since the first dose. Later doses are left out.
        adjoint: "reverse" for `jax.grad` and `jax.vjp`; "forward" for `jax.jvp` and `jax.jacfwd`,
            which costs one pass for each number, and suits few numbers and many results. A mode
            takes no derivatives of the other one; second derivatives are not available.
        method: Numerical method, such as ``{"rtol": 1e-8}``; by default ROCK4 with a relative
            tolerance of 1e-10, so that derivatives agree with differences of two trajectories to
            1e-5.
        max_steps: Maximum number of steps in the solve.

    Returns:
        Trajectory, with peaks, areas and values in the type of the caller.

    Raises:
        ConfigError: If an argument is out of range, the regimen has rules, or there are several
            patients.
        SolveError: If the solver fails or a result is not finite. A traced program, such as one
            under `jax.jit`, raises a `RuntimeError` with the same text when it runs.

    Example:
        >>> def peak(a):
        ...     return qsp.trajectory(step, people.typical.set("synapse.alpha", a), days=28).peak(
        ...         "il6", period="FD"
        ...     )
        >>> jax.grad(peak)(9e-4)
    """
    method = _method(method)
    _check(method, adjoint, days)
    found = traced_inputs(regimen, people, float(days))
    problem = Problem(found.system, method, _observe, max_steps)
    return _solved(problem, found.build, found.values, float(days), found.labels, adjoint)


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
        parameters: Parameters of one patient, which may be traced.
        days: End [day].
        labels: Names of the dose periods.
        system: Equations; by default with binding in closed form.
        method: Numerical method.
        adjoint: "reverse" or "forward".
        max_steps: Maximum number of steps in the solve.
    """
    method = method or Method(rtol=RTOL)
    _check(method, adjoint, days)
    leaves, structure = jax.tree.flatten((events, parameters))
    traced = {str(n): leaf for n, leaf in enumerate(leaves) if isinstance(leaf, Tracer)}

    def build(values: Any) -> tuple[Events, Parameters]:
        return structure.unflatten([values.get(str(n), leaf) for n, leaf in enumerate(leaves)])

    problem = Problem(system or System(), method, _observe, max_steps)
    return _solved(problem, build, traced, float(days), tuple(labels), adjoint)


def _solved(  # noqa: PLR0913
    problem: Problem,
    build: Callable[[Any], tuple[Events, Parameters]],
    values: Any,
    days: float,
    labels: tuple[str, ...],
    adjoint: Adjoint,
) -> Trajectory:
    """Solve for parameters and events that are functions of traced values."""
    dtype = jnp.result_type(float)  # of the caller, outside of the scope of the solve
    with double(), jax_cache():
        values = {name: jnp.asarray(value, jnp.float64) for name, value in values.items()}
        _, period = _assembled(build, jax.lax.stop_gradient(values), days)

    def assemble(values: Any) -> Inputs:
        return _assembled(build, values, days)[0]

    run: Any = differentiable.reverse if adjoint == "reverse" else differentiable.forward
    observed, steps = run(problem, assemble, values)
    return Trajectory(observed, steps, values, period, labels, assemble, problem, dtype, adjoint)


def _assembled(
    build: Callable[[Any], tuple[Events, Parameters]], values: Any, days: float
) -> tuple[Inputs, Array]:
    """Parameters and segments, and the dose period of each segment."""
    events, parameters = build(values)
    is_known = not any(isinstance(leaf, jax.Array) for leaf in events)
    kinds = program_kinds(np.asarray(events.kind))
    with jax.ensure_compile_time_eval() if is_known else contextlib.nullcontext():
        events = Events(
            *(
                jnp.asarray(leaf, jnp.int32 if name in ("kind", "period") else jnp.float64)
                for name, leaf in zip(Events._fields, events, strict=True)
            )
        )
        segments, period = _timeline(events, days, kinds)
    if is_known:
        segments = jax.tree.map(np.asarray, segments)
    return Inputs(parameters, segments), period


@functools.partial(jax.jit, static_argnums=2)
def _timeline(events: Events, days: Any, kinds: int) -> tuple[Timeline, Array]:
    begin = jax.lax.stop_gradient(jnp.minimum(events.time.min(initial=0.0), 0.0))
    end = jnp.asarray(days, jnp.float64)
    segments, period = timeline(events, begin, end, kinds)
    return segments, jnp.where(segments.boundary[:-1] < end, period, 0)  # later doses: no period


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
def _is_within(is_step: Array, period: Array, segment: Array, chosen: Array) -> Array:
    """(step,): Whether the step is in one of the chosen dose periods."""
    return is_step & jnp.isin(period[segment], chosen)


@functools.partial(jax.jit, static_argnums=0)
def _largest(n: int, peak: Array, is_within: Array) -> Array:
    return jnp.where(is_within, peak[:, n], -jnp.inf).max()


@functools.partial(jax.jit, static_argnums=0)
def _total(n: int, area: Array, is_within: Array) -> Array:
    return jnp.where(is_within, area[:, n], 0.0).sum()


@functools.partial(jax.jit, static_argnums=0)
def _values(
    problem: Problem, observed: Observed, steps: Steps, inputs: Inputs, times: Array
) -> Array:
    """(..., quantity): Values at times."""
    read = functools.partial(_value, problem, observed, steps, inputs)
    return jnp.vectorize(read, signature="()->(n)")(times)


def _value(
    problem: Problem, observed: Observed, steps: Steps, inputs: Inputs, time: Array
) -> Array:
    """(quantity,): Values at a time, by a step of its own from the step before."""
    boundary, place = jnp.asarray(inputs.timeline.boundary), steps.place
    start = boundary[place.segment]
    length = boundary[place.segment + 1] - start
    time = jnp.clip(time, boundary[0], boundary[-1])
    stop = jax.lax.stop_gradient(start + place.stop * length)
    is_step = jnp.arange(problem.max_steps, dtype=jnp.int32) < steps.number
    is_after = (stop > jax.lax.stop_gradient(time)) & is_step
    # JAX may lower the program outside of the scope of float64, where int64 is unknown.
    first = jax.lax.argmax(is_after, 0, jnp.int32)
    n = jnp.where(is_after.any(), first, steps.number - 1)
    whole = length[n]
    fraction = (time - start[n]) / jnp.where(whole > 0.0, whole, 1.0)
    here = Place(place.segment[n], place.start[n], jnp.where(whole > 0.0, fraction, 1.0))
    return differentiable.interpolate(problem, observed.state[n], here, inputs)


def _observe(system: System, x: Any, p: Parameters) -> Array:
    """(quantity,): Values of `QUANTITIES`, without those that the system does not have."""
    now = system.snapshot(x, p)
    values = [
        *(now.drug_central, *now.cytokines, now.il1, now.crs_severity),
        *(now.t_cells_blood, now.b_cells_blood, now.tumor_volume, now.fever, now.leak),
    ]
    return jnp.stack([value for value in values if value is not None])


def _index(name: str, system: Any) -> int:
    if name not in QUANTITIES:
        todo = suggest(name.lower(), QUANTITIES) or f"Choose from {', '.join(QUANTITIES)}"
        raise ConfigError("trajectory", "name must be a known quantity", repr(name), todo)
    if name == "leak" and not isinstance(system.structure.severity, TwoAxes):
        rule, todo = "the system must have two axes of severity for leak", "Read fever"
        raise ConfigError("trajectory", rule, "one axis", todo)
    return QUANTITIES.index(name)


def _ordinals(period: str | int, labels: tuple[str, ...]) -> list[int]:
    """Numbers of the dose periods that a label means."""
    found, near = [], ""
    if isinstance(period, str):
        group = re.compile(re.escape(period) + r"\d+")
        found = [n for n, name in enumerate(labels, 1) if name == period or group.fullmatch(name)]
        near = suggest(period, labels)
    elif isinstance(period, int) and not isinstance(period, bool):
        found = [period] if 1 <= period <= (len(labels) or period) else []
    if not found:
        todo = near or f"Choose from {', '.join(labels) or 'the numbers'}"
        raise ConfigError("trajectory", "period must be a dose period", repr(period), todo)
    return found


def _method(method: Any) -> Method:
    """The method of an argument that may be a table, as in `qsp.simulate`."""
    if method is None or isinstance(method, Method):
        return method or Method(rtol=RTOL)
    known = [field.name for field in dataclasses.fields(Method)]
    todo = 'Write method={"rtol": 1e-8}, for example'
    if not isinstance(method, Mapping):
        raise ConfigError("trajectory", "method must be a table", repr(method), todo)
    for key in method:
        if key not in known:
            todo = suggest(str(key), known) or todo
            raise ConfigError("trajectory", "method must have known keys", repr(key), todo)
    return Method(**{"rtol": RTOL, **method})


def _check(method: Method, adjoint: str, days: float) -> None:
    if adjoint not in typing.get_args(Adjoint):
        rule = "adjoint must be 'reverse' or 'forward'"
        raise ConfigError("trajectory", rule, repr(adjoint), "Leave it out")
    if method.solver != "ROCK4" or method.precision != "float64":
        rule = "the solver must be ROCK4 in float64"
        raise ConfigError("trajectory", rule, method.solver, "Leave it out")
    if isinstance(days, Tracer):
        raise ConfigError("trajectory", "days must be a number", "a tracer of JAX", "Give a number")
    found = None if isinstance(days, str) else number(days)
    if found is None or not 0.0 < found < np.inf:
        raise ConfigError("trajectory", "days must be above 0", repr(days), "Give the end in days")
