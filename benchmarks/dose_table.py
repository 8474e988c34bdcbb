"""Time and memory of reading a dose table of a million lines.

Usage: python benchmarks/dose_table.py [LINES]

Three shapes: one regimen for all patients, an individual amount in every dose, and observations
with few doses. Each is read in a process of its own, as `qsp check` reads it, and the peak memory
of that process includes Python and its packages.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """
molecule = "mosunetuzumab"
population = "nhl"
days = 365
response = "lugano"
dose_table = { file = "doses.csv", time_unit = "hour" }
"""
HEADER = "ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,DV\n"
DOSES = 10
OBSERVATIONS = 99


def alike(lines: int) -> list[str]:
    """Weekly doses, the same in all patients."""
    return [
        f"{patient},{168 * n},{(1, 2, 60)[min(n, 2)]},15,0,0,1,central,.\n"
        for patient in range(lines // DOSES)
        for n in range(DOSES)
    ]


def individual(lines: int) -> list[str]:
    """Weekly doses with another amount in every patient."""
    return [
        f"{patient},{168 * n},{0.5 + patient / 1000 + n:.3f},15,0,0,1,central,.\n"
        for patient in range(lines // DOSES)
        for n in range(DOSES)
    ]


def observed(lines: int) -> list[str]:
    """One dose and many observations at times of their own."""
    return [
        f"{patient},{0 if n == 0 else 80 * n + patient / 1e3:.7g},{'.' if n else 1},.,.,.,"
        f"{int(n == 0)},central,{patient * n % 9973 / 7:.6g}\n"
        for patient in range(lines // (1 + OBSERVATIONS))
        for n in range(1 + OBSERVATIONS)
    ]


SHAPES = {"alike": alike, "individual": individual, "observed": observed}


def read(folder: Path) -> str:
    """Read a config with its dose table; return seconds and peak memory."""
    from qsp import molecules, process
    from qsp.config import load

    process.start()
    began = time.perf_counter()
    config = load(folder / "trial.toml")
    trial = config.trial(molecules.load(config.molecule).molecular_weight)  # as a run does
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return f"{trial.patients} patients, {seconds:.1f} s, {peak:.2f} GB"


def main() -> None:
    """Print one line for each shape."""
    if len(sys.argv) > 2:
        print(read(Path(sys.argv[2])))  # noqa: T201
        return
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for name, shape in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "trial.toml").write_text(CONFIG, encoding="utf-8")
            text = HEADER + "".join(shape(lines))
            (Path(folder) / "doses.csv").write_text(text, encoding="utf-8")
            words = [sys.executable, __file__, str(lines), folder]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            print(f"{name:<12}{done.stdout}", end="")  # noqa: T201


if __name__ == "__main__":
    main()
