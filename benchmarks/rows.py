"""Rows of benchmarks: one JSON line per figure, with machine, load, versions and commit."""

from __future__ import annotations

import datetime
import functools
import json
import math
import os
import platform
from collections.abc import Mapping

import diffrax
import jax
import llvmlite
import numpy as np

from qsp.engine import batch
from qsp.engine.workers import all_workers
from qsp.run.record import git_commit

Row = dict[str, object]


def row(bench: str, method: str, **figures: object) -> Row:
    """Return a row: figures with the circumstances in which they were measured.

    Args:
        bench: Name of the benchmark.
        method: Name of the method.
        figures: The figures. They may override `device` and `precision`, and add `versions` of
            packages other than jax, diffrax, llvmlite and numpy.
    """
    return {
        "bench": bench,
        "method": method,
        "device": jax.devices()[0].device_kind,
        "precision": "float64",
        **figures,
        **_circumstances(_versions(figures)),
    }


def ratio(numerator: Row, denominator: Row, key: str) -> Row:
    """Return the ratio of a figure in two rows, named by their case or else their method."""
    above, below = _figure(numerator, key), _figure(denominator, key)
    return {
        "bench": "ratio",
        "numerator": numerator.get("case", numerator["method"]),
        "denominator": denominator.get("case", denominator["method"]),
        "key": key,
        "value": round(above / below, 2),
        "patients": [numerator.get("patients"), denominator.get("patients")],
        **_circumstances({**_versions(denominator), **_versions(numerator)}),
    }


def emit(figures: Row) -> None:
    """Print one row."""
    print(json.dumps(figures, allow_nan=False), flush=True)


def per_core(rate: float, sims: int) -> Row:
    """A rate divided by the number of cores in use, as part of a row; empty on accelerators."""
    if jax.devices()[0].platform != "cpu":
        return {}
    workers = min(len(all_workers()), math.ceil(sims / batch.CHUNK_SIZE))
    return {"patients_per_s_per_core": round(rate / workers, 1)}


def relative_error(values: np.ndarray, reference: np.ndarray) -> float | None:
    """Largest relative error, to two digits; None if no value is finite."""
    errors = np.abs(values / reference - 1.0)
    finite = errors[np.isfinite(errors)]
    return float(f"{finite.max():.2g}") if finite.size else None


def _figure(figures: Row, key: str) -> float:
    value = figures[key]
    if not isinstance(value, float | int):
        raise TypeError(f"{key} of {figures['method']} must be a number, but is {value!r}")
    return value


def _versions(figures: Mapping[str, object]) -> dict[str, str]:
    versions = figures.get("versions")
    return dict(versions) if isinstance(versions, dict) else {}


def _circumstances(versions: Mapping[str, str]) -> Row:
    own = {package.__name__: package.__version__ for package in (jax, diffrax, llvmlite, np)}
    return {
        "load": round(os.getloadavg()[0], 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {**own, **versions},
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
    }


@functools.cache
def _commit() -> str:
    return git_commit()
