"""Intervals for the difference of two arms in which the same patients are simulated.

Rates have a two-by-two table of the pairs: patients with the event in both arms, in the first arm
only, in the second only, and in neither.

- `newcombe`: Monte Carlo interval of a difference of paired rates.
- `ratio_interval`, `mean_intervals`: percentile intervals of a bootstrap over patients.
- `trial_of_rates`, `trial_means`: prediction intervals of the difference observed in a trial
  with n other patients in each arm. Such a trial is not paired.

None includes uncertainty in the model or its parameters. The bootstrap has a seed, and an interval
does not depend on the order of the arms: those of (second, first) are the negatives, or for ratios
the reciprocals, of those of (first, second).
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qsp.endpoints.statistics.interval import LEVEL, TRIAL_SIZE, beta_binomial, wilson
from qsp.errors import ConfigError
from qsp.weights import effective_size

REPLICATES = 2000
SEED = 1
FEWEST = 100
"""Fewest resamples from which 95 % bounds are read."""
GROUPS = 5000
"""Maximum number of units in a bootstrap; more patients are averaged in groups of neighbors."""

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Random numbers and trial size of the intervals.

    Args:
        trial_size: Number of patients in each arm of the trial of the prediction intervals.
        seed: Seed of the bootstrap and of simulated trials.
        replicates: Number of resamples of the patients, and of simulated trials.
    """

    trial_size: int = TRIAL_SIZE
    seed: int = SEED
    replicates: int = REPLICATES

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: If a trial has no patients, or there are too few resamples.
        """
        if self.trial_size < 1:
            rule = "the number of patients must be at least 1"
            raise ConfigError("trial size", rule, self.trial_size, "Write 100, for example")
        if self.replicates < FEWEST:
            rule = f"the number of resamples must be at least {FEWEST}"
            raise ConfigError("replicates", rule, self.replicates, f"The default is {REPLICATES}")


class Cells(NamedTuple):
    """Two-by-two table of pairs [1]; fractional for weighted patients."""

    both: float
    first_only: float
    second_only: float
    neither: float

    @property
    def size(self) -> float:
        """Number of pairs."""
        return sum(self)

    @property
    def first(self) -> float:
        """Number of events in the first arm."""
        return self.both + self.first_only

    @property
    def second(self) -> float:
        """Number of events in the second arm."""
        return self.both + self.second_only


class Bounds(NamedTuple):
    """Lower and upper bound; NaN where there is none."""

    lower: float
    upper: float

    def __neg__(self) -> Bounds:
        """Return the bounds of the opposite difference."""
        return Bounds(-self.upper, -self.lower)


NONE = Bounds(math.nan, math.nan)


def newcombe(cells: Cells, *, level: float = LEVEL) -> Bounds:
    """Return Newcombe's interval (method 10) of the difference of two paired rates.

    With the Wilson bounds ``l, u`` of each rate p, ``d = p1 - p2``, and phi the correlation of the
    two-by-two table with a continuity correction, the bounds are
    ``d - sqrt((p1-l1)^2 - 2 phi (p1-l1)(u2-p2) + (u2-p2)^2)`` and
    ``d + sqrt((u1-p1)^2 - 2 phi (u1-p1)(p2-l2) + (p2-l2)^2)``.

    Args:
        cells: Two-by-two table of the pairs.
        level: Coverage, between 0 and 1.

    Returns:
        The bounds [1], within -1 and 1; NaN without pairs.

    Source: Newcombe 1998, Stat Med 17:2635.
    """
    n = cells.size
    if n <= 0:
        return NONE
    p1, p2 = cells.first / n, cells.second / n
    lower, upper = wilson([cells.first, cells.second], [n, n], level=level)
    below_1, below_2 = p1 - lower[0], p2 - lower[1]
    above_1, above_2 = upper[0] - p1, upper[1] - p2
    phi = _correlation(cells)

    def half(one: float, other: float) -> float:
        return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))

    difference = p1 - p2
    return Bounds(
        max(difference - half(below_1, above_2), -1.0),
        min(difference + half(above_1, below_2), 1.0),
    )


def _correlation(cells: Cells) -> float:
    """Phi of a two-by-two table, with the continuity correction of method 10 if it is positive."""
    n = cells.size
    margins = cells.first * (n - cells.first) * cells.second * (n - cells.second)
    if margins <= 0:
        return 0.0
    product = cells.both * cells.neither - cells.first_only * cells.second_only
    corrected = max(product - n / 2, 0.0) if product >= 0 else product
    return corrected / math.sqrt(margins)


def ratio_interval(
    cells: Cells, sampling: Sampling, *, swapped: bool = False, level: float = LEVEL
) -> Bounds:
    """Return the bootstrap interval of the ratio of two paired rates, first over second.

    Patients are resampled, which for a rate is a multinomial sample of the two-by-two table. A
    resample without an event in either arm has no ratio; it counts as 0 for the lower bound and as
    infinity for the upper.

    Args:
        cells: Two-by-two table of the pairs.
        sampling: Seed and number of resamples.
        swapped: Whether the arms are in the opposite order to the one that is resampled. Callers
            set it by the names of the arms, so that both orders use the same resamples.
        level: Coverage, between 0 and 1.

    Returns:
        The bounds [1]; NaN if an arm has no event, or with fewer than two pairs.
    """
    if cells.size < 2 or cells.first <= 0 or cells.second <= 0:
        return NONE
    one = Cells(cells.both, cells.second_only, cells.first_only, cells.neither)
    sampled = resampled(np.array(one if swapped else cells), sampling)
    first, second = sampled[:, 0] + sampled[:, 1], sampled[:, 0] + sampled[:, 2]
    bounds = _ratio_bounds(first, second, level)
    return Bounds(_inverse(bounds.upper), _inverse(bounds.lower)) if swapped else bounds


def resampled(counts: Floats, sampling: Sampling) -> Floats:
    """Return bootstrap samples of the numbers of patients in categories.

    Args:
        counts (category,): Numbers of patients [1]; their sum is rounded to a sample size.
        sampling: Seed and number of samples.

    Returns:
        (replicate, category): Numbers of patients [1].
    """
    total = counts.sum()
    size = max(round(float(total)), 1)
    random = np.random.default_rng(sampling.seed)
    return random.multinomial(size, counts / total, sampling.replicates).astype(float)


def mean_intervals(
    first: Floats, second: Floats, weight: Floats, sampling: Sampling, *, level: float = LEVEL
) -> tuple[Bounds, Bounds]:
    """Return bootstrap intervals of the difference and the ratio of two paired means.

    Args:
        first (patient,): Values in the first arm.
        second (patient,): Values of the same patients in the second arm.
        weight (patient,): Weights [1].
        sampling: Seed and number of resamples.
        level: Coverage, between 0 and 1.

    Returns:
        Bounds of the difference, in the unit of the values, and of the ratio [1]; NaN with fewer
        than two pairs, and for the ratio if a mean is not positive.
    """
    if first.size < 2:
        return NONE, NONE
    units = _grouped(np.stack([weight * first, weight * second, weight]))
    sums = _resampled_sums(units, sampling)
    means = sums[:, :2] / np.maximum(sums[:, 2:], np.finfo(float).tiny)
    difference = percentile_bounds(means[:, 0] - means[:, 1], level)
    if min(units[0].sum(), units[1].sum()) <= 0:
        return difference, NONE
    return difference, _ratio_bounds(means[:, 0], means[:, 1], level)


def trial_of_rates(cells: Cells, patients: int, *, level: float = LEVEL) -> Bounds:
    """Return the prediction interval of the difference of two rates in a trial.

    Each arm of the trial has n patients of its own. Their number with the event is beta-binomial,
    as in `interval.trial`.

    Args:
        cells: Two-by-two table of the simulated pairs.
        patients: Number of patients in each arm of the trial.
        level: Coverage, between 0 and 1.

    Returns:
        The bounds [1], multiples of 1/patients; NaN without pairs.
    """
    n = cells.size
    if n <= 0:
        return NONE
    seen = np.array([cells.first, cells.second])
    of_first, of_second = beta_binomial(patients, seen + 0.5, n - seen + 0.5)
    below = np.cumsum(np.convolve(of_first, of_second[::-1]))
    below[-1] = 1.0  # up to rounding; the comparison below must find it
    tail = (1 - level) / 2
    lower, upper = (int(np.argmax(below >= at)) - patients for at in (tail, 1 - tail))
    return Bounds(lower / patients, upper / patients)


def trial_means(
    first: Floats, second: Floats, weight: Floats, names: tuple[str, str], sampling: Sampling
) -> tuple[Floats, Floats]:
    """Return the means of both arms in simulated trials with n other patients in each arm.

    For every trial the simulated patients, in their effective number, are resampled as the
    population that is not known exactly, and each arm enrolls from that population. Above `GROUPS`
    simulated patients the uncertainty of the population is small and neglected.

    Args:
        first (patient,): Values in the first arm.
        second (patient,): Values of the same patients in the second arm.
        weight (patient,): Weights [1].
        names: Names of the arms; the patients whom an arm enrolls depend on its name only.
        sampling: Seed, number of trials, and number of patients in each arm.

    Returns:
        (replicate,), (replicate,): Means, in the unit of the values.
    """
    shares = np.cumsum(weight) / weight.sum()
    size = shares.size
    effective = max(1, round(effective_size(float(weight.sum()), float((weight**2).sum()))))
    # Equally weighted patients that represent the weighted ones.
    even = np.minimum(np.searchsorted(shares, (np.arange(size) + 0.5) / size), size - 1)
    population = np.random.default_rng(sampling.seed)
    arms = [
        (stream(sampling.seed, name), values[even])
        for name, values in zip(names, (first, second), strict=True)
    ]
    means: list[list[Floats]] = [[], []]
    for count in _batches(sampling.replicates, size + sampling.trial_size):
        known = population.integers(size, size=(count, effective)) if size <= GROUPS else None
        for own, (random, values) in zip(means, arms, strict=True):
            known_size = size if known is None else effective
            place = random.integers(known_size, size=(count, sampling.trial_size))
            who = place if known is None else np.take_along_axis(known, place, axis=1)
            own.append(values[who].mean(axis=1))
    return np.concatenate(means[0]), np.concatenate(means[1])


def _batches(replicates: int, size: int) -> Iterator[int]:
    """Yield numbers of replicates whose patients fit into a few megabytes."""
    most = max(1, 2_000_000 // size)
    for start in range(0, replicates, most):
        yield min(most, replicates - start)


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of an arm, which do not depend on the other arms."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def percentile_bounds(values: Floats, level: float = LEVEL) -> Bounds:
    """Return the percentile interval of bootstrap values, by rank: infinite values are allowed."""
    ranked = np.sort(values)
    skipped = math.floor((1 - level) / 2 * ranked.size)
    return Bounds(float(ranked[skipped]), float(ranked[-1 - skipped]))


def _ratio_bounds(first: Floats, second: Floats, level: float) -> Bounds:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = first / second
    unknown = np.isnan(ratios)
    lower = percentile_bounds(np.where(unknown, 0.0, ratios), level).lower
    return Bounds(lower, percentile_bounds(np.where(unknown, np.inf, ratios), level).upper)


def _inverse(value: float) -> float:
    return 1.0 / value if value else math.inf


def _grouped(sums: Floats) -> Floats:
    """Add up neighboring patients (..., patient) so that at most `GROUPS` units remain."""
    size = math.ceil(sums.shape[-1] / GROUPS)
    if size == 1:
        return sums
    return np.add.reduceat(sums, np.arange(0, sums.shape[-1], size), axis=-1)


def _resampled_sums(units: Floats, sampling: Sampling) -> Floats:
    """(replicate, row): Sums of the rows of (row, unit) over units sampled with replacement."""
    random, count = np.random.default_rng(sampling.seed), units.shape[-1]
    sums = np.empty((sampling.replicates, units.shape[0]))
    for n in range(sampling.replicates):
        times = np.bincount(random.integers(count, size=count), minlength=count)
        sums[n] = units @ times
    return sums
