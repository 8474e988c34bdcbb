"""Values of each patient in each arm, which differences between arms pair by patient.

| value | meaning |
|---|---|
| `crs_any`, `crs_2`, `crs_3` | CRS of grade 1, 2, 3 or higher, by dose period and over all doses |
| `response` | complete or partial response as best response |
| `tocilizumab` | at least one dose, on schedule or by a rule; absent where no arm may have one |
| `days_in_crs` | total duration of the CRS events |
| `time_to_full_dose` | start of the first dose period with the largest planned amount of the arm |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.drugs import RESCUE
from qsp.endpoints import crs, response
from qsp.endpoints.decisions import flags
from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.blocks import blocks
from qsp.endpoints.statistics.patients import solved, weights
from qsp.endpoints.steps import gather, labels, steps, with_steps
from qsp.results.record import ArmRecord, record_of

ANY = "any dose"
MISSING = -1
"""Code of an event in a patient without a value."""
SAME_AMOUNT = 0.01
"""Relative difference below which two planned amounts are the same."""
_SCHEDULED = f"{RESCUE}_on_schedule"


@dataclass(frozen=True)
class Quantity:
    """A quantity that is compared between arms.

    Args:
        name: Name, such as "crs_2".
        title: Title of a row.
        short: Title in a narrow table.
        units: Unit of a mean; "1" for an event, whose mean is a rate.
        lower_is_better: Whether a lower value is better for the patient.
    """

    name: str
    title: str
    short: str
    units: str = "1"
    lower_is_better: bool = True

    @property
    def is_event(self) -> bool:
        """Whether the value is 1 or 0 and the mean a rate."""
        return self.units == "1"


CRS = (
    Quantity("crs_any", "any CRS", "CRS, any"),
    Quantity("crs_2", "CRS of grade 2 or higher", "CRS ≥ 2"),
    Quantity("crs_3", "CRS of grade 3 or higher", "CRS ≥ 3"),
)
RESPONSE = Quantity("response", "response", "response", lower_is_better=False)
OTHERS = (
    RESPONSE,
    Quantity(RESCUE, f"{RESCUE} used", RESCUE),
    Quantity("days_in_crs", "days in CRS", "days in CRS", units="day"),
    Quantity("time_to_full_dose", "time to full dose", "to full dose", units="day"),
)

QUANTITIES = {quantity.name: quantity for quantity in (*CRS, *OTHERS)}


@dataclass(frozen=True)
class Column:
    """A quantity in a dose period, or over all doses (`ANY`)."""

    quantity: Quantity
    period: str = ANY

    @property
    def title(self) -> str:
        """Title of the row, such as "any CRS, SUD1"."""
        return self.quantity.title + ("" if self.period == ANY else f", {self.period}")

    @property
    def short(self) -> str:
        """Title in a narrow table, such as "CRS ≥ 2, SUD1"."""
        return self.quantity.short + ("" if self.period == ANY else f", {self.period}")


@dataclass(frozen=True)
class ArmValues:
    """Values of the patients of one arm.

    Args:
        name: Name of the arm.
        weight (patient,): Prevalence weights [1].
        solved (patient,): Whether the simulation succeeded.
        values: (patient,) by column: 1, 0 or `MISSING` for an event; numbers, NaN if missing, for
            others. A dose period that the arm lacks has no column.
    """

    name: str
    weight: NDArray[np.float64]
    solved: NDArray[np.bool_]
    values: Mapping[Column, NDArray]


def patient_values(ds: xr.Dataset) -> dict[str, ArmValues]:
    """Return the values of every patient by arm.

    Args:
        ds: Results. Quantities whose variables the results lack are left out.

    Returns:
        The values by name of the arm; columns are in the order of a table.
    """
    ds = with_steps(ds)
    arms = [str(name) for name in ds["arm"].values]
    full = {arm: _full_dose_labels(ds, arm) for arm in arms}
    found = [dict(_block(part, full)) for part in blocks(_with_schedule(ds))]
    whole = {column: np.concatenate([each[column] for each in found], 1) for column in found[0]}
    weight, ok = weights(ds).values, solved(ds).transpose("arm", "patient").values
    own = {arm: {step.label for step in steps(ds) if step.arm == arm} | {ANY} for arm in arms}
    return {
        arm: ArmValues(
            arm,
            weight,
            ok[n],
            {column: rows[n] for column, rows in whole.items() if column.period in own[arm]},
        )
        for n, arm in enumerate(arms)
    }


def _block(
    part: xr.Dataset, full: Mapping[str, frozenset[str]]
) -> Iterator[tuple[Column, NDArray]]:
    """Yield the values (arm, patient) of a block of patients by column."""
    grade = crs.grades(part)
    worst, by_label = gather(grade, part, "any"), gather(grade, part, "label")
    for lowest, quantity in enumerate(CRS, start=1):
        yield Column(quantity), _event(worst >= lowest, worst.notnull())
    answer, used, duration, start = map(Column, OTHERS)
    if "best_response" in part:
        best = response.best_codes(part)
        responded = best.isin(list(response.RESPONSES))
        yield answer, _event(responded, best.notnull())
    if _SCHEDULED in part:
        yield used, _rescued(part)
    if "crs_duration" in part:
        yield duration, _ordered(_days_in_crs(part, grade))
    yield start, _ordered(_time_to_full_dose(part, full))
    for label in labels(part):
        own = by_label.sel(label=label)
        for lowest, quantity in enumerate(CRS, start=1):
            yield Column(quantity, label), _event(own >= lowest, own.notnull())


def _ordered(values: xr.DataArray) -> NDArray:
    return values.transpose("arm", "patient").values


def _event(happened: xr.DataArray, known: xr.DataArray) -> NDArray[np.int8]:
    return _ordered(xr.where(known, happened, MISSING)).astype(np.int8)


def _days_in_crs(part: xr.Dataset, grade: xr.DataArray) -> xr.DataArray:
    """Days in CRS; NaN if the duration of an event is unknown or the simulation failed."""
    require(part, "crs_duration", "day")
    lasted = part["crs_duration"].where(grade >= 1, 0.0).sum("dose_period", skipna=False)
    return lasted.where(grade.notnull().any("dose_period"))


def _time_to_full_dose(part: xr.Dataset, full: Mapping[str, frozenset[str]]) -> xr.DataArray:
    """Day of the first full dose; NaN if the patient did not receive it or has no simulation."""
    times = gather(part["dose_time"], part, "label", "min")
    place = list(labels(part))
    is_full = xr.DataArray(
        [[label in full[str(arm)] for label in place] for arm in part["arm"].values],
        dims=("arm", "label"),
        coords={"arm": part["arm"], "label": place},
    )
    if not place:
        return xr.full_like(part["outcome"], np.nan, dtype=float)
    return times.where(is_full).min("label").where(solved(part))


def _full_dose_labels(ds: xr.Dataset, arm: str) -> frozenset[str]:
    """Labels of the dose periods whose median amount is the largest of the arm."""
    own = [step for step in steps(ds) if step.arm == arm and np.isfinite(step.amount)]
    largest = max((step.amount for step in own), default=0.0)
    return frozenset(
        step.label for step in own if step.amount >= (1 - SAME_AMOUNT) * largest and largest > 0
    )


def _with_schedule(ds: xr.Dataset) -> xr.Dataset:
    """Add whether each patient has tocilizumab on schedule; nothing where no arm may have it.

    The codes (arm, patient) are 1 with, 0 without and `MISSING` where the schedule of a patient is
    not recorded. In arms with rules they are 0, because administered doses are recorded there.
    """
    record = record_of(ds)
    arms = {arm.name: arm for arm in record.arms}
    names = [str(name) for name in ds["arm"].values]
    rescue = record.config.get("rescue", {}).values()
    planned = [dose.kind for arm in record.arms for each in arm.regimens for dose in each.doses]
    may_have = RESCUE in [*planned, *(drug["drug"] for drug in rescue)]
    if not may_have or not set(names) <= set(arms):
        return ds
    codes = np.stack([_schedule(arms[name], ds["patient"].values) for name in names])
    return ds.assign({_SCHEDULED: (("arm", "patient"), codes)})


def _schedule(arm: ArmRecord, ids: NDArray) -> NDArray[np.int8]:
    if arm.planned_doses:
        return np.zeros(ids.size, np.int8)
    codes = np.full(ids.size, MISSING, np.int8)
    for regimen in arm.regimens:
        has = any(dose.kind == RESCUE for dose in regimen.doses)
        codes[np.isin(ids, regimen.patients or ids)] = int(has)
    return codes


def _rescued(part: xr.Dataset) -> NDArray[np.int8]:
    on_schedule, by_rule = part[_SCHEDULED], False
    if "administered_drug" in part:
        drug = part["administered_drug"]
        by_rule = (drug == flags(drug)[RESCUE]).any("administration")
    known = solved(part) & ((on_schedule >= 0) | by_rule)
    return _event((on_schedule == 1) | by_rule, known)


def shared_columns(one: ArmValues, other: ArmValues) -> list[Column]:
    """Return the columns that two arms share, in the order of the first."""
    return [column for column in one.values if column in other.values]
