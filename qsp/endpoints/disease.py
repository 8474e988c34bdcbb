"""Depth of response in the disease's own measure, and loss of the antigen, of runs with lesions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.response import COMPLETE, RESPONSES, VERY_GOOD, best_codes
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.statistics.rates import rate

LIMITS = (-90.0, -25.0, 0.0)
"""Limits between the classes of best change [%]."""
LOST = 0.5
"""Share of cells without antigen above which a lesion has lost it [1]."""


@endpoint(
    Meaning(
        units="1",
        long_name="Patients by best change of the disease",
        definition="Proportion of the patients with an assessment whose smallest change from "
        "baseline, in the disease's own measure, is in the stated range",
        needs={"best_disease_change": "%", "outcome": "1"},
    )
)
def best_change_shares(
    ds: xr.Dataset,
    *,
    limits: Sequence[float] = LIMITS,
    trial_size: int = interval.TRIAL_SIZE,
) -> xr.Dataset:
    """Return the proportions of patients by best change, as a waterfall plot shows them.

    Args:
        ds: Results of a run with lesions.
        limits: Ascending limits between the classes [%]; the limit is in the class below it.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (change, arm) [1]; `change` names the class, such as "-90 to -25 %".
    """
    edges = np.array([-np.inf, *limits, np.inf])
    names = [f"{limits[0]:g} % or less"]
    names += [f"{low:g} to {high:g} %" for low, high in zip(limits[:-1], limits[1:], strict=True)]
    names += [f"above {limits[-1]:g} %"]
    coords = {"change": names}
    low = xr.DataArray(edges[:-1], dims="change", coords=coords)
    high = xr.DataArray(edges[1:], dims="change", coords=coords)

    def event(part: xr.Dataset) -> xr.DataArray:
        change = part["best_disease_change"]
        is_within = (change > low) & (change <= high)
        return is_within.astype(float).where(change.notnull())

    return rate(event, ds, trial_size=trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Very good partial response or better, of responders",
        definition="Proportion of the patients with an objective response whose best response is "
        "a very good partial or a complete one",
        needs={"best_response": "1", "best_response_unconfirmed": "1", "outcome": "1"},
    )
)
def very_good_share(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the share of responders with a very good partial response or better (myeloma).

    Args:
        ds: Results of a run with lesions.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (arm,) [1], with the variables of `rates.rate`; `evaluable` counts the responders.
    """

    def event(part: xr.Dataset) -> xr.DataArray:
        best = best_codes(part)
        return best.isin([VERY_GOOD, COMPLETE]).astype(float).where(best.isin(list(RESPONSES)))

    return rate(event, ds, trial_size=trial_size)


@endpoint(
    Meaning(
        units="1",
        long_name="Loss of antigen at progression",
        definition="Proportion of the responders with progression at a visit in whom more than "
        "half of the cells of the leading lesion, the one with most living cells at that visit, "
        "have lost the antigen",
        needs={
            "lesion_loss_share_visit": "1",
            "lesion_viable_visit": "mL",
            "progression_time": "day",
            "response_time": "day",
            "outcome": "1",
        },
    )
)
def antigen_loss(
    ds: xr.Dataset, *, above: float = LOST, trial_size: int = interval.TRIAL_SIZE
) -> xr.Dataset:
    """Return the proportion of progressing responders who have lost the antigen.

    Args:
        ds: Results of a run with lesions.
        above: Share of cells without antigen above which the leading lesion has lost it [1].
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (arm,) [1], with the variables of `rates.rate`.
    """

    def event(part: xr.Dataset) -> xr.DataArray:
        at = part["visit"] == part["progression_time"]
        share = _leading(part).where(at).max("visit")
        known = share.notnull() & part["response_time"].notnull() & solved(part)
        return (share > above).astype(float).where(known)

    return rate(event, ds, trial_size=trial_size)


def _leading(part: xr.Dataset) -> xr.DataArray:
    """Share of cells without antigen in the lesion with most living cells (arm, patient, visit)."""
    viable = part["lesion_viable_visit"]
    largest = viable.fillna(-1.0).argmax("lesion")
    return part["lesion_loss_share_visit"].isel(lesion=largest)
