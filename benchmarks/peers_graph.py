"""Straight-line programs of scalar operations: what a compiler of another tool is given.

Building a program keeps one node for equal expressions, computes constants, and leaves out what
algebra makes trivial.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Number = float | int | bool

INPUTS = ("time", "state", "given", "parameter")
"""Leaves of a program; `given` may change between stretches, a parameter never does."""

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
    "select_n": lambda which, no, yes: np.where(which, yes, no),
}
COMPARISONS = ("lt", "le", "gt", "ge")
COMMUTATIVE = ("add", "mul", "max", "min")


@dataclasses.dataclass(frozen=True)
class Node:
    """One scalar.

    Args:
        op: "const", one of `INPUTS`, or one of `OPERATIONS`.
        args: Nodes it is computed from.
        value: Of a constant; of an input its index.
        varies: Whether it changes in the course of a simulation.
    """

    op: str
    args: tuple[int, ...] = ()
    value: Number = 0
    varies: bool = False


@dataclasses.dataclass(frozen=True)
class Program:
    """Nodes in an order in which they can be computed, without any that no output needs."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    def count(self, *ops: str) -> int:
        """Operations of some kinds; of all kinds without argument."""
        wanted = ops or tuple(OPERATIONS)
        return sum(node.op in wanted for node in self.nodes)

    def evaluate(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Outputs in numpy; inputs have their index first, and any axes after it."""
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
    """Nodes that are being built."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[object, ...], int] = {}

    def const(self, value: Number) -> int:
        """A constant."""
        return self._add(Node("const", value=value))

    def input(self, kind: str, index: int = 0) -> int:
        """A leaf."""
        return self._add(Node(kind, value=index, varies=kind != "parameter"))

    def apply(self, op: str, *args: int) -> int:
        """An operation, or what it comes to."""
        if op not in OPERATIONS:
            raise NotImplementedError(f"{op} has no scalar form here")
        nodes = [self.nodes[i] for i in args]
        if all(node.op == "const" for node in nodes):
            return self.const(OPERATIONS[op](*(node.value for node in nodes)).item())
        simple = self._simplified(op, args)
        if simple is not None:
            return simple
        if op in COMMUTATIVE:
            args = tuple(sorted(args))
        return self._add(Node(op, args, varies=any(node.varies for node in nodes)))

    def _simplified(self, op: str, args: tuple[int, ...]) -> int | None:
        if op in ("add", "sub", "mul", "div"):
            return self._arithmetic(op, *args)
        which = self.nodes[args[0]]
        if op == "select_n" and which.op == "const":
            return args[2] if which.value else args[1]
        if op == "select_n" and args[1] == args[2]:
            return args[1]
        if op == "neg" and which.op == "neg":
            return which.args[0]
        return None

    def _arithmetic(self, op: str, a: int, b: int) -> int | None:
        """Zeros and ones; a quotient by what never varies is a product with its reciprocal."""
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
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return self._known[key]

    def needed(self, outputs: Sequence[int], known: Sequence[int] = ()) -> list[int]:
        """Nodes that outputs rest on, in order; those that are known rest on nothing."""
        live, ends = set(outputs), set(known)
        for index in range(max(outputs, default=-1), -1, -1):
            if index in live and index not in ends:
                live.update(self.nodes[index].args)
        return sorted(live)

    def program(self, outputs: Sequence[int], inputs: Mapping[int, Node] | None = None) -> Program:
        """The program of some outputs, in which some nodes have become inputs."""
        inputs = inputs or {}
        order = self.needed(outputs, list(inputs))
        place = {old: new for new, old in enumerate(order)}
        nodes = []
        for old in order:
            node = inputs.get(old, self.nodes[old])
            nodes.append(dataclasses.replace(node, args=tuple(place[i] for i in node.args)))
        return Program(tuple(nodes), tuple(place[i] for i in outputs))
