"""Scalars of a program that is being built: constants, or values of all lanes of a vector register.

A quotient is a product with the reciprocal, which several share; x/x may miss one by a rounding.
Building computes constants, leaves out what algebra makes trivial, keeps one value for equal
expressions, and places each value in the outermost loop in which it can be computed. Nothing is
reassociated and no product is fused with a sum, so a result has the same bits whatever a program
leaves out, and however many lanes a register holds: if all numbers are finite, for zero times
infinity is zero where the zero is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from llvmlite import ir

from qsp.native.instructions import COMPARISONS, INSTRUCTIONS, Types, Unsupported

FOLDED: Mapping[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": lambda a, b: _quotient(a, b),
    "rem": lambda a, b: _remainder(a, b),
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "shift_left": np.left_shift,
    "shift_right_arithmetic": np.right_shift,
    "is_finite": np.isfinite,
    "select_n": lambda which, no, yes: yes if which else no,
}
TRUTHS = (*COMPARISONS, "is_finite")
COMMUTATIVE = ("add", "mul", "and", "or", "xor", "eq", "ne")


@dataclasses.dataclass(frozen=True)
class Scalar:
    """One scalar.

    Args:
        dtype: Its type in numpy.
        depth: Number of loops around the place where it is computed.
        constant: Its value, where it is known.
        register: Its values in all lanes; none for a constant, or while nothing is emitted.
    """

    dtype: np.dtype[Any]
    depth: int
    constant: Any = None
    register: Any = None


@dataclasses.dataclass
class Level:
    """One loop, or the whole program.

    Args:
        builder: Where its instructions go.
        known: Scalars by the expression they are the value of.
    """

    builder: Any
    known: dict[Any, int] = dataclasses.field(default_factory=dict)


class Scalars:
    """Scalars, by number, and the loops in which they are computed.

    Args:
        builder: At the start of the program.
        types: Vector types of a program.
        memory: Address of what the program keeps in memory.
    """

    def __init__(self, builder: ir.IRBuilder, types: Types, memory: Any) -> None:
        self.types = types
        self.memory = memory
        self.levels = [Level(builder)]
        self.masks: list[Any] = [None]  # lanes that a loop computes; at first all
        self.all: list[Scalar] = []
        self.dry = False
        self.rooms = 0
        self.path: list[int] = []  # equations inside which another is being built
        self.settled: dict[tuple[int, ...], list[bool]] = {}  # what each loop was found to keep
        self.wrapped: dict[int, Any] = {}  # what primitives were found to wrap
        self._places: dict[int, int] = {}
        self._constants: dict[Any, int] = {}
        self._literals: dict[Any, int] = {}
        self._splats: dict[int, Any] = {}

    @property
    def depth(self) -> int:
        """Number of loops around the place that is being built."""
        return len(self.levels) - 1

    @property
    def builder(self) -> Any:
        """Where instructions of the innermost loop go."""
        return self.levels[-1].builder

    def room(self, count: int = 1) -> int:
        """Places in memory, side by side; the first of them."""
        self.rooms += count
        return self.rooms - count

    def carried(self, dtype: np.dtype[Any], slot: int) -> int:
        """A value of the innermost loop that is loaded from memory once it is needed."""
        index = self.new(dtype, lambda builder: self.types.load(builder, self.memory, slot, dtype))
        self._places[index] = slot
        return index

    def is_at(self, index: int, slot: int) -> bool:
        """Whether a scalar already is what a place in memory holds."""
        return self._places.get(index) == slot

    def own_place(self, x: Any) -> int | None:
        """Where an array stands in memory that belongs to the innermost loop, which may change it.

        An array of a loop around it is needed as it was in the next turn.
        """
        return self.place(x) if all(self.all[int(i)].depth == self.depth for i in x.flat) else None

    def place(self, x: Any) -> int | None:
        """Where an array stands in memory, row after row."""
        places = [self._places.get(int(i)) for i in x.flat]
        first = places[0]
        return first if first is not None and places == [*range(first, first + x.size)] else None

    def renewed(self, x: Any) -> Any:
        """An array that was changed in its place."""
        slots = [self._places[int(i)] for i in x.flat]
        kinds = [self.all[int(i)].dtype for i in x.flat]
        self.give_up(x)
        fresh = [self.carried(kind, slot) for kind, slot in zip(kinds, slots, strict=True)]
        return np.array(fresh, np.int64).reshape(x.shape)

    def give_up(self, x: Any) -> None:
        """From here on an array is changed in its place.

        What it was is loaded before; the compiler leaves out what is not needed after all.
        """
        for i in map(int, x.flat):
            self.register(i)
            del self._places[i]

    @contextlib.contextmanager
    def trial(self) -> Iterator[None]:
        """A turn of a loop that is gone through for what it shows; nothing of it is kept."""
        before, count = (self.dry, self.levels), len(self.all)
        self.dry = True
        self.levels = [*(Level(None) for _ in self.levels), Level(None)]
        try:
            yield
        finally:
            self.dry, self.levels = before
            del self.all[count:]
            self._constants = {key: i for key, i in self._constants.items() if i < count}
            self._literals = {key: i for key, i in self._literals.items() if i < count}

    def literal(self, atom: Any) -> int:
        """A constant that stands in the program."""
        if id(atom) not in self._literals:
            self._literals[id(atom)] = self.constant(atom.val, atom.aval.dtype)
        return self._literals[id(atom)]

    def constant(self, value: Any, dtype: Any) -> int:
        """A constant."""
        value = np.asarray(value).astype(dtype)[()]
        key = (value.dtype, value.tobytes())
        if key not in self._constants:
            self._constants[key] = self._add(Scalar(value.dtype, 0, constant=value))
        return self._constants[key]

    def new(self, dtype: Any, register: Any) -> int:
        """A value of the innermost loop that no expression gives: an input, or what a loop carries.

        Args:
            dtype: Its type.
            register: Its values, or a function that emits how they are loaded, called once they
                are needed.
        """
        return self._add(Scalar(np.dtype(dtype), self.depth, register=register))

    def is_constant(self, index: int) -> bool:
        """Whether a scalar is known."""
        return self.all[index].constant is not None

    def value(self, index: int) -> Any:
        """A constant's value."""
        return self.all[index].constant

    def register(self, index: int) -> Any:
        """Values of a scalar in all lanes."""
        scalar = self.all[index]
        if scalar.constant is not None:
            if index not in self._splats:
                self._splats[index] = self.types.splat(scalar.constant, scalar.dtype)
            return self._splats[index]
        if callable(scalar.register):
            loaded = scalar.register(self.levels[scalar.depth].builder)
            self.all[index] = dataclasses.replace(scalar, register=loaded)
            return loaded
        return scalar.register

    def apply(self, op: str, *args: int, dtype: Any = None) -> int:
        """An operation, or what it comes to.

        Args:
            op: Name of the primitive.
            args: What it is applied to.
            dtype: Type of the result, where it is not that of the last argument.
        """
        scalars = [self.all[i] for i in args]
        if op == "select_n" and (len(args) != 3 or scalars[0].dtype.kind != "b"):
            raise Unsupported("a choice among more than two has no native form")
        kind = np.dtype(bool) if op in TRUTHS else np.dtype(dtype or scalars[-1].dtype)
        simple = self._simplified(op, args, scalars, kind)
        if simple is not None:
            return simple
        if op == "div" and kind.kind == "f":
            return self._quotient(*args)
        ordered = tuple(sorted(args)) if op in COMMUTATIVE else args
        depth = max(scalar.depth for scalar in scalars)
        key, level = (op, ordered, kind), self.levels[depth]
        if key not in level.known:
            register = None if self.dry else self._emitted(op, ordered, kind, level)
            level.known[key] = self._add(Scalar(kind, depth, register=register))
        return level.known[key]

    def _emitted(self, op: str, args: tuple[int, ...], kind: np.dtype[Any], level: Level) -> Any:
        registers = [self.register(i) for i in args]
        return INSTRUCTIONS[op](
            level.builder, self.types, self.all[args[-1]].dtype, kind, registers
        )

    def _simplified(
        self, op: str, args: tuple[int, ...], scalars: list[Scalar], kind: np.dtype[Any]
    ) -> int | None:
        if all(scalar.constant is not None for scalar in scalars):
            return self._computed(op, scalars, kind)
        if op in ("add", "sub", "mul", "div") and kind.kind == "f":
            return self._arithmetic(op, *args)
        if op == "select_n":
            which, no, yes = args
            if self.is_constant(which):
                return yes if self.value(which) else no
            return no if no == yes else None
        if op in ("and", "or") and kind.kind == "b":
            return self._logic(op, *args)
        if op in ("max", "min") and args[0] == args[1]:
            return args[0]
        if op == "convert" and kind == scalars[0].dtype:
            return args[0]
        return None

    def _computed(self, op: str, scalars: list[Scalar], kind: np.dtype[Any]) -> int:
        values = [scalar.constant for scalar in scalars]
        if op == "reciprocal":
            return self.constant(np.divide(*values), kind)
        if op == "convert":
            return self.constant(_converted(values[0], kind), kind)
        if op == "bitcast":
            return self.constant(values[0].view(kind), kind)
        return self.constant(FOLDED[op](*values), kind)

    def _quotient(self, a: int, b: int) -> int:
        """A product with the reciprocal, which is shared, and computed where its argument is."""
        one = self.constant(1.0, self.all[b].dtype)
        return self.apply("mul", a, self.apply("reciprocal", one, b))

    def _arithmetic(self, op: str, a: int, b: int) -> int | None:
        """Zeros and ones."""
        if op == "add" and (self._is(a, 0) or self._is(b, 0)):
            return b if self._is(a, 0) else a
        if op == "sub" and (self._is(a, 0) or self._is(b, 0)):
            return a if self._is(b, 0) else self.apply("neg", b)
        if op == "mul" and (self._is(a, 0) or self._is(b, 0)):
            return a if self._is(a, 0) else b
        if op == "mul" and (self._is(a, 1) or self._is(b, 1)):
            return b if self._is(a, 1) else a
        if op == "div" and (self._is(a, 0) or self._is(b, 1)):
            return a
        return None

    def _logic(self, op: str, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            if self.is_constant(one):
                decides = bool(self.value(one)) == (op == "or")
                return one if decides else other
        return a if a == b else None

    def _is(self, index: int, value: float) -> bool:
        constant = self.all[index].constant
        return constant is not None and bool(constant == value)

    def _add(self, scalar: Scalar) -> int:
        self.all.append(scalar)
        return len(self.all) - 1


def _quotient(a: Any, b: Any) -> Any:
    """As the machine computes it: by the reciprocal, or towards zero."""
    if a.dtype.kind == "f":
        return a * (1.0 / b)
    if b == 0:
        return -1
    return abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: Any, b: Any) -> Any:
    return a if b == 0 else np.fmod(a, b)


def _converted(value: Any, kind: np.dtype[Any]) -> Any:
    """A number that does not fit becomes the nearest that does; what is none becomes zero."""
    if value.dtype.kind != "f" or kind.kind not in "iu":
        return value
    limits = np.iinfo(kind)
    if np.isnan(value):
        return 0
    return (
        int(value) if limits.min < value < limits.max else limits.min if value < 0 else limits.max
    )
