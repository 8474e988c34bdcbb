"""Dose periods as steps of a regimen, and values gathered by period, by label or over all doses.

A dose period is an ordinal; its label (SUD1, FD1 ...) is data and may differ between arms and
patients. Tables group by label.

Labels are text, of which a large run has millions. `with_steps` reads them once, block by block,
and puts a small code in their place; whatever asks for steps or labels afterwards reads that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.blocks import blocks
from qsp.endpoints.statistics.pools import by_cell
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
    table = with_steps(ds)[list(_TABLE)]
    arms = (table.isel(arm=place) for place in range(table.sizes["arm"]))
    return tuple(step for arm in arms for step in _arm_steps(arm))


def _arm_steps(arm: xr.Dataset) -> list[Step]:
    columns = (arm["label"].values, *(arm[name].values for name in _TABLE))
    found = [
        Step(
            str(arm["arm"].item()), str(label), int(period), float(time), float(amount), int(count)
        )
        for label, period, time, amount, count in zip(*columns, strict=True)
        if count
    ]
    return sorted(found, key=lambda step: (step.period, step.time, step.label))


def labels(ds: xr.Dataset) -> tuple[str, ...]:
    """Labels of all arms, each once, in the order in which the arms first show them."""
    return tuple(str(label) for label in with_steps(ds)["label"].values)


_CODE = "label_code"
# In the order of the fields of a step.
_TABLE = ("label_period", "label_time", "label_amount", "label_patients")


def with_steps(ds: xr.Dataset) -> xr.Dataset:
    """Results with their steps worked out, once for all that is asked of them.

    Args:
        ds: Results with `dose_label`, `dose_time` and `dose_amount`.

    Returns:
        The same with the labels as the coordinate `label`, in the order of `labels`; `label_code`
        (arm, patient, dose_period), the place of a label among them and -1 where there is none; and
        the steps as `label_period` [1], `label_time` [day], `label_amount` [mg] and
        `label_patients` [1] over (arm, label). A part of the patients keeps the steps of all.

    Raises:
        ConfigError: If one of the three is missing or in another unit.
    """
    if _CODE in ds:
        return ds
    for name, unit in (("dose_label", None), ("dose_time", "day"), ("dose_amount", "mg")):
        require(ds, name, unit)
    names, codes = _coded(ds)
    coded = _with_codes(ds[["arm", "patient", "dose_period", "dose_time", "dose_amount"]], codes)
    table = _table(coded.assign_coords(label=names))
    arms = (table.isel(arm=place) for place in range(table.sizes["arm"]))
    order = dict.fromkeys(step.label for arm in arms for step in _arm_steps(arm))
    place = [*map(list(order).index, names), -1]  # the last stands for none, whose code is -1
    small = np.array(place, np.min_scalar_type(-len(place)))
    known = _with_codes(ds, small[codes]).assign_coords(label=list(order))
    return known.assign(table.sel(label=list(order)).data_vars)


def grouped(ds: xr.Dataset, by: Grouping) -> xr.Dataset:
    """Results of which any part of the patients can be gathered: it knows the labels of all."""
    return with_steps(ds) if by == "label" else ds


def _with_codes(ds: xr.Dataset, codes: NDArray[np.integer]) -> xr.Dataset:
    return ds.assign({_CODE: (("arm", "patient", "dose_period"), codes)})


def _coded(ds: xr.Dataset) -> tuple[list[str], NDArray[np.int16]]:
    """Labels as they come, and the place of each period's among them (arm, patient, period)."""
    places = {"": -1}
    pieces = []
    for part in blocks(ds):
        given = part["dose_label"].transpose("arm", "patient", "dose_period").astype(str).values
        texts = given.ravel().tolist()
        for text in dict.fromkeys(texts):
            places.setdefault(text, len(places) - 1)
        codes = np.fromiter(map(places.__getitem__, texts), np.int16, len(texts))
        pieces.append(codes.reshape(given.shape))
    return [text for text in places if text], np.concatenate(pieces, axis=1)


def _table(coded: xr.Dataset) -> xr.Dataset:
    """The steps over (arm, label), a label that an arm does not have with 0 patients."""
    periods, patients = [], []
    for place in range(coded.sizes["label"]):
        here = coded[_CODE] == place
        first = coded["dose_period"].where(here.any("patient")).min("dose_period")
        periods.append(first.fillna(0).values)
        patients.append(here.any("dose_period").sum("patient").values)
    shape = (coded.sizes["label"], coded.sizes["arm"])
    found = {
        "label_period": np.reshape(periods, shape).T.astype(int),
        "label_time": _medians(coded, "dose_time"),
        "label_amount": _medians(coded, "dose_amount"),
        "label_patients": np.reshape(patients, shape).T.astype(int),
    }
    both = ("arm", "label")
    coords = {name: coded[name] for name in both}
    return xr.Dataset({name: (both, values) for name, values in found.items()}, coords)


def _medians(coded: xr.Dataset, name: str) -> NDArray[np.float64]:
    """(arm, label): Median over the patients and periods of a label; NaN where none tells it."""
    places = xr.DataArray(np.arange(coded.sizes["label"]), dims="label")

    def measured(part: xr.Dataset) -> xr.Dataset:
        values = part[name].where(part[_CODE] == places)
        return xr.Dataset({"value": values, "weight": xr.ones_like(part["patient"], dtype=float)})

    over = ("patient", "dose_period")
    found = by_cell(measured, blocks(coded), lambda values, _: _median(values), over=over)
    return found["value"].isel(result=0).transpose("arm", "label").values


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([np.median(values) if values.size else np.nan])


def gather(
    values: xr.DataArray, ds: xr.Dataset, by: Grouping, reduction: Reduction = "max"
) -> xr.DataArray:
    """One value per patient and group of dose periods.

    Args:
        values (..., arm, patient, dose_period): Any unit; NaN where there is none.
        ds: Results with `dose_label`; of a part of the patients, as `grouped` gives them.
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
    coded = with_steps(ds)
    names, codes = labels(coded), coded[_CODE]
    if not names:
        return (
            values.isel(dose_period=slice(0, 0))
            .drop_vars("dose_period")
            .rename(dose_period="label")
        )
    pieces = [_of_label(values, codes == place, join) for place in range(len(names))]
    stacked = np.stack([piece.values for piece in pieces], axis=-1)
    coords = {**pieces[0].coords, "label": list(names)}
    return xr.DataArray(stacked, dims=(*pieces[0].dims, "label"), coords=coords, attrs=values.attrs)


def _of_label(
    values: xr.DataArray, here: xr.DataArray, join: Callable[[xr.DataArray], xr.DataArray]
) -> xr.DataArray:
    """Values of the periods of a label, joined; nearly always that is one period of all."""
    others = [dim for dim in here.dims if dim != "dose_period"]
    places = np.flatnonzero(here.any(others).values)
    if places.size != 1:
        return join(values.where(here))
    only = {"dose_period": places[0]}
    return values.isel(only, drop=True).where(here.isel(only, drop=True))


def _reductions() -> dict[str, Callable[[xr.DataArray], xr.DataArray]]:
    return {
        "max": lambda values: values.max("dose_period"),
        "min": lambda values: values.min("dose_period"),
        # A group without any value has no sum; without `min_count` it would be 0.
        "sum": lambda values: values.sum("dose_period", min_count=1),
    }
