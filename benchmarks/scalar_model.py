"""The model as a straight-line program of scalars, for solvers that do not use JAX.

The program is lowered from the jaxpr of `System.rates` for one patient. To make it fast, parameters
that are equal in all patients are constants, expressions of a patient's parameters are computed
once, and states are left out that stay zero or that no output of a trajectory depends on.

States are in units of their negligible amount, so that a solver with a single absolute tolerance
controls errors as the engine of this package does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from peers_graph import Graph, Node, Program
from peers_jaxpr import lower

from qsp.engine.precision import double
from qsp.model.cytokines import IL6
from qsp.model.tolerance import DRUG
from qsp.system import DOSE_KINDS, Parameters, System

AGREEMENT = 1e-12
"""Largest allowed relative difference from the rates of this package."""


@dataclasses.dataclass(frozen=True)
class ScalarModel:
    """Programs and their inputs; the last state is the AUC of the drug in blood.

    Args:
        rates: Derivatives from "time", "state" and "data".
        tumor: Tumor volume from "state" and "data".
        constants: (patient, constant): First part of "data", followed by the infusion rates.
        kinds: Kinds of dose, in the order of their rates in "data".
        states: Indices of the states in the state vector of this package, without the AUC.
        initial: (patient, state): Initial states.
        scale: (patient, state): Unit of each state.
        unit: (kind, state): Change of the unscaled states by a bolus of one.
        il6: Index of IL-6 in blood.
        all_states: Number of states in this package.
    """

    rates: Program
    tumor: Program
    constants: np.ndarray
    kinds: tuple[int, ...]
    states: tuple[int, ...]
    initial: np.ndarray
    scale: np.ndarray
    unit: np.ndarray
    il6: int
    all_states: int

    @property
    def size(self) -> int:
        """Number of states, including the AUC."""
        return self.initial.shape[1]

    def of(self, patients: int) -> ScalarModel:
        """Return the first patients only."""
        first = {name: getattr(self, name)[:patients] for name in ("constants", "initial", "scale")}
        return dataclasses.replace(self, **first)

    def tumor_volume(self, state: np.ndarray) -> np.ndarray:
        """Tumor volume (patient,) at states (patient, state)."""
        return self.tumor.evaluate({"state": state.T, "data": self.constants.T})[0]


@dataclasses.dataclass(frozen=True)
class _Traced:
    """The equations of one patient on flat arrays, and the values of the population."""

    jaxpr: Any  # rates; drug in blood and tumor volume; outputs of a trajectory
    shapes: tuple[tuple[int, ...], ...]  # leaves of the parameters
    values: np.ndarray  # (patient, parameter), then (patient, scale of a state)
    initial: np.ndarray  # (patient, state)
    scale: np.ndarray  # (patient, state)
    bolus: np.ndarray  # (kind, state): change by a bolus of one
    il6: int


@dataclasses.dataclass(frozen=True)
class _Outputs:
    """Nodes of the outputs of the equations."""

    rates: tuple[int, ...]
    drug: int
    tumor: int
    shown: tuple[int, ...]


def scalar_model(system: System, parameters: Parameters, kinds: Iterable[str]) -> ScalarModel:
    """Return the program of a population.

    Args:
        system: The equations.
        parameters: Parameters with a leading patient axis.
        kinds: Kinds of dose in the trial, out of `DOSE_KINDS`.
    """
    doses = tuple(sorted(DOSE_KINDS.index(kind) for kind in kinds))
    with double(), np.errstate(over="ignore"):
        traced = _trace(system, parameters)
        states = _active_states(traced, doses)
        graph = Graph()
        outputs = _outputs(traced, graph, states, doses, scaled=True)
    rates = [
        graph.apply("div", outputs.rates[place], _scale(graph, traced, place)) for place in states
    ]
    area = graph.apply("div", outputs.drug, graph.const(DRUG))
    return _separate(traced, graph, [*rates, area], outputs.tumor, states, doses)


def _trace(system: System, parameters: Parameters) -> _Traced:
    one = jax.tree.map(lambda leaf: np.asarray(leaf[0]), parameters)
    leaves, structure = jax.tree.flatten(one)
    flat, unravel = ravel_pytree(system.initial(one))

    def equations(time: Any, x: Any, infusion: Any, *leaves: Any) -> Any:
        p, state = jax.tree.unflatten(structure, leaves), unravel(x)
        shown = system.snapshot(state, p)
        compared = jnp.stack([system.areas(state, p).drug, shown.tumor_volume])
        return _vector(system.rates(time, state, p, infusion)), compared, _vector(shown)

    def after(amount: Any) -> jax.Array:
        return _vector(system.bolus(system.initial(one), one, amount))

    places = unravel(jnp.arange(flat.size, dtype=float))
    initial, scale = _starts(system, parameters)
    rows = [np.reshape(leaf, (len(initial), -1)) for leaf in jax.tree.leaves(parameters)]
    return _Traced(
        jaxpr=jax.make_jaxpr(equations)(0.0, flat, jnp.zeros(len(DOSE_KINDS)), *leaves),
        shapes=tuple(np.shape(leaf) for leaf in leaves),
        values=np.concatenate([*rows, scale], axis=1),
        initial=initial,
        scale=scale,
        bolus=np.asarray(jax.vmap(after)(jnp.eye(len(DOSE_KINDS))) - flat),
        il6=int(system.peaks(places, one).cytokines[IL6]),
    )


def _starts(system: System, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """(patient, state): States before treatment, and their negligible amounts."""

    def of_one(p: Parameters) -> tuple[jax.Array, jax.Array]:
        x = system.initial(p)
        return _vector(x), _vector(system.negligible(x, p))

    initial, scale = jax.vmap(of_one)(parameters)
    return np.asarray(initial), np.asarray(scale)


def _active_states(traced: _Traced, doses: Sequence[int]) -> tuple[int, ...]:
    """Return the states that leave zero and affect an output.

    A fixed-point iteration: a state assumed to stay zero leaves it if its rate is not zero.
    """
    touched = np.any(traced.bolus[list(doses)] != 0.0, axis=0)
    active = frozenset(np.flatnonzero(np.any(traced.initial != 0.0, axis=0) | touched).tolist())
    while True:
        graph = Graph()
        outputs = _outputs(traced, graph, active, doses, scaled=False)
        zero = graph.const(0.0)
        found = {place for place, node in enumerate(outputs.rates) if node != zero}
        if found <= active:
            return _needed(graph, outputs)
        active |= found


def _needed(graph: Graph, outputs: _Outputs) -> tuple[int, ...]:
    """Return the states on which an output of a trajectory depends, directly or indirectly."""
    ends = list(outputs.shown)
    needed: set[int] = set()
    while True:
        nodes = (graph.nodes[i] for i in graph.needed(ends))
        found = {int(node.value) for node in nodes if node.op == "state"}
        if found <= needed:
            return tuple(sorted(needed))
        needed |= found
        ends += [outputs.rates[place] for place in found]


def _outputs(
    traced: _Traced, graph: Graph, active: Iterable[int], doses: Iterable[int], *, scaled: bool
) -> _Outputs:
    """Lower the equations; states that stay zero and absent kinds of dose are zero."""
    zero, active, doses = graph.const(0.0), tuple(active), tuple(doses)
    states = [zero] * traced.initial.shape[1]
    for n, place in enumerate(active):
        states[place] = graph.input("state", n if scaled else place)
        if scaled:
            states[place] = graph.apply("mul", states[place], _scale(graph, traced, place))
    infusion = [graph.input("data", k) if k in doses else zero for k in range(len(traced.bolus))]
    inputs = [np.array(graph.input("time")), np.array(states), np.array(infusion)]
    first = 0
    for shape in traced.shapes:
        last = first + int(np.prod(shape, dtype=int))
        nodes = [_parameter(graph, traced, i) for i in range(first, last)]
        inputs.append(np.array(nodes, dtype=np.int64).reshape(shape))
        first = last
    results = lower(graph, traced.jaxpr.jaxpr, traced.jaxpr.consts, inputs)
    rates, (drug, tumor), shown = (result.tolist() for result in results)
    return _Outputs(tuple(rates), drug, tumor, tuple(shown))


def _parameter(graph: Graph, traced: _Traced, index: int) -> int:
    values = traced.values[:, index]
    if np.all(values == values[0]):
        return graph.const(float(values[0]))
    return graph.input("parameter", index)


def _scale(graph: Graph, traced: _Traced, place: int) -> int:
    return _parameter(graph, traced, traced.values.shape[1] - traced.scale.shape[1] + place)


def _separate(  # noqa: PLR0913
    traced: _Traced,
    graph: Graph,
    rates: list[int],
    tumor: int,
    states: tuple[int, ...],
    doses: tuple[int, ...],
) -> ScalarModel:
    """Separate the expressions of parameters, computed once per patient, from the others."""
    constants = _parameter_expressions(graph, [*rates, tumor])
    inputs = {node: Node("data", value=n) for n, node in enumerate(constants)}
    inputs |= {
        graph.input("data", k): Node("data", value=len(constants) + n) for n, k in enumerate(doses)
    }
    per_patient = graph.program(constants)
    initial, scale, unit = (
        part[:, list(states)]
        for part in (traced.initial / traced.scale, traced.scale, traced.bolus[list(doses)])
    )
    patients = len(initial)
    return ScalarModel(
        rates=graph.program(rates, inputs),
        tumor=graph.program([tumor], inputs),
        constants=per_patient.evaluate({"parameter": traced.values.T}).T,
        kinds=doses,
        states=states,
        initial=np.concatenate([initial, np.zeros((patients, 1))], axis=1),
        scale=np.concatenate([scale, np.full((patients, 1), DRUG)], axis=1),
        unit=np.concatenate([unit, np.zeros((len(doses), 1))], axis=1),
        il6=states.index(traced.il6),
        all_states=traced.initial.shape[1],
    )


def _parameter_expressions(graph: Graph, outputs: Sequence[int]) -> list[int]:
    """Return the constant expressions, other than literals, that varying nodes and outputs use."""
    live = graph.needed(outputs)
    used = {i for node in live if graph.nodes[node].varies for i in graph.nodes[node].args}
    candidates = used | set(outputs)
    return sorted(
        i for i in candidates if not graph.nodes[i].varies and graph.nodes[i].op != "const"
    )


def check(model: ScalarModel, system: System, parameters: Parameters, seed: int = 0) -> float:
    """Compare the program with this package at random states, one for each patient.

    Returns:
        The largest relative difference.

    Raises:
        ArithmeticError: If the difference exceeds `AGREEMENT`.
    """
    rng = np.random.default_rng(seed)
    patients = len(model.initial)
    places, kinds = list(model.states), list(model.kinds)
    time = rng.uniform(0.0, 84.0, patients)
    state = np.maximum(model.initial, 1e6) * rng.uniform(0.05, 1.0, model.initial.shape)
    infusion = rng.uniform(0.0, 100.0, (patients, len(kinds)))
    data = np.concatenate([model.constants, infusion], axis=1)
    found = model.rates.evaluate({"time": time[None], "state": state.T, "data": data.T}).T

    x = np.zeros((patients, model.all_states))
    x[:, places] = (state * model.scale)[:, :-1]
    rates = np.zeros((patients, len(DOSE_KINDS)))
    rates[:, kinds] = infusion
    expected, drug, tumor = _by_package(system, parameters, time, x, rates)
    expected = np.concatenate([expected[:, places], drug[:, None]], axis=1)
    worst = max(
        _difference(found * model.scale, expected), _difference(model.tumor_volume(state), tumor)
    )
    if not worst <= AGREEMENT:
        raise ArithmeticError(f"the scalar program differs from this package by {worst:.2g}")
    return worst


def _by_package(
    system: System, parameters: Parameters, time: np.ndarray, x: np.ndarray, infusion: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, drug in blood and tumor volume by this package, with a leading patient axis."""
    with double():
        one = jax.tree.map(lambda leaf: leaf[0], parameters)
        unravel = ravel_pytree(system.initial(one))[1]

        def of_one(time: Any, x: Any, p: Parameters, infusion: Any) -> Any:
            state = unravel(x)
            rates = _vector(system.rates(time, state, p, infusion))
            return rates, system.areas(state, p).drug, system.snapshot(state, p).tumor_volume

        results = jax.jit(jax.vmap(of_one))(time, x, parameters, infusion)
        rates, drug, tumor = (np.asarray(result) for result in results)
        return rates, drug, tumor


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest relative difference; rates with canceling terms are compared with their median."""
    typical = np.median(np.abs(expected), axis=0)
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), typical)))


def _vector(tree: Any) -> jax.Array:
    return ravel_pytree(tree)[0]
