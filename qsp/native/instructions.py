"""Machine instructions of elementwise operations, on all lanes of a vector register."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
ARITHMETIC = {"add": "add", "sub": "sub", "mul": "mul"}
BITWISE = {
    "and": "and_",
    "or": "or_",
    "xor": "xor",
    "shift_left": "shl",
    "shift_right_arithmetic": "ashr",
}
INTRINSICS = {"sqrt": "llvm.sqrt", "abs": "llvm.fabs", "floor": "llvm.floor"}
ELEMENTS = {
    "float64": ir.DoubleType(),
    "int64": ir.IntType(64),
    "int32": ir.IntType(32),
    "uint32": ir.IntType(32),
    "uint64": ir.IntType(64),
    "bool": ir.IntType(1),
}


class Unsupported(NotImplementedError):
    """A program that has no native form."""


ADDRESS = ir.PointerType()
SLOT = 8
"""Bytes of a scalar of one lane in memory, whatever its type."""


@dataclasses.dataclass(frozen=True)
class Types:
    """Vector types of a program.

    Args:
        width: Lanes of a vector register.
    """

    width: int

    def vector(self, dtype: np.dtype[Any]) -> Any:
        """A register of scalars."""
        if dtype.name not in ELEMENTS:
            raise Unsupported(f"scalars of type {dtype} have no registers here")
        return ir.VectorType(ELEMENTS[dtype.name], self.width)

    def splat(self, value: Any, dtype: np.dtype[Any]) -> Any:
        """The same value in every lane."""
        kind = self.vector(dtype)
        plain = float(value) if dtype.kind == "f" else int(value)
        return ir.Constant(kind, [ir.Constant(kind.element, plain)] * self.width)

    def load(self, builder: Any, pointer: Any, slot: int, dtype: np.dtype[Any]) -> Any:
        """A scalar of all lanes from memory."""
        self.vector(dtype)  # refuses types that would not behave as they should
        kind = self.vector(in_memory(dtype))
        value = builder.load(self.at(builder, pointer, slot), typ=kind, align=SLOT * self.width)
        return self.from_memory(builder, value, dtype)

    def from_memory(self, builder: Any, value: Any, dtype: np.dtype[Any]) -> Any:
        """A scalar of the form it has in memory, where integers and truths have 64 bits."""
        if dtype.kind == "b":
            return builder.icmp_signed("!=", value, self.splat(0, np.dtype(np.int64)))
        return builder.trunc(value, self.vector(dtype)) if dtype.itemsize == 4 else value

    def to_memory(self, builder: Any, value: Any) -> Any:
        """A scalar in the form it has in memory."""
        whole = self.vector(np.dtype(np.int64))
        if value.type.element == ir.IntType(1):
            return builder.zext(value, whole)
        return builder.sext(value, whole) if value.type.element == ir.IntType(32) else value

    def store(self, builder: Any, value: Any, pointer: Any, slot: int, mask: Any = None) -> None:
        """A scalar of all lanes, or of those of a mask, into memory."""
        value = self.to_memory(builder, value)
        place, align = self.at(builder, pointer, slot), SLOT * self.width
        if mask is None:
            builder.store(value, place, align=align)
            return
        kind = ir.FunctionType(ir.VoidType(), [value.type, place.type, ir.IntType(32), mask.type])
        name = f"llvm.masked.store.v{self.width}{suffix(value.type)}.p0"
        builder.call(
            declared(builder, name, kind), [value, place, ir.Constant(ir.IntType(32), align), mask]
        )

    def at(self, builder: Any, pointer: Any, slot: int) -> Any:
        """Address of a scalar of all lanes."""
        offset = ir.Constant(ir.IntType(64), slot * SLOT * self.width)
        return builder.gep(pointer, [offset], source_etype=ir.IntType(8))


def in_memory(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of 64 bits as which a scalar stands in memory."""
    return dtype if dtype.kind == "f" else np.dtype(np.int64)


def suffix(vector: Any) -> str:
    """What the names of functions of such vectors end with."""
    return "f64" if vector.element == ir.DoubleType() else f"i{vector.element.width}"


def declared(builder: Any, name: str, kind: Any) -> Any:
    """A function that the compiler provides."""
    module = builder.module
    return module.globals.get(name) or ir.Function(module, kind, name)


Instruction = Callable[[Any, Types, np.dtype[Any], np.dtype[Any], Sequence[Any]], Any]
"""Of a builder, types, the type of the last argument, the type of the result, and registers."""


def _arithmetic(name: str) -> Instruction:
    def emit(builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]) -> Any:
        return getattr(builder, f"f{name}" if kind.kind == "f" else name)(*args)

    return emit


def _compared(sign: str) -> Instruction:
    def emit(builder: Any, types: Types, of: np.dtype[Any], kind: Any, args: Sequence[Any]) -> Any:
        if of.kind != "f":
            return _integers(builder, of)(sign, *args)
        compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        return compare(sign, *args)

    return emit


def _integers(builder: Any, dtype: np.dtype[Any]) -> Any:
    return builder.icmp_signed if dtype.kind == "i" else builder.icmp_unsigned


def _extreme(sign: str) -> Instruction:
    """The larger or smaller of two; what is no number stays so."""

    def emit(builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]) -> Any:
        a, b = args
        if kind.kind != "f":
            return builder.select(_integers(builder, kind)(sign, a, b), a, b)
        chosen = builder.select(builder.fcmp_ordered(sign, a, b), a, b)
        return builder.select(builder.fcmp_unordered("uno", a, a), a, chosen)

    return emit


def _called(name: str) -> Instruction:
    def emit(builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]) -> Any:
        if kind.kind != "f":
            raise Unsupported(f"{name} of {kind} has no instruction here")
        vector = types.vector(kind)
        function = f"{name}.v{types.width}f64"
        return builder.call(declared(builder, function, ir.FunctionType(vector, [vector])), args)

    return emit


def _plain(name: str) -> Instruction:
    return lambda builder, types, of, kind, args: getattr(builder, name)(*args)


def _negative(builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]) -> Any:
    return builder.fneg(*args) if kind.kind == "f" else builder.neg(*args)


def _divided(builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]) -> Any:
    """A quotient of integers, towards zero; over zero it is -1, as XLA has it."""
    a, b = args
    nothing = types.splat(0, kind)
    over_zero = builder.icmp_signed("==", b, nothing)
    ones = builder.not_(nothing)
    if kind.kind == "u":
        quotient = builder.udiv(a, builder.select(over_zero, types.splat(1, kind), b))
        return builder.select(over_zero, ones, quotient)
    negates = builder.icmp_signed("==", b, ones)
    quotient = builder.sdiv(a, _harmless(builder, types, kind, b))
    quotient = builder.select(negates, builder.sub(nothing, a), quotient)
    return builder.select(over_zero, ones, quotient)


def _remainder(
    builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]
) -> Any:
    """What a quotient of integers leaves; over zero all."""
    if kind.kind == "f":
        raise Unsupported("a remainder of numbers that are not whole has no native form")
    a, b = args
    over_zero = builder.icmp_signed("==", b, types.splat(0, kind))
    divisor = _harmless(builder, types, kind, b)
    rest = builder.srem(a, divisor) if kind.kind == "i" else builder.urem(a, divisor)
    return builder.select(over_zero, a, rest)


def _harmless(builder: Any, types: Types, kind: np.dtype[Any], b: Any) -> Any:
    """A divisor in place of those at which a processor stops: 0, and -1 under the least number."""
    stops = builder.icmp_signed("==", b, types.splat(0, kind))
    if kind.kind == "i":
        stops = builder.or_(stops, builder.icmp_signed("==", b, types.splat(-1, kind)))
    return builder.select(stops, types.splat(1, kind), b)


def _selected(builder: Any, types: Types, of: Any, kind: Any, args: Sequence[Any]) -> Any:
    which, no, yes = args
    return builder.select(which, yes, no)


def _finite(builder: Any, types: Types, of: np.dtype[Any], kind: Any, args: Sequence[Any]) -> Any:
    size = _called("llvm.fabs")(builder, types, of, of, args)
    return builder.fcmp_ordered("<", size, types.splat(np.inf, of))


def _bitcast(builder: Any, types: Types, of: Any, kind: np.dtype[Any], args: Sequence[Any]) -> Any:
    if of.itemsize != kind.itemsize:
        raise Unsupported("the bits of a number as several have no native form")
    return builder.bitcast(args[0], types.vector(kind))


def _converted(
    builder: Any, types: Types, of: np.dtype[Any], kind: np.dtype[Any], args: Sequence[Any]
) -> Any:
    [value], vector = args, types.vector(kind)
    if kind.kind == "b":
        zero = types.splat(0, of)
        return (
            builder.fcmp_unordered("!=", value, zero)
            if of.kind == "f"
            else (builder.icmp_signed("!=", value, zero))
        )
    if of.kind == "f":
        name = "llvm.fptosi.sat" if kind.kind == "i" else "llvm.fptoui.sat"
        size = 8 * kind.itemsize
        function = ir.FunctionType(vector, [value.type])
        full = f"{name}.v{types.width}i{size}.v{types.width}f64"
        return builder.call(declared(builder, full, function), args)
    signed = of.kind == "i"
    if kind.kind == "f":
        return builder.sitofp(value, vector) if signed else builder.uitofp(value, vector)
    if of.kind != "b" and kind.itemsize == of.itemsize:
        return value
    if of.kind != "b" and kind.itemsize < of.itemsize:
        return builder.trunc(value, vector)
    return builder.sext(value, vector) if signed else builder.zext(value, vector)


INSTRUCTIONS: Mapping[str, Instruction] = {
    **{op: _arithmetic(name) for op, name in ARITHMETIC.items()},
    **{op: _compared(sign) for op, sign in COMPARISONS.items()},
    **{op: _called(name) for op, name in INTRINSICS.items()},
    **{op: _plain(name) for op, name in BITWISE.items()},
    "not": _plain("not_"),
    "reciprocal": lambda builder, types, of, kind, args: builder.fdiv(*args),
    "max": _extreme(">"),
    "min": _extreme("<"),
    "neg": _negative,
    "div": _divided,
    "rem": _remainder,
    "select_n": _selected,
    "is_finite": _finite,
    "bitcast": _bitcast,
    "convert": _converted,
}
