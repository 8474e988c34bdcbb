"""Straight-line programs of scalar operations, for the compilers of other solvers.

The builder reuses equal expressions, folds constants and applies algebraic identities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Number = float | int | bool

INPUTS = ("time", "state", "data", "parameter")
"""Leaves of a program; `data` may change between segments, a parameter is constant."""

OPERATIONS: Mapping[str, Callable[..., np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
    "pow": np.power,
    "neg": np.negative,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "select_n": lambda predicate, on_false, on_true: np.where(predicate, on_true, on_false),
}
COMPARISONS = ("lt", "le", "gt", "ge")
COMMUTATIVE = ("add", "mul", "max", "min")


@dataclasses.dataclass(frozen=True)
class Node:
    """One scalar.

    Args:
        op: "const", one of `INPUTS`, or one of `OPERATIONS`.
        args: Operands.
        value: Value of a constant, or index of an input.
        varies: Whether it changes during a simulation.
    """

    op: str
    args: tuple[int, ...] = ()
    value: Number = 0
    varies: bool = False


@dataclasses.dataclass(frozen=True)
class Program:
    """Nodes in topological order, without dead code."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    def count(self, *ops: str) -> int:
        """Number of operations of some kinds; of all kinds without argument."""
        kinds = ops or tuple(OPERATIONS)
        return sum(node.op in kinds for node in self.nodes)

    def evaluate(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Evaluate the outputs in NumPy; inputs have their index as first axis."""
        values: list[np.ndarray] = []
        for node in self.nodes:
            if node.op == "const":
                values.append(np.asarray(node.value))
            elif node.op in INPUTS:
                values.append(np.asarray(inputs[node.op][int(node.value)]))
            else:
                values.append(OPERATIONS[node.op](*(values[i] for i in node.args)))
        return np.stack(np.broadcast_arrays(*(values[i] for i in self.outputs)))


class Graph:
    """Builder of nodes."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._ids: dict[tuple[object, ...], int] = {}

    def const(self, value: Number) -> int:
        """Return a constant."""
        return self._add(Node("const", value=value))

    def input(self, kind: str, index: int = 0) -> int:
        """Return an input."""
        return self._add(Node(kind, value=index, varies=kind != "parameter"))

    def apply(self, op: str, *args: int) -> int:
        """Return the node of an operation, or its folded value."""
        if op not in OPERATIONS:
            raise NotImplementedError(f"{op} cannot be lowered to scalar operations")
        nodes = [self.nodes[i] for i in args]
        if all(node.op == "const" for node in nodes):
            return self.const(OPERATIONS[op](*(node.value for node in nodes)).item())
        simple = self._simplify(op, args)
        if simple is not None:
            return simple
        if op in COMMUTATIVE:
            args = tuple(sorted(args))
        return self._add(Node(op, args, varies=any(node.varies for node in nodes)))

    def _simplify(self, op: str, args: tuple[int, ...]) -> int | None:
        if op in ("add", "sub", "mul", "div"):
            return self._simplify_arithmetic(op, *args)
        first = self.nodes[args[0]]
        if op == "select_n" and first.op == "const":
            return args[2] if first.value else args[1]
        if op == "select_n" and args[1] == args[2]:
            return args[1]
        if op == "neg" and first.op == "neg":
            return first.args[0]
        return None

    def _simplify_arithmetic(self, op: str, a: int, b: int) -> int | None:
        """Apply identities of zero and one; divide by a constant through its reciprocal."""
        if op == "add" and (self._is(a, 0) or self._is(b, 0)):
            return b if self._is(a, 0) else a
        if op == "sub" and (self._is(a, 0) or self._is(b, 0)):
            return a if self._is(b, 0) else self.apply("neg", b)
        if op == "mul" and (self._is(a, 0) or self._is(b, 0)):
            return self.const(0.0)
        if op == "mul" and (self._is(a, 1) or self._is(b, 1)):
            return b if self._is(a, 1) else a
        if op == "div" and (self._is(a, 0) or self._is(b, 1)):
            return a
        if op == "div" and self.nodes[a].varies and not self.nodes[b].varies:
            return self.apply("mul", a, self.apply("div", self.const(1.0), b))
        return None

    def _is(self, index: int, value: float) -> bool:
        node = self.nodes[index]
        return node.op == "const" and node.value == value

    def _add(self, node: Node) -> int:
        key = (node.op, node.args, type(node.value), node.value)
        if key not in self._ids:
            self._ids[key] = len(self.nodes)
            self.nodes.append(node)
        return self._ids[key]

    def needed(self, outputs: Sequence[int], known: Sequence[int] = ()) -> list[int]:
        """Return the nodes on which outputs depend, in order; `known` nodes end the search."""
        live, ends = set(outputs), set(known)
        for index in range(max(outputs, default=-1), -1, -1):
            if index in live and index not in ends:
                live.update(self.nodes[index].args)
        return sorted(live)

    def program(self, outputs: Sequence[int], inputs: Mapping[int, Node] | None = None) -> Program:
        """Return the program of some outputs, with some nodes replaced by inputs."""
        inputs = inputs or {}
        order = self.needed(outputs, list(inputs))
        place = {old: new for new, old in enumerate(order)}
        nodes = []
        for old in order:
            node = inputs.get(old, self.nodes[old])
            nodes.append(dataclasses.replace(node, args=tuple(place[i] for i in node.args)))
        return Program(tuple(nodes), tuple(place[i] for i in outputs))
