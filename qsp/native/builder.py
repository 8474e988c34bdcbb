"""Builder of scalar programs: constant folding, value numbering, loop-invariant code motion.

Every scalar has an id. It is a constant, or a vector register with one lane per simulation. The
builder folds constants, applies algebraic identities, reuses equal expressions, and emits each one
at the outermost loop level at which its operands are available. A quotient is emitted as a product
with the reciprocal, so that quotients with one denominator share it; x/x may be off by a rounding.

Sums and products are neither reassociated nor fused. A result therefore has the same bits at every
register width, and whether or not absent inputs are folded to zero, as long as all values are
finite: zero times infinity folds to zero.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from llvmlite import ir

from qsp.native.instructions import COMPARISONS, INSTRUCTIONS, Unsupported, VectorTypes

FOLDING: Mapping[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": lambda a, b: _fold_div(a, b),
    "rem": lambda a, b: _fold_rem(a, b),
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
    "select_n": lambda predicate, on_false, on_true: on_true if predicate else on_false,
}
"""Elementwise primitives, with the NumPy function that folds each of constants."""
PREDICATES = (*COMPARISONS, "is_finite")
COMMUTATIVE = ("add", "mul", "and", "or", "xor", "eq", "ne")


@dataclasses.dataclass(frozen=True)
class Scalar:
    """One scalar.

    Args:
        dtype: NumPy type.
        depth: Number of loops around the place where it is computed.
        constant: Value, if it is known at compile time.
        register: Vector register, or a function that emits its load; None for a constant, and for
            any scalar of an abstract iteration.
    """

    dtype: np.dtype[Any]
    depth: int
    constant: Any = None
    register: Any = None


@dataclasses.dataclass
class LoopLevel:
    """One loop of the current nest; level 0 is the function body.

    Args:
        builder: IR builder of the loop body.
        ids: Ids of the scalars computed at this level, by expression.
    """

    builder: Any
    ids: dict[Any, int] = dataclasses.field(default_factory=dict)


class ScalarBuilder:
    """The scalars of a program under construction, and the loop nest in which they are emitted.

    Args:
        builder: IR builder at the entry of the function.
        types: Vector types of the program.
        memory: Pointer to the spill slots.
    """

    def __init__(self, builder: ir.IRBuilder, types: VectorTypes, memory: Any) -> None:
        self.types = types
        self.memory = memory
        self.levels = [LoopLevel(builder)]
        self.masks: list[Any] = [None]  # active lanes of each loop; None for all
        self.all: list[Scalar] = []
        self.is_abstract = False
        self.slot_count = 0
        self.path: list[int] = []  # ids of the equations around the current one
        self.invariants: dict[tuple[int, ...], list[bool]] = {}  # see `loops.find_invariants`
        self.unwrapped: dict[int, Any] = {}  # see `lowering._unwrap`
        self._slots: dict[int, int] = {}
        self._constants: dict[Any, int] = {}
        self._literals: dict[Any, int] = {}
        self._splats: dict[int, Any] = {}

    @property
    def depth(self) -> int:
        """Number of loops around the current place."""
        return len(self.levels) - 1

    @property
    def builder(self) -> Any:
        """IR builder of the innermost loop."""
        return self.levels[-1].builder

    def allocate(self, count: int = 1) -> int:
        """Allocate consecutive spill slots and return the first."""
        self.slot_count += count
        return self.slot_count - count

    def from_slot(self, dtype: np.dtype[Any], slot: int) -> int:
        """Return a scalar of the innermost loop that is loaded from a slot at its first use."""
        index = self.new(dtype, lambda builder: self.types.load(builder, self.memory, slot, dtype))
        self._slots[index] = slot
        return index

    def is_in_slot(self, index: int, slot: int) -> bool:
        """Whether a slot already holds the scalar."""
        return self._slots.get(index) == slot

    def owned_slot(self, x: Any) -> int | None:
        """First slot of an array that the innermost loop may overwrite, else None.

        An array of an outer loop must keep its values for the next iteration of the inner one.
        """
        is_own = all(self.all[int(i)].depth == self.depth for i in x.flat)
        return self.first_slot(x) if is_own else None

    def first_slot(self, x: Any) -> int | None:
        """First slot of an array that is stored contiguously in row-major order, else None."""
        slots = [self._slots.get(int(i)) for i in x.flat]
        first = slots[0]
        return first if first is not None and slots == [*range(first, first + x.size)] else None

    def reload(self, x: Any) -> Any:
        """Return new ids for an array whose slots are about to be overwritten."""
        slots = [self._slots[int(i)] for i in x.flat]
        dtypes = [self.all[int(i)].dtype for i in x.flat]
        self.detach(x)
        ids = [self.from_slot(dtype, slot) for dtype, slot in zip(dtypes, slots, strict=True)]
        return np.array(ids, np.int64).reshape(x.shape)

    def detach(self, x: Any) -> None:
        """Load the values of an array before its slots are overwritten.

        LLVM removes the loads of values that are not used afterwards.
        """
        for i in map(int, x.flat):
            self.register(i)
            del self._slots[i]

    @contextlib.contextmanager
    def abstract_iteration(self) -> Iterator[None]:
        """Interpret a loop body without emitting code; its scalars are discarded afterwards."""
        before, count = (self.is_abstract, self.levels), len(self.all)
        self.is_abstract = True
        self.levels = [*(LoopLevel(None) for _ in self.levels), LoopLevel(None)]
        try:
            yield
        finally:
            self.is_abstract, self.levels = before
            del self.all[count:]
            self._constants = {key: i for key, i in self._constants.items() if i < count}
            self._literals = {key: i for key, i in self._literals.items() if i < count}

    def literal(self, atom: Any) -> int:
        """Return a scalar literal of a jaxpr."""
        if id(atom) not in self._literals:
            self._literals[id(atom)] = self.constant(atom.val, atom.aval.dtype)
        return self._literals[id(atom)]

    def constant(self, value: Any, dtype: Any) -> int:
        """Return a constant."""
        value = np.asarray(value).astype(dtype)[()]
        key = (value.dtype, value.tobytes())
        if key not in self._constants:
            self._constants[key] = self._add(Scalar(value.dtype, 0, constant=value))
        return self._constants[key]

    def new(self, dtype: Any, register: Any) -> int:
        """Return a scalar of the innermost loop that has no expression: an input or loop carry.

        Args:
            dtype: Type of the scalar.
            register: Vector register, or a function of an IR builder that emits its load and is
                called at the first use.
        """
        return self._add(Scalar(np.dtype(dtype), self.depth, register=register))

    def is_constant(self, index: int) -> bool:
        """Whether the value of a scalar is known at compile time."""
        return self.all[index].constant is not None

    def value(self, index: int) -> Any:
        """Value of a constant."""
        return self.all[index].constant

    def register(self, index: int) -> Any:
        """Return the vector register of a scalar, loaded or broadcast if needed."""
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
        """Emit an operation, or return its folded value or an equal expression.

        Args:
            op: Name of the primitive.
            args: Operands.
            dtype: Type of the result, by default that of the last operand.
        """
        scalars = [self.all[i] for i in args]
        if op == "select_n" and (len(args) != 3 or scalars[0].dtype.kind != "b"):
            raise Unsupported("a selection among more than two cases has no native form")
        dtype = np.dtype(bool) if op in PREDICATES else np.dtype(dtype or scalars[-1].dtype)
        simple = self._simplify(op, args, scalars, dtype)
        if simple is not None:
            return simple
        if op == "div" and dtype.kind == "f":
            return self._divide(*args)
        ordered = tuple(sorted(args)) if op in COMMUTATIVE else args
        depth = max(scalar.depth for scalar in scalars)
        key, level = (op, ordered, dtype), self.levels[depth]
        if key not in level.ids:
            register = None if self.is_abstract else self._emit(op, ordered, dtype, level)
            level.ids[key] = self._add(Scalar(dtype, depth, register=register))
        return level.ids[key]

    def _emit(self, op: str, args: tuple[int, ...], dtype: np.dtype[Any], level: LoopLevel) -> Any:
        registers = [self.register(i) for i in args]
        source = self.all[args[-1]].dtype
        return INSTRUCTIONS[op](level.builder, self.types, source, dtype, registers)

    def _simplify(
        self, op: str, args: tuple[int, ...], scalars: list[Scalar], dtype: np.dtype[Any]
    ) -> int | None:
        if all(scalar.constant is not None for scalar in scalars):
            return self._fold(op, scalars, dtype)
        if op in ("add", "sub", "mul", "div") and dtype.kind == "f":
            return self._simplify_arithmetic(op, *args)
        if op == "select_n":
            predicate, on_false, on_true = args
            if self.is_constant(predicate):
                return on_true if self.value(predicate) else on_false
            return on_false if on_false == on_true else None
        if op in ("and", "or") and dtype.kind == "b":
            return self._simplify_logic(op, *args)
        if op in ("max", "min") and args[0] == args[1]:
            return args[0]
        if op == "convert" and dtype == scalars[0].dtype:
            return args[0]
        return None

    def _fold(self, op: str, scalars: list[Scalar], dtype: np.dtype[Any]) -> int:
        values = [scalar.constant for scalar in scalars]
        if op == "reciprocal":
            return self.constant(np.divide(*values), dtype)
        if op == "convert":
            return self.constant(_fold_convert(values[0], dtype), dtype)
        if op == "bitcast":
            return self.constant(values[0].view(dtype), dtype)
        return self.constant(FOLDING[op](*values), dtype)

    def _divide(self, a: int, b: int) -> int:
        """Multiply by the reciprocal, which is shared and emitted at the level of `b`."""
        one = self.constant(1.0, self.all[b].dtype)
        return self.apply("mul", a, self.apply("reciprocal", one, b))

    def _simplify_arithmetic(self, op: str, a: int, b: int) -> int | None:
        """Apply the identities of zero and one."""
        if op == "add" and (self._equals(a, 0) or self._equals(b, 0)):
            return b if self._equals(a, 0) else a
        if op == "sub" and (self._equals(a, 0) or self._equals(b, 0)):
            return a if self._equals(b, 0) else self.apply("neg", b)
        if op == "mul" and (self._equals(a, 0) or self._equals(b, 0)):
            return a if self._equals(a, 0) else b
        if op == "mul" and (self._equals(a, 1) or self._equals(b, 1)):
            return b if self._equals(a, 1) else a
        if op == "div" and (self._equals(a, 0) or self._equals(b, 1)):
            return a
        return None

    def _simplify_logic(self, op: str, a: int, b: int) -> int | None:
        for one, other in ((a, b), (b, a)):
            if self.is_constant(one):
                decides = bool(self.value(one)) == (op == "or")
                return one if decides else other
        return a if a == b else None

    def _equals(self, index: int, value: float) -> bool:
        constant = self.all[index].constant
        return constant is not None and bool(constant == value)

    def _add(self, scalar: Scalar) -> int:
        self.all.append(scalar)
        return len(self.all) - 1


def _fold_div(a: Any, b: Any) -> Any:
    """Divide as the emitted code does: by the reciprocal, or for integers towards zero."""
    if a.dtype.kind == "f":
        return a * (1.0 / b)
    if b == 0:
        return -1
    return abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1)


def _fold_rem(a: Any, b: Any) -> Any:
    return a if b == 0 else np.fmod(a, b)


def _fold_convert(value: Any, dtype: np.dtype[Any]) -> Any:
    """Convert with saturation: out of range to the nearest integer, NaN to zero."""
    if value.dtype.kind != "f" or dtype.kind not in "iu":
        return value
    limits = np.iinfo(dtype)
    if np.isnan(value):
        return 0
    if limits.min < value < limits.max:
        return int(value)
    return limits.min if value < 0 else limits.max
