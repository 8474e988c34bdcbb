"""Mixtures of mutually exclusive kinds of patient, such as with and without B cells in blood."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from qsp.errors import ConfigError, suggest
from qsp.molecules import Mixture
from qsp.populations.covariates import quantile
from qsp.populations.distributions import AbstractDistribution, distribution
from qsp.populations.parameter_table import ParameterRow


def choices(mixture: Mixture, z: np.ndarray) -> np.ndarray:
    """Index of the component of each patient (patient,), from standard normal draws (patient,)."""
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
        mixture: Names and weights of the components.
        laws: Distribution in each component, by path.
    """

    mixture: Mixture
    laws: Mapping[str, tuple[_Law, ...]]

    @property
    def draw(self) -> str:
        """Name of the draw that chooses the component."""
        return f"mixtures.{self.mixture.name}"

    def at(self, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Values (patient,) of the parameters of the mixture by path.

        Args:
            draws: Standard normal draws (patient,) by path, including that of the component.
        """
        choice = choices(self.mixture, draws[self.draw])
        return {
            path: np.choose(choice, [law(draws[path]) for law in laws])
            for path, laws in self.laws.items()
        }


def _laws(mixture: Mixture, path: str, row: ParameterRow) -> tuple[_Law, ...]:
    where = f"{mixture.file}: mixture {mixture.name!r}"
    return tuple(_law(part.values.get(path, {}), row, where) for part in mixture.components)


def _law(change: Mapping[str, object], row: ParameterRow, where: str) -> _Law:
    if not change:
        return _Law(row.law)
    if "factor" in change:
        factor = change["factor"]
        if not isinstance(factor, int | float) or factor < 0 or "cv" in change:
            rule = "factor must be a number, 0 or more, without cv"
            todo = "Write for example { factor = 0.5 }"
            raise ConfigError(f"{where}, {row.path}", rule, repr(factor), todo)
        return _Law(row.law, float(factor))
    entry = dataclasses.replace(row.entry, value=change["median"], file=where)
    if "cv" in change:
        entry = dataclasses.replace(entry, cv=change["cv"], sd="", distribution="")
    return _Law(distribution(entry, row.unit))


def check_mixtures(
    mixtures: Iterable[Mixture],
    rows: Mapping[str, ParameterRow],
    known: Iterable[str],
    overridden: Iterable[str],
) -> tuple[MixtureLaw, ...]:
    """Check mixtures and build the distributions of their components.

    Args:
        mixtures: Mixtures of all files.
        rows: Rows of the parameter table of the molecule.
        known: Paths of all values in the files.
        overridden: Paths of the values that the user overrides; these apply to all components.

    Raises:
        ConfigError: If two mixtures have the same name, or a mixture changes a value that no file
            gives or that another mixture changes too.
    """
    known, overridden = set(known), set(overridden)
    found: list[MixtureLaw] = []
    for mixture in mixtures:
        where = f"{mixture.file}: mixture {mixture.name!r}"
        if not mixture.name or any(mixture.name == other.mixture.name for other in found):
            rule = "the name of a mixture must be unique"
            raise ConfigError(where, rule, repr(mixture.name), "Change name")
        for path in sorted(_paths(mixture)):
            if path not in known:
                todo = f"{suggest(path, known)} A mixture changes values of the files".strip()
                rule = f"{path} must be the path of a value in the files"
                raise ConfigError(where, rule, "unknown", todo)
            if any(path in _paths(other.mixture) for other in found):
                rule = f"{path} must be in one mixture only"
                raise ConfigError(where, rule, "in two", "Combine the mixtures")
        paths = _paths(mixture) & set(rows) - overridden
        reduced = _restricted(mixture, paths)
        laws = {path: _laws(reduced, path, rows[path]) for path in sorted(paths)}
        found.append(MixtureLaw(reduced, laws))
    return tuple(found)


def _paths(mixture: Mixture) -> set[str]:
    return {path for component in mixture.components for path in component.values}


def _restricted(mixture: Mixture, paths: set[str]) -> Mixture:
    components: Sequence = [
        dataclasses.replace(part, values={k: v for k, v in part.values.items() if k in paths})
        for part in mixture.components
    ]
    return dataclasses.replace(mixture, components=tuple(components))
