"""Checks of observed values, row by row, and the values in the units of the results."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from qsp.csv_table import MISSING, number
from qsp.errors import ConfigError
from qsp.observations.columns import CENSORED
from qsp.observations.format import Scales
from qsp.observations.quantities import (
    CRS,
    GRADES,
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    TEMPERATURE,
)
from qsp.observations.rows import Cells

_YES, _NO = ("1", "Y", "YES", "T", "TRUE"), ("0", "N", "NO", "F", "FALSE")


@dataclasses.dataclass(frozen=True)
class Checked:
    """Values of rows.

    Args:
        value: (row,): Value; NaN if it is missing or below the limit of quantification.
        lloq: (row,): Limit of quantification; NaN if there is none.
        is_blq: (row,): Whether the value is below the limit.
        is_missing: (row,): Whether the row has no value.
    """

    value: np.ndarray
    lloq: np.ndarray
    is_blq: np.ndarray
    is_missing: np.ndarray


def check_values(
    cells: Cells,
    roles: Mapping[str, str],
    scales: Scales,
    place: np.ndarray,
    numbers: Mapping[str, np.ndarray],
) -> Checked:
    """Check values and limits; the errors are added to those of the file.

    Args:
        cells: Cells of the rows.
        roles: Column of each role.
        scales: Quantities with their units.
        place: (row,): Index of the quantity of each row; negative where it is unknown.
        numbers: (row,): Numbers of the roles dv, lloq and mdv, as far as the file has them.
    """
    at = np.maximum(place, 0)
    factor = np.array([scale.factor for scale in scales.scales])[at]
    default = np.array([scale.lloq for scale in scales.scales])[at]
    names = np.array([scale.observable.name for scale in scales.scales], object)[at]
    is_positive = np.array([scale.observable.is_positive for scale in scales.scales])[at]
    absent = np.full(len(place), math.nan)
    dv, limit = numbers["dv"], numbers.get("lloq", absent)
    is_left_out = _is_left_out(cells, roles, numbers)
    flag = _flags(cells, roles, is_left_out)
    is_censored_by_dv = roles.get("blq") == CENSORED
    if is_censored_by_dv:
        limit = np.where((flag == 1) & np.isnan(limit) & np.isnan(default), dv, limit)
    lloq = np.where(np.isnan(limit), default, limit * factor)
    value = dv * factor
    is_blq = (flag == 1) | ((flag < 0) & (value < lloq))
    is_missing = is_left_out | (np.isnan(dv) & ~is_blq)
    _check_limits(cells, roles, lloq, value, is_blq & ~is_missing, flag == 0)
    _check_kinds(cells, roles, names, is_blq & ~is_missing & ~is_positive)
    is_value = ~is_missing & ~is_blq
    todo = "A value below the limit has BLQ 1 and its limit in LLOQ; MDV 1 passes over the line"
    rule = f"{roles['dv']} must be above 0"
    cells.refuse(is_value & is_positive & (dv <= 0), rule, roles["dv"], todo)
    _check_grades(cells, roles["dv"], dv, is_value & (names == CRS))
    _check_temperatures(cells, roles["dv"], value, is_value & (names == TEMPERATURE))
    lloq = np.where(is_positive, lloq, math.nan)
    return Checked(np.where(is_value, value, math.nan), lloq, is_blq, is_missing)


def _is_left_out(
    cells: Cells, roles: Mapping[str, str], numbers: Mapping[str, np.ndarray]
) -> np.ndarray:
    """(row,): Return whether MDV is 1."""
    if "mdv" not in numbers:
        return np.zeros(len(cells.line), bool)
    mdv, name = numbers["mdv"], roles["mdv"]
    is_known = np.isnan(mdv) | np.isin(mdv, (0.0, 1.0))
    todo = "Write 1 for a line without a value"
    cells.refuse(~is_known, f"{name} must be 0, 1 or missing", name, todo)
    return mdv == 1.0


def _flags(cells: Cells, roles: Mapping[str, str], is_left_out: np.ndarray) -> np.ndarray:
    """(row,): Return 1 for a value below the limit, 0 for another, -1 without a column for it."""
    if "blq" not in roles:
        return np.full(len(cells.line), -1)
    name = roles["blq"]
    flag = cells.columns[name].mapped(_flag, int)
    todo = "Write 1 for a value below the limit; values above an upper limit are not read"
    cells.refuse((flag < 0) & ~is_left_out, f"{name} must be 0 or 1", name, todo)
    return np.where(flag < 0, 0, flag)


def _flag(text: str) -> int:
    value = number(text)
    word = str(int(value)) if value in (0.0, 1.0) else text.upper()
    return 1 if word in _YES else 0 if word in _NO or text in MISSING else -1


def _check_limits(
    cells: Cells,
    roles: Mapping[str, str],
    lloq: np.ndarray,
    value: np.ndarray,
    is_blq: np.ndarray,
    is_above: np.ndarray,
) -> None:
    """Check that limits are above 0, present where needed, and agree with the values.

    Args:
        cells: Cells of the rows.
        roles: Column of each role.
        lloq: (row,): Limit of quantification.
        value: (row,): Value.
        is_blq: (row,): Whether the value is below the limit.
        is_above: (row,): Whether the flag states that it is not.
    """
    if "lloq" in roles:
        name = roles["lloq"]
        cells.refuse(lloq <= 0, f"{name} must be above 0", name, "Correct or empty it")
    if "blq" not in roles:
        return
    name = roles["blq"]
    rule = f"a value with {name} 1 must have its limit"
    todo = 'Write it in a column LLOQ, or as lloq = "2 pg/mL" in [observations.quantities]'
    cells.refuse_by(
        is_blq & np.isnan(lloq), lambda n: ConfigError(cells.where(n), rule, "missing", todo)
    )
    todo = f"Correct {name}, DV or LLOQ"
    rule = f"{roles['dv']} must not be above LLOQ where {name} is 1"
    cells.refuse(is_blq & (value > lloq), rule, roles["dv"], todo)
    rule = f"{roles['dv']} must not be below LLOQ where {name} is 0"
    is_wrong = is_above & (value < lloq) & (value > 0)
    cells.refuse(is_wrong, rule, roles["dv"], todo)


def _check_kinds(
    cells: Cells, roles: Mapping[str, str], names: np.ndarray, is_wrong: np.ndarray
) -> None:
    if "blq" not in roles:
        return
    for quantity in (CRS, TEMPERATURE):
        rule = f"{roles['blq']} must be 0 for {quantity}"
        cells.refuse(is_wrong & (names == quantity), rule, roles["blq"], "Correct the line")


def _check_grades(cells: Cells, column: str, dv: np.ndarray, rows: np.ndarray) -> None:
    rule, todo = "a CRS grade must be 0, 1, 2, 3 or 4", "Leave grade 5 and unknown grades out"
    cells.refuse(rows & ~np.isin(dv, GRADES), rule, column, todo)


def _check_temperatures(cells: Cells, column: str, value: np.ndarray, rows: np.ndarray) -> None:
    low, high = LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE
    rule = f"a temperature must be {low:g} to {high:g} degC"
    cells.refuse(rows & ~((value >= low) & (value <= high)), rule, column, "Convert it to degC")
