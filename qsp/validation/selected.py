"""Arms, dose periods and patients of a study, and statistics over them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints.statistics.patients import quantile, solved, weights
from qsp.results.decisions import REASONS
from qsp.trial import KINDS

PERCENT = 100.0


class NotComputed(Exception):
    """A study has no simulated counterpart of a published value; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A simulated value, in the unit of the published value.

    Args:
        value: Simulated value; NaN if no patient is evaluable.
        lower: Lower Monte Carlo bound of a rate; NaN for other quantities.
        upper: Upper Monte Carlo bound of a rate; NaN for other quantities.
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan


def part(ds: xr.Dataset, arm: str, labels: Sequence[str] = ()) -> xr.Dataset:
    """Select an arm, and the dose periods with one of the labels; all periods without labels."""
    chosen = ds.sel(arm=[arm])
    if not labels:
        return chosen
    names = chosen["dose_label"].isel(arm=0, patient=0).values.astype(str)
    return chosen.isel(dose_period=np.flatnonzero(np.isin(names, list(labels))))


def rate_of(rate: xr.Dataset) -> Simulated:
    """Return a rate with its Monte Carlo interval in percent."""
    value, lower, upper = (PERCENT * float(rate[name]) for name in ("value", "lower", "upper"))
    return Simulated(value, lower, upper)


def middle(values: xr.DataArray, ds: xr.Dataset, *, mean: bool, factor: float = 1.0) -> Simulated:
    """Return the mean or median over the solved patients of the only arm, times a factor.

    Args:
        values (arm, patient): Values, NaN if missing.
        ds: Results of the arm.
        mean: Whether to return the mean instead of the median.
        factor: Factor of the result.
    """
    known = values.where(solved(ds)).isel(arm=0, drop=True)
    if mean:
        return Simulated(factor * float(known.weighted(weights(ds)).mean("patient")))
    return Simulated(factor * float(quantile(known, weights(ds), (0.5,), "patient").squeeze()))


def received(ds: xr.Dataset, drug: str) -> xr.DataArray:
    """Return whether a rule gave a patient a rescue drug (arm, patient).

    Args:
        ds: Results.
        drug: Name of the drug.

    Raises:
        NotComputed: If no arm has rules, so that administered doses are not recorded.
    """
    if "administered_drug" not in ds:
        raise NotComputed("no rescue in the study")
    kind, reason = KINDS.index(drug), REASONS.index("rescue")
    given = (ds["administered_drug"] == kind) & (ds["administered_reason"] == reason)
    if not bool(given.any()):
        raise NotComputed(f"no {drug} by a rule in the study")
    return given.any("administration")


def without_rescued(ds: xr.Dataset, drug: str) -> xr.DataArray:
    """Return whether each patient did not receive a rescue drug; all of them without rules."""
    try:
        return ~received(ds, drug)
    except NotComputed:
        return xr.ones_like(ds["outcome"], dtype=bool)
