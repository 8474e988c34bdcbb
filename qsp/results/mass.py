"""Drug concentrations in mass units next to molar ones: 1 nmol/L of M kDa is M/1000 ug/mL."""

from __future__ import annotations

from typing import TypeVar

import xarray as xr

from qsp.errors import ConfigError

MASS_UNITS = {
    "drug_central": "ug/mL",
    "drug_central_quantiles": "ug/mL",
    "cmax": "ug/mL",
    "ctrough": "ug/mL",
    "auc": "ug*day/mL",
}
"""Unit in mass of each variable that holds a concentration of the molecule."""

UNITS, FACTOR = "mass_units", "mass_per_molar"
"""Attributes of these variables: the unit in mass, and the factor from `units` to it."""

Results = TypeVar("Results", xr.Dataset, xr.DataTree)


def mass_per_molar(ds: xr.Dataset) -> float:
    """Return the factor from nmol/L to ug/mL: the molecular weight in kDa over 1000.

    Args:
        ds: Results with the attribute `molecular_weight_kda`.

    Returns:
        Factor [ug/mL per nmol/L].

    Raises:
        ConfigError: If the attribute is missing or not positive.
    """
    weight = float(ds.attrs.get("molecular_weight_kda", float("nan")))
    if not weight > 0:
        rule = "the attribute molecular_weight_kda must be positive"
        raise ConfigError("results", rule, ds.attrs.get("molecular_weight_kda", "missing"))
    return weight / 1000.0


def mass_concentration(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a drug concentration, or its area under the curve, in mass units.

    Args:
        ds: Results.
        name: `drug_central`, `drug_central_quantiles`, `cmax`, `ctrough` [nmol/L] or `auc`
                [nmol*day/L].

    Returns:
        The variable in ug/mL, the area in ug*day/mL, with the dimensions of the variable.

    Raises:
        ConfigError: If the variable is no such concentration, results do not have it, or they do
            not record the molecular weight.
    """
    if name not in MASS_UNITS or name not in ds:
        rule = "the name must be the name of a drug concentration in the results"
        known = ", ".join(each for each in MASS_UNITS if each in ds)
        raise ConfigError("mass_concentration", rule, repr(name), f"Names here: {known}")
    values = ds[name] * mass_per_molar(ds)
    kept = {key: text for key, text in ds[name].attrs.items() if key not in (UNITS, FACTOR)}
    values.attrs = {**kept, "units": MASS_UNITS[name]}
    return values


def with_mass_units(results: Results, molecular_weight_kda: float) -> Results:
    """Return results whose drug concentrations name their unit in mass and the factor to it.

    Args:
        results: Results; their variables stay in molar units.
        molecular_weight_kda: Molecular weight of the molecule [kDa].
    """
    if isinstance(results, xr.DataTree):
        return results.map_over_datasets(with_mass_units, molecular_weight_kda)  # type: ignore[return-value]
    described = {
        name: results[name].assign_attrs({UNITS: unit, FACTOR: molecular_weight_kda / 1000.0})
        for name, unit in MASS_UNITS.items()
        if name in results
    }
    return results.assign(described)
