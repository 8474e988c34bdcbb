"""Covariates of patients, and their effects on pharmacokinetic parameters.

Body weight, height, age and sex are sampled from the distributions of the cohort. Body surface area
follows from weight and height [Mosteller1987] unless the cohort has a distribution for it. A
covariate file may give values for individual patients.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from qsp.errors import ConfigError, PopulationError, suggest
from qsp.molecules import Entry, parameter_file
from qsp.molecules.parameter_file import check_keys
from qsp.populations.cohort import Cohort
from qsp.populations.distributions import AbstractDistribution, distribution
from qsp.units import parse

UNITS: Mapping[str, str] = {
    "body_weight": "kg",
    "height": "m",
    "body_surface": "m^2",
    "age": "year",
}
"""Numerical covariates and their units."""
SIZES = ("body_weight", "height", "body_surface")
"""Covariates that scale doses, directly or through body surface area; they must be positive."""
MOST_DEVIATIONS = 8.0
"""Standard deviations that one normal draw in 10^15 exceeds."""
SEXES = ("male", "female")
REPORTED = ("body_weight", "body_surface", "age", "sex")
"""Covariates of every patient; sex as 0 (male) or 1 (female)."""


@dataclasses.dataclass(frozen=True)
class CovariateModel:
    """Effect of a covariate on a parameter: (x/reference)^exponent, or 1 + factor at a level."""

    covariate: str
    reference: float = math.nan
    exponent: float = 0.0
    level: str = ""
    factor: float = 0.0

    def effect(self, covariates: Mapping[str, np.ndarray]) -> np.ndarray:
        """Factor of the parameter in each patient."""
        x = covariates[self.covariate]
        if self.level:
            return np.where(x == SEXES.index(self.level), 1.0 + self.factor, 1.0)
        return (x / self.reference) ** self.exponent


def covariate_models(entry: Entry) -> tuple[CovariateModel, ...]:
    """Covariate models of an entry.

    Raises:
        ConfigError: If a model is malformed.
    """
    return tuple(_model(item, f"{entry.where}.covariates") for item in entry.covariates)


def _model(item: Mapping[str, Any], where: str) -> CovariateModel:
    name = item.get("covariate", "")
    known = (*UNITS, "sex")
    if name not in known:
        todo = f"{suggest(str(name), known)} Choose one".strip()
        raise ConfigError(where, f"covariate must be one of {', '.join(known)}", repr(name), todo)
    keys = ("level", "factor") if name == "sex" else ("reference", "exponent")
    check_keys(item, ("covariate", *keys), where)
    if any(key not in item for key in keys):
        todo = f"Write {' and '.join(keys)}"
        raise ConfigError(where, f"the model of {name} must be complete", "incomplete", todo)
    strength = item[keys[1]]
    if not isinstance(strength, int | float) or (name == "sex" and strength <= -1):
        rule = f"{keys[1]} must be a number" + (" above -1" if name == "sex" else "")
        raise ConfigError(where, rule, repr(strength), f"Check {keys[1]}")
    if name == "sex":
        if item["level"] not in SEXES:
            rule = "level must be male or female"
            raise ConfigError(where, rule, repr(item["level"]), "Choose one")
        return CovariateModel(name, level=item["level"], factor=float(strength))
    reference = parse(item["reference"], UNITS[name], where=where)
    if reference <= 0:
        rule = "reference must be positive"
        raise ConfigError(where, rule, repr(item["reference"]), "Check reference")
    return CovariateModel(name, reference, float(strength))


@dataclasses.dataclass(frozen=True)
class CovariateLaw:
    """Distribution of the covariates in a cohort.

    Args:
        numbers: Distributions of the numerical covariates by name.
        female: Share of women.
        entries: Entries of the numerical covariates in the cohort's file, by path.
    """

    numbers: Mapping[str, AbstractDistribution]
    female: float
    entries: Mapping[str, Entry]

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the sampled covariates."""
        return tuple(f"covariates.{name}" for name in (*self.numbers, "sex"))

    def at(
        self, draws: Mapping[str, np.ndarray], individual: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Covariates of patients.

        Args:
            draws: Standard normal draws (patient,) by path.
            individual: Values from a covariate file (patient,) by name; NaN for a sampled value.

        Returns:
            Covariates (patient,) by name; sex as 0 or 1.

        Raises:
            ConfigError: If the file gives a height but the cohort has no distribution of it.
        """
        for name in individual:
            if name == "height" and "height" not in self.numbers:
                rule = "a covariate must be one of the population"
                todo = "The population has body_surface instead: give that"
                raise ConfigError("covariates", rule, repr(name), todo)
        found = {name: law.at(draws[f"covariates.{name}"]) for name, law in self.numbers.items()}
        found["sex"] = np.where(draws["covariates.sex"] < quantile(self.female), 1.0, 0.0)
        found = {name: _either(individual.get(name), value) for name, value in found.items()}
        if "body_surface" not in found:
            surface = mosteller(found["body_weight"], found["height"])
            found["body_surface"] = _either(individual.get("body_surface"), surface)
        return found


def quantile(share: float) -> float:
    """Quantile of the standard normal distribution."""
    if 0.0 < share < 1.0:
        return NormalDist().inv_cdf(share)
    return math.inf if share >= 1.0 else -math.inf


def mosteller(body_weight: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Body surface area [m^2] from weight [kg] and height [m] [Mosteller1987]."""
    return np.sqrt(100.0 * height * body_weight / 3600.0)


def _either(individual: np.ndarray | None, sampled: np.ndarray) -> np.ndarray:
    """Individual values, or sampled ones where these are missing."""
    return sampled if individual is None else np.where(np.isnan(individual), sampled, individual)


def _check_positive(numbers: Mapping[str, AbstractDistribution], where: str) -> None:
    """Check that no sampled body size is zero or negative, because doses may scale with it."""
    for name in (name for name in SIZES if name in numbers):
        law = numbers[name]
        lowest = float(np.min(law.at(np.array([-MOST_DEVIATIONS, MOST_DEVIATIONS]))))
        if not lowest > 0.0:
            rule = f"{name} must be above 0 in every patient"
            todo = 'Write distribution = "log_normal" with a cv, or add low and high'
            raise PopulationError(f"{where}: covariates", rule, f"as low as {lowest:.3g}", todo)


def covariate_law(cohort: Cohort) -> CovariateLaw:
    """Distribution of the covariates in a cohort.

    Raises:
        ConfigError: If the description breaks a rule.
        PopulationError: If a covariate is missing.
    """
    where = f"{cohort.name}.toml"
    table = dict(cohort.covariates)
    check_keys(table, (*UNITS, "sex"), f"{where}: covariates")
    sex = table.pop("sex", {})
    if not isinstance(sex, Mapping):
        todo = 'Write sex = { female = "50 %", status = "assumed" }'
        raise ConfigError(f"{where}: covariates", "sex must be a table", repr(sex), todo)
    needed = ["body_weight", "age"] + ([] if "body_surface" in table else ["height"])
    missing = [name for name in needed if name not in table] + ([] if sex else ["sex"])
    if missing:
        rule = f"{', '.join(f'covariates.{name}' for name in missing)} must be given"
        todo = f"Add {missing[0]} to [covariates]"
        raise PopulationError(where, rule, "missing", todo)
    check_keys(sex, ("female", "status", "source", "note"), f"{where}: covariates.sex")
    female = parse(sex.get("female", ""), "1", where=f"{where}: covariates.sex.female")
    if not 0.0 <= female <= 1.0:
        rule = "the share of women must lie between 0 and 1"
        todo = "Check female"
        raise PopulationError(f"{where}: covariates.sex", rule, repr(sex["female"]), todo)
    entries = parameter_file({"covariates": table}, where).entries
    for name in table:
        if f"covariates.{name}" not in entries:
            rule = f"the value of {name} must be given"
            todo = f'Write {name} = {{ value = "1 {UNITS[name]}", status = "assumed" }}'
            raise ConfigError(f"{where}: covariates", rule, "missing", todo)
    numbers = {
        name: distribution(entries[f"covariates.{name}"], UNITS[name])
        for name in UNITS
        if name in table
    }
    _check_positive(numbers, where)
    return CovariateLaw(numbers, female, entries)
