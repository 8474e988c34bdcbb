"""A JAX program of one lane, compiled for many lanes side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from llvmlite import ir

from qsp.native import codegen as machine
from qsp.native.builder import Scalars
from qsp.native.cache import identity, kept
from qsp.native.codegen import Code
from qsp.native.instructions import ADDRESS, SLOT, Types
from qsp.native.lowering import interpreted
from qsp.native.shape_ops import Indices

NAME = "lanes"


@dataclasses.dataclass(frozen=True)
class Shape:
    """Shape and type of one array of a lane, and what is known of its elements.

    Args:
        shape: Shape.
        dtype: Type.
        absent: Elements, counted in the order of the array, that are zero in every lane there is.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    absent: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class Program:
    """What `build` makes.

    Args:
        code: The machine code.
        width: Lanes computed at once.
        inputs: Arrays of a lane that it takes.
        outputs: Arrays of a lane that it gives.
        tree: Structure of the result.
        rooms: Scalars it keeps in memory.
    """

    code: Code
    width: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    tree: Any
    rooms: int

    def __call__(self, *arguments: Any) -> Any:
        """Results of a number of lanes that is a multiple of the width; the lane axis leads."""
        leaves = jax.tree.leaves(arguments)
        count = len(leaves[0])
        rows = np.concatenate(
            [_numbers(leaf, part) for leaf, part in zip(leaves, self.inputs, strict=True)], axis=1
        )
        given = self._side_by_side(rows)
        size = sum(part.size for part in self.outputs)
        made = _aligned((count // self.width, size, self.width))
        memory = _aligned((max(self.rooms, 1), self.width))
        for inputs, outputs in zip(given, made, strict=True):
            self.code.call(inputs.ctypes.data, outputs.ctypes.data, memory.ctypes.data)
        rows = np.ascontiguousarray(made.transpose(0, 2, 1)).reshape(count, size)
        return jax.tree.unflatten(self.tree, self._split(rows))

    def _side_by_side(self, rows: np.ndarray) -> np.ndarray:
        """Rows of lanes as a processor reads them: a number of one lane beside that of the next."""
        groups = rows.reshape(-1, self.width, rows.shape[1])
        result = _aligned((len(groups), rows.shape[1], self.width))
        result[...] = groups.transpose(0, 2, 1)
        return result

    def _split(self, rows: np.ndarray) -> list[np.ndarray]:
        """Arrays of the rows."""
        leaves, first = [], 0
        for part in self.outputs:
            values = rows[:, first : first + part.size]
            if part.dtype.kind != "f":
                values = np.ascontiguousarray(values).view(np.int64).astype(part.dtype)
            leaves.append(values.reshape((len(rows), *part.shape)))
            first += part.size
        return leaves


def _numbers(leaf: Any, part: Shape) -> np.ndarray:
    """Lanes of an array as rows of 64 bits, whatever they stand for."""
    rows = np.asarray(leaf).reshape(len(leaf), part.size)
    return rows if part.dtype.kind == "f" else rows.astype(np.int64).view(np.float64)


def build(
    function: Callable[..., Any],
    arguments: Any,
    inputs: Sequence[Shape],
    folder: Path | None = None,
) -> Program:
    """Compile a function of one lane.

    Args:
        function: Of JAX arrays.
        arguments: Its arguments, in shape and type.
        inputs: What is known of the leaves of the arguments.
        folder: Where compiled programs are kept.

    Raises:
        Unsupported: If the function holds something that has no native form.
    """
    with jax.enable_x64(True):
        closed, out = jax.make_jaxpr(function, return_shape=True)(*arguments)
    outputs = tuple(Shape(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(out))

    def made() -> bytes:
        text, rooms = _module(closed, inputs)
        return rooms.to_bytes(SLOT, "little") + machine.assembled(text)

    code = kept(folder, lambda: identity(closed, inputs), made)
    rooms = int.from_bytes(code[:SLOT], "little")
    return Program(
        machine.loaded(code[SLOT:], NAME),
        machine.register_width(),
        tuple(inputs),
        outputs,
        jax.tree.structure(out),
        rooms,
    )


def _module(closed: Any, inputs: Sequence[Shape]) -> tuple[str, int]:
    """The program in the language of LLVM, and the scalars that it keeps in memory."""
    types = Types(machine.register_width())
    module = ir.Module("program")
    kind = ir.FunctionType(ir.VoidType(), [ADDRESS] * 3)
    function = ir.Function(module, kind, NAME)
    given, made, memory = function.args
    for argument in function.args:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block())
    scalars = Scalars(builder, types, memory)
    args, slot = [], 0
    for part in inputs:
        args.append(_input(scalars, part, given, slot))
        slot += part.size
    with np.errstate(all="ignore"):
        results = interpreted(scalars, closed.jaxpr, closed.consts, args)
    for n, i in enumerate(int(i) for part in results for i in part.ravel()):
        types.store(scalars.builder, scalars.register(i), made, n)
    scalars.builder.ret_void()
    return str(module), scalars.rooms


def _input(scalars: Scalars, part: Shape, given: Any, first: int) -> Indices:
    def loader(slot: int) -> Callable[[Any], Any]:
        return lambda builder: scalars.types.load(builder, given, slot, part.dtype)

    numbers = [
        scalars.constant(0, part.dtype)
        if n in part.absent
        else scalars.new(part.dtype, loader(first + n))
        for n in range(part.size)
    ]
    return np.array(numbers, np.int64).reshape(part.shape)


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Room for numbers, at an address that vector registers load from."""
    align = SLOT * shape[-1]
    raw = np.empty(math.prod(shape) * SLOT + align, np.uint8)
    first = -raw.ctypes.data % align
    return raw[first : first + math.prod(shape) * SLOT].view(np.float64).reshape(shape)
