"""Lines of the table of requirements from recorded benchmarks.

`python benchmarks/page.py --run --only NAME` writes the record ``benchmarks/results/NAME.jsonl``,
which is part of a checkout. Without it, as in an installed package, a line names this command.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qsp.validation.acceptance import Figure, Line, Runs, below

RECORDS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
"""Folder of the records in a checkout."""
PATIENTS = 10_000
"""Number of patients of each disease that `invariants` must have simulated to meet its bounds."""
MOST = 1_000_000
"""Number of patients whose memory is compared with that of 10,000."""

Record = dict[str, Any]


def speed(runs: Runs, folder: Path = RECORDS) -> Line:
    """Speed relative to the first model, and the cost of rescue."""
    del runs
    rows = _record("against_first_model", folder)
    figures = [
        *_ratio(rows, "current model", "model-1", "patients_per_s", "speed", least=0.6, aim=0.8),
        *_ratio(rows, "rescue on", "rescue off", "simulate_s", "rescue", most=2.0, aim=1.5),
    ]
    return Line(
        "speed relative to the first model; rescue on over off",
        tuple(figures) or (_command("against_first_model"),),
        "0.6; at most 2.0 times",
        "0.8; 1.5",
    )


def invariants(runs: Runs, folder: Path = RECORDS) -> Line:
    """Conservation, derivatives, states of 10,000 patients of each disease, and memory."""
    del runs
    sizes = _record("scaling", folder)
    figures = [*_invariants(_record("invariants", folder)), *_memory(sizes)]
    if any(figure.meets_least is None for figure in figures):
        # Figures can fail a line that is not complete, but not meet it.
        passed = [dataclasses.replace(each, meets_least=None, meets_aim=None) for each in figures]
        figures = [
            each if each.meets_least is False else unjudged
            for each, unjudged in zip(figures, passed, strict=True)
        ]
    return Line(
        "conservation, derivatives, states of 10,000 patients, memory",
        (*figures, *_lesion_memory(sizes)),
        "1e-6; finite; none below -atol; 15 %",
        "all",
    )


def _record(name: str, folder: Path) -> list[Record]:
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _command(name: str, options: str = "") -> Figure:
    return Figure("run", f"python benchmarks/page.py --run {options}--only {name}")


def _ratio(  # noqa: PLR0913 - the keys of the ratio and its bounds
    rows: Sequence[Record],
    above: str,
    under: str,
    key: str,
    name: str,
    *,
    least: float = 0.0,
    most: float = math.inf,
    aim: float,
) -> Iterator[Figure]:
    """Yield a recorded ratio; the aim has the direction of the bound."""
    for found in _ratios(rows, above, under, key):
        near = found >= aim if math.isinf(most) else found <= aim
        yield Figure(name, f"{found:.2f}", least <= found <= most, near)


def _ratios(rows: Sequence[Record], above: str, under: str, key: str) -> list[float]:
    wanted = {"bench": "ratio", "numerator": above, "denominator": under, "key": key}
    return [float(row["value"]) for row in rows if wanted.items() <= row.items()]


def _invariants(rows: Sequence[Record]) -> Iterator[Figure]:
    """Yield the worst figures of all diseases; those of too few patients can only fail."""
    cases = [row for row in rows if row["bench"] == "invariants"]
    if not cases:
        yield _command("invariants")
        return
    fewest = min(row["patients"] for row in cases)

    def judged(name: str, text: str, is_met: bool) -> Figure:
        verdict = is_met if fewest >= PATIENTS or not is_met else None
        return Figure(name, text, verdict, verdict)

    worst = max(cases, key=lambda row: row["conservation"])
    error = worst["conservation"]
    name = f"{fewest:,} patients of each disease: conservation"
    yield judged(name, f"{error:.3g} ({worst['case']})", error <= 1e-6)
    missing = sum(row["not_finite"] + row["failures"] for row in cases)
    yield judged("derivatives not finite in", f"{missing} patients", missing == 0)
    deepest = min(cases, key=lambda row: row["lowest"])
    where = f"{deepest['lowest_state']}, {deepest['case']}"
    yield judged("lowest state", f"{deepest['lowest']:g} x atol ({where})", deepest["lowest"] >= -1)


def _memory(rows: Sequence[Record]) -> Iterator[Figure]:
    """Yield the ratio of the memory of 1,000,000 patients to that of 10,000."""
    found = _ratios(rows, f"{MOST:,} patients", "10,000 patients", "peak_memory_mb")
    if not found:
        yield _command("scaling", "--full ")
    for ratio in found:
        yield Figure("memory", f"{ratio:.2f} times", *below(ratio, 1.15, 1.15))


def _lesion_memory(rows: Sequence[Record]) -> Iterator[Figure]:
    """Yield the size of a patient's results with lesions over that with one pool; no bound."""
    for ratio in _ratios(rows, "tumor as lesions", "tumor as pool", "bytes_per_patient"):
        yield Figure("results of a patient with lesions over one pool", f"{ratio:.2f} times")
