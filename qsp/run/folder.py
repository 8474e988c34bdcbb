"""Output folder of a run: it appears whole, and replaces nothing but an earlier run."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qsp.errors import ConfigError

RESULTS, REPORT, SUMMARY = "results.nc", "report.html", "summary.csv"
COHORT = "cohort.nc"
"""File of chosen patients in the folder of a cohort; see `qsp.populations.cohort_file`."""
STORE = "results.zarr"
"""Store with the results of a run in shards; see `qsp.cluster`."""


def check(out: Path, *, force: bool, may_force: bool = True) -> None:
    """Refuse an output folder that must not be written.

    Args:
        out: The folder.
        force: Whether to replace a run in the folder.
        may_force: Whether the command offers --force, for the remedy in the message.

    Raises:
        ConfigError: If the folder exists and `force` is false, or holds anything but a run.
    """
    if not out.exists():
        _check_parent(out)
        return
    if not out.is_dir():
        raise ConfigError(str(out), "--out must be a folder", "a file", "Name another folder")
    if not force:
        replaced = may_force and not (out / STORE).exists()
        todo = "Add --force to replace it, or name" if replaced else "Name"
        todo += " another folder with --out"
        raise ConfigError(str(out), "--out must not exist yet", "an existing folder", todo)
    if any(out.iterdir()) and not (out / RESULTS).exists():
        todo = "Name another folder with --out; --force replaces runs only"
        raise ConfigError(str(out), "--out must hold a run to be replaced", "something else", todo)


def _check_parent(out: Path) -> None:
    """Refuse an output folder whose nearest existing parent is not writable."""
    parent = next(path for path in out.absolute().parents if path.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        rule, todo = "--out must be in a folder that can be written", "Name another with --out"
        raise ConfigError(str(out), rule, f"in {parent}", todo)


@contextlib.contextmanager
def written(out: Path, *, force: bool) -> Iterator[Path]:
    """Write into a temporary folder, which becomes `out` when all files are complete.

    Args:
        out: The folder of the run.
        force: Whether to replace a run in the folder.

    Yields:
        A new folder next to `out`; it is removed if anything fails.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        _replace(fresh, out, force=force)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace(fresh: Path, out: Path, *, force: bool) -> None:
    check(out, force=force)
    if not out.exists():
        os.replace(fresh, out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    os.replace(out, old)  # replaces the empty folder
    try:
        os.replace(fresh, out)
    except OSError:
        os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)
