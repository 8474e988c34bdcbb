"""The Bayesian optimal interval design (BOIN).

The observed toxicity rate at the current level is compared with two boundaries: the trial escalates
at or below the lower one, and de-escalates at or above the upper one. The boundaries minimize the
probability of a wrong decision if the true rate is the target, a rate that is too low, or a rate
that is too high, with equal prior probabilities.

Details that the paper leaves open follow the R package BOIN by its authors: the weights of the
isotonic regression, the resolution of ties, and the rule that ends a trial at a level with
sufficient patients.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import betainc

from qsp.designs.design import GO, LEVEL_FULL, NONE, TOXIC, Decision, Levels, Table
from qsp.errors import ConfigError

MIN_ELIMINATION = 3
"""Fewest patients at a level that can be eliminated."""
PSEUDO = 0.05
"""Pseudo-count of patients with, and of patients without, a toxicity in the final rates."""
TIE = 1e-9
"""Distances from the target that differ by less than this are equal."""


class Limits(NamedTuple):
    """Numbers of toxicities among n patients that decide a step, each (n,) for n from 0.

    Args:
        up: Largest number at which the trial escalates.
        down: Smallest number at which the trial de-escalates.
        out: Smallest number at which this level and those above it are eliminated; more than n if
            no number does.
    """

    up: Levels
    down: Levels
    out: Levels


@dataclasses.dataclass(frozen=True)
class BOIN:
    """The Bayesian optimal interval design.

    Args:
        target: Target rate of dose-limiting toxicity, between 0 and 1 [1].
        too_low: Highest rate that is too low [1]; 0.6 of the target by default.
        too_high: Lowest rate that is too high [1]; 1.4 of the target by default.
        cohort_size: Patients treated between two decisions.
        largest: Maximum number of patients in a trial.
        stop_at: Number of patients at a level that ends the trial if the next cohort would be
            treated there again; None for no such rule.
        certainty: A level, and all above it, are eliminated if the posterior probability that its
            rate is above the target exceeds this value, under a uniform prior and with at least
            three patients. If the lowest level is eliminated, the trial ends and selects none.

    Raises:
        ConfigError: If the rates are not 0 < too_low < target < too_high < 1, or a number is out
            of range.

    Source: Liu and Yuan 2015, J R Stat Soc C 64:507.
    """

    target: float
    too_low: float | None = None
    too_high: float | None = None
    cohort_size: int = 3
    largest: int = 30
    stop_at: int | None = None
    certainty: float = 0.95

    source: ClassVar[str] = "Liu and Yuan 2015, J R Stat Soc C 64:507"

    def __post_init__(self) -> None:
        _check_rates(self.target, *self._alternatives)
        _check_counts(self.cohort_size, self.largest, self.stop_at)
        if not 0 < self.certainty < 1:
            rule = "the certainty of an elimination must be between 0 and 1"
            raise ConfigError("BOIN", rule, self.certainty)

    @property
    def _alternatives(self) -> tuple[float, float]:
        low = 0.6 * self.target if self.too_low is None else self.too_low
        return low, 1.4 * self.target if self.too_high is None else self.too_high

    @property
    def title(self) -> str:
        """Name of the design with its parameters."""
        low, high = (
            "" if rate is None else f", {name} {100 * rate:g} %"
            for name, rate in (("too low", self.too_low), ("too high", self.too_high))
        )
        stop_at = "" if self.stop_at is None else f", ends at {self.stop_at} at a level"
        return (
            f"BOIN, target {100 * self.target:g} %{low}{high}, cohorts of {self.cohort_size}, at "
            f"most {self.largest} patients{stop_at}"
        )

    @property
    def boundaries(self) -> tuple[float, float]:
        """Observed rates [1] at or below which the trial escalates, at or above which it goes down.

        Source: Liu and Yuan 2015, equations for the local design with equal priors.
        """
        low, high = self._alternatives
        return _between(low, self.target), _between(self.target, high)

    @cached_property
    def limits(self) -> Limits:
        """The boundaries as numbers of toxicities among 0 to `largest` patients."""
        up, down = self.boundaries
        n = np.arange(self.largest + 1)
        dlts = np.arange(self.largest + 2)[:, None]
        rest = np.maximum(n - dlts, 0)
        above = 1.0 - betainc(1.0 + dlts, 1.0 + rest, self.target)
        # The smallest number of toxicities that eliminates the level; n + 1 if none does.
        eliminates = ((above > self.certainty) & (n >= MIN_ELIMINATION)) | (dlts > n)
        out = np.argmax(eliminates, axis=0)
        return Limits(
            np.floor(up * n).astype(np.int64),
            np.minimum(np.ceil(down * n).astype(np.int64), out),
            out,
        )

    def most_patients(self, levels: int) -> int:
        """Return the maximum number of patients in a trial, for any number of levels."""
        return self.largest

    def eliminated(self, table: Table) -> NDArray[np.bool_]:
        """Return whether each level is eliminated (trial, level).

        A level remains eliminated, because its numbers do not change any more.
        """
        out = table.dlts >= self.limits.out[table.treated]
        return np.logical_or.accumulate(out, axis=1)

    def decide(self, table: Table) -> Decision:
        """Decide by the observed rate; escalate only to a level that is not eliminated.

        Args:
            table: Patients and toxicities of ongoing trials.

        Returns:
            The decisions; a trial ends if the lowest level is eliminated, or if it would stay at a
            level with `stop_at` patients.
        """
        treated, dlts = table.at_level
        top = table.treated.shape[1] - 1
        eliminated = self.eliminated(table)
        above = np.minimum(table.level + 1, top)
        barred = np.take_along_axis(eliminated, above[:, None], axis=1)[:, 0]
        up = (dlts <= self.limits.up[treated]) & (table.level < top) & ~barred
        down = (dlts >= self.limits.down[treated]) & (table.level > 0)
        level = table.level + up - down
        full = np.zeros_like(up) if self.stop_at is None else treated >= self.stop_at
        stop = np.where(full & (level == table.level), LEVEL_FULL, GO)
        return Decision(level, np.where(eliminated[:, 0], TOXIC, stop).astype(np.int8))

    def select(self, table: Table) -> Levels:
        """Select the level whose rate, by isotonic regression, is nearest to the target.

        Levels without patients and eliminated levels are excluded. Of equally near levels, the
        highest with a rate below the target is selected, or else the lowest.

        Args:
            table: Patients and toxicities of ended trials.

        Returns:
            (trial,): Index of the selected level, or `NONE`.
        """
        included = (table.treated > 0) & ~self.eliminated(table)
        rate = isotonic_rates(table, included)
        distance = np.where(included, np.abs(rate - self.target), np.inf)
        nearest = distance <= distance.min(axis=1, keepdims=True) + TIE
        below = nearest & included & (rate < self.target)
        highest = below.shape[1] - 1 - np.argmax(below[:, ::-1], axis=1)
        selected = np.where(below.any(axis=1), highest, np.argmax(nearest & included, axis=1))
        return np.where(included.any(axis=1), selected, NONE)


def isotonic_rates(table: Table, included: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Estimate rates that do not decrease from level to level, by isotonic regression.

    The observed rate is ``(y + 0.05) / (n + 0.1)``, weighted by the inverse of its variance under
    Beta(y + 0.05, n - y + 0.05).

    Args:
        table: Patients and toxicities.
        included (trial, level): Levels that take part.

    Returns:
        (trial, level): Rates [1], NaN for levels that are not included.

    Source: Liu and Yuan 2015; the weights are those of the R package BOIN, `select.mtd`.
    """
    size, dlts = table.treated[included] + 2 * PSEUDO, table.dlts[included] + PSEUDO
    rate = np.full(included.shape, np.nan)
    if not size.size:
        return rate
    weight = size**2 * (size + 1) / (dlts * (size - dlts))
    # One regression for all trials: an offset between trials, larger than any rate, keeps levels of
    # different trials from being pooled.
    step = 2.0 * np.nonzero(included)[0]
    rate[included] = isotonic_regression(dlts / size + step, weights=weight).x - step
    return rate


def _between(low: float, high: float) -> float:
    """Return the observed rate at which two true rates are equally likely."""
    odds = math.log(high * (1 - low) / (low * (1 - high)))
    return math.log((1 - low) / (1 - high)) / odds


def _check_rates(target: float, low: float, high: float) -> None:
    if not 0 < target < 1:
        todo = "Write 0.25 for 25 %"
        raise ConfigError("BOIN", "the target rate must be between 0 and 1", target, todo)
    if not 0 < low < target < high < 1:
        rule = "the rates must be 0 < too low < target < too high < 1"
        todo = "Set too_low and too_high, which are 0.6 and 1.4 of the target by default"
        raise ConfigError("BOIN", rule, f"{low:g}, {target:g}, {high:g}", todo)


def _check_counts(cohort: int, largest: int, stop_at: int | None) -> None:
    if cohort < 1:
        raise ConfigError("BOIN", "the cohort size must be at least 1", cohort)
    if largest < cohort:
        rule = f"the largest size must be at least one cohort ({cohort})"
        raise ConfigError("BOIN", rule, largest)
    if stop_at is not None and stop_at < 1:
        raise ConfigError("BOIN", "stop_at must be at least 1", stop_at)
