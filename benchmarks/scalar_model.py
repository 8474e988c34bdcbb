"""The model as a straight-line program of scalars, for tools that know no JAX.

The equations are not typed again: what JAX traces of `System.rates` for one patient is taken apart
into scalar operations. In favor of whoever runs the program, parameters that are equal in all
patients are constants, what follows from a patient's parameters alone is computed once, and states
that stay zero are left out, as are those on which nothing rests that a trajectory shows.

States are in units of what is negligible in them: a tool with one absolute tolerance then controls
errors as the engine of the package does.
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
from peers_jaxpr import interpreted

from qsp.engine.precision import double
from qsp.model.cytokines import IL6
from qsp.model.tolerance import DRUG
from qsp.system import DOSE_KINDS, Parameters, System

AGREEMENT = 1e-12
"""Largest relative difference from the rates of the package."""


@dataclasses.dataclass(frozen=True)
class ScalarModel:
    """Programs and the numbers they take; the last state is the area under the drug in blood.

    Args:
        rates: Derivatives from "time", "state" and "given".
        tumor: Tumor volume from "state" and "given".
        constants: (patient, constant): First part of "given"; infusion rates follow it.
        kinds: Kinds of dose that may be given, in the order of their rates in "given".
        states: Places of the states in the vector of the package, the area left out.
        initial: (patient, state).
        scale: (patient, state): What one stands for.
        unit: (kind, state): What a bolus of one adds, before scaling.
        il6: Which state is IL-6 in blood.
        all_states: Number of states in the package.
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
        """States, with the area."""
        return self.initial.shape[1]

    def of(self, patients: int) -> ScalarModel:
        """The same for the first patients only."""
        first = {name: getattr(self, name)[:patients] for name in ("constants", "initial", "scale")}
        return dataclasses.replace(self, **first)

    def tumor_volume(self, state: np.ndarray) -> np.ndarray:
        """Tumor volume (patient,) of states (patient, state); no infusion enters it."""
        return self.tumor.evaluate({"state": state.T, "given": self.constants.T})[0]


@dataclasses.dataclass(frozen=True)
class _Traced:
    """The equations of one patient on flat arrays, and the numbers of the population."""

    jaxpr: Any  # rates; drug in blood and tumor volume; all that a trajectory shows
    shapes: tuple[tuple[int, ...], ...]  # leaves of the parameters
    values: np.ndarray  # (patient, parameter), then (patient, scale of a state)
    initial: np.ndarray  # (patient, state)
    scale: np.ndarray  # (patient, state)
    bolus: np.ndarray  # (kind, state): added by one
    il6: int


@dataclasses.dataclass(frozen=True)
class _Outputs:
    """Nodes of what the equations give."""

    rates: tuple[int, ...]
    drug: int
    tumor: int
    shown: tuple[int, ...]


def scalar_model(system: System, parameters: Parameters, kinds: Iterable[str]) -> ScalarModel:
    """The program of a population.

    Args:
        system: The equations.
        parameters: With a leading patient axis.
        kinds: Kinds of dose that may be given, out of `DOSE_KINDS`; no others ever are.
    """
    given = tuple(sorted(DOSE_KINDS.index(kind) for kind in kinds))
    with double(), np.errstate(over="ignore"):
        traced = _traced(system, parameters)
        kept = _kept(traced, given)
        graph = Graph()
        outputs = _outputs(traced, graph, kept, given, scaled=True)
    rates = [
        graph.apply("div", outputs.rates[place], _scale(graph, traced, place)) for place in kept
    ]
    area = graph.apply("div", outputs.drug, graph.const(DRUG))
    return _separated(traced, graph, [*rates, area], outputs.tumor, kept, given)


def _traced(system: System, parameters: Parameters) -> _Traced:
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
    """(patient, state): States before treatment, and what is negligible in them."""

    def of_one(p: Parameters) -> tuple[jax.Array, jax.Array]:
        x = system.initial(p)
        return _vector(x), _vector(system.negligible(x, p))

    initial, scale = jax.vmap(of_one)(parameters)
    return np.asarray(initial), np.asarray(scale)


def _kept(traced: _Traced, given: Sequence[int]) -> tuple[int, ...]:
    """States that ever leave zero and on which something rests.

    A state that is thought to stay zero and turns out to have a rate does leave it; again until
    none is found.
    """
    touched = np.any(traced.bolus[list(given)] != 0.0, axis=0)
    moving = frozenset(np.flatnonzero(np.any(traced.initial != 0.0, axis=0) | touched).tolist())
    while True:
        graph = Graph()
        outputs = _outputs(traced, graph, moving, given, scaled=False)
        zero = graph.const(0.0)
        found = {place for place, node in enumerate(outputs.rates) if node != zero}
        if found <= moving:
            return _needed(graph, outputs)
        moving |= found


def _needed(graph: Graph, outputs: _Outputs) -> tuple[int, ...]:
    """States on which something rests that a trajectory shows, directly or through others."""
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
    traced: _Traced, graph: Graph, moving: Iterable[int], given: Iterable[int], *, scaled: bool
) -> _Outputs:
    """The equations as nodes; states that do not move, and what is never given, are zero."""
    zero, moving, given = graph.const(0.0), tuple(moving), tuple(given)
    states = [zero] * traced.initial.shape[1]
    for n, place in enumerate(moving):
        states[place] = graph.input("state", n if scaled else place)
        if scaled:
            states[place] = graph.apply("mul", states[place], _scale(graph, traced, place))
    infusion = [graph.input("given", k) if k in given else zero for k in range(len(traced.bolus))]
    inputs = [np.array(graph.input("time")), np.array(states), np.array(infusion)]
    first = 0
    for shape in traced.shapes:
        last = first + int(np.prod(shape, dtype=int))
        nodes = [_parameter(graph, traced, i) for i in range(first, last)]
        inputs.append(np.array(nodes, dtype=np.int64).reshape(shape))
        first = last
    results = interpreted(graph, traced.jaxpr.jaxpr, traced.jaxpr.consts, inputs)
    rates, (drug, tumor), shown = (result.tolist() for result in results)
    return _Outputs(tuple(rates), drug, tumor, tuple(shown))


def _parameter(graph: Graph, traced: _Traced, index: int) -> int:
    values = traced.values[:, index]
    if np.all(values == values[0]):
        return graph.const(float(values[0]))
    return graph.input("parameter", index)


def _scale(graph: Graph, traced: _Traced, place: int) -> int:
    return _parameter(graph, traced, traced.values.shape[1] - traced.scale.shape[1] + place)


def _separated(  # noqa: PLR0913
    traced: _Traced,
    graph: Graph,
    rates: list[int],
    tumor: int,
    kept: tuple[int, ...],
    given: tuple[int, ...],
) -> ScalarModel:
    """Apart: what each patient needs computed but once, and what changes as time goes on."""
    border = _border(graph, [*rates, tumor])
    inputs = {node: Node("given", value=n) for n, node in enumerate(border)}
    inputs |= {
        graph.input("given", k): Node("given", value=len(border) + n) for n, k in enumerate(given)
    }
    once = graph.program(border)
    initial, scale, unit = (
        part[:, list(kept)]
        for part in (traced.initial / traced.scale, traced.scale, traced.bolus[list(given)])
    )
    patients = len(initial)
    return ScalarModel(
        rates=graph.program(rates, inputs),
        tumor=graph.program([tumor], inputs),
        constants=once.evaluate({"parameter": traced.values.T}).T,
        kinds=given,
        states=kept,
        initial=np.concatenate([initial, np.zeros((patients, 1))], axis=1),
        scale=np.concatenate([scale, np.full((patients, 1), DRUG)], axis=1),
        unit=np.concatenate([unit, np.zeros((len(given), 1))], axis=1),
        il6=kept.index(traced.il6),
        all_states=traced.initial.shape[1],
    )


def _border(graph: Graph, outputs: Sequence[int]) -> list[int]:
    """Nodes that never vary, no constants, and that something which varies is computed from."""
    live = graph.needed(outputs)
    used = {i for node in live if graph.nodes[node].varies for i in graph.nodes[node].args}
    steady = used | set(outputs)
    return sorted(i for i in steady if not graph.nodes[i].varies and graph.nodes[i].op != "const")


def check(model: ScalarModel, system: System, parameters: Parameters, seed: int = 0) -> float:
    """Compare with the package at random states, one for each patient.

    Returns:
        The largest relative difference.

    Raises:
        ArithmeticError: If it is above `AGREEMENT`.
    """
    rng = np.random.default_rng(seed)
    patients = len(model.initial)
    places, kinds = list(model.states), list(model.kinds)
    time = rng.uniform(0.0, 84.0, patients)
    state = np.maximum(model.initial, 1e6) * rng.uniform(0.05, 1.0, model.initial.shape)
    infusion = rng.uniform(0.0, 100.0, (patients, len(kinds)))
    given = np.concatenate([model.constants, infusion], axis=1)
    found = model.rates.evaluate({"time": time[None], "state": state.T, "given": given.T}).T

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
        raise ArithmeticError(f"the scalar program differs from the package by {worst:.2g}")
    return worst


def _by_package(
    system: System, parameters: Parameters, time: np.ndarray, x: np.ndarray, infusion: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, drug in blood and tumor volume, each with a leading patient axis."""
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
    """Largest; a rate whose terms nearly cancel is measured by its usual size."""
    usual = np.median(np.abs(expected), axis=0)
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), usual)))


def _vector(tree: Any) -> jax.Array:
    return ravel_pytree(tree)[0]
