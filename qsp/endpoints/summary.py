"""Summary of a run: one row per arm, dose period and metric.

Each row names its interval: `lower` and `upper` are the Monte Carlo interval of a rate (which also
has the prediction interval of a trial), or outer percentiles over patients of a quantity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr

from qsp.endpoints import crs, cytokines, exposure, response, tumor
from qsp.endpoints.endpoint import HasDataset, dataset
from qsp.endpoints.statistics import interval
from qsp.endpoints.steps import Grouping, Step, steps, with_steps
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
    return [
        *_doses(ds, trial_size),
        *_rates(response.objective_response(ds, trial_size=trial_size), ANY, "objective_response"),
        *_rates(response.complete_response(ds, trial_size=trial_size), ANY, "complete_response"),
        *_visits(ds),
    ]


def _doses(ds: xr.Dataset, trial_size: int) -> Iterator[Row]:
    each, whole = _measured(ds, "label", trial_size), _measured(ds, "any", trial_size)
    for arm in ds["arm"].values:
        arm_steps = [step for step in steps(ds) if step.arm == arm]
        for step in (*arm_steps, None):
            for metric, found in (each if step else whole).items():
                yield from _rows(_at(found, str(arm), step), str(arm), step, metric)


def _at(found: xr.Dataset, arm: str, step: Step | None) -> xr.Dataset:
    return found.sel(arm=arm) if step is None else found.sel(arm=arm, label=step.label)


def _measured(ds: xr.Dataset, group: Grouping, trial_size: int) -> dict[str, xr.Dataset]:
    """Return the endpoints by name of the metric, over (arm[, label])."""
    grades = crs.incidence(ds, by=group, trial_size=trial_size)
    found = {f"crs_grade_{g}_or_more": grades.sel(grade=g) for g in grades["grade"].values}
    links = crs.alternatives(ds, by=group, trial_size=trial_size)
    found |= {f"crs_any_grade_{link}": links.sel(link=link) for link in ("logistic", "hazard")}
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


def _rows(found: xr.Dataset, arm: str, step: Step | None, metric: str) -> Iterator[Row]:
    period = step.label if step else ANY
    if "trial_lower" in found:
        yield _rate(found, arm, period, metric)
    else:
        yield _quantity(found, arm, period, metric)


def _rates(found: xr.Dataset, period: str, metric: str) -> Iterator[Row]:
    for arm in found["arm"].values:
        yield _rate(found.sel(arm=arm), str(arm), period, metric)


def _rate(found: xr.Dataset, arm: str, period: str, metric: str) -> Row:
    names = ("value", "lower", "upper", "trial_lower", "trial_upper")
    value, lower, upper, trial_lower, trial_upper = (float(found[name]) for name in names)
    size = int(found.attrs["trial_size"])
    number, failed = int(found["evaluable"]), int(found["failed"])
    return Row(
        arm, period, metric, value, lower, upper, _RATE, trial_lower, trial_upper, size,
        number, failed, "1",
    )  # fmt: skip


def _quantity(found: xr.Dataset, arm: str, period: str, metric: str) -> Row:
    """Return the median and the outer quantiles over patients of an endpoint."""
    levels = found["quantile"].values
    ranked = found["value"].transpose("quantile").values
    middle = float(ranked[int(np.argmin(np.abs(levels - 0.5)))])
    between = f"percentiles {100 * levels[0]:g} to {100 * levels[-1]:g} of patients"
    units = str(found["value"].attrs.get("units", "1"))
    return Row(
        arm, period, metric, middle, float(ranked[0]), float(ranked[-1]), between,
        np.nan, np.nan, 0,
        int(found["evaluable"]), int(found["failed"]), units,
    )  # fmt: skip


def _visits(ds: xr.Dataset) -> Iterator[Row]:
    found = tumor.change_at_visits(ds)
    for arm in ds["arm"].values:
        for visit in ds["visit"].values[ds["visit"].values > 0]:
            at = found.sel(arm=arm, visit=visit)
            yield _quantity(at, str(arm), f"visit {protocol_day(float(visit))}", "tumor_change")
