"""The Bayesian optimal interval design (BOIN).

The observed rate at the level is compared with two limits: at or below the lower one the trial goes
up, at or above the upper one it goes down. The limits make a wrong decision least likely where the
true rate is the target, a rate too low or a rate too high, each with the same prior probability.

Where the paper leaves a choice, this follows the R package BOIN of its authors: how the rates are
weighted in the isotonic regression, how ties are broken, and when enough patients at a level end a
trial.
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

from qsp.designs.design import ENOUGH, GO, NONE, TOXIC, Decision, Levels, Table
from qsp.errors import ConfigError

FEWEST = 3
"""Patients at a level before it may be eliminated."""
PSEUDO = 0.05
"""Added to the patients with and to those without a toxicity in the rates at the end."""
TIE = 1e-9
"""Distances from the target that differ by less are the same."""


class Limits(NamedTuple):
    """Toxicities among n patients at which something happens, each (n,) for n from 0.

    Args:
        up: Most with which the trial goes up.
        down: Fewest with which it goes down.
        out: Fewest with which the level and those above are eliminated; more than n where no
            number does it.
    """

    up: Levels
    down: Levels
    out: Levels


@dataclasses.dataclass(frozen=True)
class BOIN:
    """The Bayesian optimal interval design.

    Args:
        target: Rate of dose-limiting toxicity that is wanted, between 0 and 1.
        too_low: Highest rate that is too low; 0.6 of the target by default.
        too_high: Lowest rate that is too high; 1.4 of the target by default.
        cohort_size: Patients treated between two decisions.
        largest: Patients with whom a trial ends.
        stop_at: Patients at a level that end the trial if it would stay there; None for no such
            rule.
        certainty: Posterior probability of a rate above the target beyond which a level and those
            above it are eliminated, under a uniform prior and with at least three patients. If
            the lowest level is eliminated, the trial ends and recommends none.

    Raises:
        ConfigError: If the rates are not 0 < too_low < target < too_high < 1, or a number is out
            of its range.

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
        _check_rates(self.target, *self._others)
        _check_counts(self.cohort_size, self.largest, self.stop_at)
        if not 0 < self.certainty < 1:
            rule = "the certainty of an elimination must be between 0 and 1"
            raise ConfigError("BOIN", rule, self.certainty)

    @property
    def _others(self) -> tuple[float, float]:
        low = 0.6 * self.target if self.too_low is None else self.too_low
        return low, 1.4 * self.target if self.too_high is None else self.too_high

    @property
    def title(self) -> str:
        """The design with its numbers."""
        low, high = (
            "" if given is None else f", {name} {100 * given:g} %"
            for name, given in (("too low", self.too_low), ("too high", self.too_high))
        )
        stop_at = "" if self.stop_at is None else f", {self.stop_at} at a level end it"
        return (
            f"BOIN, target {100 * self.target:g} %{low}{high}, cohorts of {self.cohort_size}, at "
            f"most {self.largest} patients{stop_at}"
        )

    @property
    def boundaries(self) -> tuple[float, float]:
        """Observed rates [1] at or below which the trial goes up, at or above which down.

        Source: Liu and Yuan 2015, equations for the local design with equal priors.
        """
        low, high = self._others
        return _between(low, self.target), _between(self.target, high)

    @cached_property
    def limits(self) -> Limits:
        """What the boundaries come to in toxicities among 0 to `largest` patients."""
        up, down = self.boundaries
        n = np.arange(self.largest + 1)
        dlts = np.arange(self.largest + 2)[:, None]
        rest = np.maximum(n - dlts, 0)
        above = 1.0 - betainc(1.0 + dlts, 1.0 + rest, self.target)
        # The first number of toxicities that is one too many; n + 1 where none is.
        many = ((above > self.certainty) & (n >= FEWEST)) | (dlts > n)
        out = np.argmax(many, axis=0)
        return Limits(
            np.floor(up * n).astype(np.int64),
            np.minimum(np.ceil(down * n).astype(np.int64), out),
            out,
        )

    def most_patients(self, levels: int) -> int:
        """The largest size of a trial, over however many levels."""
        return self.largest

    def eliminated(self, table: Table) -> NDArray[np.bool_]:
        """Levels (trial, level) that may not be given any more.

        A level stays eliminated, since nobody is treated at it afterwards.
        """
        out = table.dlts >= self.limits.out[table.treated]
        return np.logical_or.accumulate(out, axis=1)

    def decide(self, table: Table) -> Decision:
        """Up, down or stay by the observed rate; up only to a level that is not eliminated.

        Args:
            table: Of trials that go on.

        Returns:
            The decisions; a trial ends if the lowest level is eliminated, or if it would stay at a
            level that has enough patients.
        """
        treated, dlts = table.here
        top = table.treated.shape[1] - 1
        eliminated = self.eliminated(table)
        above = np.minimum(table.level + 1, top)
        barred = np.take_along_axis(eliminated, above[:, None], axis=1)[:, 0]
        up = (dlts <= self.limits.up[treated]) & (table.level < top) & ~barred
        down = (dlts >= self.limits.down[treated]) & (table.level > 0)
        level = table.level + up - down
        full = np.zeros_like(up) if self.stop_at is None else treated >= self.stop_at
        stop = np.where(full & (level == table.level), ENOUGH, GO)
        return Decision(level, np.where(eliminated[:, 0], TOXIC, stop).astype(np.int8))

    def select(self, table: Table) -> Levels:
        """The level whose rate is nearest to the target, by isotonic regression.

        Only levels count at which somebody was treated and which are not eliminated. Among equally
        near ones it is the highest below the target, or else the lowest above it.

        Args:
            table: Of trials at their end.

        Returns:
            (trial,): Ordinal of the level, or `NONE`.
        """
        counts = (table.treated > 0) & ~self.eliminated(table)
        rate = isotonic_rates(table, counts)
        distance = np.where(counts, np.abs(rate - self.target), np.inf)
        nearest = distance <= distance.min(axis=1, keepdims=True) + TIE
        below = nearest & counts & (rate < self.target)
        highest = below.shape[1] - 1 - np.argmax(below[:, ::-1], axis=1)
        found = np.where(below.any(axis=1), highest, np.argmax(nearest & counts, axis=1))
        return np.where(counts.any(axis=1), found, NONE)


def isotonic_rates(table: Table, counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rates that do not fall from level to level, nearest to the observed ones.

    The observed rate is ``(y + 0.05) / (n + 0.1)`` and weighs as the inverse of its variance under
    Beta(y + 0.05, n - y + 0.05).

    Args:
        table: Patients and toxicities.
        counts (trial, level): Levels that are looked at.

    Returns:
        (trial, level): Rates [1], NaN where a level is not looked at.

    Source: Liu and Yuan 2015; the weights are those of the R package BOIN, `select.mtd`.
    """
    size, dlts = table.treated[counts] + 2 * PSEUDO, table.dlts[counts] + PSEUDO
    rate = np.full(counts.shape, np.nan)
    if not size.size:
        return rate
    weight = size**2 * (size + 1) / (dlts * (size - dlts))
    # One regression for all trials: each stands higher than those before it by more than a rate can
    # be, so that no two of them are pooled.
    step = 2.0 * np.nonzero(counts)[0]
    rate[counts] = isotonic_regression(dlts / size + step, weights=weight).x - step
    return rate


def _between(low: float, high: float) -> float:
    """Observed rate at which two true rates are equally likely."""
    odds = math.log(high * (1 - low) / (low * (1 - high)))
    return math.log((1 - low) / (1 - high)) / odds


def _check_rates(target: float, low: float, high: float) -> None:
    if not 0 < target < 1:
        todo = "Write 0.25 for 25 %"
        raise ConfigError("BOIN", "the target rate must be between 0 and 1", target, todo)
    if not 0 < low < target < high < 1:
        rule = "the rates must be 0 < too low < target < too high < 1"
        todo = "Give too_low and too_high, which are 0.6 and 1.4 of the target by default"
        raise ConfigError("BOIN", rule, f"{low:g}, {target:g}, {high:g}", todo)


def _check_counts(cohort: int, largest: int, stop_at: int | None) -> None:
    if cohort < 1:
        raise ConfigError("BOIN", "the cohort size must be at least 1", cohort)
    if largest < cohort:
        rule = f"the largest size must be at least a cohort ({cohort})"
        raise ConfigError("BOIN", rule, largest)
    if stop_at is not None and stop_at < 1:
        raise ConfigError("BOIN", "enough patients at a level must be at least 1", stop_at)
