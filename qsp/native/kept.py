"""Object code kept in a folder, by what it was made of."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jax.extend import core

from qsp.native import machine
from qsp.native.lowering import CALLS, elementary_programs

TRACED_BY = ("jax", "equinox", "numpy")
"""Packages that may trace another program of the same primitives."""
CHECK = 32
"""Bytes before the code that show that it is whole: damaged code would end the process."""


def kept(folder: Path | None, key: Callable[[], str], make: Callable[[], bytes]) -> bytes:
    """What a folder has, or else what is made, and put there.

    Args:
        folder: Without one, everything is made.
        key: What it depends on.
        make: Makes it.
    """
    if folder is None:
        return make()
    file = folder / f"native-{key()}"
    if file.is_file():
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
    """Of a traced program, of what is known of its inputs, and of all that makes code of it."""
    digest = hashlib.sha256()
    for part in _sources():
        digest.update(part)
    digest.update(machine.description().encode())
    digest.update(repr([(package, version(package)) for package in TRACED_BY]).encode())
    for part in inputs:
        digest.update(repr((part.shape, part.dtype.str, sorted(part.absent))).encode())
    for traced in (closed, *elementary_programs()):
        for word in _words(traced):
            digest.update(word)
            digest.update(b"\n")
    return digest.hexdigest()


def _sources() -> Iterable[bytes]:
    return (file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))


def _words(closed: Any) -> Iterable[bytes]:
    """A program as words, with its variables numbered in the order in which they come."""
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
        for key, value in eqn.params.items():
            yield key.encode()
            # Of what a call holds besides a program nothing is computed: its derivative, say.
            if eqn.primitive.name not in CALLS or key == CALLS[eqn.primitive.name]:
                yield from _parameter(value)
    yield b" ".join(map(name, jaxpr.outvars))


def _parameter(value: Any) -> Iterable[bytes]:
    if hasattr(value, "eqns") or hasattr(value, "consts"):
        yield from _words(value)
    elif isinstance(value, tuple) and value and hasattr(value[0], "jaxpr"):
        for part in value:
            yield from _words(part)
    else:
        yield repr(value).encode()
