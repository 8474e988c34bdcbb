"""The folder of a run: it appears whole, replaces only a run, and leaves nothing half-written."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qsp.errors import ConfigError

RESULTS, REPORT, SUMMARY = "results.nc", "report.html", "summary.csv"
STORE = "results.zarr"
"""Results of a run in shards; see `qsp.cluster`."""


def check(out: Path, *, force: bool, may_force: bool = True) -> None:
    """Refuse a folder that must not be written.

    Args:
        out: The folder.
        force: Whether to replace a run that is there.
        may_force: Whether that can be asked for.

    Raises:
        ConfigError: If it exists and `force` is not given, or holds something else than a run.
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
        raise ConfigError(str(out), "--out must not exist yet", "there already", todo)
    if any(out.iterdir()) and not (out / RESULTS).exists():
        todo = "Name another folder with --out; --force replaces runs only"
        raise ConfigError(str(out), "--out must hold a run to be replaced", "something else", todo)


def _check_parent(out: Path) -> None:
    """The nearest folder that is there must take new ones."""
    parent = next(path for path in out.absolute().parents if path.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        rule, todo = "--out must be in a folder that can be written", "Name another with --out"
        raise ConfigError(str(out), rule, f"in {parent}", todo)


@contextlib.contextmanager
def written(out: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write into, that becomes `out` once everything is there.

    Args:
        out: The folder of the run.
        force: Whether to replace a run that is there.

    Yields:
        A new folder beside `out`, removed if anything fails.
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
    os.replace(out, old)  # an empty folder may be replaced by another
    try:
        os.replace(fresh, out)
    except OSError:
        os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)
