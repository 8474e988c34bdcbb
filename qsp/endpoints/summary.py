"""Summary of a run: one row per arm, dose period and metric.

Each row names its interval: `lower` and `upper` are the Monte Carlo interval of a rate (which also
has the prediction interval of a trial), or outer percentiles over patients of a quantity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints import crs, cytokines, exposure, response, tumor
from qsp.endpoints.endpoint import HasDataset, dataset
from qsp.endpoints.statistics import interval
from qsp.endpoints.steps import Grouping, labels, steps, with_steps
from qsp.trial import protocol_day

ANY = "any dose"
_RATE = "Wilson 95 % (Monte Carlo interval)"


@dataclass(frozen=True)
class Row:
    """One line of the summary.

    Args:
        arm: Name of the arm.
        dose_period: Label of the dose period, "any dose", or the visit.
        metric: Name of the metric, with the grade or cytokine.
        value: Rate, or median over patients.
        lower: Lower bound of the interval.
        upper: Upper bound of the interval.
        interval: Name of the interval from `lower` to `upper`.
        trial_lower: Lower bound of the prediction interval of a trial; NaN if not a rate.
        trial_upper: Upper bound of the prediction interval of a trial; NaN if not a rate.
        trial_size: Number of patients in that trial; 0 if not a rate.
        n: Number of evaluable patients, or of events.
        failures: Number of patients of the arm whose simulation failed.
        units: Unit of `value` and of the bounds.
    """

    arm: str
    dose_period: str
    metric: str
    value: float
    lower: float
    upper: float
    interval: str
    trial_lower: float
    trial_upper: float
    trial_size: int
    n: int
    failures: int
    units: str


COLUMNS = tuple(field.name for field in fields(Row))


def summary(
    results: xr.Dataset | HasDataset, *, trial_size: int = interval.TRIAL_SIZE
) -> list[Row]:
    """Return the endpoints of a run as rows, by arm and in the order of the doses.

    Args:
        results: Results with `best_response`.
        trial_size: Number of patients in the trial of the prediction intervals.

    Returns:
        One row per arm, dose period (or all doses, or visit) and metric.
    """
    ds = with_steps(dataset(results))
    overall = {
        "objective_response": response.objective_response(ds, trial_size=trial_size),
        "complete_response": response.complete_response(ds, trial_size=trial_size),
    }
    cells = {metric: _Cells.of(found, "arm") for metric, found in overall.items()}
    arms = [str(arm) for arm in ds["arm"].values]
    responses = [
        of_arms.row((n,), arm, ANY, metric)
        for metric, of_arms in cells.items()
        for n, arm in enumerate(arms)
    ]
    return [*_doses(ds, trial_size), *responses, *_visits(ds)]


def _doses(ds: xr.Dataset, trial_size: int) -> Iterator[Row]:
    each = _measured(ds, "label", trial_size)
    by_dose = {metric: _Cells.of(found, "arm", "label") for metric, found in each.items()}
    whole = _measured(ds, "any", trial_size)
    over_all = {metric: _Cells.of(found, "arm") for metric, found in whole.items()}
    known = labels(ds)
    for n, arm in enumerate(map(str, ds["arm"].values)):
        for step in (step for step in steps(ds) if step.arm == arm):
            for metric, cells in by_dose.items():
                yield cells.row((n, known.index(step.label)), arm, step.label, metric)
        for metric, cells in over_all.items():
            yield cells.row((n,), arm, ANY, metric)


def _measured(ds: xr.Dataset, group: Grouping, trial_size: int) -> dict[str, xr.Dataset]:
    """Return the endpoints by name of the metric, over (arm[, label])."""
    grades = crs.incidence(ds, by=group, trial_size=trial_size)
    found = {f"crs_grade_{g}_or_more": grades.sel(grade=g) for g in grades["grade"].values}
    found |= {"crs_onset": crs.onset(ds, by=group), "crs_duration": crs.duration(ds, by=group)}
    peaks, folds = cytokines.peaks(ds, by=group), cytokines.fold_changes(ds, by=group)
    for name in cytokines.CYTOKINES:
        found[f"{name}_peak"] = peaks.sel(cytokine=name)
        found[f"{name}_fold_change"] = folds.sel(cytokine=name)
    levels = exposure.metrics(ds, by=group)
    counted = ["evaluable", "failed", "unassessed"]
    for name in levels.data_vars:
        if name not in counted:
            found[str(name)] = levels[[*counted, name]].rename({name: "value"})
    return found


@dataclass(frozen=True)
class _Cells:
    """Numbers of an endpoint by cell, such as arm and dose period.

    They are arrays, because selecting one cell of a Dataset takes a millisecond.

    Args:
        value: (..., level): Value, lower and upper bound.
        trial: (..., 2): Bounds of the prediction interval of a trial, NaN if not a rate.
        counts: (..., 2): Evaluable and failed patients.
        interval: Name of the interval.
        trial_size: Number of patients in the trial; 0 if not a rate.
        units: Unit of the value.
    """

    value: NDArray[np.float64]
    trial: NDArray[np.float64]
    counts: NDArray[np.int64]
    interval: str
    trial_size: int
    units: str

    @classmethod
    def of(cls, found: xr.Dataset, *dims: str) -> _Cells:
        """Return the numbers of a rate or of quantiles over some dimensions."""

        def stacked(*names: str) -> NDArray[Any]:
            return np.stack([found[name].transpose(*dims).values for name in names], axis=-1)

        counts = stacked("evaluable", "failed").astype(int)
        if "trial_lower" in found:
            value, size = stacked("value", "lower", "upper"), int(found.attrs["trial_size"])
            return cls(value, stacked("trial_lower", "trial_upper"), counts, _RATE, size, "1")
        levels, ranked = found["quantile"].values, found["value"].transpose(*dims, "quantile")
        middle = int(np.argmin(np.abs(levels - 0.5)))
        between = f"percentiles {100 * levels[0]:g} to {100 * levels[-1]:g} of patients"
        value, units = ranked.values[..., [middle, 0, -1]], str(ranked.attrs.get("units", "1"))
        return cls(value, np.full((*value.shape[:-1], 2), np.nan), counts, between, 0, units)

    def row(self, at: tuple[int, ...], arm: str, period: str, metric: str) -> Row:
        """Return the row of a cell."""
        value, lower, upper = map(float, self.value[at])
        trial_lower, trial_upper = map(float, self.trial[at])
        evaluable, failed = map(int, self.counts[at])
        return Row(
            arm, period, metric, value, lower, upper, self.interval, trial_lower, trial_upper,
            self.trial_size, evaluable, failed, self.units,
        )  # fmt: skip


def _visits(ds: xr.Dataset) -> Iterator[Row]:
    cells = _Cells.of(tumor.change_at_visits(ds), "arm", "visit")
    for n, arm in enumerate(map(str, ds["arm"].values)):
        for place, visit in enumerate(map(float, ds["visit"].values)):
            if visit > 0:
                yield cells.row((n, place), arm, f"visit {protocol_day(visit)}", "tumor_change")
