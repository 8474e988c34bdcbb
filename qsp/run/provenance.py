"""What a run rests on: versions, commit, and the command that repeats it."""

import subprocess
from pathlib import Path

import qsp


def git_commit() -> str:
    """Commit of the checkout the package is run from, marked where files differ.

    The text is empty outside a checkout.
    """
    root = Path(qsp.__file__).resolve().parent.parent
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return ""  # installed inside a checkout of somebody else
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{commit}-changed" if changed else commit


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
