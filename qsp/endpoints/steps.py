"""Steps of a regimen, and values grouped by dose period, by label or over all doses.

A dose period is an ordinal number; its label (SUD1, FD1 ...) is data and may differ between arms
and patients. Tables group by label.

Labels are text, and a large run has millions of them. `with_steps` reads them once, block by block,
and adds integer codes, which all functions here use instead of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.endpoint import HasDataset, dataset, require
from qsp.endpoints.statistics.blocks import blocks
from qsp.endpoints.statistics.pools import reduce_cells
from qsp.errors import ConfigError
from qsp.trial import protocol_day

Grouping = Literal["label", "dose_period", "any"]
Reduction = Literal["max", "min", "sum"]
_Array = TypeVar("_Array", xr.DataArray, xr.Variable)


@dataclass(frozen=True)
class Step:
    """A labeled dose period of an arm, with its median time and amount over patients.

    Args:
        arm: Name of the arm.
        label: Label of the dose period, such as SUD1 or FD1.
        period: Ordinal of the period in the arm, from 1.
        time: Median start [day since the first dose].
        amount: Median amount [mg].
        patients: Number of patients with this step [1].
    """

    arm: str
    label: str
    period: int
    time: float
    amount: float
    patients: int

    @property
    def day(self) -> str:
        """Protocol day of the start, such as "day 8"; "–" if unknown."""
        return protocol_day(self.time) if np.isfinite(self.time) else "–"


def steps(results: xr.Dataset | HasDataset) -> tuple[Step, ...]:
    """Return the steps of every arm, in the order of the arms and of time.

    Args:
        results: Results with `dose_label`, `dose_time` and `dose_amount`.

    Returns:
        The steps; none for an arm without doses.
    """
    by_arm = _steps_by_arm(with_steps(dataset(results)))
    return tuple(step for own in by_arm for step in own)


def _steps_by_arm(table: xr.Dataset) -> list[list[Step]]:
    """Return the steps of each arm in order, from a table over (arm, label)."""
    columns = np.stack([table[name].transpose("arm", "label").values for name in _TABLE], axis=-1)
    names = [str(label) for label in table["label"].values]
    found = []
    for arm, rows in zip(table["arm"].values, columns.tolist(), strict=True):
        own = [
            Step(str(arm), label, int(period), time, amount, int(count))
            for label, (period, time, amount, count) in zip(names, rows, strict=True)
            if count
        ]
        found.append(sorted(own, key=lambda step: (step.period, step.time, step.label)))
    return found


def labels(results: xr.Dataset | HasDataset) -> tuple[str, ...]:
    """Return the distinct labels of all arms, in order of first appearance."""
    return tuple(str(label) for label in with_steps(dataset(results))["label"].values)


_CODE = "label_code"
# In the order of the fields of `Step`.
_TABLE = ("label_period", "label_time", "label_amount", "label_patients")


def with_steps(ds: xr.Dataset) -> xr.Dataset:
    """Return the results with a table of their steps, computed once.

    Args:
        ds: Results with `dose_label`, `dose_time` and `dose_amount`.

    Returns:
        The results with the labels as the coordinate `label`, in the order of `labels`;
        `label_code` (arm, patient, dose_period), the index of a label, -1 if there is none; and
        the steps as `label_period` [1], `label_time` [day], `label_amount` [mg] and
        `label_patients` [1] over (arm, label). A subset of the patients keeps the steps of all.

    Raises:
        ConfigError: If a variable is missing or has another unit.
    """
    if _CODE in ds:
        return ds
    for name, unit in (("dose_label", None), ("dose_time", "day"), ("dose_amount", "mg")):
        require(ds, name, unit)
    names, codes = _coded(ds)
    coded = _with_codes(ds[["arm", "patient", "dose_period", "dose_time", "dose_amount"]], codes)
    table = _table(coded.assign_coords(label=names))
    order = dict.fromkeys(step.label for own in _steps_by_arm(table) for step in own)
    place = [*map(list(order).index, names), -1]  # the last is for code -1, no label
    small = np.array(place, np.min_scalar_type(-len(place)))
    known = _with_codes(ds, small[codes]).assign_coords(label=list(order))
    return known.assign(table.sel(label=list(order)).data_vars)


def grouped(ds: xr.Dataset, by: Grouping) -> xr.Dataset:
    """Return results of which any block of patients can be passed to `gather`."""
    return with_steps(ds) if by == "label" else ds


def _with_codes(ds: xr.Dataset, codes: NDArray[np.integer]) -> xr.Dataset:
    return ds.assign({_CODE: (("arm", "patient", "dose_period"), codes)})


def _coded(ds: xr.Dataset) -> tuple[list[str], NDArray[np.int16]]:
    """Return the labels in order of appearance, and the index of each (arm, patient, period)."""
    places = {"": -1}
    pieces = []
    for part in blocks(ds):
        words = part["dose_label"].transpose("arm", "patient", "dose_period").astype(str).values
        texts = words.ravel().tolist()
        for text in dict.fromkeys(texts):
            places.setdefault(text, len(places) - 1)
        codes = np.fromiter(map(places.__getitem__, texts), np.int16, len(texts))
        pieces.append(codes.reshape(words.shape))
    return [text for text in places if text], np.concatenate(pieces, axis=1)


def _table(coded: xr.Dataset) -> xr.Dataset:
    """Return the steps over (arm, label); a label that an arm lacks has 0 patients."""
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
    """(arm, label): Median over the patients and periods with a label; NaN if none has a value."""
    places = xr.DataArray(np.arange(coded.sizes["label"]), dims="label")

    def measured(part: xr.Dataset) -> xr.Dataset:
        values = part[name].where(part[_CODE] == places)
        return xr.Dataset({"value": values, "weight": xr.ones_like(part["patient"], dtype=float)})

    over = ("patient", "dose_period")
    found = reduce_cells(measured, blocks(coded), _finite_medians, over=over)
    return found["value"].isel(result=0).transpose("arm", "label").values


def _finite_medians(rows: NDArray[np.float64], _: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the finite values of each row (row, 1); NaN if it has none."""
    known = [row[np.isfinite(row)] for row in rows]
    return np.array([[np.median(row) if row.size else np.nan] for row in known]).reshape(-1, 1)


def by_label(ds: xr.Dataset) -> xr.Dataset:
    """Return the results of dose periods with the labels as a coordinate, for `.sel`.

    Args:
        ds: Results with `dose_label`, `dose_time` and `dose_amount`.

    Returns:
        The numerical variables over dose periods, with `label` (SUD1, FD1, ...) in place of
        `dose_period`; NaN where an arm or a patient has no period of that label.
    """
    coded = with_steps(ds)
    found = {}
    for name, values in ds.data_vars.items():
        if "dose_period" in values.dims and values.dtype.kind in "fiu":
            fill = values.encoding.get("_FillValue")
            known = values if fill is None else values.where(values != fill)
            found[name] = gather(known.astype(float), coded, "label").assign_attrs(values.attrs)
    return xr.Dataset(found, attrs=ds.attrs)


def gather(
    values: xr.DataArray, ds: xr.Dataset, by: Grouping, reduction: Reduction = "max"
) -> xr.DataArray:
    """Combine values by patient and group of dose periods.

    Args:
        values (..., arm, patient, dose_period): Values in any unit; NaN if missing.
        ds: Results with `dose_label`; a block of patients must come from `grouped`.
        by: "label" (one group per label), "dose_period" (unchanged) or "any" (one group of all
            doses).
        reduction: How the values of a group are combined; NaN is ignored.

    Returns:
        (..., arm, patient, label), (..., arm, patient, dose_period) or (..., arm, patient): Values
        in the unit of the input.

    Raises:
        ConfigError: If the grouping is not one of the three.
    """
    if by == "dose_period":
        return values
    if by == "any":
        return _combine(values, reduction)
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
    # Variables, because comparing the coordinates for each label takes longer than all else.
    combined = _combine_labels(values.variable, codes.variable, len(names), reduction)
    shared = {**codes.coords, **values.coords}
    kept = {key: each for key, each in shared.items() if "dose_period" not in each.dims}
    coords = {**kept, "label": list(names)}
    return xr.DataArray(combined.values, coords, combined.dims, attrs=values.attrs)


def _combine_labels(
    values: xr.Variable, codes: xr.Variable, count: int, reduction: Reduction
) -> xr.Variable:
    """Combine the values of the periods with each of `count` labels: (..., label)."""
    others = tuple(codes.get_axis_num(dim) for dim in codes.dims if dim != "dose_period")
    places = [np.flatnonzero((codes.values == n).any(others)) for n in range(count)]
    if all(own.size == 1 for own in places):  # usually the same single period for all patients
        only = {"dose_period": xr.Variable("label", np.concatenate(places))}
        here = codes.isel(only) == xr.Variable("label", np.arange(count))
        return values.isel(only).where(here).transpose(..., "label")
    pieces = [_combine(values.where(codes == n), reduction) for n in range(count)]
    return xr.Variable((*pieces[0].dims, "label"), np.stack([p.values for p in pieces], axis=-1))


def _combine(values: _Array, reduction: Reduction) -> _Array:
    """Combine the values of all dose periods; the result is NaN where none has a value."""
    if reduction == "max":
        return values.max("dose_period")
    if reduction == "min":
        return values.min("dose_period")
    # Without `min_count`, the sum of no values would be 0.
    return values.sum("dose_period", min_count=1)
