"""Simulated counterparts of published response: depth, progression-free survival and duration.

The response of a patient is that by the rule of the disease at the visits of the trial, and all
treated patients are the denominator of a rate. A proportion at a time counts from the first dose
for progression-free survival, and from the response for its duration. Medians and proportions are
estimates of Kaplan and Meier; a median that the patients do not reach is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import xarray as xr

from qsp.endpoints import response
from qsp.endpoints.response import COMPLETE, VERY_GOOD, best_codes
from qsp.endpoints.statistics.rates import rate
from qsp.endpoints.survival import DAYS_PER_MONTH, estimated, median, proportion_at
from qsp.validation.selected import PERCENT, NotComputed, Simulated, part, rate_of
from qsp.validation.study import HOURS_PER_DAY, Study

if TYPE_CHECKING:
    from qsp.validation.targets import Target


class Function(Protocol):
    """A function of column ``function``."""

    def __call__(self, study: Study, row: Target) -> Simulated:
        """Return the simulated counterpart of a row."""
        ...


PROGRESSION_FREE = ("progression_free_time", "progression_free_event")
RESPONSE = ("response_duration", "response_duration_event")
COMPLETE_RESPONSE = ("complete_response_duration", "complete_response_duration_event")


def orr(study: Study, row: Target) -> Simulated:
    """Return the objective response rate [%]."""
    return rate_of(response.objective_response(part(study.results, row.arm)).isel(arm=0))


def cr(study: Study, row: Target) -> Simulated:
    """Return the complete response rate [%]."""
    return rate_of(response.complete_response(part(study.results, row.arm)).isel(arm=0))


def vgpr(study: Study, row: Target) -> Simulated:
    """Return the rate of very good partial responses or better [%]."""

    def event(ds: xr.Dataset) -> xr.DataArray:
        best = best_codes(ds)
        return best.isin([VERY_GOOD, COMPLETE]).astype(float).where(best.notnull())

    return rate_of(rate(event, part(study.results, row.arm)).isel(arm=0))


def months(variables: tuple[str, str]) -> Function:
    """Return a function for the median of a time [month].

    Args:
        variables: Variables of the time and of the indicator of its event.
    """

    def function(study: Study, row: Target) -> Simulated:
        ds = _with(study, row, variables)
        return Simulated(float(estimated(ds, *variables, median)["value"][0]) / DAYS_PER_MONTH)

    return function


def proportion(variables: tuple[str, str]) -> Function:
    """Return a function for the proportion without the event at the time of the row [%].

    Args:
        variables: Variables of the time and of the indicator of its event.
    """

    def function(study: Study, row: Target) -> Simulated:
        ds = _with(study, row, variables)
        found = estimated(ds, *variables, proportion_at(row.hours / HOURS_PER_DAY))
        return Simulated(*(PERCENT * float(found[name][0]) for name in ("value", "lower", "upper")))

    return function


def share_at(study: Study, row: Target, variables: tuple[str, str], days: float) -> float:
    """Return the proportion without the event at a time, 0 if all had it or none applies [%].

    Args:
        study: Results.
        row: Row whose arm is used.
        variables: Variables of the time and of the indicator of its event.
        days: Time [day].
    """
    ds = _with(study, row, variables)
    found = float(estimated(ds, *variables, proportion_at(days))["value"][0])
    return PERCENT * float(np.nan_to_num(found))


def _with(study: Study, row: Target, variables: tuple[str, str]) -> xr.Dataset:
    ds = part(study.results, row.arm)
    if variables[0] not in ds:
        raise NotComputed("the tumor of the study has no lesions")
    return ds


SURVIVAL: Mapping[str, tuple[str, str]] = {
    "pfs_median": PROGRESSION_FREE,
    "pfs_rate": PROGRESSION_FREE,
    "dor_median": RESPONSE,
    "dor_rate": RESPONSE,
    "cr_kept": COMPLETE_RESPONSE,
}
"""Variables of the time and its event, by statistic."""
RESPONSE_FUNCTIONS: Mapping[str, Function] = {
    "orr": orr,
    "cr": cr,
    "vgpr": vgpr,
    "pfs_median": months(PROGRESSION_FREE),
    "pfs_rate": proportion(PROGRESSION_FREE),
    "dor_median": months(RESPONSE),
    "dor_rate": proportion(RESPONSE),
    "cr_kept": proportion(COMPLETE_RESPONSE),
}
"""Functions by their name in the table."""
