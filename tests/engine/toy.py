"""Toy system with closed-form solutions: amounts that decay, and a given signal.

The engine is generic. Doses, dose periods, peaks, areas and thresholds are tested with this system,
in which every number is known from a formula.
"""

import dataclasses
import gc
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qsp.engine import backends
from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.native import Program
from qsp.trial.schedule import Events

KINDS = 3
BUMPS = 3
EVENTS = 8
PERIODS = 4
THRESHOLDS = (1.0, 2.0, 3.0, 4.0)
EVERY = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0)
"""Times of snapshots."""


class Parameters(eqx.Module):
    """Loss of each kind of drug, bumps of the signal, and a quantity that may run away."""

    k: Any  # (kind,) 1/day
    height: Any  # (bump,)
    center: Any  # (bump,) day
    width: Any  # (bump,) day
    start: Any  # signal at the start
    blow_up: Any  # 1/day: the runaway quantity reaches infinity after 1/blow_up days
    brittle: Any  # 1/day: a loss that is NaN if a step that is too long ends below zero


class State(eqx.Module):
    amount: Array  # (kind,)
    received: Array  # (kind,) total amount given
    signal: Array
    runaway: Array
    brittle: Array


class Seen(eqx.Module):
    amount: Array
    signal: Array


class Toy(eqx.Module):
    """dA/dt = infusion - k*A per kind; the signal is a sum of Gaussian bumps."""

    def initial(self, p: Parameters) -> State:
        none = jnp.zeros_like(p.k)
        one = jnp.ones_like(p.start)
        return State(none, none, p.start, one, one)

    def negligible(self, x: State, p: Parameters) -> State:
        return State(
            amount=jnp.full_like(x.amount, 1e-6),
            received=jnp.full_like(x.received, jnp.inf),
            signal=jnp.full_like(x.signal, 1e-6),
            runaway=jnp.full_like(x.runaway, 1e-6),
            brittle=jnp.full_like(x.brittle, 1e-6),
        )

    def rates(self, time: Array, x: State, p: Parameters, infusion: Array) -> State:
        z = (time - p.center) / p.width
        return State(
            amount=infusion - p.k * x.amount,
            # A sink of infinite tolerance, which is NaN where the brittle quantity is NaN.
            received=infusion + 0.0 * x.brittle**1.5,
            signal=(-p.height * z / p.width * jnp.exp(-0.5 * z * z)).sum(0),
            runaway=p.blow_up * x.runaway**2,
            brittle=-p.brittle * x.brittle**1.5,
        )

    def bolus(self, x: State, p: Parameters, amount: Array) -> State:
        return dataclasses.replace(x, amount=x.amount + amount, received=x.received + amount)

    def peaks(self, x: State, p: Parameters) -> Seen:
        return Seen(x.amount, x.signal)

    def areas(self, x: State, p: Parameters) -> Seen:
        return Seen(x.amount, x.signal)

    def ends(self, x: State, p: Parameters) -> tuple[Array, Array]:
        return x.amount, x.amount

    def signals(self, peaks: Seen) -> Array:
        return jnp.broadcast_to(peaks.signal, (len(THRESHOLDS),))

    def course(self, x: State, p: Parameters) -> State:
        return self.snapshot(x, p)

    def snapshot(self, x: State, p: Parameters) -> State:
        return x

    def measured(
        self, snapshot: State, first: State, levels: Any, error: Any, p: Parameters
    ) -> Array:
        """IL-6 is the signal, and the tumor change is that of the first drug since the start."""
        values = (snapshot.signal, snapshot.amount[0] - first.amount[0], *snapshot.amount)
        return jnp.stack(values) * error


def bumps(time: Any, height: Any, center: Any, width: Any) -> np.ndarray:
    """The signal at given times."""
    z = (np.asarray(time)[..., None] - np.asarray(center)) / np.asarray(width)
    return (np.asarray(height) * np.exp(-0.5 * z * z)).sum(-1)


def sim(
    *given: tuple[float, int, float, float, int],
    begin: float = 0.0,
    end: float = 6.0,
    k: tuple[float, ...] = (0.5, 1.0, 2.0),
    height: tuple[float, ...] = (0.0, 0.0, 0.0),
    center: tuple[float, ...] = (1.0, 2.0, 3.0),
    width: tuple[float, ...] = (0.3, 0.3, 0.3),
    thresholds: Any = THRESHOLDS,
    blow_up: float = 0.0,
    brittle: float = 0.0,
    events: int = EVENTS,
) -> Simulation:
    """One simulation; `given` are (time, kind, amount, duration, period), sorted by time."""
    table = [*given] + [(np.inf, -1, 0.0, 0.0, 0)] * (events - len(given))
    time, kind, amount, duration, period = map(np.array, zip(*table, strict=True))
    rate = np.divide(amount, duration, out=np.zeros(events), where=duration > 0)
    parameters = Parameters(
        *(np.array(value, float) for value in (k, height, center, width)),
        start=np.array(bumps(begin, height, center, width)),
        blow_up=np.array(blow_up),
        brittle=np.array(brittle),
    )
    # A native program leaves out zeros but not negative zeros, so all tests share one program.
    parameters = jax.tree.map(lambda leaf: np.where(leaf == 0.0, -0.0, leaf), parameters)
    return Simulation(
        parameters=parameters,
        events=Events(
            time.astype(float),
            kind.astype(np.int32),
            amount.astype(float),
            rate,
            duration.astype(float),
            period.astype(np.int32),
        ),
        thresholds=np.broadcast_to(np.array(thresholds, float), (PERIODS, 4)),
        begin=np.array(float(begin)),
        end=np.array(float(end)),
    )


def amounts(
    time: Any, *given: tuple[float, int, float, float, int], k: tuple[float, ...] = (0.5, 1.0, 2.0)
) -> np.ndarray:
    """(time, kind): Amounts at given times, by formula."""
    left = np.zeros((len(time), KINDS))
    for start, kind, amount, duration, _ in given:
        since, loss = np.asarray(time) - start, k[kind]
        if duration == 0.0:
            curve = amount * np.exp(-loss * since)
        else:
            risen = amount / duration / loss * -np.expm1(-loss * np.minimum(since, duration))
            curve = risen * np.exp(-loss * np.maximum(since - duration, 0.0))
        left[:, kind] += np.where(since >= 0.0, curve, 0.0)
    return left


def stacked(*sims: Simulation) -> Simulation:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *sims)


def run(
    *sims: Simulation,
    method: Method | None = None,
    grids: tuple[Any, ...] = (EVERY,),
    progress: Any = None,
) -> SimulationResult:
    """Results of simulations, with a leading axis."""
    chosen = Batch(stacked(*sims), tuple(np.array(grid, float) for grid in grids))
    method = method or Method(rtol=1e-8, max_steps=2000)
    return simulate(chosen, Toy(), method, kinds=KINDS, progress=progress)[0]


def sim_of(result: SimulationResult, n: int) -> SimulationResult:
    """Result of one simulation."""
    return jax.tree.map(lambda leaf: leaf[n], result)


def same_bits(a: Any, b: Any) -> bool:
    """Whether two trees are equal to the last bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)


def programs() -> int:
    """Number of compiled programs of the engine so far."""
    made = {id(program) for program in gc.get_objects() if isinstance(program, Program)}
    return cast(Any, backends._vmapped)._cache_size() + len(made)
