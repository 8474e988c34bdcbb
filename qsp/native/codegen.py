"""Machine code for this processor, by LLVM."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import llvmlite
from llvmlite import binding

SPEED = 1
"""Level of code generation: registers are allocated with care, which the instructions need. The
passes before it are left out; what they would do has been done when a program is built."""


@dataclasses.dataclass(frozen=True)
class Code:
    """A compiled function of three addresses: inputs, outputs, memory.

    Args:
        call: The function; it lets other threads run.
        engine: Owns the code, which lives as long as this does.
    """

    call: Callable[[int, int, int], None]
    engine: Any


def register_width() -> int:
    """Numbers in float64 that fit into a vector register of this processor."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512dq"):
        return 8
    return 4 if features.get("avx2") else 2


def processor() -> str:
    """Name of this processor's kind, as LLVM calls it."""
    return str(binding.get_host_cpu_name())


@functools.cache
def description() -> str:
    """Of everything that code depends on besides the program."""
    features = binding.get_host_cpu_features().flatten()
    return f"{llvmlite.__version__} {SPEED} {processor()} {features}"


def assembled(text: str) -> bytes:
    """Object code of a module in the language of LLVM."""
    return _machine().emit_object(binding.parse_assembly(text))


def loaded(code: bytes, name: str) -> Code:
    """A function of object code."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)
    return Code(kind(engine.get_function_address(name)), engine)


def _machine() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=SPEED,
        jit=True,
    )
