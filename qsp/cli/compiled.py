"""Cache of compiled programs of the command line."""

from __future__ import annotations

from pathlib import Path


def cache_compiled_programs() -> Path | None:
    """Enable the default cache of compiled programs, which Python callers share.

    Nothing else is written outside the output folder.

    Returns:
        The folder of the cache; None if caching is disabled.
    """
    from qsp.engine.cache import default_cache_dir, enable_jax_cache

    folder = default_cache_dir()
    if folder is not None:
        enable_jax_cache(folder)
    return folder
