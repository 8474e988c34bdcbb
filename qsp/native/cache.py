"""Object code kept in a folder, by what it was made of."""

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

from qsp.native import codegen as machine
from qsp.native.lowering import CALLS, elementary_programs

TRACED_BY = ("jax", "equinox", "numpy")
"""Packages that may trace another program of the same primitives."""
CALLBACKS = ("pure_callback", "io_callback", "debug_callback")
"""Primitives that call Python. None is ever compiled: a branch that ends in one is left out."""
ADDRESS = b" at 0x"
"""Part of the text of a Python object that is known by its address in this process."""
CHECK = 32
"""Bytes before the code that show that it is whole: damaged code would end the process."""


class Unidentified(Exception):  # noqa: N818 - a program without a key is no error
    """A program that no key identifies in another process."""


def kept(folder: Path | None, key: Callable[[], str], make: Callable[[], bytes]) -> bytes:
    """Object code from a folder, or else made and stored there.

    Args:
        folder: Where code is cached; without one it is always made.
        key: Identifies the code; where it raises `Unidentified`, the code is made and not stored.
        make: Makes the code.
    """
    if folder is None:
        return make()
    try:
        file = folder / f"native-{key()}"
    except Unidentified:
        return make()
    with contextlib.suppress(OSError):  # no such file, or one that cannot be read
        found = file.read_bytes()
        if hashlib.sha256(found[CHECK:]).digest() == found[:CHECK]:
            return found[CHECK:]
    made = make()
    with contextlib.suppress(OSError):  # a folder that cannot be written to keeps nothing
        _keep(file, hashlib.sha256(made).digest() + made)
    return made


def _keep(file: Path, content: bytes) -> None:
    """Several processes may do this at once: the file appears whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=".native-")
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    os.replace(partial, file)


def identity(closed: Any, inputs: Sequence[Any]) -> str:
    """Key of a traced program, the same in every process that traces the same program.

    Args:
        closed: The program.
        inputs: What is known of its inputs; see `qsp.native.Shape`.

    Raises:
        Unidentified: If a parameter of the program is known by its address in memory alone.
    """
    digest = hashlib.sha256()
    for part in _sources():
        digest.update(part)
    digest.update(machine.description().encode())
    digest.update(repr([(package, version(package)) for package in TRACED_BY]).encode())
    for part in inputs:
        digest.update(repr((part.shape, part.dtype.str, sorted(part.absent))).encode())
    for traced in (closed, *elementary_programs()):
        for word in words(traced):
            digest.update(word)
            digest.update(b"\n")
    return digest.hexdigest()


def _sources() -> Iterable[bytes]:
    return (file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))


def words(closed: Any) -> Iterable[bytes]:
    """A program as words, with its variables numbered in the order in which they come.

    Args:
        closed: The program, with or without values of its constants.

    Raises:
        Unidentified: If a parameter of the program is known by its address in memory alone.
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
        yield from _parameters(eqn)
    yield b" ".join(map(name, jaxpr.outvars))


def _parameters(eqn: Any) -> Iterable[bytes]:
    """The parameters from which code is made, by name.

    A call is compiled from its program alone, not from its derivative for example.
    """
    name = eqn.primitive.name
    if name in CALLBACKS:
        return
    for key, value in eqn.params.items():
        if name not in CALLS or key == CALLS[name]:
            yield key.encode()
            yield from _parameter(value)


def _parameter(value: Any) -> Iterable[bytes]:
    if hasattr(value, "eqns") or hasattr(value, "consts"):
        yield from words(value)
    elif isinstance(value, tuple | list):
        yield b"%d parts" % len(value)
        for part in value:
            yield from _parameter(part)
    elif isinstance(value, Mapping):
        yield b"%d pairs" % len(value)
        for key, part in value.items():
            yield from _parameter(key)
            yield from _parameter(part)
    elif isinstance(value, np.ndarray | jax.Array):  # the text of a long array leaves numbers out
        yield repr((value.shape, np.dtype(value.dtype).str)).encode() + np.asarray(value).tobytes()
    else:
        text = repr(value).encode()
        if ADDRESS in text:
            raise Unidentified(f"{type(value).__qualname__} is known by its address alone")
        yield text
