"""Compilation of a JAX function of one simulation to a program that runs many in vector lanes."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from llvmlite import ir

from qsp.native import cache, codegen
from qsp.native.builder import ScalarBuilder
from qsp.native.codegen import CompiledFunction
from qsp.native.instructions import ADDRESS, SLOT, VectorTypes
from qsp.native.lowering import lower_jaxpr
from qsp.native.shape_ops import ScalarIds
from qsp.stages import Stage, unmeasured

NAME = "lanes"
"""Symbol of the compiled function."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Shape and type of one array of a simulation, and its elements that are always zero.

    Args:
        shape: Shape.
        dtype: Type.
        absent: Flat indices of the elements that are zero in every simulation; they are folded to
            constants.
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
    """A compiled program; see `build`.

    Args:
        code: The machine code.
        width: Simulations per vector register.
        inputs: Arrays of a simulation that the program takes.
        outputs: Arrays of a simulation that it returns.
        tree: Tree structure of the result.
        slots: Number of spill slots.
    """

    code: CompiledFunction
    width: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    tree: Any
    slots: int

    def __call__(self, *arguments: Any) -> Any:
        """Run simulations.

        Args:
            *arguments: Arguments of the function, every leaf with a leading simulation axis whose
                length is a multiple of the width.

        Returns:
            The result of the function, every leaf with a leading simulation axis.
        """
        leaves = jax.tree.leaves(arguments)
        count = len(leaves[0])
        rows = np.concatenate(
            [_as_doubles(leaf, shape) for leaf, shape in zip(leaves, self.inputs, strict=True)],
            axis=1,
        )
        inputs = self._interleave(rows)
        size = sum(shape.size for shape in self.outputs)
        outputs = _aligned_empty((count // self.width, size, self.width))
        memory = _aligned_empty((max(self.slots, 1), self.width))
        for group_in, group_out in zip(inputs, outputs, strict=True):
            self.code.call(group_in.ctypes.data, group_out.ctypes.data, memory.ctypes.data)
        rows = np.ascontiguousarray(outputs.transpose(0, 2, 1)).reshape(count, size)
        return jax.tree.unflatten(self.tree, self._split(rows))

    def _interleave(self, rows: np.ndarray) -> np.ndarray:
        """Arrange (simulation, scalar) as (group, scalar, lane), the layout of vector registers."""
        groups = rows.reshape(-1, self.width, rows.shape[1])
        result = _aligned_empty((len(groups), rows.shape[1], self.width))
        result[...] = groups.transpose(0, 2, 1)
        return result

    def _split(self, rows: np.ndarray) -> list[np.ndarray]:
        """Split (simulation, scalar) into the output arrays."""
        leaves, first = [], 0
        for shape in self.outputs:
            values = rows[:, first : first + shape.size]
            if shape.dtype.kind != "f":
                values = np.ascontiguousarray(values).view(np.int64).astype(shape.dtype)
            leaves.append(values.reshape((len(rows), *shape.shape)))
            first += shape.size
        return leaves


def _as_doubles(leaf: Any, shape: Shape) -> np.ndarray:
    """Return an array as (simulation, scalar) of 64 bits each; integers keep their bits."""
    rows = np.asarray(leaf).reshape(len(leaf), shape.size)
    return rows if shape.dtype.kind == "f" else rows.astype(np.int64).view(np.float64)


def build(
    function: Callable[..., Any],
    arguments: Any,
    inputs: Sequence[Shape],
    folder: Path | None = None,
    fingerprint: str | None = None,
    *,
    stage: Stage = unmeasured,
) -> Program:
    """Compile a function of one simulation.

    Args:
        function: Function of JAX arrays.
        arguments: Shapes and types of its arguments, as `jax.ShapeDtypeStruct`.
        inputs: The leaves of the arguments, with their absent elements.
        folder: Folder of compiled programs; None disables the cache.
        fingerprint: Text that identifies function, arguments and inputs in all processes; a program
            in the cache is then loaded without tracing the function.
        stage: Entered for each stage of the compilation.

    Raises:
        Unsupported: If the function uses a primitive or a type that has no native form.
    """
    entry = None if folder is None or fingerprint is None else folder / f"traced-{fingerprint}"
    with stage("program"):
        found = _recalled(entry)
    if found is None:
        found = _traced(function, arguments, inputs, folder, entry, stage)
        codegen.release_memory()
    code, result = found
    outputs, tree = jax.tree.flatten(result)
    return Program(
        code=codegen.load(code[SLOT:], NAME),
        width=codegen.register_width(),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        tree=tree,
        slots=int.from_bytes(code[:SLOT], "little"),
    )


def is_cached(folder: Path, fingerprint: str) -> bool:
    """Return whether `build` would load a program from the cache.

    Args:
        folder: Folder of compiled programs.
        fingerprint: Text that identifies the program, as for `build`.
    """
    return _recalled(folder / f"traced-{fingerprint}") is not None


def _recalled(entry: Path | None) -> tuple[bytes, Any] | None:
    """Code and `Shape` of each result of a program that was traced before, if both are cached."""
    content = None if entry is None else cache.read(entry)
    if entry is None or content is None:
        return None
    # The folder is trusted: it also holds the machine code that this process executes.
    name, result = pickle.loads(content)
    code = cache.read(entry.with_name(name))
    return None if code is None else (code, result)


def _traced(
    function: Callable[..., Any],
    arguments: Any,
    inputs: Sequence[Shape],
    folder: Path | None,
    entry: Path | None,
    stage: Stage,
) -> tuple[bytes, Any]:
    """Code and `Shape` of each result of a program; the entry names the file of the code."""
    with stage("tracing"), jax.enable_x64(True):
        closed, out = jax.make_jaxpr(function, return_shape=True)(*arguments)
    result = jax.tree.map(lambda leaf: Shape(leaf.shape, leaf.dtype), out)

    def compile_code() -> bytes:
        with stage("lowering"):
            text, slots = _emit_module(closed, inputs)
        with stage("LLVM"):
            return slots.to_bytes(SLOT, "little") + codegen.compile_ir(text)

    file = cache.program_file(folder, closed, inputs)
    code = cache.load_or_compile(file, compile_code)
    if entry is not None and file is not None:
        cache.write(entry, pickle.dumps((file.name, result)))
    return code, result


def _emit_module(closed: Any, inputs: Sequence[Shape]) -> tuple[str, int]:
    """Return the program in LLVM IR, and its number of spill slots."""
    types = VectorTypes(codegen.register_width())
    module = ir.Module("program")
    signature = ir.FunctionType(ir.VoidType(), [ADDRESS] * 3)
    function = ir.Function(module, signature, NAME)
    source, target, memory = function.args
    for argument in function.args:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block())
    scalars = ScalarBuilder(builder, types, memory)
    args, first = [], 0
    for shape in inputs:
        args.append(_input_scalars(scalars, shape, source, first))
        first += shape.size
    with np.errstate(all="ignore"):
        results = lower_jaxpr(scalars, closed.jaxpr, closed.consts, args)
    for n, i in enumerate(int(i) for result in results for i in result.ravel()):
        types.store(scalars.builder, scalars.register(i), target, n)
    scalars.builder.ret_void()
    return str(module), scalars.slot_count


def _input_scalars(scalars: ScalarBuilder, shape: Shape, source: Any, first: int) -> ScalarIds:
    """Return the scalars of an input: constant zeros, or loads at their first use."""

    def loader(place: int) -> Callable[[Any], Any]:
        return lambda builder: scalars.types.load(builder, source, place, shape.dtype)

    ids = [
        scalars.constant(0, shape.dtype)
        if n in shape.absent
        else scalars.new(shape.dtype, loader(first + n))
        for n in range(shape.size)
    ]
    return np.array(ids, np.int64).reshape(shape.shape)


def _aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialized float64 array, aligned for vector registers of its last axis."""
    align = SLOT * shape[-1]
    raw = np.empty(math.prod(shape) * SLOT + align, np.uint8)
    first = -raw.ctypes.data % align
    return raw[first : first + math.prod(shape) * SLOT].view(np.float64).reshape(shape)
