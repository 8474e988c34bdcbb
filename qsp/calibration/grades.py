"""Threshold of grade 3 from the published rates of grade 3 or higher, under the rescue of a trial.

Rules act on grades 1 and 2 only, so that the leak of an event does not depend on the threshold of
grade 3: one simulation gives the rate at every threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root_scalar


def worst_leak(
    grade: NDArray[np.float64], leak_peak: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the highest leak of the events of each patient, relative to the random effects.

    Args:
        grade: (patient, dose_period): Grade of the event that starts in a period, 0 without one.
        leak_peak: (patient, dose_period): Highest leak in the period.
        shift: (patient, dose_period): exp(xi), by which the thresholds of the period are larger.

    Returns:
        (patient,): Highest leak over exp(xi) among events of grade 2 or higher; 0 without one.
    """
    relative = np.where(grade >= 2, leak_peak / shift, 0.0)
    return np.nan_to_num(relative).max(axis=1)


def threshold_of_rate(
    worst: Sequence[NDArray[np.float64]], published: Sequence[float], patients: Sequence[int]
) -> float:
    """Return the threshold at which the expected number of patients in all trials is published.

    Args:
        worst: Highest relative leak (patient,) in each trial.
        published: Published rate of each trial, as a fraction.
        patients: Number of patients of each trial.

    Raises:
        ValueError: If there is no such threshold.
    """
    expected = float(np.dot(published, patients))

    def excess(log_threshold: float) -> float:
        level = np.exp(log_threshold)
        rates = [float((each >= level).mean()) for each in worst]
        return float(np.dot(rates, patients)) - expected

    highest = max(float(each.max()) for each in worst)
    lowest = min(float(each[each > 0.0].min()) for each in worst if (each > 0.0).any())
    found = root_scalar(excess, bracket=(np.log(lowest), np.log(highest) + 1e-9), xtol=1e-3)
    return float(np.exp(found.root))
