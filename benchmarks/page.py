"""Generate the page of results, `README.md` of this folder, and its figures.

    .venv/bin/python benchmarks/page.py           # from the recorded results
    .venv/bin/python benchmarks/page.py --run     # run every script first, about an hour
    .venv/bin/python benchmarks/page.py --run --full --only scaling

`results/NAME.jsonl` records the output of `NAME.py`. Only the part of the page between the two
marks is replaced.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time as clock
from collections.abc import Sequence
from pathlib import Path

import page_figures
import page_tables
from rows import Row, row

HERE = Path(__file__).resolve().parent
SCRIPTS = (
    *("throughput", "accuracy", "compile", "from_python", "scaling", "against_peers", "rules"),
    *("sharding", "against_first_model", "invariants"),
)
TAKES_FULL = ("scaling",)
BEGIN, END = "<!-- results: begin (page.py) -->", "<!-- results: end -->"
DOTS_PER_INCH = 160
MAX_BYTES = 150_000


def main() -> None:
    """Run the requested scripts and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="store_true", help="run the scripts first")
    parser.add_argument("--only", type=lambda text: text.split(","), default=SCRIPTS)
    parser.add_argument("--full", action="store_true", help="include 1,000,000 patients")
    parser.add_argument("--folder", type=Path, default=HERE, help="folder of README.md and results")
    arguments = parser.parse_args()
    results = arguments.folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    if arguments.run:
        for name in arguments.only:
            _run(name, ["--full"] if arguments.full and name in TAKES_FULL else [], results)
    rows = _rows(results)
    figures = _draw(rows, arguments.folder / "figures")
    _write(arguments.folder / "README.md", page_tables.page(rows, figures))


def _run(name: str, options: Sequence[str], results: Path) -> None:
    """Run a script; once it has succeeded, record its output and a row on the script itself."""
    print(f"{name}.py {' '.join(options)}".rstrip(), file=sys.stderr, flush=True)
    began = clock.perf_counter()
    command = [sys.executable, str(HERE / f"{name}.py"), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = round(clock.perf_counter() - began)
    script = row("script", "none", script=name, options=list(options), seconds=seconds)
    path = results / f"{name}.jsonl"
    partial = path.with_suffix(".partial")
    partial.write_text(f"{done.stdout}{json.dumps(script)}\n", encoding="utf-8")
    partial.replace(path)


def _rows(results: Path) -> dict[str, list[Row]]:
    """Recorded rows by script, in the order in which the scripts run."""
    files = {name: results / f"{name}.jsonl" for name in SCRIPTS}
    return {
        name: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for name, path in files.items()
        if path.exists()
    }


def _draw(rows: dict[str, list[Row]], folder: Path) -> list[page_figures.PageFigure]:
    folder.mkdir(exist_ok=True)
    figures = page_figures.draw(rows)
    for each in figures:
        path = folder / each.file
        each.figure.savefig(path, dpi=DOTS_PER_INCH)
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.name} must have at most {MAX_BYTES:,} bytes")
    return figures


def _write(path: Path, generated: str) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path.name} must contain the marks {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{generated}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
