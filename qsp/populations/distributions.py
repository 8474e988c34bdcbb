"""Distributions of parameters between patients, as functions of a standard normal draw.

Each maps a draw z to a value, with its median at z = 0, so that parameters can be correlated on the
normal scale, and z = 0 gives the typical patient.
"""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from typing import Any

import jax.numpy as jnp
import numpy as np

from qsp.errors import ConfigError, suggest
from qsp.molecules import Entry
from qsp.units import parse


@dataclasses.dataclass(frozen=True)
class AbstractDistribution:
    """Distribution of one quantity between patients, with median `value`."""

    value: float

    @abstractmethod
    def at(self, z: np.ndarray) -> np.ndarray:
        """Values at standard normal draws; `value` at z = 0."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Name and spread, for the parameter table of a report; empty without variability."""


@dataclasses.dataclass(frozen=True)
class Fixed(AbstractDistribution):
    """The same value in all patients."""

    @property
    def description(self) -> str:
        """Empty."""
        return ""

    def at(self, z: np.ndarray) -> np.ndarray:
        """value."""
        return np.full_like(z, self.value)


@dataclasses.dataclass(frozen=True)
class LogNormal(AbstractDistribution):
    """Log-normal distribution with median `value` and standard deviation `sd` of the logarithm."""

    sd: float

    def at(self, z: np.ndarray) -> np.ndarray:
        """value * exp(sd*z)."""
        return self.value * np.exp(self.sd * z)

    @property
    def cv(self) -> float:
        """Coefficient of variation: sqrt(exp(sd^2) - 1)."""
        return math.sqrt(math.expm1(self.sd**2))

    @property
    def description(self) -> str:
        """Name and CV."""
        return f"log-normal, CV {100 * self.cv:.3g} %"


@dataclasses.dataclass(frozen=True)
class Normal(AbstractDistribution):
    """Normal distribution; patients with impossible values are marked as not plausible."""

    sd: float

    def at(self, z: np.ndarray) -> np.ndarray:
        """value + sd*z."""
        return self.value + self.sd * z

    @property
    def description(self) -> str:
        """Name and SD."""
        return f"normal, SD {self.sd:g}"


@dataclasses.dataclass(frozen=True)
class LogitNormal(AbstractDistribution):
    """Distribution of a fraction whose logit is normal with standard deviation `sd`."""

    sd: float

    def at(self, z: np.ndarray) -> np.ndarray:
        """The fraction with logit(fraction) = logit(value) + sd*z."""
        odds = self.value / (1.0 - self.value) * np.exp(self.sd * z)
        return odds / (1.0 + odds)

    @property
    def description(self) -> str:
        """Name and SD."""
        return f"logit-normal, SD {self.sd:g} of the logit"


@dataclasses.dataclass(frozen=True)
class Bounded(AbstractDistribution):
    """Another distribution, clipped to bounds."""

    inner: AbstractDistribution
    low: float
    high: float

    def at(self, z: np.ndarray) -> np.ndarray:
        """Values of the inner distribution, clipped to the bounds."""
        return np.clip(self.inner.at(z), self.low, self.high)

    @property
    def description(self) -> str:
        """Description of the inner distribution, and the bounds."""
        return f"{self.inner.description}, from {self.low:g} to {self.high:g}"


def at_median(law: AbstractDistribution, value: Any, z: np.ndarray, *, is_relative: bool) -> Any:
    """Values (patient,) of a distribution with another median, which JAX may trace.

    Args:
        law: Distribution, whose own median is not 0.
        value: The other median.
        z: (patient,): Standard normal draws.
        is_relative: Whether the spread of a normal distribution is a fraction of its median.
    """
    if isinstance(law, Fixed):
        return value + np.zeros_like(z)
    if isinstance(law, Bounded):
        inner = at_median(law.inner, value, z, is_relative=is_relative)
        return jnp.clip(inner, law.low, law.high)
    if isinstance(law, Normal) and is_relative:
        return value + abs(value) * (law.sd / abs(law.value) * z)
    return dataclasses.replace(law, value=value).at(z)


_NAMES = ("log_normal", "normal", "logit_normal")


def distribution(entry: Entry, unit: str) -> AbstractDistribution:
    """Distribution of an entry in a canonical unit.

    Raises:
        ConfigError: If the value or the spread breaks a rule.
    """
    value = parse(entry.value, unit, where=entry.where)
    if not entry.keep_spread:
        return Fixed(value)
    inner = _unbounded(entry, value, unit)
    if not entry.low and not entry.high:
        return inner
    low = parse(entry.low, unit, where=f"{entry.where}.low") if entry.low else -np.inf
    high = parse(entry.high, unit, where=f"{entry.where}.high") if entry.high else np.inf
    if not low <= value <= high:
        rule = "the value must lie between low and high"
        raise ConfigError(entry.where, rule, repr(entry.value), "Check the bounds")
    return Bounded(value, inner, low, high)


def _unbounded(entry: Entry, value: float, unit: str) -> AbstractDistribution:
    name = entry.distribution or "log_normal"
    if entry.sd and not entry.distribution:
        todo = f"Write distribution = one of {', '.join(_NAMES)}"
        raise ConfigError(entry.where, "sd must be given with distribution", "alone", todo)
    if name not in _NAMES:
        todo = f"{suggest(name, _NAMES)} Choose one".strip()
        rule = f"distribution must be one of {', '.join(_NAMES)}"
        raise ConfigError(entry.where, rule, repr(name), todo)
    if not entry.cv and not entry.sd:
        if entry.distribution:
            rule = f"the spread of a {name} distribution must be given"
            todo = 'Write cv = "30 %" or sd'
            raise ConfigError(entry.where, rule, "missing", todo)
        return Fixed(value)
    if name == "log_normal":
        if entry.sd:
            return LogNormal(_positive(entry, value), _spread(entry, "sd", "1"))
        sd = math.sqrt(math.log1p(_spread(entry, "cv", "1") ** 2))
        return LogNormal(_positive(entry, value), sd)
    if name == "logit_normal":
        if not 0.0 < value < 1.0:
            rule = "a fraction with a logit_normal distribution must lie between 0 and 1"
            todo = "Correct the value, or remove its spread"
            raise ConfigError(entry.where, rule, repr(entry.value), todo)
        return LogitNormal(value, _spread(entry, "sd", "1"))
    if entry.cv:
        return Normal(value, abs(value) * _spread(entry, "cv", "1"))
    return Normal(value, _spread(entry, "sd", unit))


def _positive(entry: Entry, value: float) -> float:
    if value <= 0.0:
        todo = "Correct the value, or remove its spread"
        rule = "the median of a log-normal distribution must be positive"
        raise ConfigError(entry.where, rule, repr(entry.value), todo)
    return value


def _spread(entry: Entry, key: str, unit: str) -> float:
    text = getattr(entry, key)
    if not text:
        rule = f"{key} of a {entry.distribution or 'log_normal'} distribution must be given"
        raise ConfigError(entry.where, rule, "missing", f"Write {key}")
    spread = parse(text, unit, where=f"{entry.where}.{key}")
    if spread < 0.0:
        rule = f"{key} must not be negative"
        raise ConfigError(entry.where, rule, repr(text), "Write 0 or more")
    return spread
