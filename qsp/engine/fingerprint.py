"""Fingerprint of a program: equal fingerprints mean that JAX would trace the same program.

Tracing takes a second, so that a cached program is found by its fingerprint instead. It covers the
arguments, the code of this package as loaded, constants of its modules, the versions of the
packages that trace, their settings, and the processor. Functions are compared by their bytecode, so
that a changed file and a function replaced in a notebook both change the fingerprint.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeAlias

import jax
import numpy as np

from qsp.native.cache import Uncacheable
from qsp.native.codegen import target_description

PACKAGES = (
    *("qsp.engine", "qsp.native", "qsp.trial", "qsp.system", "qsp.interventions", "qsp.model"),
    *("qsp.drugs", "qsp.units", "qsp.libm", "qsp.typing", "qsp.errors"),
)
"""Modules from which a program is traced, with their submodules."""
TRACING_PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "optimistix", "lineax", "numpy", "scipy")
"""Packages whose version is part of a fingerprint."""
KNOWN_BY_VERSION = {*TRACING_PACKAGES, *sys.stdlib_module_names}
"""Packages whose functions are named only."""
OF_THE_CACHE = ("jax_compilation_cache", "jax_persistent_cache")
"""Beginnings of the names of settings of JAX that change no program."""
ADDRESS = " at 0x"
"""Part of the `repr` of a Python object that contains its address in this process."""
OF_PYTHON = ("__loader__", "__builtins__", "__annotate__", "__annotate_func__")
"""Callable attributes of modules and classes that change no program."""

Parts: TypeAlias = Iterator[str]


def fingerprint(*arguments: Any) -> str | None:
    """Return the fingerprint of a program, None if an argument has none.

    Args:
        *arguments: Everything on which the program depends besides code and settings. An object of
            a class outside this package has no fingerprint, because its code may change.
    """
    digest = hashlib.sha256(_digest_of_code())
    digest.update(repr((*_versions(), *_settings(), target_description())).encode())
    try:
        for part in _of_argument(arguments):
            digest.update(part.encode() + b"\n")
    except Uncacheable:
        return None
    return digest.hexdigest()


def _versions() -> Parts:
    yield sys.version
    for package in TRACING_PACKAGES:
        yield f"{package} {version(package)}"


def _settings() -> Parts:
    """Settings of JAX in this thread, and of Equinox."""
    for name in sorted(jax.config.values):
        if not name.startswith(OF_THE_CACHE):
            yield f"{name} {getattr(jax.config, name, jax.config.values[name])!r}"
    for name in sorted(os.environ):
        if name.startswith("EQX_"):
            yield f"{name} {os.environ[name]}"


def _of_argument(value: Any) -> Parts:
    """Parts of an argument.

    Raises:
        Uncacheable: If the argument has no fingerprint.
    """
    kind = type(value)
    yield f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, tuple | list):
        yield f"{len(value)}"
        for part in value:
            yield from _of_argument(part)
    elif isinstance(value, frozenset):
        yield repr(sorted(value))
    elif dataclasses.is_dataclass(value) and _is_within(kind.__module__):
        for field in dataclasses.fields(value):
            yield field.name
            yield from _of_argument(getattr(value, field.name))
    elif value is None or isinstance(value, bool | int | float | str | np.dtype):
        yield repr(value)
    else:
        raise Uncacheable(f"{kind.__qualname__} has no fingerprint")


def _digest_of_code() -> bytes:
    """Digest of the code and the constants of `PACKAGES` as loaded."""
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        if _is_within(name):
            for part in _parts(_names(vars(module)), name, {}):
                digest.update(part.encode() + b"\n")
    return digest.digest()


def _is_within(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in PACKAGES)


def _parts(value: Any, module: str, seen: dict[int, Any]) -> Parts:
    """Parts of a value of a module.

    Args:
        value: Value, such as a function, a class, or a constant.
        module: Name of the module. Classes of other modules are named only.
        seen: Objects that are under way or done, by their address; they keep it meanwhile.
    """
    value = _undecorated(value)
    if isinstance(value, str | bytes | int | float | types.NoneType):
        yield repr(value)
        return
    if isinstance(value, types.FunctionType | type):
        yield f"{value.__module__}.{value.__qualname__}"
    else:
        yield f"{type(value).__module__}.{type(value).__qualname__}"
    if id(value) not in seen:
        seen[id(value)] = value
        for member in _members_of_code(value, module) or _members(value):
            yield from _parts(member, module, seen)


def _undecorated(value: Any) -> Any:
    while not isinstance(value, types.FunctionType | type) and hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value


def _members_of_code(value: Any, module: str) -> Sequence[Any]:
    """Parts of a function or a class."""
    if isinstance(value, types.FunctionType):
        if str(value.__module__).partition(".")[0] in KNOWN_BY_VERSION:
            return ()
        closure = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        return value.__code__, value.__defaults__, value.__kwdefaults__, closure
    if isinstance(value, types.CodeType):
        names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        return value.co_code, names, value.co_consts
    if isinstance(value, type):
        return _names(vars(value)) if value.__module__ == module else ()
    if isinstance(value, property):
        return value.fget, value.fset
    if isinstance(value, staticmethod | classmethod):
        return (value.__func__,)
    if isinstance(value, functools.cached_property):
        return (value.func,)
    if isinstance(value, functools.partial):
        return value.func, value.args, value.keywords
    return ()


def _members(value: Any) -> Sequence[Any]:
    """Parts of a constant."""
    if isinstance(value, np.ndarray | jax.Array):
        return str(value.shape), str(value.dtype), np.asarray(value).tobytes()
    if isinstance(value, tuple | list):
        return value
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, types.ModuleType):
        return (value.__name__,)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    text = "" if isinstance(value, types.FunctionType | types.CodeType | type) else repr(value)
    return () if ADDRESS in text else (text,)


def _names(namespace: Mapping[str, Any]) -> list[Any]:
    """Names of a module or a class with their values, without those that Python adds."""
    return [
        item
        for item in sorted(namespace.items())
        if item[0] not in OF_PYTHON and not (item[0].startswith("__") and not callable(item[1]))
    ]


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises an error if it is empty
    except ValueError:
        return False
    return True
