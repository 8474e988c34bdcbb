"""Cache of compiled programs between processes: the choice of its folder, and how to enable it.

Two kinds of programs share the folder: those of `qsp.native`, and those that JAX caches itself.
"""

import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

VARIABLE = "QSP_CACHE_DIR"
"""Environment variable that names the folder of this user; where it is empty nothing is cached."""

WORTH_CACHING_S = 0.1
"""Programs of JAX that compile faster than this are not cached [s]."""

CacheDir: TypeAlias = Path | Literal["default"] | None
"""A folder, "default" for `default_cache_dir()`, or None to cache nothing."""


def chosen(cache_dir: CacheDir) -> Path | None:
    """Return the folder to use, None where nothing is cached.

    Args:
        cache_dir: Choice of the caller.
    """
    return default_cache_dir() if cache_dir == "default" else cache_dir


def default_cache_dir() -> Path | None:
    """Return the folder that JAX is configured to use, else the folder of this user."""
    import jax

    return jax_cache_dir() if jax.config.values["jax_compilation_cache_dir"] else user_cache_dir()


def jax_cache_dir() -> Path | None:
    """Return the folder that JAX is configured to use, as by `JAX_COMPILATION_CACHE_DIR`."""
    import jax

    settings = jax.config.values
    folder = settings["jax_compilation_cache_dir"]
    return Path(folder) if folder and settings["jax_enable_compilation_cache"] else None


def enable_jax_cache(folder: Path, worth_caching_s: float = WORTH_CACHING_S) -> None:
    """Let JAX cache its compiled programs in a folder, for the rest of the process.

    Only the command line, workers and `jax_cache` call this. Workers that start together may
    compile the same program; a broken or unfinished file is compiled again.

    Args:
        folder: Folder of the cache.
        worth_caching_s: Programs that compile faster than this are not cached [s].
    """
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", worth_caching_s)


@dataclasses.dataclass
class _Scopes:
    """Open scopes of `jax_cache` over all threads: the settings of JAX belong to the process.

    Args:
        count: Number of open scopes.
        own: Settings that the first scope made, by name; empty if it made none.
        before: Settings before it.
        lock: Held while these change.
    """

    count: int = 0
    own: dict[str, Any] = dataclasses.field(default_factory=dict)
    before: dict[str, Any] = dataclasses.field(default_factory=dict)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


_SCOPES = _Scopes()


@contextlib.contextmanager
def jax_cache() -> Iterator[None]:
    """Let JAX cache its compiled programs in the folder of this user, within a scope.

    Nothing changes where JAX is configured to use a folder, or where nothing is cached. The first
    of several scopes, in this thread and others, changes the settings, and the last one restores
    those that the caller has not changed meanwhile.
    """
    with _SCOPES.lock:
        if not _SCOPES.count:
            _open(_SCOPES)
        _SCOPES.count += 1
    try:
        yield
    finally:
        with _SCOPES.lock:
            _SCOPES.count -= 1
            if not _SCOPES.count:
                _close(_SCOPES)


def _open(scopes: _Scopes) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    folder, settings = user_cache_dir(), jax.config.values
    scopes.own, scopes.before = {}, {}
    if settings["jax_compilation_cache_dir"] or folder is None:
        return
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    scopes.before = {name: settings[name] for name in names}
    compilation_cache.reset_cache()  # JAX opens its cache once per process
    enable_jax_cache(folder, worth_caching_s=0.0)  # dozens of small programs take a second
    scopes.own = {name: jax.config.values[name] for name in names}


def _close(scopes: _Scopes) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    if not scopes.own:
        return
    for name, value in scopes.before.items():
        if jax.config.values[name] == scopes.own[name]:
            jax.config.update(name, value)
    compilation_cache.reset_cache()


def user_cache_dir() -> Path | None:
    """Return the folder of this user: `QSP_CACHE_DIR`, else that of the platform for caches."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    try:
        return _platform_cache_dir() / "qsp" / "compiled"
    except RuntimeError:  # a user without a home folder
        return None


def _platform_cache_dir() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
