"""What makes a function an endpoint: it says what it needs and what it returns, in units.

An endpoint takes a results Dataset and returns a Dataset or DataArray that carries `units`,
`long_name`, `definition` and, where it has one, `source`. The variables it needs are checked before
it runs, by name and unit, so that a wrong file is refused in words instead of giving a wrong
number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import xarray as xr

from qsp import units as unit_system
from qsp.endpoints.lazy import by_part
from qsp.errors import ConfigError, suggest

P = ParamSpec("P")
Labeled = TypeVar("Labeled", xr.Dataset, xr.DataArray)


@dataclass(frozen=True)
class Meaning:
    """What an endpoint measures.

    Args:
        units: Unit of its values; "1" for a fraction or a count.
        long_name: Name for an axis or a table.
        definition: How it is computed, in a sentence.
        needs: Variables it reads and the unit each must have; None for text.
        source: Reference of the definition.
    """

    units: str
    long_name: str
    definition: str
    needs: Mapping[str, str | None]
    source: str = ""

    def attrs(self) -> dict[str, str]:
        """Attributes of the result; `source` only where there is one."""
        attrs = {"units": self.units, "long_name": self.long_name, "definition": self.definition}
        return attrs | ({"source": self.source} if self.source else {})


def endpoint(
    meaning: Meaning,
) -> Callable[
    [Callable[Concatenate[xr.Dataset, P], Labeled]], Callable[Concatenate[xr.Dataset, P], Labeled]
]:
    """Declare what a function of a results Dataset needs and returns.

    Args:
        meaning: What it measures, and from what.

    Returns:
        A decorator. The decorated function raises ConfigError for a missing variable or a wrong
        unit, and carries the meaning as its attribute `meaning`.
    """

    def declare(
        function: Callable[Concatenate[xr.Dataset, P], Labeled],
    ) -> Callable[Concatenate[xr.Dataset, P], Labeled]:
        @functools.wraps(function)
        def checked(ds: xr.Dataset, /, *args: P.args, **kwargs: P.kwargs) -> Labeled:
            for name, unit in meaning.needs.items():
                require(ds, name, unit)
            return _described(function(by_part(ds), *args, **kwargs), meaning)

        checked.meaning = meaning  # type: ignore[attr-defined]
        return checked

    return declare


def require(ds: xr.Dataset, name: str, unit: str | None) -> None:
    """Check that a Dataset holds a variable in a unit.

    Args:
        ds: Results.
        name: Variable.
        unit: Unit it must have; None for text.

    Raises:
        ConfigError: If it is missing or in another unit.
    """
    if name not in ds:
        todo = suggest(name, [str(known) for known in ds.variables])
        raise ConfigError("results", f"the variable {name} must be present", "missing", todo)
    given = ds[name].attrs.get("units")
    if unit is None or given == unit or {given, unit} == {"", "1"}:
        return
    where, rule = f"results: {name}", f"the unit must be {unit}"
    if given is None or not unit_system.is_unit(given):
        raise ConfigError(where, rule, "missing" if given is None else repr(given))
    alike = unit_system.dimensions(given) == unit_system.dimensions(unit)
    if not alike or abs(unit_system.parse(f"1 {given}", unit, where=where) - 1) > 1e-12:
        raise ConfigError(where, rule, repr(given))


def _described(result: Labeled, meaning: Meaning) -> Labeled:
    if isinstance(result, xr.DataArray):
        # What arithmetic carried along is the meaning of the input.
        result.attrs = dict(meaning.attrs())
        return result
    for variable in result.data_vars.values():
        variable.attrs = {"units": meaning.units, "long_name": meaning.long_name} | variable.attrs
    return result.assign_attrs(meaning.attrs())
