"""LLVM instructions of the elementwise operations, on vector registers."""

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
    "not": "not_",
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
    """The program contains an operation or a type that has no native form."""


ADDRESS = ir.PointerType()
SLOT = 8
"""Bytes of a scalar of one lane in memory, for every type."""


@dataclasses.dataclass(frozen=True)
class VectorTypes:
    """Vector types of a program, and their loads and stores.

    Args:
        width: Lanes of a vector register.
    """

    width: int

    def vector(self, dtype: np.dtype[Any]) -> Any:
        """Vector type of a NumPy type."""
        if dtype.name not in ELEMENTS:
            raise Unsupported(f"{dtype} has no native form")
        return ir.VectorType(ELEMENTS[dtype.name], self.width)

    def splat(self, value: Any, dtype: np.dtype[Any]) -> Any:
        """Constant vector with one value in all lanes."""
        vector = self.vector(dtype)
        scalar = float(value) if dtype.kind == "f" else int(value)
        return ir.Constant(vector, [ir.Constant(vector.element, scalar)] * self.width)

    def load(self, builder: Any, pointer: Any, slot: int, dtype: np.dtype[Any]) -> Any:
        """Load a slot."""
        self.vector(dtype)  # raises for unsupported types
        vector = self.vector(memory_dtype(dtype))
        address = self.address(builder, pointer, slot)
        value = builder.load(address, typ=vector, align=SLOT * self.width)
        return self.from_memory(builder, value, dtype)

    def from_memory(self, builder: Any, value: Any, dtype: np.dtype[Any]) -> Any:
        """Convert a loaded vector: integers and booleans have 64 bits in memory."""
        if dtype.kind == "b":
            return builder.icmp_signed("!=", value, self.splat(0, np.dtype(np.int64)))
        return builder.trunc(value, self.vector(dtype)) if dtype.itemsize == 4 else value

    def to_memory(self, builder: Any, value: Any) -> Any:
        """Convert a vector to its form in memory."""
        wide = self.vector(np.dtype(np.int64))
        if value.type.element == ir.IntType(1):
            return builder.zext(value, wide)
        return builder.sext(value, wide) if value.type.element == ir.IntType(32) else value

    def store(self, builder: Any, value: Any, pointer: Any, slot: int, mask: Any = None) -> None:
        """Store into a slot, in all lanes or in those of a mask."""
        value = self.to_memory(builder, value)
        address, align = self.address(builder, pointer, slot), SLOT * self.width
        if mask is None:
            builder.store(value, address, align=align)
            return
        signature = ir.FunctionType(
            ir.VoidType(), [value.type, address.type, ir.IntType(32), mask.type]
        )
        name = f"llvm.masked.store.v{self.width}{type_suffix(value.type)}.p0"
        alignment = ir.Constant(ir.IntType(32), align)
        builder.call(declare(builder, name, signature), [value, address, alignment, mask])

    def address(self, builder: Any, pointer: Any, slot: int) -> Any:
        """Address of a slot."""
        offset = ir.Constant(ir.IntType(64), slot * SLOT * self.width)
        return builder.gep(pointer, [offset], source_etype=ir.IntType(8))


def memory_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The 64-bit type in which a scalar is stored."""
    return dtype if dtype.kind == "f" else np.dtype(np.int64)


def type_suffix(vector: Any) -> str:
    """Element type as in the names of LLVM's overloaded intrinsics."""
    return "f64" if vector.element == ir.DoubleType() else f"i{vector.element.width}"


def declare(builder: Any, name: str, signature: Any) -> Any:
    """Return an LLVM intrinsic, declared once in a module."""
    module = builder.module
    return module.globals.get(name) or ir.Function(module, signature, name)


Instruction = Callable[[Any, VectorTypes, np.dtype[Any], np.dtype[Any], Sequence[Any]], Any]
"""Emits an operation.

Arguments: IR builder, vector types, type of the last operand, type of the result, registers.
"""


def _arithmetic(name: str) -> Instruction:
    def emit(
        builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
    ) -> Any:
        return getattr(builder, f"f{name}" if dtype.kind == "f" else name)(*args)

    return emit


def _compare(sign: str) -> Instruction:
    def emit(
        builder: Any, types: VectorTypes, source: np.dtype[Any], dtype: Any, args: Sequence[Any]
    ) -> Any:
        if source.kind != "f":
            return _integer_compare(builder, source)(sign, *args)
        compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        return compare(sign, *args)

    return emit


def _integer_compare(builder: Any, dtype: np.dtype[Any]) -> Any:
    return builder.icmp_signed if dtype.kind == "i" else builder.icmp_unsigned


def _min_max(sign: str) -> Instruction:
    """Emit the larger or smaller of two numbers; NaN propagates from either operand."""

    def emit(
        builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
    ) -> Any:
        a, b = args
        if dtype.kind != "f":
            return builder.select(_integer_compare(builder, dtype)(sign, a, b), a, b)
        selected = builder.select(builder.fcmp_ordered(sign, a, b), a, b)
        return builder.select(builder.fcmp_unordered("uno", a, a), a, selected)

    return emit


def _intrinsic(name: str) -> Instruction:
    def emit(
        builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
    ) -> Any:
        if dtype.kind != "f":
            raise Unsupported(f"{name} of {dtype} has no native form")
        vector = types.vector(dtype)
        overload = f"{name}.v{types.width}f64"
        return builder.call(declare(builder, overload, ir.FunctionType(vector, [vector])), args)

    return emit


def _method(name: str) -> Instruction:
    return lambda builder, types, source, dtype, args: getattr(builder, name)(*args)


def _neg(
    builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
) -> Any:
    return builder.fneg(*args) if dtype.kind == "f" else builder.neg(*args)


def _div(
    builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
) -> Any:
    """Divide integers towards zero; the quotient over zero is -1, as in XLA."""
    a, b = args
    zero = types.splat(0, dtype)
    by_zero = builder.icmp_signed("==", b, zero)
    ones = builder.not_(zero)
    if dtype.kind == "u":
        quotient = builder.udiv(a, builder.select(by_zero, types.splat(1, dtype), b))
        return builder.select(by_zero, ones, quotient)
    negates = builder.icmp_signed("==", b, ones)
    quotient = builder.sdiv(a, _safe_divisor(builder, types, dtype, b))
    quotient = builder.select(negates, builder.sub(zero, a), quotient)
    return builder.select(by_zero, ones, quotient)


def _rem(
    builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
) -> Any:
    """Return the remainder of integers; over zero it is the dividend."""
    if dtype.kind == "f":
        raise Unsupported("a remainder of floats has no native form")
    a, b = args
    by_zero = builder.icmp_signed("==", b, types.splat(0, dtype))
    divisor = _safe_divisor(builder, types, dtype, b)
    remainder = builder.srem(a, divisor) if dtype.kind == "i" else builder.urem(a, divisor)
    return builder.select(by_zero, a, remainder)


def _safe_divisor(builder: Any, types: VectorTypes, dtype: np.dtype[Any], b: Any) -> Any:
    """Replace by 1 the divisors that may trap: 0, and -1, which overflows for the least integer."""
    traps = builder.icmp_signed("==", b, types.splat(0, dtype))
    if dtype.kind == "i":
        traps = builder.or_(traps, builder.icmp_signed("==", b, types.splat(-1, dtype)))
    return builder.select(traps, types.splat(1, dtype), b)


def _select(builder: Any, types: VectorTypes, source: Any, dtype: Any, args: Sequence[Any]) -> Any:
    predicate, on_false, on_true = args
    return builder.select(predicate, on_true, on_false)


def _is_finite(
    builder: Any, types: VectorTypes, source: np.dtype[Any], dtype: Any, args: Sequence[Any]
) -> Any:
    magnitude = _intrinsic("llvm.fabs")(builder, types, source, source, args)
    return builder.fcmp_ordered("<", magnitude, types.splat(np.inf, source))


def _bitcast(
    builder: Any, types: VectorTypes, source: Any, dtype: np.dtype[Any], args: Sequence[Any]
) -> Any:
    if source.itemsize != dtype.itemsize:
        raise Unsupported("a bitcast between types of different size has no native form")
    return builder.bitcast(args[0], types.vector(dtype))


def _convert(
    builder: Any,
    types: VectorTypes,
    source: np.dtype[Any],
    dtype: np.dtype[Any],
    args: Sequence[Any],
) -> Any:
    """Convert between types; floats that exceed an integer type saturate, and NaN becomes zero."""
    [value], vector = args, types.vector(dtype)
    if dtype.kind == "b":
        zero = types.splat(0, source)
        not_equal = builder.fcmp_unordered if source.kind == "f" else builder.icmp_signed
        return not_equal("!=", value, zero)
    if source.kind == "f":
        name = "llvm.fptosi.sat" if dtype.kind == "i" else "llvm.fptoui.sat"
        overload = f"{name}.v{types.width}i{8 * dtype.itemsize}.v{types.width}f64"
        signature = ir.FunctionType(vector, [value.type])
        return builder.call(declare(builder, overload, signature), args)
    signed = source.kind == "i"
    if dtype.kind == "f":
        return builder.sitofp(value, vector) if signed else builder.uitofp(value, vector)
    if source.kind != "b" and dtype.itemsize == source.itemsize:
        return value
    if source.kind != "b" and dtype.itemsize < source.itemsize:
        return builder.trunc(value, vector)
    return builder.sext(value, vector) if signed else builder.zext(value, vector)


INSTRUCTIONS: Mapping[str, Instruction] = {
    **{op: _arithmetic(name) for op, name in ARITHMETIC.items()},
    **{op: _compare(sign) for op, sign in COMPARISONS.items()},
    **{op: _intrinsic(name) for op, name in INTRINSICS.items()},
    **{op: _method(name) for op, name in BITWISE.items()},
    "reciprocal": lambda builder, types, source, dtype, args: builder.fdiv(*args),
    "max": _min_max(">"),
    "min": _min_max("<"),
    "neg": _neg,
    "div": _div,
    "rem": _rem,
    "select_n": _select,
    "is_finite": _is_finite,
    "bitcast": _bitcast,
    "convert": _convert,
}
