"""Accuracy and speed by solver and tolerance, in the trial of the main job. JSON lines.

    .venv/bin/python benchmarks/accuracy.py [--patients 32]

The reference is Tsit5 at a tolerance of 1e-9. Errors are relative to it; the largest over
patients, arms and dose periods is reported. `load` is the load average of the machine.
"""

from __future__ import annotations

import argparse

import base_case
import xarray as xr
from rows import Row, emit, per_core, relative_error, row

from qsp.engine.method import Method
from qsp.run import Request, prepare

REFERENCE = Method("Tsit5", 1e-9)
METHODS = (
    *(
        Method(solver, rtol)
        for solver in ("ROCK4", "ROCK2", "RKC2", "Tsit5")
        for rtol in (1e-3, 1e-4, 1e-5, 1e-6)
    ),
    *(Method("ROCK4", rtol, precision="float32") for rtol in (1e-3, 1e-4)),
)
ERRORS = {"err_il6_peak": "il6_peak", "err_auc": "auc", "err_tumor": "tumor_volume_end"}


def main() -> None:
    """Simulate with each method and print one row per method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=32)
    arguments = parser.parse_args()
    prepared = prepare(Request(base_case.CONFIG, [f"patients={arguments.patients}"]))
    reference = base_case.endpoints(prepared, REFERENCE)
    for method in METHODS:
        emit(_row(base_case.endpoints(prepared, method), reference, method))


def _row(ds: xr.Dataset, reference: xr.Dataset, method: Method) -> Row:
    sims = ds.sizes["arm"] * ds.sizes["patient"]
    rate = sims / (ds.attrs["wall_s"] - ds.attrs["compile_s"])
    errors = {
        key: relative_error(ds[name].values, reference[name].values) for key, name in ERRORS.items()
    }
    return row(
        "accuracy",
        method.solver.lower(),
        precision=method.precision,
        backend=ds.attrs["backend"],
        rtol=method.rtol,
        patients=ds.sizes["patient"],
        arms=ds.sizes["arm"],
        patient_arms_per_s=round(rate, 1),
        **per_core(rate, sims),
        compile_s=round(ds.attrs["compile_s"], 2),
        mean_steps=round(float(ds["steps"].mean())),
        failures=int((ds["outcome"] != 0).sum()),
        **errors,
        grades_that_differ=float((ds["crs_grade"] != reference["crs_grade"]).mean()),
    )


if __name__ == "__main__":
    main()
