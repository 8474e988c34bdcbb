"""Fever and leak of each dose period, from the results of an arm without rules."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.calibration.events_by_shift import Course
from qsp.trial import Arm

TOLERANCE = 1e-3
"""Difference of a saved time from a dose that counts as none [day]."""


def courses_of(results: xr.Dataset, trajectories: xr.Dataset, arm: Arm) -> list[Course]:
    """Return fever and leak of each dose period of an arm.

    The highest values between saved times are those that the solver keeps.

    Args:
        results: Results with `fever_peak`, and with two axes of severity `leak_peak`.
        trajectories: Trajectories of `fever`, and of `leak`, of the same patients; the saved times
            contain the start of each dose period, and the last one is the end.
        arm: Arm of the results, with the same dose times in all patients.

    Raises:
        ValueError: If patients have doses of their own, or a dose is at no saved time.
    """
    if len(arm.regimens) > 1:
        raise ValueError(f"{arm.name}: all patients must have the same dose times")
    time = np.asarray(trajectories["time"].values, float)
    starts = dose_starts(arm)
    ends = [*starts[1:], float(time[-1])]
    signals = [name for name in ("fever", "leak") if name in trajectories]
    found = []
    for period, (start, end) in enumerate(zip(starts, ends, strict=True)):
        within = (time >= start - TOLERANCE) & (time <= end + TOLERANCE)
        if not within.any() or abs(time[within][0] - start) > TOLERANCE:
            raise ValueError(f"{arm.name}: the dose on day {start:g} must be at a saved time")
        values = [
            _with_peak(
                _own(trajectories[name], arm.name, "time")[:, within],
                _own(results[f"{name}_peak"], arm.name, "dose_period")[:, period],
            )
            for name in signals
        ]
        found.append(Course(time[within], values[0], values[-1]))
    return found


def dose_starts(arm: Arm) -> list[float]:
    """Return the start of each dose period of an arm [day]."""
    return [
        min(dose.time for dose in arm.administrations if dose.period == period)
        for period in range(1, len(arm.labels) + 1)
    ]


def _own(values: xr.DataArray, arm: str, dim: str) -> NDArray[np.float64]:
    return values.sel(arm=arm).transpose("patient", dim).values


def _with_peak(values: NDArray[np.float64], peak: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (patient, time) with the exact peak (patient,) at their highest time.

    A highest value at an end of the period is shared with the next or previous one and stays.
    """
    at = np.nan_to_num(values).argmax(axis=1)
    inside = np.flatnonzero((at > 0) & (at < values.shape[1] - 1))
    found = values.copy()
    found[inside, at[inside]] = np.maximum(values[inside, at[inside]], peak[inside])
    return found
