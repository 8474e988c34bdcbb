"""Values of patients that published distributions are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import gather, labels, with_steps
from qsp.errors import ConfigError, suggest
from qsp.patients.diagnosis import Group
from qsp.patients.published import Published
from qsp.units import parse

_DIMS = {"arm", "patient", "dose_period"}
_NO_QUANTITIES = {"outcome", "prevalence_weight", "crs_censored"}


def quantities_of_run(results: xr.DataTree) -> xr.Dataset:
    """Return the values of the patients of a run, with the parameters of all of them.

    Args:
        results: Results of a run. Parameters are there if the run stores those of all patients.
    """
    ds = results.to_dataset()
    if "parameters" in results.children:
        own = results.children["parameters"].to_dataset()
        known = [name for name, each in own.data_vars.items() if "patient" in each.dims]
        ds = ds.assign({name: own[name] for name in known if name not in ds})
    return ds


def names(ds: xr.Dataset) -> list[str]:
    """Return the names of the quantities of patients."""
    return [
        str(name)
        for name, each in ds.data_vars.items()
        if "patient" in each.dims
        and set(each.dims) <= _DIMS
        and each.dtype.kind in "fiub"
        and name not in _NO_QUANTITIES
    ]


def groups_of(ds: xr.Dataset, published: Sequence[Published]) -> list[Group]:
    """Return the published distributions with the values of the patients.

    Args:
        ds: Values of patients, from `quantities_of_run`.
        published: Published distributions.

    Raises:
        ConfigError: If a quantity, arm or period is unknown, a unit is wrong, or no patient has a
            value.
    """
    ds = with_steps(ds) if "dose_label" in ds else ds
    return [Group(each, _values(ds, each)) for each in published]


def _values(ds: xr.Dataset, target: Published) -> np.ndarray:
    """(patient,): Return the values of a quantity in the unit of the publication."""
    known = names(ds)
    if target.quantity not in known:
        rule = f"{target.quantity} must be a quantity of the patients"
        todo = suggest(target.quantity, known) or f"Such as {', '.join(sorted(known)[:8])}"
        raise ConfigError(target.where, rule, "unknown", todo)
    values = ds[target.quantity]
    fill = values.encoding.get("_FillValue")
    values = values.where(values != fill) if fill is not None else values
    factor = _factor(target, str(values.attrs.get("units", "1")))
    if "arm" in values.dims and "outcome" in ds:
        values = values.where(solved(ds))
    values = _of_arm(_of_period(values.astype(float), ds, target), target)
    found = values.transpose("patient").values / factor
    if not np.isfinite(found).any():
        todo = "Choose a quantity that the patients have"
        rule = f"{target.quantity} must have a value in some patients"
        raise ConfigError(target.where, rule, "missing", todo)
    return found


def _factor(target: Published, unit: str) -> float:
    """Return the number of units of the results in a unit of the publication."""
    if {target.unit, unit} <= {"1", ""} or target.unit == unit:
        return 1.0
    return parse(f"1 {target.unit}", unit, where=target.where)


def _of_period(values: xr.DataArray, ds: xr.Dataset, target: Published) -> xr.DataArray:
    if "dose_period" not in values.dims:
        if target.period:
            rule = f"period must be empty for {target.quantity}, which has no dose periods"
            raise ConfigError(target.where, rule, repr(target.period), "Leave it empty")
        return values
    if not target.period:
        return gather(values, ds, "any")
    known = labels(ds)
    if target.period not in known:
        todo = f"{suggest(target.period, known)} Dose periods: {', '.join(known)}".strip()
        rule = "period must be the label of a dose period"
        raise ConfigError(target.where, rule, repr(target.period), todo)
    return gather(values, ds, "label").sel(label=target.period)


def _of_arm(values: xr.DataArray, target: Published) -> xr.DataArray:
    if "arm" not in values.dims:
        if target.arm:
            rule = f"arm must be empty for {target.quantity}, which is the same in all arms"
            raise ConfigError(target.where, rule, repr(target.arm), "Leave it empty")
        return values
    known = [str(arm) for arm in values["arm"].values]
    if target.arm:
        if target.arm not in known:
            todo = f"{suggest(target.arm, known)} Arms: {', '.join(known)}".strip()
            raise ConfigError(target.where, "arm must be an arm", repr(target.arm), todo)
        return values.sel(arm=target.arm)
    highest, lowest = values.max("arm"), values.min("arm")
    if not (highest == lowest).where(highest.notnull(), True).all():
        rule = f"arm must be given for {target.quantity}, which differs between arms"
        raise ConfigError(target.where, rule, "empty", f"Arms: {', '.join(known)}")
    return highest
