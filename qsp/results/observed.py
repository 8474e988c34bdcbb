"""Observations of patients as variables of the results, with the simulation of each.

Variables of runs with observations, all over ``(observation)`` unless another dimension is named:

* `observed_patient observed_arm observed_time observed_quantity`: id in the file, arm, time since
  the first dose [day], and name of the quantity (`qsp.observations.OBSERVABLES`)
* `observed_value observed_lloq observed_unit observed_blq observed_line`: value (NaN below the
  limit), lower limit of quantification (NaN without one), the unit of both, whether the value is
  below the limit, and the line of the file
* `predicted_p5 predicted_median predicted_p95`: 5th, 50th and 95th percentile, at the time of the
  observation, of simulated patients with the doses of the observed one
* `simulated` (replicate, observation): the observation in simulated trials, each with a simulated
  patient in place of every observed one

Simulated values are without measurement error. Between saved times they are interpolated linearly
in the logarithm, and linearly next to a zero. They are NaN outside of the trial, and for quantities
that are not compared. Without observations there is none of these variables.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

from qsp.observations import Observations

OBSERVATION, REPLICATE = "observation", "replicate"
UNIT_OF_ROW = "observed_unit"
"""Unit attribute of values whose unit differs between observations: the variable that holds it."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Simulated values of the observations, in their units.

    Args:
        band: (3, observation): 5th, 50th and 95th percentile.
        replicates: (replicate, observation): The observations in simulated trials.
    """

    band: np.ndarray
    replicates: np.ndarray


def at_times(values: np.ndarray, grid: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Interpolate trajectories, linearly in the logarithm where both neighbors are above 0.

    Args:
        values: (..., time): Trajectories.
        grid: (time,): Saved times, increasing [day].
        times: (observation,): Times [day].

    Returns:
        (..., observation): Values; NaN before the first and after the last saved time.
    """
    if len(grid) < 2:
        return np.where(times == grid[:1], values[..., :1], np.nan)
    right = np.clip(np.searchsorted(grid, times), 1, len(grid) - 1)
    share = (times - grid[right - 1]) / (grid[right] - grid[right - 1])
    low, high = values[..., right - 1], values[..., right]
    is_positive = (low > 0) & (high > 0)
    logs = (np.log(np.where(is_positive, each, 1.0)) for each in (low, high))
    log_low, log_high = logs
    found = np.where(
        is_positive,
        np.exp(log_low + share * (log_high - log_low)),
        low + share * (high - low),
    )
    inside = (times >= grid[0] - 1e-9) & (times <= grid[-1] + 1e-9)
    return np.where(inside, found, np.nan)


def with_observations(
    results: xr.DataTree, found: Observations, predictions: Predictions
) -> xr.DataTree:
    """Return results with the observations and their simulations.

    Args:
        results: Results of the run.
        found: Observations, with the drug in mass units.
        predictions: Simulated values.
    """
    texts = {name: found_texts(getattr(found, name)) for name in ("arm", "quantity", "unit")}
    data: dict[str, Any] = {
        "observed_patient": (found.patient, "1", "Observed patient: id in the file"),
        "observed_arm": (texts["arm"], "1", "Arm of the observed patient"),
        "observed_time": (found.time, "day", "Time of the observation since the first dose"),
        "observed_quantity": (texts["quantity"], "1", "Observed quantity"),
        "observed_value": (found.value, UNIT_OF_ROW, "Observed value; NaN if below the limit"),
        "observed_lloq": (found.lloq, UNIT_OF_ROW, "Lower limit of quantification"),
        "observed_unit": (texts["unit"], "1", "Unit of the observation"),
        "observed_blq": (
            found.is_blq.astype(np.int8),
            "1",
            "Whether the observed value is below the limit of quantification",
        ),
        "observed_line": (found.line.astype(np.int32), "1", f"Line in {found.file}"),
    }
    for name, text, row in zip(
        ("p5", "median", "p95"),
        ("5th percentile", "median", "95th percentile"),
        predictions.band,
        strict=True,
    ):
        meaning = f"Simulated patients with the doses of the observed one: {text}"
        data[f"predicted_{name}"] = (row, UNIT_OF_ROW, meaning)
    variables = {
        name: xr.Variable((OBSERVATION,), values, {"units": unit, "long_name": meaning})
        for name, (values, unit, meaning) in data.items()
    }
    variables["simulated"] = xr.Variable(
        (REPLICATE, OBSERVATION),
        predictions.replicates.astype(np.float32),
        {"units": UNIT_OF_ROW, "long_name": "Observation in simulated trials"},
    )
    ds = results.to_dataset().assign(variables)
    ds.attrs |= {"observed_file": found.file, "observed_missing": found.missing}
    return xr.DataTree(ds, children=dict(results.children))


def found_texts(values: np.ndarray) -> np.ndarray:
    """Return texts as an array of their common width, which every file format takes."""
    return np.asarray(values, str)
