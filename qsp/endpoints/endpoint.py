"""The `@endpoint` decorator: declared inputs with units, checked before the function runs.

An endpoint takes a results Dataset and returns a Dataset or DataArray with the attributes `units`,
`long_name`, `definition` and, if it has one, `source`. Its input variables are checked by name and
unit, so that an unsuitable file raises an error instead of giving a wrong number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

import xarray as xr

from qsp import units as unit_system
from qsp.endpoints.lazy import without_dask
from qsp.errors import ConfigError, suggest

P = ParamSpec("P")
Labeled = TypeVar("Labeled", xr.Dataset, xr.DataArray)


@runtime_checkable
class HasDataset(Protocol):
    """Results that hold a dataset, such as `xarray.DataTree` and the results of `qsp.simulate`."""

    def to_dataset(self) -> xr.Dataset:
        """Return the dataset."""
        ...


@dataclass(frozen=True)
class Meaning:
    """Definition of an endpoint.

    Args:
        units: Unit of the values; "1" for a fraction or a count.
        long_name: Name for an axis or a table.
        definition: Definition in a sentence.
        needs: Input variables and the unit each must have; None for text.
        source: Reference for the definition.
    """

    units: str
    long_name: str
    definition: str
    needs: Mapping[str, str | None]
    source: str = ""

    def attrs(self) -> dict[str, str]:
        """Return the attributes of the result; `source` only if there is one."""
        attrs = {"units": self.units, "long_name": self.long_name, "definition": self.definition}
        return attrs | ({"source": self.source} if self.source else {})


def endpoint(
    meaning: Meaning,
) -> Callable[
    [Callable[Concatenate[xr.Dataset, P], Labeled]],
    Callable[Concatenate[xr.Dataset | HasDataset, P], Labeled],
]:
    """Declare the inputs and the result of an endpoint.

    Args:
        meaning: Definition, unit and input variables.

    Returns:
        A decorator. The decorated function raises ConfigError for a missing variable or a wrong
        unit, and has the definition as its attribute `meaning`.
    """

    def declare(
        function: Callable[Concatenate[xr.Dataset, P], Labeled],
    ) -> Callable[Concatenate[xr.Dataset | HasDataset, P], Labeled]:
        @functools.wraps(function)
        def checked(
            results: xr.Dataset | HasDataset, /, *args: P.args, **kwargs: P.kwargs
        ) -> Labeled:
            ds = dataset(results)
            for name, unit in meaning.needs.items():
                require(ds, name, unit)
            return _described(function(without_dask(ds), *args, **kwargs), meaning)

        checked.meaning = meaning  # type: ignore[attr-defined]
        return checked

    return declare


def dataset(results: xr.Dataset | HasDataset) -> xr.Dataset:
    """Return the dataset of results: of a tree, of `qsp.simulate`, or the dataset itself."""
    return results if isinstance(results, xr.Dataset) else results.to_dataset()


def require(ds: xr.Dataset, name: str, unit: str | None) -> None:
    """Check that a Dataset holds a variable in a given unit.

    Args:
        ds: Results.
        name: Variable.
        unit: Required unit; None for text.

    Raises:
        ConfigError: If the variable is missing or has another unit.
    """
    if name not in ds:
        todo = suggest(name, [str(known) for known in ds.variables])
        raise ConfigError("results", f"the variable {name} must be present", "missing", todo)
    found = ds[name].attrs.get("units")
    if unit is None or found == unit or {found, unit} == {"", "1"}:
        return
    where, rule = f"results: {name}", f"the unit must be {unit}"
    if found is None or not unit_system.is_unit(found):
        raise ConfigError(where, rule, "missing" if found is None else repr(found))
    same_dimensions = unit_system.dimensions(found) == unit_system.dimensions(unit)
    if not same_dimensions or abs(unit_system.parse(f"1 {found}", unit, where=where) - 1) > 1e-12:
        raise ConfigError(where, rule, repr(found))


def _described(result: Labeled, meaning: Meaning) -> Labeled:
    if isinstance(result, xr.DataArray):
        # Attributes carried through arithmetic describe the input, not the result.
        result.attrs = dict(meaning.attrs())
        return result
    for variable in result.data_vars.values():
        variable.attrs = {"units": meaning.units, "long_name": meaning.long_name} | variable.attrs
    return result.assign_attrs(meaning.attrs())
