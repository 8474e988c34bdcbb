"""How well weighted patients meet published distributions, and why not.

- Fit: shares before and after, and whether the distance of a distribution from the published one is
  within the sampling error of the publication (chi-squared, 95 %).
- Support: bins of a published distribution in which no patient is. No weight reaches them.
- Conflict: a distribution that weights meet alone, but not together with others. It is named with
  each distribution without which it is met.
- Duplicates: points of two distributions that are nearly the same statement about each patient, so
  that their publications count twice.
- Effective size, and that of a perfect model: published shares are those of n patients, so that
  even patients with the right distribution would be weighted. The perfect model has as published
  shares those of n of the patients themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from qsp.patients.published import Published
from qsp.patients.tilt import Tilt, features, tilt
from qsp.weights import effective_size

LEVEL = 0.95
REPLICATES = 40
"""Published shares of a perfect model that are simulated."""
SAME = 0.98
"""Correlation of two features over the patients above which they are duplicates."""

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Group:
    """A published distribution and the values of the patients.

    Args:
        published: The published distribution.
        values (patient,): Values in the unit of the publication; NaN if missing.
    """

    published: Published
    values: Floats

    @property
    def features(self) -> Floats:
        """Features (patient, point) of the distribution."""
        return features(self.values, self.published.at_most, self.published.shares)

    @property
    def bins(self) -> NDArray[np.int64]:
        """(patient,): Bin of each patient; -1 without a value."""
        place = np.searchsorted(self.published.at_most, self.values, side="left")
        return np.where(np.isfinite(self.values), place, -1)

    def ridge(self, prior: Floats) -> Floats:
        """(point, point): Sampling covariance of the shares times that of the patients known."""
        known = prior[np.isfinite(self.values)].sum() / prior.sum()
        return self.published.covariance * known**2

    def shares(self, weight: Floats) -> Floats:
        """(point,): Weighted shares of the patients with a value [1]."""
        known = weight[np.isfinite(self.values)].sum()
        found = self.published.shares + (weight @ self.features) / known
        return np.clip(found, 0.0, 1.0)  # rounding

    def is_met(self, weight: Floats) -> bool:
        """Whether the weighted shares are within the sampling error of the publication."""
        miss = self.shares(weight) - self.published.shares
        distance = float(miss @ np.linalg.solve(self.published.covariance, miss))
        return bool(distance <= chi2.ppf(LEVEL, len(miss)))


@dataclasses.dataclass(frozen=True)
class Fit:
    """A published share, and that of the patients.

    Args:
        published: The published distribution.
        place: Index of the point.
        before: Share before weighing [1].
        after: Share after weighing [1].
        is_met: Whether the whole distribution is met.
    """

    published: Published
    place: int
    before: float
    after: float
    is_met: bool

    def record(self) -> dict[str, float | str | bool]:
        """Return the published share with its value and unit, and the shares of the patients."""
        return {
            "at_most": float(self.published.at_most[self.place]),
            "unit": self.published.unit,
            "published": float(self.published.shares[self.place]),
            "before": self.before,
            "after": self.after,
            "met": self.is_met,
        }


@dataclasses.dataclass(frozen=True)
class Unsupported:
    """A bin of a published distribution without patients.

    Args:
        published: The published distribution.
        bin: The bin as text.
        probability: Published proportion of patients in it [1].
    """

    published: Published
    bin: str
    probability: float


@dataclasses.dataclass(frozen=True)
class Conflict:
    """A distribution that is not met, although weights meet it alone.

    Args:
        published: The distribution.
        others: Distributions without each of which it is met; none if no single one is the reason.
    """

    published: Published
    others: tuple[Published, ...]


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """Two distributions that make nearly the same statement about each patient."""

    first: Published
    second: Published
    correlation: float


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """Report on the weights of patients.

    Args:
        fits: Published shares, in their order.
        patients: Number of patients with weight above 0 before.
        effective: Effective number of patients.
        perfect: Median effective number of a perfect model with the same numbers of patients in the
            publications.
        unsupported: Bins without patients.
        out_of_reach: Distributions that are not met even alone.
        conflicts: Distributions that are met alone, but not together.
        duplicates: Distributions that count twice.
    """

    fits: tuple[Fit, ...]
    patients: int
    effective: float
    perfect: float
    unsupported: tuple[Unsupported, ...]
    out_of_reach: tuple[Published, ...]
    conflicts: tuple[Conflict, ...]
    duplicates: tuple[Duplicate, ...]

    @property
    def is_met(self) -> bool:
        """Whether all published distributions are met."""
        return all(fit.is_met for fit in self.fits)


def fit(groups: Sequence[Group], prior: Floats, ridge: float) -> Tilt:
    """Return the weights that meet several published distributions.

    Args:
        groups: Published distributions and values.
        prior (patient,): Weights before.
        ridge: Factor of the sampling covariance of the published shares; 0 to meet them exactly.
    """
    feature = np.concatenate([group.features for group in groups], axis=1)
    covariance = np.zeros((feature.shape[1],) * 2)
    first = 0
    for group in groups:
        own = slice(first, first + len(group.published.shares))
        covariance[own, own] = ridge * group.ridge(prior)
        first = own.stop
    return tilt(feature, prior, covariance)


def diagnose(
    groups: Sequence[Group], prior: Floats, weight: Floats, *, ridge: float, seed: int
) -> Diagnosis:
    """Return the report on weights.

    Args:
        groups: Published distributions and values.
        prior (patient,): Weights before.
        weight (patient,): Weights after, which add up to 1.
        ridge: Factor of the sampling covariance.
        seed: Seed of the perfect model.
    """
    prior = prior / prior.sum()
    missed = [group for group in groups if not group.is_met(weight)]
    alone = [group for group in missed if group.is_met(fit([group], prior, max(ridge, 1.0)).weight)]
    return Diagnosis(
        fits=tuple(
            Fit(group.published, n, before, after, group not in missed)
            for group in groups
            for n, (before, after) in enumerate(
                zip(group.shares(prior).tolist(), group.shares(weight).tolist(), strict=True)
            )
        ),
        patients=int((prior > 0).sum()),
        effective=float(effective_size(weight.sum(), (weight**2).sum())),
        perfect=_perfect(groups, prior, ridge, seed),
        unsupported=tuple(each for group in groups for each in unsupported(group, prior)),
        out_of_reach=tuple(group.published for group in missed if group not in alone),
        conflicts=tuple(_conflict(group, groups, prior, ridge) for group in alone),
        duplicates=_duplicates(groups, prior),
    )


def unsupported(group: Group, prior: Floats) -> list[Unsupported]:
    """Return the bins of a published distribution without patients of weight above 0."""
    seen = set(group.bins[prior > 0].tolist())
    return [
        Unsupported(group.published, group.published.bin_text(place), float(probability))
        for place, probability in enumerate(group.published.probabilities)
        if place not in seen
    ]


def _conflict(group: Group, groups: Sequence[Group], prior: Floats, ridge: float) -> Conflict:
    others = []
    for other in groups:
        rest = [each for each in groups if each is not other]
        if other is not group and group.is_met(fit(rest, prior, max(ridge, 1.0)).weight):
            others.append(other.published)
    return Conflict(group.published, tuple(others))


def _duplicates(groups: Sequence[Group], prior: Floats) -> tuple[Duplicate, ...]:
    """Return pairs of distributions with points whose features are nearly the same."""
    found = []
    for n, first in enumerate(groups):
        for second in groups[n + 1 :]:
            known = np.isfinite(first.values) & np.isfinite(second.values)
            one, two = (
                _standardized(group.features[known], prior[known]) for group in (first, second)
            )
            correlation = np.abs(one.T @ two)
            if correlation.max(initial=0.0) > SAME:
                found.append(Duplicate(first.published, second.published, correlation.max()))
    return tuple(found)


def _standardized(feature: Floats, prior: Floats) -> Floats:
    """(patient, point): Features with weighted mean 0 and sum of squares 1; 0 if they are equal."""
    share = prior / max(prior.sum(), np.finfo(float).tiny)
    centered = (feature - share @ feature) * np.sqrt(share)[:, None]
    size = np.sqrt((centered**2).sum(0))
    return np.divide(centered, size, out=np.zeros_like(centered), where=size > 1e-9)


def _perfect(groups: Sequence[Group], prior: Floats, ridge: float, seed: int) -> float:
    """Return the median effective number if the published shares were those of the patients."""
    random = np.random.default_rng(seed)
    sizes = []
    for _ in range(REPLICATES):
        simulated = [_simulated(group, prior, random) for group in groups]
        own = fit(simulated, prior, max(ridge, 1.0)).weight
        sizes.append(effective_size(own.sum(), (own**2).sum()))
    return float(np.median(sizes))


def _simulated(group: Group, prior: Floats, random: np.random.Generator) -> Group:
    """Return a distribution with published shares of n of the patients themselves."""
    published, bins = group.published, group.bins
    known = bins >= 0
    probability = np.bincount(bins[known], prior[known], len(published.shares) + 1)
    counts = random.multinomial(published.n, probability / probability.sum())
    # Half a patient in each bin, as the covariance of a share of 0 or 1 would be 0.
    counts = counts + 0.5
    shares = np.cumsum(counts)[:-1] / counts.sum()
    return dataclasses.replace(group, published=dataclasses.replace(published, shares=shares))
