"""Fit parameters to published CRS and response of all molecules, by seeded least squares.

    scripts/calibrate [crs|response|all] [--stage fit|report|ensemble] [--quick]
        [--out runs/calibrate/all] [--starts 1 2 3] [--iterations 4] [--patients N]
        [--together] [--members 50] [--ensemble-seed 1] [--write]

Parameters and priors are in `qsp/calibration/data/calibration.toml`, published values in
`qsp/validation/data/targets.csv`. Start 1 has the prior medians, 2 the guesses of the file, 3 is
random. In each start the parameters of killing are first fitted to response alone, then all to all;
the best start continues. With `--iterations 0` there is no fit to all, with `--together` none to
response alone. Each evaluation is stored
below the output folder: an interrupted fit continues there, and a second fit gives the same bits.
`crs` and `response` fit the parameters of these results alone. `--quick` is one start, from the
prior medians, with 64 patients and one iteration.

The stage `fit` writes `fit.npz` (whitened parameters, Jacobian, history), the stage `report`
`calibrated.toml` (each value, its prior median and the cost of each start), `residuals.csv`,
largest first, and `card.md`. The stage `ensemble`, of a fit of all with a Jacobian, draws
`ensemble.csv` from its Laplace approximation (`--members`, `--ensemble-seed`) and writes
`identifiability.csv`. All run by default. With `--write`, the values replace those of the parameter
files, with the status `tuned`, and the record and the ensemble those of `qsp/calibration/data`.
"""

from __future__ import annotations

import argparse
import io
import time as clock
from pathlib import Path

import numpy as np

from qsp.calibration import card, ensemble, identifiability, written
from qsp.calibration.laplace import Laplace
from qsp.calibration.least_squares import Evaluations, Experiment, Fit, fit
from qsp.calibration.parameters import CRS, RESPONSE, read
from qsp.calibration.problem import FILE, Problem, problem
from qsp.calibration.response_studies import ResponseStudy
from qsp.calibration.written import replace_file

ROOT = Path(__file__).parents[1]
DATA = ROOT / "qsp" / "calibration" / "data"
KINDS = {"crs": (CRS,), "response": (RESPONSE,), "all": (CRS, RESPONSE)}
RECORD = ("calibrated.toml", "residuals.csv", "card.md")
DRAWN = ("ensemble.csv", "identifiability.csv")
SHORT = 1
"""Iterations of every start; the best one continues."""
QUICK_PATIENTS = 64


def main() -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("problem", nargs="?", choices=tuple(KINDS), default="all")
    parser.add_argument("--stage", choices=("fit", "report", "ensemble"), default=None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--starts", type=int, nargs="+", choices=(1, 2, 3), default=[1, 2, 3])
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--patients", type=int, default=None)
    parser.add_argument("--members", type=int, default=ensemble.MEMBERS)
    parser.add_argument("--ensemble-seed", type=int, default=ensemble.SEED)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.starts, options.iterations, options.patients = [1], 1, QUICK_PATIENTS
    if options.write and (options.quick or options.problem != "all"):
        parser.error("--write needs the problem all, without --quick")
    if options.stage == "ensemble" and options.problem != "all":
        parser.error("--stage ensemble needs the problem all")
    name = f"{options.problem}-quick" if options.quick else options.problem
    out = options.out or Path("runs/calibrate") / name
    if options.stage != "ensemble":
        fit_and_report(options, out)
    if options.stage in (None, "ensemble") and options.problem == "all":
        draw(out, options)


def fit_and_report(options: argparse.Namespace, out: Path) -> None:
    """Run the stages that simulate."""
    found = problem(kinds=KINDS[options.problem], patients=options.patients)
    if options.stage != "report":
        result = run_fit(found, out, options.starts, options.iterations, together=options.together)
        save(out / "fit.npz", result)
    if options.stage != "fit":
        report(found, out, load(out / "fit.npz", found.names))
        if options.write:
            write_shipped(found, out)


def draw(out: Path, options: argparse.Namespace) -> None:
    """Write the ensemble and the spread of each parameter, and print what the data tell."""
    _, parameters = read(FILE)
    names = tuple(each.name for each in parameters)
    stored = load(out / "fit.npz", names)
    found = Laplace(names, stored["z"], stored["jacobian"])
    if options.stage is None and not found.has_derivatives:
        print("No ensemble: the fit has no Jacobian")
        return
    drawn = ensemble.draw(found, members=options.members, seed=options.ensemble_seed)
    replace_file(out / "ensemble.csv", ensemble.text(drawn))
    replace_file(out / "identifiability.csv", identifiability.table(parameters, found))
    print(*identifiability.sentences(parameters, found), sep="\n")
    if options.write:
        ensemble.read_ensemble(out / "ensemble.csv")  # refuses one of other values than are shipped
        for name in DRAWN:
            replace_file(DATA / name, (out / name).read_text(encoding="utf-8"))


def run_fit(
    found: Problem, out: Path, starts: list[int], iterations: int, *, together: bool = False
) -> tuple[Fit, list[Fit]]:
    """Fit from each start, continue from the best, and return it and the fit of each start."""
    evaluations = Evaluations([study.experiment for study in found.studies], out / "evaluations")
    began = clock.perf_counter()

    def progress(iteration: int, cost: float) -> None:
        seconds = clock.perf_counter() - began
        print(f"  iteration {iteration}: cost {cost:.1f} ({seconds:.0f} s)", flush=True)

    fits = []
    points = list(found.starts().items())
    for number in starts:
        name, start = points[number - 1]
        if not together:
            print(f"Start {number}, {name}: response alone", flush=True)
            first, some = first_stage(found, evaluations, start)
            chosen = np.isin(found.names, first)
            alone = fit(some, first, start[chosen], iterations=2, report=progress)
            start = start.copy()
            start[chosen] = alone.z
        print(f"Start {number}, {name}: all", flush=True)
        count = min(SHORT, iterations)
        fits.append(fit(evaluations, found.names, start, iterations=count, report=progress))
    best = fits[int(np.argmin([each.cost for each in fits]))]
    if iterations <= SHORT:
        return best, fits
    print(f"Continues from a cost of {best.cost:.1f}", flush=True)
    last = fit(evaluations, found.names, best.z, iterations=iterations - SHORT, report=progress)
    return last, fits


def first_stage(
    found: Problem, evaluations: Evaluations, start: np.ndarray
) -> tuple[tuple[str, ...], Evaluations]:
    """Return the parameters that are fitted first, and the studies of response at the others."""
    first = tuple(each.name for each in found.parameters if each.first)
    experiments = [
        restricted(evaluations, study.experiment, found.names, start, first)
        for study in found.studies
        if isinstance(study, ResponseStudy)
    ]
    used = {name for each in experiments for name in each.parameters}
    return tuple(name for name in first if name in used), Evaluations(experiments)


def restricted(
    evaluations: Evaluations,
    experiment: Experiment,
    names: tuple[str, ...],
    start: np.ndarray,
    free: tuple[str, ...],
) -> Experiment:
    """Return an experiment of some of its parameters, with the others at the start."""
    own = tuple(name for name in experiment.parameters if name in free)
    places = [names.index(name) for name in own]

    def residuals(z: np.ndarray) -> np.ndarray:
        whole = start.copy()
        whole[places] = z
        return evaluations.of(experiment, names, whole)

    return Experiment(experiment.name, own, residuals)


def save(file: Path, result: tuple[Fit, list[Fit]]) -> None:
    """Write a fit to a file, as a whole."""
    last, fits = result
    data = io.BytesIO()
    np.savez(
        data,
        names=np.array(last.names),
        z=last.z,
        jacobian=last.jacobian,
        history=np.array(last.history),
        starts=np.array([[each.history[0], each.cost] for each in fits]),
        cost=last.cost,
    )
    written.replace_bytes(file, data.getvalue())


def load(file: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read a fit of these parameters."""
    if not file.exists():
        raise SystemExit(f"{file} is missing: run the stage fit first.")
    with np.load(file, allow_pickle=False) as stored:
        if tuple(stored["names"].tolist()) != names:
            raise SystemExit(f"{file} is a fit of other parameters: run the stage fit again.")
        return dict(stored)


def report(found: Problem, out: Path, stored: dict[str, np.ndarray]) -> None:
    """Write the values, the residuals and the card, and print the largest residuals."""
    rows = sorted(found.residuals(stored["z"]), key=lambda row: -abs(row[1].value))
    replace_file(out / "calibrated.toml", card.values(found, stored))
    replace_file(out / "residuals.csv", card.residuals(rows))
    replace_file(out / "card.md", card.card(found, stored, rows))
    for study, each in rows[:20]:
        print(
            f"{study:<28}{each.name:<60}{each.simulated:9.3g} ({each.published:.3g}) "
            f"{each.value:+.1f}"
        )
    size = np.abs([each.value for _, each in rows])
    print(f"{len(rows)} residuals, {int((size > 2.0).sum())} above 2 errors: {out}")


def write_shipped(found: Problem, out: Path) -> None:
    """Write the values into the parameter files of the repository, and the record of the fit."""
    z = dict(zip(found.names, load(out / "fit.npz", found.names)["z"], strict=True))
    written.write(ROOT, written.values(found.parameters, z, found.means, found.ratios))
    for name in RECORD:
        replace_file(DATA / name, (out / name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
