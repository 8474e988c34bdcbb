"""Mixtures: kinds of patient that exclude each other, such as with and without B cells in blood."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from qsp.errors import ConfigError, suggest
from qsp.molecules import Mixture
from qsp.population.covariates import quantile
from qsp.population.distributions import AbstractDistribution, distribution
from qsp.population.table import Row


def choices(mixture: Mixture, z: np.ndarray) -> np.ndarray:
    """Component of each patient (patient,), from standard normal draws."""
    shares = np.cumsum([component.weight for component in mixture.components])[:-1]
    bounds = np.array([quantile(float(share)) for share in shares])
    return (z[:, None] >= bounds).sum(1)


@dataclasses.dataclass(frozen=True)
class _Law:
    """A distribution times a factor."""

    inner: AbstractDistribution
    factor: float = 1.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return self.factor * self.inner.at(z)


@dataclasses.dataclass(frozen=True)
class MixtureLaw:
    """A mixture with the distributions of its components, built once for all patients.

    Args:
        mixture: As its file gives it.
        laws: By path, the distribution in each component.
    """

    mixture: Mixture
    laws: Mapping[str, tuple[_Law, ...]]

    @property
    def draw(self) -> str:
        """Name of the draw that chooses the component."""
        return f"mixtures.{self.mixture.name}"

    def at(self, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Values of its parameters (patient,), from the component of each patient.

        Args:
            draws: Standard normal draws (patient,) by path, and that of the component.
        """
        choice = choices(self.mixture, draws[self.draw])
        return {
            path: np.choose(choice, [law(draws[path]) for law in laws])
            for path, laws in self.laws.items()
        }


def _laws(mixture: Mixture, path: str, row: Row) -> tuple[_Law, ...]:
    where = f"{mixture.file}: mixture {mixture.name!r}"
    return tuple(_law(part.values.get(path, {}), row, where) for part in mixture.components)


def _law(change: Mapping[str, object], row: Row, where: str) -> _Law:
    if not change:
        return _Law(row.law)
    if "factor" in change:
        factor = change["factor"]
        if not isinstance(factor, int | float) or factor < 0 or "cv" in change:
            rule = "factor must be a number, 0 or more, and stand alone"
            raise ConfigError(f"{where}, {row.path}", rule, repr(factor), "Write factor = 0.5")
        return _Law(row.law, float(factor))
    entry = dataclasses.replace(row.entry, value=change["median"], file=where)
    if "cv" in change:
        entry = dataclasses.replace(entry, cv=change["cv"], sd="", distribution="")
    return _Law(distribution(entry, row.unit))


def check_mixtures(
    mixtures: Iterable[Mixture],
    rows: Mapping[str, Row],
    known: Iterable[str],
    overruled: Iterable[str],
) -> tuple[MixtureLaw, ...]:
    """Mixtures of parameters that matter here, with their distributions.

    Args:
        mixtures: From all files.
        rows: Values for this molecule.
        known: Every path the files give.
        overruled: Paths whose value the user gives: it holds for all kinds of patient.

    Raises:
        ConfigError: If a mixture names a value no file gives, or one that another mixture has too.
    """
    known, overruled = set(known), set(overruled)
    found: list[MixtureLaw] = []
    for mixture in mixtures:
        where = f"{mixture.file}: mixture {mixture.name!r}"
        if not mixture.name or any(mixture.name == other.mixture.name for other in found):
            rule = "a mixture must have a name of its own"
            raise ConfigError(where, rule, repr(mixture.name), "Name it")
        for path in sorted(_paths(mixture)):
            if path not in known:
                todo = f"{suggest(path, known)} A mixture changes given values".strip()
                rule = f"{path} must be the path of a given value"
                raise ConfigError(where, rule, "unknown", todo)
            if any(path in _paths(other.mixture) for other in found):
                rule = "a value must be in one mixture"
                raise ConfigError(where, rule, f"{path} in two", "Join the mixtures")
        kept = _paths(mixture) & set(rows) - overruled
        only = _only(mixture, kept)
        laws = {path: _laws(only, path, rows[path]) for path in sorted(kept)}
        found.append(MixtureLaw(only, laws))
    return tuple(found)


def _paths(mixture: Mixture) -> set[str]:
    return {path for component in mixture.components for path in component.values}


def _only(mixture: Mixture, kept: set[str]) -> Mixture:
    components: Sequence = [
        dataclasses.replace(part, values={k: v for k, v in part.values.items() if k in kept})
        for part in mixture.components
    ]
    return dataclasses.replace(mixture, components=tuple(components))
