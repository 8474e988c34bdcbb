"""Speed of this checkout relative to an earlier commit, in the case of `throughput.py`. JSON lines.

    .venv/bin/python benchmarks/against_baseline.py [--baseline model-1] [--patients 256]

`baselines.toml` names the commits. The baseline is checked out from the git history into a
temporary worktree. Each version runs its own `throughput.py` on its own config, in a new process,
with the native backend and all cores: every patient in every arm of the main job, without
trajectories. The versions take turns, and figures are medians over the repeats, without
compilation. The ratio thus includes changes of the model and of the solver as well as of the code.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from isolated import is_complete, run_isolated
from rows import Row, emit, ratio

ROOT = Path(__file__).resolve().parent.parent
BASELINES = Path(__file__).resolve().parent / "baselines.toml"
RATE = "patient_arms_per_s"
CURRENT = "this checkout"
KEYS = (
    *("bench", "method", "device", "backend", "rtol", "patients", "arms", "days", "workers"),
    *("mean_steps", "failures", "load", "machine", "versions", "commit", "date"),
)
"""Values of the first run that a row repeats."""


def main() -> None:
    """Measure both versions and print a row for each and the ratio of their rates."""
    baselines = tomllib.loads(BASELINES.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", choices=baselines, default=next(iter(baselines)))
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    commit = baselines[arguments.baseline]["commit"]
    runs: dict[str, list[Row]] = {CURRENT: [], arguments.baseline: []}
    with _checked_out(commit) as worktree:
        for _ in range(arguments.repeats):
            for name, checkout in zip(runs, (ROOT, worktree), strict=True):
                runs[name].append(_measure(checkout, arguments.patients))
    current, baseline = (_median(name, rows) for name, rows in runs.items())
    for line in (current, baseline, ratio(current, baseline, RATE)):
        emit(line)


def _measure(checkout: Path, patients: int) -> Row:
    """Run the benchmark of a checkout and return its row."""
    case = {"patients": patients, "repeats": 1, "backend": "native"}
    figures = run_isolated(checkout / "benchmarks" / "throughput.py", case, checkout=checkout)
    if not is_complete(figures):
        raise RuntimeError(f"throughput.py of {checkout} failed: {figures}")
    return figures


def _median(name: str, rows: list[Row]) -> Row:
    rate = statistics.median(float(str(line[RATE])) for line in rows)
    circumstances = {key: rows[0][key] for key in KEYS}
    return {"case": name, **circumstances, RATE: round(rate, 1), "repeats": len(rows)}


@contextlib.contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
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


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)


if __name__ == "__main__":
    main()
