"""Parameters of a fit: where they apply, their prior, and their values in a study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from qsp.errors import ConfigError
from qsp.molecules import Entry, ParameterFile, read_toml
from qsp.populations.paths import parameter_path

_NAME = "fit"
_SCALES = ("log", "logit")
CRS, RESPONSE = "crs", "response"
"""Kinds of results: CRS and cytokines of weeks, and response of tumors over one to two years."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of a fit, with a normal prior on the scale of the fit.

    Args:
        name: Name, unique within a fit.
        path: Path of the value in parameter files.
        start: Prior median, in `unit`.
        sd: Prior standard deviation of the logarithm or logit.
        unit: Unit of the value; "1" for a factor.
        scale: Scale of the fit: "log" for positive numbers, "logit" for fractions.
        guess: Value at which the second start of a fit begins.
        molecules: Molecules to which the parameter applies; () for all.
        diseases: Diseases, as named in the population, to which it applies; () for all.
        file: File of the value, relative to the repository; "" for the physiology, or for the file
            of each of its molecules.
        acts_on: Kinds of results that depend on the parameter; those that do not are not computed
            for its derivatives.
        first: Whether it is fitted to response alone before all are fitted together.
    """

    name: str
    path: str
    start: float
    sd: float
    unit: str = "1"
    scale: Literal["log", "logit"] = "log"
    guess: float = math.nan
    molecules: tuple[str, ...] = ()
    diseases: tuple[str, ...] = ()
    file: str = ""
    acts_on: tuple[str, ...] = (CRS, RESPONSE)
    first: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the value, relative to the repository."""
        if self.file:
            return (self.file,)
        own = tuple(f"qsp/molecules/{name}.toml" for name in self.molecules)
        return own or ("qsp/model/physiology.toml",)

    def applies(self, molecule: str, disease: str, kind: str) -> bool:
        """Whether results of a kind depend on the parameter for a molecule in a disease."""
        return (
            kind in self.acts_on
            and (not self.molecules or molecule in self.molecules)
            and (not self.diseases or disease in self.diseases)
        )

    def value(self, z: float) -> float:
        """Return the value at a whitened coordinate."""
        if self.scale == "log":
            return self.start * math.exp(self.sd * z)
        odds = self.start / (1.0 - self.start) * math.exp(self.sd * z)
        return odds / (1.0 + odds)

    def whitened(self, value: float) -> float:
        """Return the whitened coordinate of a value; inverse of `value`."""
        if self.scale == "log":
            return math.log(value / self.start) / self.sd
        return (_logit(value) - _logit(self.start)) / self.sd


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def overriding(parameters: Iterable[Parameter], z: Mapping[str, float]) -> ParameterFile:
    """Return the values at whitened coordinates as `overriding_values` does.

    Args:
        parameters: Parameters that apply to the study.
        z: Whitened coordinates by name.
    """
    parameters = tuple(parameters)
    return overriding_values(
        parameters, {each.name: each.value(z[each.name]) for each in parameters}
    )


def overriding_values(
    parameters: Iterable[Parameter], values: Mapping[str, float]
) -> ParameterFile:
    """Return the values as a file that overrides others, as `Population.overridden` takes it.

    The value of a path is the product of the parameters that name it: one has the unit, the others
    are factors. A parameter of a molecule is the same in all patients.

    Args:
        parameters: Parameters that apply to the study.
        values: Values by name, in the units of the parameters.
    """
    value: dict[str, float] = {}
    unit: dict[str, str] = {}
    same: dict[str, bool] = {}
    for each in parameters:
        value[each.path] = value.get(each.path, 1.0) * values[each.name]
        same[each.path] = bool(each.molecules)
        if each.unit != "1" or each.path not in unit:
            unit[each.path] = each.unit
    entries = {}
    for path, number in value.items():
        text = repr(number) if unit[path] == "1" else f"{number!r} {unit[path]}"
        entries[path] = Entry(path, text, _NAME, "user", keep_spread=not same[path])
    return ParameterFile(_NAME, entries)


def read(file: Path) -> tuple[dict[str, Any], tuple[Parameter, ...]]:
    """Return the other keys of a file, and its parameters.

    Raises:
        ConfigError: If a parameter is not well defined.
    """
    tables = read_toml(file)
    found = []
    for entry in tables.pop("parameters"):
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        parameter = Parameter(**fields)
        where = f"{file.name}: {parameter.name}"
        parameter_path(parameter.path, where=where)
        if parameter.scale not in _SCALES or not parameter.sd > 0.0:
            rule = "scale must be log or logit, and sd positive"
            raise ConfigError(where, rule, f"{parameter.scale}, {parameter.sd}")
        if not set(parameter.acts_on) <= {CRS, RESPONSE}:
            raise ConfigError(where, f"acts_on must name {CRS} or {RESPONSE}", parameter.acts_on)
        if parameter.scale == "logit" and not 0.0 < parameter.start < 1.0:
            raise ConfigError(where, "start must be a fraction on a logit scale", parameter.start)
        found.append(parameter)
    names = [parameter.name for parameter in found]
    if len(set(names)) < len(names):
        raise ConfigError(file.name, "names of parameters must be unique", None)
    return tables, tuple(found)
