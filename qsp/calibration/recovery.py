"""Recovery of a known truth: a fit to values that other patients have at known parameters.

The published values are replaced by those of other patients at a point that the fit does not know.
Parameters that trade off are not found again, but rates must be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from qsp.calibration.crs_studies import TunedStudy
from qsp.calibration.least_squares import Experiment
from qsp.calibration.problem import Problem
from qsp.calibration.residuals import Residual

SPREAD = 0.7
"""Spread of the truth around the prior medians, in prior standard deviations."""
LARGEST = 2.0
"""Largest distance of the truth from a prior median, in prior standard deviations."""

Values = Mapping[str, Mapping[str, float]]


def truth(names: int, seed: int) -> np.ndarray:
    """Return whitened parameters near the prior medians (parameter,)."""
    draws = np.random.default_rng(seed).normal(size=names)
    return np.clip(SPREAD * draws, -LARGEST, LARGEST)


def simulated(problem: Problem, z: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the simulated counterparts of the published values, by study and row."""
    found: dict[str, dict[str, float]] = {}
    for study, each in problem.residuals(z):
        if each.error is not None:
            found.setdefault(study, {})[each.name] = each.simulated
    return found


def experiments(problem: Problem, known: Values) -> Iterator[Experiment]:
    """Yield the studies as experiments whose published values are replaced.

    Args:
        problem: Problem of the fit.
        known: Values in place of the published ones, by study and row; a row without a value, or
            with one that is not finite, is left out.
    """
    for study in problem.studies:
        own = {row: value for row, value in known.get(study.name, {}).items() if np.isfinite(value)}
        yield _experiment(study, own)


def _experiment(study: TunedStudy, known: Mapping[str, float]) -> Experiment:
    def values(z: np.ndarray) -> np.ndarray:
        return np.array([each.robust for each in against(study.residuals(z), known)])

    published = dataclasses.replace(study.experiment, residuals=values)
    return dataclasses.replace(published, version=f"{published.version} {sorted(known.items())}")


def against(rows: list[Residual], known: Mapping[str, float]) -> Iterator[Residual]:
    """Yield the residuals of the rows with a known value, in the order of the rows."""
    for row in rows:
        found = row.against(known[row.name]) if row.name in known else None
        if found is not None:
            yield found


def misses(found: Values, known: Values, rates: set[str]) -> np.ndarray:
    """Return the absolute differences of rates [points]: (rate,).

    Args:
        found: Values after the fit, by study and row.
        known: Values at the truth.
        rates: Names of the rows that are rates.
    """
    pairs = [
        (found[study][row], value)
        for study, rows in known.items()
        for row, value in rows.items()
        if row in rates
    ]
    return np.abs(np.diff(np.array(pairs), axis=1)[:, 0])
