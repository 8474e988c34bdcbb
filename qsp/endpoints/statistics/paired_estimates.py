"""Estimates of a rate or a mean in two arms with the same patients, with all intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qsp.endpoints.statistics import paired
from qsp.endpoints.statistics.paired import Cells, Sampling
from qsp.weights import scaled_to_effective_size


class Estimate(NamedTuple):
    """An arm compared with a reference; NaN where a value or a bound is unknown.

    Args:
        value: Rate or mean in the arm.
        reference_value: Rate or mean in the reference.
        difference: `value` minus `reference_value`.
        standard_error: Monte Carlo standard error of the difference.
        lower: Lower Monte Carlo bound of the difference.
        upper: Upper Monte Carlo bound of the difference.
        ratio: `value` divided by `reference_value`.
        ratio_lower: Lower bootstrap bound of the ratio.
        ratio_upper: Upper bootstrap bound of the ratio.
        trial_lower: Lower prediction bound of the difference in a trial.
        trial_upper: Upper prediction bound of the difference in a trial.
    """

    value: float
    reference_value: float
    difference: float
    standard_error: float
    lower: float
    upper: float
    ratio: float
    ratio_lower: float
    ratio_upper: float
    trial_lower: float
    trial_upper: float


def cells_of(
    first: NDArray[np.bool_], second: NDArray[np.bool_], weight: NDArray[np.float64]
) -> Cells:
    """Return the two-by-two table of pairs.

    Args:
        first (patient,): Whether the patient has the event in the arm.
        second (patient,): Whether the patient has the event in the reference.
        weight (patient,): Weights [1]. If they differ, the size of the table is the effective
            sample size.

    Source: Kish 1965, Survey Sampling, section 11.7, for the effective number.
    """
    scaled = scaled_to_effective_size(weight)
    groups = (first & second, first & ~second, second & ~first, ~first & ~second)
    return Cells(*(float(scaled[group].sum()) for group in groups))


def compare_rates(cells: Cells, names: tuple[str, str], sampling: Sampling) -> Estimate:
    """Compare the rates of an event.

    Args:
        cells: Two-by-two table of the pairs.
        names: Names of the arm and of the reference.
        sampling: Seed, number of resamples, and size of the trial.

    Returns:
        The estimate [1]: Newcombe's interval of the difference, and a bootstrap of the ratio.
    """
    n = cells.size or math.nan
    difference = (cells.first_only - cells.second_only) / n
    square = (cells.first_only + cells.second_only) / n
    rate, base = cells.first / n, cells.second / n
    return Estimate(
        rate,
        base,
        difference,
        _error(square, difference, n),
        *paired.newcombe(cells),
        _ratio(rate, base),
        *paired.ratio_interval(cells, sampling, swapped=names[0] > names[1]),
        *paired.trial_of_rates(cells, sampling.trial_size),
    )


def compare_means(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    weight: NDArray[np.float64],
    names: tuple[str, str],
    sampling: Sampling,
) -> Estimate:
    """Compare the means of a quantity.

    Args:
        first (patient,): Values in the arm.
        second (patient,): Values of the same patients in the reference.
        weight (patient,): Weights [1].
        names: Names of the arm and of the reference.
        sampling: Seed, number of resamples, and size of the trial.

    Returns:
        The estimate, in the unit of the values: all Monte Carlo bounds are of a bootstrap. Bounds
        are NaN with fewer than two pairs.
    """
    if first.size == 0:
        return Estimate(*[math.nan] * len(Estimate._fields))
    share = weight / weight.sum()
    mean, base, difference, square = (
        float(share @ each) for each in (first, second, first - second, (first - second) ** 2)
    )
    bounds, ratio = paired.mean_intervals(first, second, weight, sampling)
    of_trial = paired.NONE
    if first.size > 1:
        of_arm, of_base = paired.trial_means(first, second, weight, names, sampling)
        of_trial = paired.percentile_bounds(of_arm - of_base)
    error = _error(square, difference, 1.0 / float((share**2).sum()))
    return Estimate(mean, base, difference, error, *bounds, _ratio(mean, base), *ratio, *of_trial)


def _error(square: float, difference: float, n: float) -> float:
    """Standard error of a mean difference, from its mean square over n pairs."""
    return math.sqrt(max(square - difference**2, 0.0) / n) if n > 0 else math.nan


def _ratio(value: float, base: float) -> float:
    if base:
        return value / base
    return math.inf if value > 0 else math.nan
