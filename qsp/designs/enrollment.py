"""Enrollment: the patients of each trial, in order, and their toxicity at each level.

The patients of a trial depend only on the seed and the index of the trial: not on the design, the
number of trials, or failures of other patients. Designs that are compared under one seed therefore
enroll the same patients in the same order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.designs.toxicity import WEIGHT
from qsp.errors import ConfigError

DRAWS_PER_BLOCK = 4_000_000
"""Random numbers in memory at a time. A trial needs one for each virtual patient."""

TOLERANCES = 256
"""Random numbers of a trial with true rates, independent of the number of patients it enrolls."""

Potential: TypeAlias = NDArray[np.bool_]
"""(trial, patient, level): Whether a patient would have a dose-limiting toxicity at a level."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """Dose levels with known true rates of toxicity.

    Args:
        levels: Names of the levels, from the lowest.
        rate (level,): Probability of a dose-limiting toxicity [1].
    """

    levels: tuple[str, ...]
    rate: NDArray[np.float64]

    def sample(self, trials: int, patients: int, seed: int) -> Potential:
        """Sample patients with a tolerance each: toxic at levels whose rate exceeds it."""
        return np.concatenate([*self.pieces(trials, patients, seed)])

    def pieces(self, trials: int, patients: int, seed: int) -> Iterator[Potential]:
        """Sample as `sample` does, some trials at a time."""
        for tolerance in _uniform(trials, max(patients, TOLERANCES), seed):
            yield tolerance[:, :patients, None] < self.rate


@dataclasses.dataclass(frozen=True)
class Population:
    """Dose levels with the toxicity of each virtual patient.

    Args:
        levels: Names of the levels, from the lowest.
        toxic (level, patient): Toxicity, 1 or 0 [1]; NaN if unknown.
        weight (patient,): Prevalence, on any scale; patients of weight 0 are not enrolled.
    """

    levels: tuple[str, ...]
    toxic: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether a patient can be enrolled (patient,): known at all levels, and of weight > 0."""
        return np.isfinite(self.toxic).all(axis=0) & (self.weight > 0)

    @property
    def rate(self) -> NDArray[np.float64]:
        """Prevalence-weighted rate (level,) of toxicity [1] in patients who can be enrolled."""
        return np.average(self.toxic[:, self.known], axis=1, weights=self.weight[self.known])

    def sample(self, trials: int, patients: int, seed: int) -> Potential:
        """Sample patients without replacement, with probabilities proportional to weight."""
        return np.concatenate([*self.pieces(trials, patients, seed)])

    def pieces(self, trials: int, patients: int, seed: int) -> Iterator[Potential]:
        """Sample as `sample` does, some trials at a time."""
        toxic = self.toxic == 1
        for order in self._orders(trials, patients, seed):
            yield np.moveaxis(toxic[:, order], 0, -1)

    def order(self, trials: int, patients: int, seed: int) -> NDArray[np.int64]:
        """Return the indices (trial, patient) of the patients of each trial, in order.

        Each virtual patient arrives after an exponential time whose rate is the weight; a trial
        enrolls the first to arrive.

        Raises:
            ConfigError: If fewer patients can be enrolled than a trial may need.

        Source: Efraimidis and Spirakis 2006, Inf Process Lett 97:181.
        """
        return np.concatenate([*self._orders(trials, patients, seed)])

    def _orders(self, trials: int, patients: int, seed: int) -> Iterator[NDArray[np.int64]]:
        eligible = int(self.known.sum())
        if eligible < patients:
            rule = f"patients who can be enrolled must be at least {patients}, the size of a trial"
            todo = "Simulate more patients, or allow fewer in a trial"
            raise ConfigError("escalation", rule, eligible, todo)
        weight = np.where(self.known, self.weight, 1.0)
        for uniform in _uniform(trials, weight.size, seed):
            arrival = np.where(self.known, -np.log1p(-uniform) / weight, np.inf)
            yield _first(arrival, patients)


def _uniform(trials: int, width: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield uniform random numbers (trial, width), some trials at a time to limit memory.

    The numbers do not depend on the size of the blocks.
    """
    random = np.random.default_rng(seed)
    block = max(1, DRAWS_PER_BLOCK // width)
    for start in range(0, trials, block):
        yield random.random((min(block, trials - start), width))


def _first(arrival: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the indices (trial, count) of the earliest arrivals, in order."""
    some = np.argpartition(arrival, count - 1, axis=1)[:, :count]
    return np.take_along_axis(
        some, np.argsort(np.take_along_axis(arrival, some, axis=1), axis=1), axis=1
    )


def enrollment(toxic: xr.DataArray | Sequence[float]) -> Rates | Population:
    """Return the source from which trials enroll patients.

    Args:
        toxic (level, patient) or (level,): Whether each virtual patient has a dose-limiting
            toxicity, NaN if unknown; or the true rate of each level [1]. Levels go from the lowest
            to the highest.

    Returns:
        The population, or the rates.

    Raises:
        ConfigError: If dimensions or values are invalid.
    """
    array = toxic if isinstance(toxic, xr.DataArray) else xr.DataArray(list(toxic), dims="level")
    dims = set(array.dims)
    if dims not in ({"level"}, {"level", "patient"}) or not array.size:
        rule = "the dimensions of toxicity must be level, or level and patient"
        raise ConfigError("escalation", rule, f"{dict(array.sizes)}")
    levels = _names(array)
    if "patient" not in dims:
        return Rates(levels, _checked(array.values.astype(float)))
    values = _checked(array.transpose("level", "patient").values.astype(float), only=(0.0, 1.0))
    weight = array[WEIGHT].values.astype(float) if WEIGHT in array.coords else None
    return Population(levels, values, np.ones(values.shape[1]) if weight is None else weight)


def _names(array: xr.DataArray) -> tuple[str, ...]:
    has_names = "level" in array.coords
    names = array["level"].values if has_names else range(1, array.sizes["level"] + 1)
    return tuple(str(name) for name in names)


def _checked(
    values: NDArray[np.float64], only: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    valid = (values >= 0) & (values <= 1) if only is None else np.isin(values, only)
    valid |= np.isnan(values) & (only is not None)
    if valid.all():
        return values
    rule = "a rate must be from 0 to 1" if only is None else "toxicity must be 0, 1 or NaN"
    raise ConfigError("escalation", rule, f"{values[~valid].flat[0]:g}")
