"""Cache of object code in a folder, keyed by a digest of the traced program and of the target."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.extend import core

from qsp.native import codegen
from qsp.native.lowering import CALLS, elementary_jaxprs

TRACING_PACKAGES = ("jax", "equinox", "numpy")
"""Packages whose version is part of a key: another one may trace the same names otherwise."""
CALLBACKS = ("pure_callback", "io_callback", "debug_callback")
"""Primitives that call Python. They are never compiled: lowering leaves out their branches."""
ADDRESS = b" at 0x"
"""Part of the `repr` of a Python object that contains its address in this process."""
DIGEST_BYTES = 32
"""Length of the checksum before the code: running damaged code would end the process."""


class Uncacheable(Exception):  # noqa: N818 - a program without a key is no error
    """The program has no key that identifies it in other processes."""


def load_or_compile(file: Path | None, compile_code: Callable[[], bytes]) -> bytes:
    """Return object code from the cache; compile and store it if it is missing or damaged.

    Args:
        file: File of the code; None disables the cache.
        compile_code: Compiles the code.
    """
    code = None if file is None else read(file)
    if code is None:
        code = compile_code()
        if file is not None:
            write(file, code)
    return code


def program_file(folder: Path | None, closed: Any, inputs: Sequence[Any]) -> Path | None:
    """Return the file of a traced program, None if there is no folder or the program has no key.

    Args:
        folder: Folder of the cache, if any.
        closed: Closed jaxpr of the program.
        inputs: Shape, type and absent elements of its inputs.
    """
    if folder is None:
        return None
    try:
        return folder / f"native-{program_key(closed, inputs)}"
    except Uncacheable:
        return None


def read(file: Path) -> bytes | None:
    """Return the content of a file that `write` wrote, None if it is missing or damaged."""
    with contextlib.suppress(OSError):  # no such file, or an unreadable one
        content = file.read_bytes()
        if hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
            return content[DIGEST_BYTES:]
    return None


def write(file: Path, content: bytes) -> None:
    """Write a file with a checksum; a folder that is read-only or full stores nothing."""
    with contextlib.suppress(OSError):
        _write_atomically(file, hashlib.sha256(content).digest() + content)


def _write_atomically(file: Path, content: bytes) -> None:
    """Write a file that other processes see complete or not at all; several may write it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=".native-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(partial, file)
    except OSError:  # such as a full disk
        os.unlink(partial)
        raise


def program_key(closed: Any, inputs: Sequence[Any]) -> str:
    """Return the key of a traced program, the same in every process that traces it.

    The key covers the source of this package, the elementary functions, the compiler, the
    processor, the tracing packages, the inputs and the jaxpr.

    Args:
        closed: Closed jaxpr of the program.
        inputs: Shape, type and absent elements of its inputs; see `qsp.native.Shape`.

    Raises:
        Uncacheable: If a parameter of the jaxpr is identified only by its address in memory.
    """
    digest = hashlib.sha256()
    for content in _sources():
        digest.update(content)
    digest.update(codegen.target_description().encode())
    digest.update(repr([(package, version(package)) for package in TRACING_PACKAGES]).encode())
    for shape in inputs:
        digest.update(repr((shape.shape, shape.dtype.str, sorted(shape.absent))).encode())
    for traced in (closed, *elementary_jaxprs()):
        for part in serialize(traced):
            digest.update(part)
            digest.update(b"\n")
    return digest.hexdigest()


def _sources() -> Iterable[bytes]:
    return (file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))


def serialize(closed: Any) -> Iterable[bytes]:
    """Yield the parts of a jaxpr as bytes, with variables numbered in order of appearance.

    Args:
        closed: Jaxpr, closed or open.

    Raises:
        Uncacheable: If a parameter of the jaxpr is identified only by its address in memory.
    """
    jaxpr, consts = (closed.jaxpr, closed.consts) if hasattr(closed, "consts") else (closed, ())
    number: dict[Any, int] = {}

    def name(atom: Any) -> bytes:
        if isinstance(atom, core.Literal):
            value = np.asarray(atom.val)
            return value.dtype.str.encode() + value.tobytes()
        return b"%%%d" % number.setdefault(atom, len(number))

    for value in map(np.asarray, consts):
        yield repr((value.shape, value.dtype.str)).encode() + value.tobytes()
    yield b" ".join(map(name, [*jaxpr.constvars, *jaxpr.invars]))
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name.encode()
        yield b" ".join(map(name, [*eqn.invars, *eqn.outvars]))
        yield repr([(v.aval.shape, v.aval.dtype.str) for v in eqn.outvars]).encode()
        yield from _serialize_params(eqn)
    yield b" ".join(map(name, jaxpr.outvars))


def _serialize_params(eqn: Any) -> Iterable[bytes]:
    """Yield the parameters that affect the code; of a call this is the jaxpr it calls."""
    name = eqn.primitive.name
    if name in CALLBACKS:
        return
    for key, value in eqn.params.items():
        if name not in CALLS or key == CALLS[name]:
            yield key.encode()
            yield from _serialize_value(value)


def _serialize_value(value: Any) -> Iterable[bytes]:
    if hasattr(value, "eqns") or hasattr(value, "consts"):
        yield from serialize(value)
    elif isinstance(value, tuple | list):
        yield b"%d parts" % len(value)
        for part in value:
            yield from _serialize_value(part)
    elif isinstance(value, Mapping):
        yield b"%d pairs" % len(value)
        for key, part in value.items():
            yield from _serialize_value(key)
            yield from _serialize_value(part)
    elif isinstance(value, np.ndarray | jax.Array):  # `repr` abbreviates a long array
        yield repr((value.shape, np.dtype(value.dtype).str)).encode() + np.asarray(value).tobytes()
    else:
        text = repr(value).encode()
        if ADDRESS in text:
            raise Uncacheable(f"{type(value).__qualname__} is identified only by its address")
        yield text
