"""Cache of compiled programs between processes: the choice of its folder, and how to enable it.

Two kinds of programs share the folder: those of `qsp.native`, and those that JAX caches itself.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

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


@contextlib.contextmanager
def jax_cache() -> Iterator[None]:
    """Let JAX cache its compiled programs in the folder of this user, within a scope.

    Nothing changes where JAX is configured to use a folder, or where nothing is cached. JAX opens
    its cache once per process, so it is reset at both ends of the scope.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    folder = user_cache_dir()
    if jax.config.values["jax_compilation_cache_dir"] or folder is None:
        yield
        return
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: jax.config.values[name] for name in names}
    compilation_cache.reset_cache()
    enable_jax_cache(folder, worth_caching_s=0.0)  # dozens of small programs take a second
    try:
        yield
    finally:
        for name, value in before.items():
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
