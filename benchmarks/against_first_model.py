"""Speed of the current model relative to the first model, and cost of rescue. JSON lines.

    .venv/bin/python benchmarks/against_first_model.py [--patients 1000] [--repeats 5]

The first model is that of the commit `model-1` in `baselines.toml`. It is checked out from the git
history into a temporary worktree, and the versions of its packages are installed into a venv there.
Each version runs `scaling.py` of its own checkout on the base case, the step-up arm of the main job
without rules, in new processes that take turns. The base case has the same doses in both versions.

For the cost of rescue, the arms of an approved regimen with and without management of CRS take
turns in this process: rules that give tocilizumab and dexamethasone, against the same doses.
Figures are medians over the repeats, without compilation.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

import baseline
import rules
from isolated import is_complete, run_isolated
from rows import Row, emit, ratio

from qsp.run import Request, prepare

CONFIG = baseline.ROOT / "configs/approved/mosunetuzumab_iv.toml"
RESCUE_ARMS = {"rescue on": "approved", "rescue off": "without_rescue"}
CURRENT, FIRST = "current model", "model-1"
KEYS = (
    *("method", "device", "precision", "rtol", "patients", "doses", "days"),
    *("mean_steps", "failures", "load", "machine", "versions", "commit", "date"),
)
"""Values of the first run that a row repeats."""


def main() -> None:
    """Measure both comparisons and print a row for each side, and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for line in _models(arguments.patients, arguments.repeats):
        emit(line)
    for line in _rescue(arguments.patients, arguments.repeats):
        emit(line)


def _models(patients: int, repeats: int) -> Iterator[Row]:
    """Compare the speeds of the two models in the base case."""
    runs: dict[str, list[Row]] = {CURRENT: [], FIRST: []}
    with baseline.checked_out(baseline.commits()[FIRST]) as worktree:
        versions = {
            CURRENT: (baseline.ROOT, None),
            FIRST: (worktree, baseline.environment(worktree)),
        }
        for _ in range(repeats):
            for name, (checkout, python) in versions.items():
                runs[name].append(_measure(checkout, python, patients))
    current, first = (_median(name, lines) for name, lines in runs.items())
    yield from (current, first, ratio(current, first, "patients_per_s"))


def _measure(checkout: Path, python: Path | None, patients: int) -> Row:
    """Run the base case of a checkout and return its row."""
    script = checkout / "benchmarks" / "scaling.py"
    case = {"axis": "patients", "patients": patients}
    figures = run_isolated(script, case, checkout=checkout, python=python)
    if not is_complete(figures):
        raise RuntimeError(f"scaling.py of {checkout} failed: {figures}")
    return figures


def _median(name: str, lines: list[Row]) -> Row:
    seconds = [float(str(line["simulate_s"])) for line in lines]
    median = statistics.median(seconds)
    circumstances = {key: lines[0][key] for key in KEYS}
    return {
        "bench": "against_first_model",
        "case": name,
        **circumstances,
        "simulate_s": round(median, 3),
        "fastest_s": min(seconds),
        "slowest_s": max(seconds),
        "patients_per_s": round(int(str(lines[0]["patients"])) / median, 1),
        "repeats": len(lines),
    }


def _rescue(patients: int, repeats: int) -> Iterator[Row]:
    """Compare the times of the two arms of the approved regimen."""
    prepared = prepare(Request(CONFIG, [f"patients={patients}"]))
    arms = {arm.name: arm for arm in prepared.trial.arms}
    cases = {case: rules.one_arm(prepared, arms[name]) for case, name in RESCUE_ARMS.items()}
    on, off = rules.measure(cases, repeats).values()
    yield from (on, off, ratio(on, off, "simulate_s"))


if __name__ == "__main__":
    main()
