"""Units: declared on the fields of the model, converted once when input is read.

Canonical units are day, L, nmol, million cells (Mcell), pg/mL for cytokines and mg for supportive
drugs. Fields of the model declare their unit with `quantity`; `parse` converts text such as
``"0.5 L/hour"`` to a float. Only this module uses pint.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qsp.errors import UnitError

if TYPE_CHECKING:
    import pint


_NUMBER = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")
# Base dimensions in addition to those of pint; `molecule` counts receptors, `cell` counts cells.
_DEFINITIONS = (
    "cell = [cell]",
    "Mcell = 1e6 * cell",
    "molecule = [molecule]",
    "synapse = [synapse]",
)

_USUAL = {
    ("", "1"): 1.0,
    ("%", "1"): 0.01,
    ("hour", "day"): 1 / 24,
    ("minute", "day"): 1 / 24 / 60,
    ("week", "day"): 7.0,
    ("1/hour", "1/day"): 24.0,
    ("L/hour", "L/day"): 24.0,
    ("Mcell/hour", "Mcell/day"): 24.0,
    ("Mcell*hour", "Mcell*day"): 1 / 24,
    ("pg/mL/hour", "pg/mL/day"): 24.0,
    ("pg/mL/hour/Mcell", "pg/mL/day/Mcell"): 24.0,
    ("cm", "m"): 0.01,
    ("ug", "mg"): 0.001,
    ("ug/L", "mg/L"): 0.001,
    ("ug/day", "mg/day"): 0.001,
}
"""Factors of usual units, as pint has them; it takes a quarter of a second to load."""


@functools.cache
def _registry() -> pint.UnitRegistry:
    import pint  # imported here because it takes a second and many commands need no units

    registry = pint.UnitRegistry(cache_folder=None, on_redefinition="ignore")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def parse(text: str, unit: str, *, where: str) -> float:
    """Convert text with a number and a unit to a number in a canonical unit.

    Args:
        text: Text such as ``"0.5 L/hour"``, ``"31 %"`` or ``"40 nmol/L"``; a dimensionless value
            has no unit.
        unit: Unit of the result, such as ``"L/day"``; ``"1"`` for a dimensionless value.
        where: File and key, for the error message.

    Returns:
        The value in `unit`, finite.

    Raises:
        UnitError: If the text is not a number with a unit, or has another dimension.
    """
    match = _NUMBER.match(text) if isinstance(text, str) else None
    if match is None:
        todo = f'Write a number and a unit in quotes, such as "1 {"" if unit == "1" else unit}"'
        raise UnitError(
            where, f"the value must be a number with a unit of {unit}", repr(text), todo
        )
    number, written = float(match[1]), match[2]
    if not math.isfinite(number):
        raise UnitError(where, "the value must be finite", repr(text))
    return number * _factor(written, unit, where=where, got=text)


@functools.cache
def _factor(written: str, unit: str, *, where: str, got: str) -> float:
    if written == unit:
        return 1.0
    if (written, unit) in _USUAL:
        return _USUAL[written, unit]
    return _converted(written, unit, where=where, got=got)


def _converted(written: str, unit: str, *, where: str, got: str) -> float:
    registry = _registry()
    if not written and unit != "1":
        raise UnitError(
            where, f"the value must have a unit ({unit})", repr(got), f'Write "{got} {unit}"'
        )
    try:
        parsed = registry.parse_units(_spelled(written))
    except Exception as error:  # pint raises various exceptions for an unknown unit
        raise UnitError(where, f"the value must have a unit like {unit}", repr(got)) from error
    target = registry.parse_units(_spelled(unit))
    if parsed.dimensionality != target.dimensionality:
        raise UnitError(
            where,
            f"the value must have the dimension of {unit}",
            repr(got),
            f"{written or 'A bare number'} cannot be converted to {unit}",
        )
    converted = registry.Quantity(1.0, parsed).to(target)
    return float(converted.magnitude)  # pyright: ignore[reportArgumentType]


def _spelled(unit: str) -> str:
    return "" if unit in ("", "1") else unit.replace("%", "percent").replace("µ", "u")


def is_unit(unit: str) -> bool:
    """Whether a text is a unit."""
    try:
        _registry().parse_units(_spelled(unit))
    except Exception:  # pint raises various exceptions for an unknown unit
        return False
    return True


@functools.cache
def dimensions(unit: str) -> Mapping[str, float]:
    """Exponents of the base dimensions of a unit: ``{"[length]": 3, "[time]": -1}`` for L/day."""
    exponents = _registry().parse_units(_spelled(unit)).dimensionality
    return {str(name): float(power.real) for name, power in exponents.items()}


def rescaling(unit: str, factors: Mapping[str, float]) -> float:
    """Factor of a number in `unit` if the unit of base dimension d is divided by factors[d]."""
    return math.prod(factors.get(name, 1.0) ** power for name, power in dimensions(unit).items())


# === fields
# ===============================================================================================


def quantity(
    unit: str, meaning: str, *, dims: tuple[str, ...] = (), source: str = "", symbol: str = ""
) -> Any:
    """Declare a field of a Module that holds a physical quantity.

    Args:
        unit: Canonical unit of the numbers in the field.
        meaning: Meaning in one line, for parameter tables and `qsp explain`.
        dims: Names of the axes, such as ``("tissue",)``.
        source: Key of the reference for its equation, if it differs from that of the module.
        symbol: LaTeX symbol in the equations of the docstrings; by default the name of the field,
            with what follows its first underscore as the subscript.
    """
    metadata = {"unit": unit, "meaning": meaning, "dims": dims, "source": source, "symbol": symbol}
    return dataclasses.field(metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Description:
    """Path and declaration of one quantity of a Module."""

    path: str
    unit: str
    meaning: str
    dims: tuple[str, ...]
    source: str


def declarations(kind: type) -> Iterator[Description]:
    """Declared quantities of a Module class and its nested Modules, in the order of the fields."""
    hints = _hints(kind)
    for field in dataclasses.fields(kind):
        meta = field.metadata
        if "unit" in meta:
            yield Description(
                field.name, meta["unit"], meta["meaning"], meta["dims"], meta["source"]
            )
        elif dataclasses.is_dataclass(hints[field.name]):
            for inner in declarations(hints[field.name]):
                yield dataclasses.replace(inner, path=f"{field.name}.{inner.path}")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
