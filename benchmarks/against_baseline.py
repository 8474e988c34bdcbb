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
import statistics
from pathlib import Path

import baseline
from isolated import is_complete, run_isolated
from rows import Row, emit, ratio

RATE = "patient_arms_per_s"
CURRENT = "this checkout"
KEYS = (
    *("bench", "method", "device", "backend", "rtol", "patients", "arms", "days", "workers"),
    *("mean_steps", "failures", "load", "machine", "versions", "commit", "date"),
)
"""Values of the first run that a row repeats."""


def main() -> None:
    """Measure both versions and print a row for each and the ratio of their rates."""
    commits = baseline.commits()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", choices=commits, default=next(iter(commits)))
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    runs: dict[str, list[Row]] = {CURRENT: [], arguments.baseline: []}
    with baseline.checked_out(commits[arguments.baseline]) as worktree:
        for _ in range(arguments.repeats):
            for name, checkout in zip(runs, (baseline.ROOT, worktree), strict=True):
                runs[name].append(_measure(checkout, arguments.patients))
    current, earlier = (_median(name, rows) for name, rows in runs.items())
    for line in (current, earlier, ratio(current, earlier, RATE)):
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


if __name__ == "__main__":
    main()
