"""Dose periods as steps of a regimen, and values gathered by period, by label or over all doses.

A dose period is an ordinal; its label (SUD1, FD1 ...) is data and may differ between arms and
patients. Tables group by label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import require
from qsp.errors import ConfigError
from qsp.trial import protocol_day

Grouping = Literal["label", "dose_period", "any"]
Reduction = Literal["max", "min", "sum"]


@dataclass(frozen=True)
class Step:
    """One named dose period of an arm, as the middle patient has it.

    Args:
        arm: Name of the arm.
        label: Such as SUD1 or FD1.
        period: Ordinal of the period in the arm, from 1.
        time: Median start [day since the first dose].
        amount: Median amount [mg].
        patients: Patients who have the step [1].
    """

    arm: str
    label: str
    period: int
    time: float
    amount: float
    patients: int

    @property
    def day(self) -> str:
        """Protocol day of the start, such as "day 8"; "–" where no patient tells it."""
        return protocol_day(self.time) if np.isfinite(self.time) else "–"


def steps(ds: xr.Dataset) -> tuple[Step, ...]:
    """Steps of every arm, in the order of the arms and of time.

    Args:
        ds: Results with `dose_label`, `dose_time` and `dose_amount`.

    Returns:
        The steps; an arm in which nothing is given has none.
    """
    for name, unit in (("dose_label", None), ("dose_time", "day"), ("dose_amount", "mg")):
        require(ds, name, unit)
    given = ds[["dose_label", "dose_time", "dose_amount"]]
    arms = ds["arm"].values
    return tuple(step for arm in arms for step in _arm_steps(given.sel(arm=arm), str(arm)))


def _arm_steps(arm: xr.Dataset, name: str) -> list[Step]:
    order = ("patient", "dose_period")
    labels = arm["dose_label"].transpose(*order).astype(str).values
    times, amounts = (arm[key].transpose(*order).values for key in ("dose_time", "dose_amount"))
    ordinals = np.broadcast_to(arm["dose_period"].values, labels.shape)
    found = []
    for label in np.unique(labels[labels != ""]):
        here = labels == label
        found.append(
            Step(
                arm=name,
                label=str(label),
                period=int(ordinals[here].min()),
                time=_median(times[here]),
                amount=_median(amounts[here]),
                patients=int(here.any(axis=1).sum()),
            )
        )
    return sorted(found, key=lambda step: (step.period, step.time, step.label))


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def labels(ds: xr.Dataset) -> tuple[str, ...]:
    """Labels of all arms, each once, in the order in which the arms first show them."""
    return tuple(dict.fromkeys(step.label for step in steps(ds)))


def gather(
    values: xr.DataArray, ds: xr.Dataset, by: Grouping, reduction: Reduction = "max"
) -> xr.DataArray:
    """One value per patient and group of dose periods.

    Args:
        values (..., arm, patient, dose_period): Any unit; NaN where there is none.
        ds: Results with `dose_label`.
        by: "label" (dimension `label`), "dose_period" (left as it is) or "any" (one group of all
            doses).
        reduction: How the periods of one group are joined; NaN is left out.

    Returns:
        (..., arm, patient, label), (..., arm, patient, dose_period) or (..., arm, patient).

    Raises:
        ConfigError: If the grouping is none of the three.
    """
    if by == "dose_period":
        return values
    join = _reductions()[reduction]
    if by == "any":
        return join(values)
    if by != "label":
        rule = "the grouping must be 'label', 'dose_period' or 'any'"
        raise ConfigError("endpoint", rule, repr(by))
    names, given = labels(ds), ds["dose_label"].astype(str)
    if not names:
        return (
            values.isel(dose_period=slice(0, 0))
            .drop_vars("dose_period")
            .rename(dose_period="label")
        )
    pieces = [join(values.where(given == name)) for name in names]
    stacked = np.stack([piece.values for piece in pieces], axis=-1)
    coords = {**pieces[0].coords, "label": list(names)}
    return xr.DataArray(stacked, dims=(*pieces[0].dims, "label"), coords=coords, attrs=values.attrs)


def _reductions() -> dict[str, Callable[[xr.DataArray], xr.DataArray]]:
    return {
        "max": lambda values: values.max("dose_period"),
        "min": lambda values: values.min("dose_period"),
        # A group without any value has no sum; without `min_count` it would be 0.
        "sum": lambda values: values.sum("dose_period", min_count=1),
    }
