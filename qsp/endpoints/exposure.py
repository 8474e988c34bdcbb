"""Exposure by dose period: Cmax, Ctrough, AUC and target occupancy in blood.

Concentrations are those of free drug in the central compartment, in nmol/L and in mass units:
1 nmol/L of a molecule of M kDa is M/1000 ug/mL.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics.patients import spread
from qsp.endpoints.steps import Grouping, Reduction, gather, grouped
from qsp.results.mass import MASS_UNITS, mass_per_molar

RANGE = (0.05, 0.5, 0.95)
# Periods of a group are combined: the largest peak, the lowest trough, the sum of areas.
_METRICS: dict[str, tuple[Reduction, str, str]] = {
    "cmax": ("max", "nmol/L", "Maximum concentration"),
    "ctrough": ("min", "nmol/L", "Concentration at the end of the dose period"),
    "auc": ("sum", "nmol*day/L", "Area under the concentration-time curve"),
    "occupancy_max": ("max", "1", "Maximum target occupancy in blood"),
}


@endpoint(
    Meaning(
        units="1",
        long_name="Exposure by dose period",
        definition="Quantiles over patients of Cmax, Ctrough, AUC and maximum target occupancy in "
        "the dose period",
        needs={name: unit for name, (_, unit, _) in _METRICS.items()},
    )
)
def metrics(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = RANGE
) -> xr.Dataset:
    """Return exposure metrics: by default the median and the 5th and 95th percentiles.

    Args:
        ds: Results.
        by: Grouping of dose periods. Over several periods, Cmax and occupancy are the largest,
            Ctrough is the lowest and AUC is the sum.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset over (quantile, arm[, label or dose_period]), each variable with its unit: `cmax`,
        `ctrough` [nmol/L], `auc` [nmol*day/L], `occupancy_max` [1], `cmax_mass`, `ctrough_mass`
        [ug/mL], `auc_mass` [ug*day/mL]; and the counts of patients with a Cmax.
    """
    factor, whole = mass_per_molar(ds), grouped(ds, by)
    found: dict[str, xr.DataArray] = {}
    counted: dict[str, xr.DataArray] = {}
    for name, (reduction, unit, text) in _METRICS.items():
        ranked = spread(partial(_gathered, name=name, by=by, reduction=reduction), whole, quantiles)
        found[name] = ranked["value"].assign_attrs(units=unit, long_name=text)
        counted = counted or {key: ranked[key] for key in ("evaluable", "failed", "unassessed")}
        if name in MASS_UNITS:
            mass = ranked["value"] * factor
            found[f"{name}_mass"] = mass.assign_attrs(units=MASS_UNITS[name], long_name=text)
    return xr.Dataset(found | counted)


def _gathered(part: xr.Dataset, *, name: str, by: Grouping, reduction: Reduction) -> xr.DataArray:
    return gather(part[name], part, by, reduction)
