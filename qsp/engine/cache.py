"""The folder in which compiled programs are cached between processes."""

import os
import sys
from pathlib import Path
from typing import Literal, TypeAlias

VARIABLE = "QSP_CACHE_DIR"
"""Environment variable that names the folder of this user; where it is empty nothing is cached."""

CacheDir: TypeAlias = Path | Literal["default"] | None
"""A folder, `default_cache_dir()`, or no folder."""


def chosen(cache_dir: CacheDir) -> Path | None:
    """The folder to use, or None where nothing is cached.

    Args:
        cache_dir: As a caller names it.
    """
    return default_cache_dir() if cache_dir == "default" else cache_dir


def default_cache_dir() -> Path | None:
    """The folder that JAX is configured to use, else that of this user."""
    import jax

    return jax_cache_dir() if jax.config.values["jax_compilation_cache_dir"] else user_cache_dir()


def jax_cache_dir() -> Path | None:
    """The folder that JAX is configured to use, by `JAX_COMPILATION_CACHE_DIR` for example."""
    import jax

    settings = jax.config.values
    folder = settings["jax_compilation_cache_dir"]
    return Path(folder) if folder and settings["jax_enable_compilation_cache"] else None


def user_cache_dir() -> Path | None:
    """The folder of this user: `QSP_CACHE_DIR`, else the place for caches on this platform."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    try:
        return _platform_cache_dir() / "qsp" / "compiled"
    except RuntimeError:  # a user without a home
        return None


def _platform_cache_dir() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
