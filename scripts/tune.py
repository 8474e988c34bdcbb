"""Tune parameters to published CRS or response by seeded least squares from several starts.

    scripts/tune [crs|response] [--out runs/tune/crs] [--first 1] [--starts 3] [--iterations 12]
        [--patients 128] [--write]

Parameters, priors and starts are in `qsp/calibration/data/tuning.toml` for CRS and `response.toml`
for response, published values in `qsp/validation/data/targets.csv`. Start 1 has the prior medians;
`--first 2` leaves it out. Each evaluation is stored below the output folder: an interrupted fit
continues there, and a second fit gives the same bits. Writes `tuned.toml`, with the values and the
cost of each start, and `residuals.csv`, largest first; for response `response_tuned.toml` and
`response_residuals.csv`. With `--write`, the values replace those of the parameter files, with the
status `tuned`.
"""

from __future__ import annotations

import argparse
import csv
import time as clock
from pathlib import Path

import numpy as np

from qsp.calibration import written
from qsp.calibration.grades import threshold_of_rate
from qsp.calibration.least_squares import Evaluations, Fit, fit
from qsp.calibration.residuals import UNKNOWN_N
from qsp.calibration.response import response_problem
from qsp.calibration.tuning import STUDIES, Problem, problem
from qsp.calibration.written import replace_file, rounded
from qsp.validation.targets import targets

ROOT = Path(__file__).parents[1]
DATA = ROOT / "qsp" / "calibration" / "data"
RECORDS = {
    "crs": ("tuned.toml", "residuals.csv"),
    "response": ("response_tuned.toml", "response_residuals.csv"),
}
"""Files of the values and of the residuals, by problem."""
GRADE_4 = 1.435
"""Threshold of grade 4 over that of grade 3, as in the first model; assumed."""
SHORT = 3
"""Iterations of every start; the best one continues."""


def main() -> None:
    """Run the fit and write its results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("problem", nargs="?", choices=tuple(RECORDS), default="crs")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--patients", type=int, default=None)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    record, out = RECORDS[options.problem], options.out or Path("runs/tune") / options.problem
    make = problem if options.problem == "crs" else response_problem
    found = make(patients=options.patients)
    evaluations = Evaluations([study.experiment for study in found.studies], out / "evaluations")
    began = clock.perf_counter()

    def report(iteration: int, cost: float) -> None:
        seconds = clock.perf_counter() - began
        print(f"  iteration {iteration}: cost {cost:.1f} ({seconds:.0f} s)", flush=True)

    fits = []
    first = options.first - 1
    for number, start in enumerate(list(found.starts())[first : options.starts], options.first):
        print(f"Start {number}", flush=True)
        fits.append(fit(evaluations, found.names, start, iterations=SHORT, report=report))
    number = int(np.argmin([each.cost for each in fits]))
    best = fits[number]
    print(f"Start {options.first + number} continues", flush=True)
    last = fit(
        evaluations, found.names, best.z, iterations=options.iterations - SHORT, report=report
    )
    write(out, record, found, last, fits)
    severe = grade_3(last) if options.problem == "crs" else None
    if severe is not None:
        print(f"Threshold of grade 3 (severity.level.grade_3): {severe:.3g}")
    if options.write:
        write_shipped(out, record, found, last)
        write_grades(severe)


def write_shipped(out: Path, record: tuple[str, str], found: Problem, last: Fit) -> None:
    """Write the values into the parameter files of the repository, and the record of the fit."""
    z = dict(zip(last.names, last.z, strict=True))
    written.write(ROOT, written.values(found.parameters, z, found.means))
    for name in record:
        replace_file(DATA / name, (out / name).read_text(encoding="utf-8"))


def write_grades(severe: float | None) -> None:
    """Write the thresholds of grades 3 and 4, unless there are none."""
    if severe is None:
        return
    found = (("grade_3", severe, written.TUNED), ("grade_4", GRADE_4 * severe, written.ASSUMED))
    for name, value, status in found:
        path, text = f"severity.level.{name}", written.rounded(value)
        row = written.Written("qsp/model/physiology.toml", path, text, status)
        written.write(ROOT, [row])


def grade_3(last: Fit) -> float:
    """Return the threshold of leak at which grade 3 has its published rates under rescue."""
    known = {row.config: row for row in targets() if row.statistic == "crs_g3" and row.is_read}
    trials = problem(studies=[name for name in STUDIES if name in known], with_rules=True)
    z = dict(zip(last.names, last.z, strict=True))
    worst = [
        study.worst_leak(np.array([z[each.name] for each in study.parameters]))
        for study in trials.studies
    ]
    rows = [known[study.name] for study in trials.studies]
    return threshold_of_rate(
        worst, [row.value / 100.0 for row in rows], [row.n or UNKNOWN_N for row in rows]
    )


def write(out: Path, record: tuple[str, str], found: Problem, last: Fit, fits: list[Fit]) -> None:
    """Write the values and the residuals, and print the largest."""
    lines = [
        f"# scripts/tune, cost {last.cost:.1f}; costs of the starts: "
        + ", ".join(f"{each.history[0]:.1f} to {each.cost:.1f}" for each in fits),
        "",
    ]
    for parameter, z in zip(found.parameters, last.z, strict=True):
        unit = "" if parameter.unit == "1" else f" {parameter.unit}"
        text = f"{rounded(parameter.value(z))}{unit}"
        lines.append(f'{parameter.name} = {{ value = "{text}", z = {z:.6f} }}')
    replace_file(out / record[0], "\n".join(lines) + "\n")
    rows = sorted(found.residuals(last.z), key=lambda row: -abs(row[1].value))
    draft = out / f".{record[1]}.part"
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("study", "row", "simulated", "published", "residual"))
        for study, each in rows:
            values = (each.simulated, each.published, each.value)
            writer.writerow((study, each.name, *(f"{value:.4g}" for value in values)))
    draft.replace(out / record[1])
    for study, each in rows[:20]:
        print(
            f"{study:<28}{each.name:<60}{each.simulated:9.3g} ({each.published:.3g}) "
            f"{each.value:+.1f}"
        )
    size = np.abs([each.value for _, each in rows])
    print(f"{len(rows)} residuals, {int((size > 2.0).sum())} above 2 errors: {out / record[0]}")


if __name__ == "__main__":
    main()
