"""Recovery of a known truth by the fit of `scripts/calibrate`. JSON lines; about half an hour.

    .venv/bin/python benchmarks/recovery.py [--seed 1] [--patients 128] [--others 2000]
        [--iterations 2] [--out runs/recovery]

The truth is a random point near the prior medians. Its values come from other patients than those
of the fit, which starts at the prior medians. Misses are the absolute differences of the rates of
CRS and response, before and after the fit, in the other patients, in points. `error_z` is the
root mean square of the errors of all parameters, in prior standard deviations; at the prior medians
it is that of the truth itself. An interrupted fit continues in the output folder.
"""

from __future__ import annotations

import argparse
import time as clock
from pathlib import Path

import numpy as np
from rows import emit, row

from qsp.calibration import recovery
from qsp.calibration.least_squares import Evaluations, fit
from qsp.calibration.problem import problem
from qsp.validation.targets import targets

OTHERS_SEED = 1000
"""Seed of the other patients, above those of the fit."""
RATES = ("crs_any", "crs_period", "crs_g2", "orr", "cr", "vgpr")


def main() -> None:
    """Fit to the values of a known truth, and print how far the fit is from it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patients", type=int, default=128)
    parser.add_argument("--others", type=int, default=2000)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/recovery"))
    options = parser.parse_args()
    began = clock.perf_counter()
    others = problem(patients=options.others, seed=OTHERS_SEED)
    true = recovery.truth(len(others.names), options.seed)
    known = recovery.simulated(others, true)
    own = problem(patients=options.patients)
    evaluations = Evaluations(list(recovery.experiments(own, known)), options.out / "evaluations")
    start = np.zeros(len(own.names))
    found = fit(evaluations, own.names, start, iterations=options.iterations)
    rates = {each.id for each in targets() if each.statistic in RATES}
    for name, z in (("prior medians", start), ("fit", found.z)):
        missed = recovery.misses(recovery.simulated(others, z), known, rates)
        emit(
            row(
                "recovery",
                name,
                seed=options.seed,
                patients=options.patients,
                others=options.others,
                rates=len(missed),
                mean_miss=round(float(missed.mean()), 2),
                worst_miss=round(float(missed.max()), 1),
                error_z=round(float(np.sqrt(((z - true) ** 2).mean())), 2),
                cost=round(found.history[0] if name != "fit" else found.cost, 1),
                seconds=round(clock.perf_counter() - began),
            )
        )


if __name__ == "__main__":
    main()
