"""Lowering of a jaxpr to a graph of scalar operations.

Arithmetic is lowered element by element. JAX itself evaluates the primitives that only rearrange
elements, on arrays of node indices.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend import core
from peers_graph import COMPARISONS, OPERATIONS, Graph

SHAPE_OPS = (
    "broadcast_in_dim",
    "concatenate",
    "copy",
    "expand_dims",
    "reshape",
    "rev",
    "slice",
    "split",
    "squeeze",
    "stack",
    "transpose",
)
INDEXED_SHAPE_OPS = ("gather", "scatter")
REDUCTIONS = {"reduce_sum": "add", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "mul"}
CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr", "call")
"""Parameters that hold the jaxpr which a primitive calls."""


def lower(
    graph: Graph, jaxpr: core.Jaxpr, consts: Sequence[Any], inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Lower a jaxpr; inputs and outputs are arrays of node indices."""
    environment: dict[Any, np.ndarray] = dict(zip(jaxpr.invars, inputs, strict=True))
    environment |= {
        var: constants(graph, value) for var, value in zip(jaxpr.constvars, consts, strict=True)
    }

    def read(var: Any) -> np.ndarray:
        return constants(graph, var.val) if isinstance(var, core.Literal) else environment[var]

    for eqn in jaxpr.eqns:
        results = _lower_equation(graph, eqn, [read(var) for var in eqn.invars])
        environment.update(zip(eqn.outvars, results, strict=True))
    return [read(var) for var in jaxpr.outvars]


def constants(graph: Graph, values: Any) -> np.ndarray:
    """Return the nodes of an array of constants."""
    values = np.asarray(values)
    nodes = [graph.const(value) for value in values.ravel().tolist()]
    return np.array(nodes, dtype=np.int64).reshape(values.shape)


def _lower_equation(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    name = eqn.primitive.name
    if name in OPERATIONS:
        return [_elementwise(graph, name, args)]
    if name in SHAPE_OPS:
        return _rearranged(eqn, [arg.astype(float) for arg in args])
    if name in SPECIAL:
        return SPECIAL[name](graph, eqn, args)
    return _called(graph, eqn, args)


def _called(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    """Inline the jaxpr that an equation calls."""
    inner = next((eqn.params[key] for key in CALLS if key in eqn.params), None)
    if inner is None:
        raise NotImplementedError(f"{eqn.primitive.name} cannot be lowered to scalar operations")
    inner, consts = (
        (inner.jaxpr, inner.consts) if isinstance(inner, core.ClosedJaxpr) else (inner, ())
    )
    function = inner.debug_info.func_name
    if eqn.primitive.name == "custom_jvp_call" and function in OPERATIONS:
        # `qsp.libm.log`: other solvers call the logarithm of the C library.
        return [_elementwise(graph, function, args)]
    return lower(graph, inner, consts, args)


def _elementwise(graph: Graph, op: str, args: Sequence[np.ndarray]) -> np.ndarray:
    operands = np.broadcast_arrays(*args)
    nodes = [
        graph.apply(op, *map(int, each)) for each in zip(*map(np.ravel, operands), strict=True)
    ]
    return np.array(nodes, dtype=np.int64).reshape(operands[0].shape)


def _rearranged(eqn: Any, args: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Evaluate a primitive on node indices, as floats: exact, and the type it was traced for."""
    results = eqn.primitive.bind(*args, **eqn.params)
    results = results if eqn.primitive.multiple_results else [results]
    return [np.asarray(result).astype(np.int64) for result in results]


def _indexed(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    moving = [arg.astype(float) for arg in args]
    return _rearranged(eqn, [moving[0], _values(graph, args[1]), *moving[2:]])


def _reduced(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    op, axes, [nodes] = REDUCTIONS[eqn.primitive.name], eqn.params["axes"], args
    remaining = [axis for axis in range(nodes.ndim) if axis not in axes]
    rows = nodes.transpose([*axes, *remaining]).reshape(
        -1, *(nodes.shape[axis] for axis in remaining)
    )
    return [functools.reduce(lambda a, b: _elementwise(graph, op, [a, b]), rows)]


def _scatter_add(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    """Find the target of each update by scattering a one-hot array."""
    total, where, updates = args[0].copy(), _values(graph, args[1]), args[2]
    for index in np.ndindex(updates.shape):
        one_hot = np.zeros(updates.shape)
        one_hot[index] = 1.0
        [landed] = _rearranged(eqn, [np.zeros(total.shape), where, one_hot])
        for place in zip(*np.nonzero(landed), strict=True):
            total[place] = graph.apply("add", int(total[place]), int(updates[index]))
    return [total]


def _powers(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    power, [nodes] = eqn.params["y"], args
    one = constants(graph, np.ones(nodes.shape))
    product = functools.reduce(
        lambda a, b: _elementwise(graph, "mul", [a, b]), [nodes] * abs(power), one
    )
    return [product if power >= 0 else _elementwise(graph, "div", [one, product])]


def _converted(graph: Graph, eqn: Any, args: list[np.ndarray]) -> list[np.ndarray]:
    dtype, [nodes] = np.dtype(eqn.params["new_dtype"]), args

    def convert(index: int) -> int:
        node = graph.nodes[index]
        if node.op == "const":
            return graph.const(dtype.type(node.value).item())
        if node.op in COMPARISONS:
            return graph.apply("select_n", index, graph.const(0.0), graph.const(1.0))
        return index

    return [np.array([convert(int(i)) for i in nodes.ravel()], np.int64).reshape(nodes.shape)]


def _values(graph: Graph, nodes: np.ndarray) -> np.ndarray:
    """Return the constant values of array indices."""
    variable = [graph.nodes[i].op for i in nodes.ravel() if graph.nodes[i].op != "const"]
    if variable:
        raise NotImplementedError(f"an index depends on {variable[0]}")
    values = [int(graph.nodes[i].value) for i in nodes.ravel()]
    return np.array(values, dtype=np.int32).reshape(nodes.shape)


SPECIAL: Mapping[str, Callable[[Graph, Any, list[np.ndarray]], list[np.ndarray]]] = {
    **dict.fromkeys(REDUCTIONS, _reduced),
    **dict.fromkeys(INDEXED_SHAPE_OPS, _indexed),
    "scatter-add": _scatter_add,
    "integer_pow": _powers,
    "square": lambda graph, eqn, args: [_elementwise(graph, "mul", [args[0], args[0]])],
    "convert_element_type": _converted,
}
