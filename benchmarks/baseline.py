"""Earlier commits of this repository, in temporary worktrees, with their own packages if asked."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINES = Path(__file__).resolve().parent / "baselines.toml"


def commits() -> dict[str, str]:
    """Return the commits of `baselines.toml` by name."""
    entries = tomllib.loads(BASELINES.read_text(encoding="utf-8"))
    return {name: entry["commit"] for name, entry in entries.items()}


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check out a commit into a temporary worktree.

    Raises:
        RuntimeError: If the commit is not in the history, as in a shallow clone.
    """
    with tempfile.TemporaryDirectory(prefix="qsp-baseline-") as folder:
        worktree = Path(folder).resolve() / "worktree"
        done = _git("worktree", "add", "--detach", str(worktree), commit)
        if done.returncode:
            remedy = "Fetch the whole history: git fetch --unshallow"
            raise RuntimeError(f"commit {commit} cannot be checked out. {remedy}\n{done.stderr}")
        try:
            yield worktree
        finally:
            _git("worktree", "remove", "--force", str(worktree))


def environment(worktree: Path) -> Path:
    """Install the package of a worktree and the versions that it constrains into a new venv.

    Args:
        worktree: Root of the worktree; the venv is a folder in it.

    Returns:
        The interpreter of the venv.

    Raises:
        RuntimeError: If pip cannot install the package.
    """
    folder = worktree / ".venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = (str(python), "-m", "pip", "install", "--quiet", "-e", ".", "-c", "constraints.txt")
    done = subprocess.run(install, cwd=worktree, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the packages of {worktree} cannot be installed:\n{done.stderr}")
    return python


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
