"""Who is enrolled: the patients of each trial, in their order, and what each level does to them.

The patients of a trial depend on the seed and on its number only: not on the design, not on how
many trials there are, nor on which of the other patients failed. Designs that are compared under
one seed therefore meet the same patients in the same order.
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

NUMBERS = 4_000_000
"""Random numbers drawn at a time, of which every trial needs one for each virtual patient."""

TOLERANCES = 256
"""Random numbers of a trial on true rates, which do not depend on how many patients it needs."""

Potential: TypeAlias = NDArray[np.bool_]
"""(trial, patient, level): Whether a patient would have a dose-limiting toxicity at a level."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """Levels known by their true rates of toxicity.

    Args:
        levels: Names, from the lowest.
        rate (level,): Probability of a dose-limiting toxicity [1].
    """

    levels: tuple[str, ...]
    rate: NDArray[np.float64]

    def draw(self, trials: int, patients: int, seed: int) -> Potential:
        """Patients with a tolerance each: toxicity where the rate of the level is above it."""
        return np.concatenate([*self.pieces(trials, patients, seed)])

    def pieces(self, trials: int, patients: int, seed: int) -> Iterator[Potential]:
        """The same, some trials at a time."""
        for numbers in _numbers(trials, max(patients, TOLERANCES), seed):
            yield numbers[:, :patients, None] < self.rate


@dataclasses.dataclass(frozen=True)
class Population:
    """Levels known by what they do to virtual patients.

    Args:
        levels: Names, from the lowest.
        toxic (level, patient): 1 or 0 [1]; NaN where it is not known.
        weight (patient,): Prevalence, in any scale; nobody of weight 0 is enrolled.
    """

    levels: tuple[str, ...]
    toxic: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Patients (patient,) who can be enrolled: known at every level at which they might be."""
        return np.isfinite(self.toxic).all(axis=0) & (self.weight > 0)

    @property
    def rate(self) -> NDArray[np.float64]:
        """Rate (level,) of toxicity [1] in the patients who can be enrolled, by prevalence."""
        return np.average(self.toxic[:, self.known], axis=1, weights=self.weight[self.known])

    def draw(self, trials: int, patients: int, seed: int) -> Potential:
        """Patients without replacement, each time in proportion to the weights of the rest."""
        return np.concatenate([*self.pieces(trials, patients, seed)])

    def pieces(self, trials: int, patients: int, seed: int) -> Iterator[Potential]:
        """The same, some trials at a time."""
        toxic = self.toxic == 1
        for order in self._orders(trials, patients, seed):
            yield np.moveaxis(toxic[:, order], 0, -1)

    def order(self, trials: int, patients: int, seed: int) -> NDArray[np.int64]:
        """Places (trial, patient) of the first patients of each trial.

        Each virtual patient waits an exponential time whose rate is his weight; the first to come
        are enrolled.

        Raises:
            ConfigError: If there are fewer than a trial may need.

        Source: Efraimidis and Spirakis 2006, Inf Process Lett 97:181.
        """
        return np.concatenate([*self._orders(trials, patients, seed)])

    def _orders(self, trials: int, patients: int, seed: int) -> Iterator[NDArray[np.int64]]:
        able = int(self.known.sum())
        if able < patients:
            rule = f"patients who can be enrolled must be at least {patients}, as a trial may need"
            todo = "Simulate more patients, or allow fewer in a trial"
            raise ConfigError("escalation", rule, able, todo)
        weight = np.where(self.known, self.weight, 1.0)
        for numbers in _numbers(trials, weight.size, seed):
            wait = np.where(self.known, -np.log1p(-numbers) / weight, np.inf)
            yield _first(wait, patients)


def _numbers(trials: int, width: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Random numbers (trial, width) of some trials at a time.

    A block after the other gives the numbers that one of all would, in less memory.
    """
    random = np.random.default_rng(seed)
    block = max(1, NUMBERS // width)
    for start in range(0, trials, block):
        yield random.random((min(block, trials - start), width))


def _first(wait: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Places (trial, count) of the shortest waits, in their order."""
    some = np.argpartition(wait, count - 1, axis=1)[:, :count]
    return np.take_along_axis(
        some, np.argsort(np.take_along_axis(wait, some, axis=1), axis=1), axis=1
    )


def enrollment(toxic: xr.DataArray | Sequence[float]) -> Rates | Population:
    """What trials draw from.

    Args:
        toxic (level, patient) or (level,): Whether each virtual patient has a dose-limiting
            toxicity, with NaN where it is not known; or the true rate of each level. Levels go from
            the lowest to the highest.

    Returns:
        A population, or the rates.

    Raises:
        ConfigError: If it has other dimensions or values.
    """
    array = toxic if isinstance(toxic, xr.DataArray) else xr.DataArray(list(toxic), dims="level")
    dims = set(array.dims)
    if dims not in ({"level"}, {"level", "patient"}) or not array.size:
        rule = "toxicity must be given by level, or by level and patient"
        raise ConfigError("escalation", rule, f"{dict(array.sizes)}")
    levels = _names(array)
    if "patient" not in dims:
        return Rates(levels, _checked(array.values.astype(float)))
    values = _checked(array.transpose("level", "patient").values.astype(float), only=(0.0, 1.0))
    weight = array[WEIGHT].values.astype(float) if WEIGHT in array.coords else None
    return Population(levels, values, np.ones(values.shape[1]) if weight is None else weight)


def _names(array: xr.DataArray) -> tuple[str, ...]:
    given = array["level"].values if "level" in array.coords else range(1, array.sizes["level"] + 1)
    return tuple(str(name) for name in given)


def _checked(
    values: NDArray[np.float64], only: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    good = (values >= 0) & (values <= 1) if only is None else np.isin(values, only)
    good |= np.isnan(values) & (only is not None)
    if good.all():
        return values
    rule = "a rate must be from 0 to 1" if only is None else "toxicity must be 0, 1 or NaN"
    raise ConfigError("escalation", rule, f"{values[~good].flat[0]:g}")
