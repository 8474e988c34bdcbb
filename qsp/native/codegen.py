"""Code generation for this processor by LLVM."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import gc
from collections.abc import Callable
from typing import Any

import llvmlite
from llvmlite import binding

OPT_LEVEL = 1
"""Level of code generation: high enough for a good register allocation, which long basic blocks
need. IR passes are not run, because the builder has already simplified the program."""


@dataclasses.dataclass(frozen=True)
class CompiledFunction:
    """A compiled function of three addresses: inputs, outputs, spill slots.

    Args:
        call: The function; it releases the GIL while it runs.
        engine: Owner of the code, which is freed with it.
    """

    call: Callable[[int, int, int], None]
    engine: Any


def register_width() -> int:
    """Number of float64 lanes in a vector register of this processor."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512dq"):
        return 8
    return 4 if features.get("avx2") else 2


def processor() -> str:
    """LLVM's name of this processor."""
    return str(binding.get_host_cpu_name())


@functools.cache
def target_description() -> str:
    """Compiler version, level, processor and features: what machine code depends on besides IR."""
    features = binding.get_host_cpu_features().flatten()
    return f"{llvmlite.__version__} {OPT_LEVEL} {processor()} {features}"


def compile_ir(text: str) -> bytes:
    """Compile a module of LLVM IR to object code."""
    return _target_machine().emit_object(binding.parse_assembly(text))


def release_memory() -> None:
    """Return memory that tracing and compilation have freed to the system: up to half a gigabyte.

    Only the C library of GNU keeps so much; others have no such function.
    """
    gc.collect()  # instructions of LLVM refer to each other
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def load(code: bytes, name: str) -> CompiledFunction:
    """Load a function of object code into this process."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)
    return CompiledFunction(signature(engine.get_function_address(name)), engine)


def _target_machine() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=OPT_LEVEL,
        jit=True,
    )
