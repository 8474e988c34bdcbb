"""The screen of virtual patients: possible, solved, steady without treatment, and in range.

Each candidate is simulated without any drug. It is rejected for the first of these reasons:

1. its parameters are impossible (`qsp.populations.plausible`);
2. the solver failed;
3. T cells, B cells or a cytokine in blood do not stay at the level before treatment: they differ by
   more than `MOST_CHANGE` of it at some time. A tumor grows, which is no reason;
4. a quantity before treatment is outside its range (`qsp.patients.baseline_ranges`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.model.cytokines import CYTOKINES
from qsp.patients.baseline_ranges import Range
from qsp.results.schema import IMPLAUSIBLE, OK

MOST_CHANGE = 0.05
"""Largest change of a steady quantity, relative to its level before treatment [1]; assumed, well
above the error of the solver (1e-5) and below the spread between patients."""
LEAST_CHANGE = 1e-6
"""Change that counts as none where the level before treatment is 0 [Mcell or pg/mL]; assumed."""
STEADY = ("t_cells_blood", "b_cells_blood", *CYTOKINES)
"""Quantities that must be steady, by their names in results."""

Booleans = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Reason:
    """A reason to reject a candidate.

    Args:
        name: Name in `screen.csv`.
        meaning: Explanation.
        remedy: Change that helps if many candidates are rejected for it.
    """

    name: str
    meaning: str
    remedy: str


def reasons(ranges: Sequence[Range], days: float) -> tuple[Reason, ...]:
    """Return all reasons in the order in which they are tested.

    Args:
        ranges: Ranges before treatment.
        days: Length of the simulation without treatment [day].
    """
    spread = "Check the medians and spreads of the population"
    steady = (
        Reason(
            f"not_steady_{name}",
            f"{name} changes by more than {MOST_CHANGE:.0%} in {days:g} days without treatment",
            "Check the turnover and the baselines of the population",
        )
        for name in STEADY
    )
    in_range = (
        Reason(
            f"out_of_range_{each.quantity}",
            f"{each.quantity} is not from {each.text}",
            f"Check the baselines of the population, or give a file of ranges ({each.status}"
            f"{f', {each.source}' if each.source else ''})",
        )
        for each in ranges
    )
    return (
        Reason("implausible_parameters", "a parameter is impossible", spread),
        Reason(
            "solver_failed",
            "the simulation without treatment failed",
            f"{spread}, or lower method.rtol",
        ),
        *steady,
        *in_range,
    )


def first_reasons(ds: xr.Dataset, ranges: Sequence[Range], blood: np.ndarray) -> np.ndarray:
    """(patient,): Index in `reasons` of the first reason to reject each patient; -1 if accepted.

    Args:
        ds: Results of one arm without treatment, with the time courses of all patients.
        ranges: Ranges before treatment, in units of `QUANTITIES`.
        blood: (patient,): Volume of blood [L].
    """
    ds = ds.isel(arm=0)
    failures = np.stack([*_failures(ds, ranges, blood)])
    return np.where(failures.any(0), failures.argmax(0), -1)


def _failures(ds: xr.Dataset, ranges: Sequence[Range], blood: np.ndarray) -> Iterator[Booleans]:
    """Yield whether each patient (patient,) is rejected for each reason, in order."""
    outcome = ds["outcome"].values
    yield outcome == IMPLAUSIBLE
    yield (outcome != OK) & (outcome != IMPLAUSIBLE)
    for name in STEADY:
        yield ~_is_steady(ds[name].transpose("patient", "time").values)
    values = _baselines(ds, blood)
    for each in ranges:
        found = values[each.quantity]
        # A quantity that the patient does not have, such as a ratio without cells, is no failure.
        yield ~(np.isnan(found) | ((found >= each.low) & (found <= each.high)))


def _is_steady(course: np.ndarray) -> Booleans:
    """(patient,): Whether a time course (patient, time) stays at its first value."""
    first = course[:, :1]
    allowed = np.maximum(MOST_CHANGE * np.abs(first), LEAST_CHANGE)
    return np.asarray((np.abs(course - first) <= allowed).all(1))


def _baselines(ds: xr.Dataset, blood: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the quantities before treatment (patient,) by name, in units of `QUANTITIES`."""
    found = {name: ds[name].values for name in map(str, ds.data_vars) if name.endswith("_baseline")}
    for cells in ("t_cells_blood", "b_cells_blood"):
        # A million cells per liter are one cell per microliter.
        found[f"{cells}_baseline"] = ds[cells].isel(time=0).values / blood
    return found
