"""Compiled programs of a run, kept in its folder and shared by its shards."""

from pathlib import Path


def keep_compiled(folder: Path) -> None:
    """Keep compiled programs there; called by the command line and by workers only.

    Shards that start at once may compile the same program; one broken or half-written is compiled
    again.
    """
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
