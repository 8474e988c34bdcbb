"""Compiled programs, kept for the next process."""

from pathlib import Path

WORTH_KEEPING_S = 0.1
"""Programs that take less to compile are not kept."""


def enable_compile_cache(folder: Path) -> None:
    """Keep compiled programs there; called by the command line and by workers only.

    Shards that start at once may compile the same program; one broken or half-written is compiled
    again.
    """
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING_S)
