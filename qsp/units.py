"""Units: declared on fields, converted once at the edge, plain floats inside.

Canonical units are day, L, nmol, million cells (Mcell), pg/mL for cytokines and mg for supportive
drugs. A field of the model says its unit with `quantity`; a text such as ``"0.5 L/hour"`` becomes
a float only through `parse`. This is the one module that knows pint.
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
# Our own base dimensions beside the ones of pint; `molecule` counts receptors, `cell` counts cells.
_DEFINITIONS = (
    "cell = [cell]",
    "Mcell = 1e6 * cell",
    "molecule = [molecule]",
    "synapse = [synapse]",
)


@functools.cache
def _registry() -> pint.UnitRegistry:
    import pint  # a second of imports that a run on prepared parameters never needs

    registry = pint.UnitRegistry(cache_folder=None, on_redefinition="ignore")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def parse(text: str, unit: str, *, where: str) -> float:
    """Number with unit, as text, in a canonical unit.

    Args:
        text: Such as ``"0.5 L/hour"``, ``"31 %"`` or ``"40 nmol/L"``; a dimensionless value is a
            bare number.
        unit: Unit to convert to, such as ``"L/day"``; ``"1"`` for a dimensionless value.
        where: File and key, for the message.

    Returns:
        The value in `unit`, finite.

    Raises:
        UnitError: If the text is no number with a unit, or of another dimension.
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
    registry = _registry()
    if not written and unit != "1":
        raise UnitError(
            where, f"the value must have a unit ({unit})", repr(got), f'Write "{got} {unit}"'
        )
    try:
        given = registry.parse_units(_spelled(written))
    except Exception as error:  # pint raises many kinds for a unit it cannot read
        raise UnitError(where, f"the value must have a unit like {unit}", repr(got)) from error
    target = registry.parse_units(_spelled(unit))
    if given.dimensionality != target.dimensionality:
        raise UnitError(
            where,
            f"the value must have the dimension of {unit}",
            repr(got),
            f"{written or 'A bare number'} cannot be converted to {unit}",
        )
    converted = registry.Quantity(1.0, given).to(target)
    return float(converted.magnitude)  # pyright: ignore[reportArgumentType]


def _spelled(unit: str) -> str:
    return "" if unit in ("", "1") else unit.replace("%", "percent").replace("µ", "u")


def is_unit(unit: str) -> bool:
    """Whether a declared unit can be read."""
    try:
        _registry().parse_units(_spelled(unit))
    except Exception:  # pint raises many kinds for a unit it cannot read
        return False
    return True


@functools.cache
def dimensions(unit: str) -> Mapping[str, float]:
    """Exponent of each base dimension of a unit; of L/day ``{"[length]": 3, "[time]": -1}``."""
    exponents = _registry().parse_units(_spelled(unit)).dimensionality
    return {str(name): float(power.real) for name, power in exponents.items()}


def rescaling(unit: str, factors: Mapping[str, float]) -> float:
    """Factor of a number in `unit` when base dimension d is measured in units 1/factors[d]."""
    return math.prod(factors.get(name, 1.0) ** power for name, power in dimensions(unit).items())


# === fields
# ===============================================================================================


def quantity(unit: str, meaning: str, *, dims: tuple[str, ...] = (), source: str = "") -> Any:
    """Field of a Module that holds a physical quantity.

    Args:
        unit: Canonical unit of the plain numbers in the field.
        meaning: What it is, in one line.
        dims: Named axes, such as ``("tissue",)``.
        source: Key of the reference of its equation, where it has one of its own.
    """
    return dataclasses.field(
        metadata={"unit": unit, "meaning": meaning, "dims": dims, "source": source}
    )


@dataclasses.dataclass(frozen=True)
class Description:
    """One declared quantity of a Module: its path and what the declaration says."""

    path: str
    unit: str
    meaning: str
    dims: tuple[str, ...]
    source: str


def declarations(kind: type) -> Iterator[Description]:
    """Declared quantities of a Module class and of those it is made of, in reading order."""
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
