"""Covariates of individual patients, read from a CSV file."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from qsp.errors import ConfigError, suggest
from qsp.populations.covariates import UNITS
from qsp.populations.plausible import COVARIATE_LIMITS

SHORT = {"wt": "body_weight", "ht": "height", "bsa": "body_surface"}
"""Short covariate names, as in NONMEM data sets and in the tables of `qsp export`."""


@dataclasses.dataclass(frozen=True)
class CovariateTable:
    """Covariates of individual patients.

    Args:
        ids: Patient ids (patient,).
        values: Covariates (patient,) by name in the units of `UNITS`, sex as 0 (male) or 1
            (female); NaN for an empty cell.
        file: Name of the file.
    """

    ids: np.ndarray
    values: Mapping[str, np.ndarray]
    file: str

    def subset(self, ids: np.ndarray) -> CovariateTable:
        """Return the table of the patients with these ids."""
        rows = np.isin(self.ids, ids)
        values = {name: column[rows] for name, column in self.values.items()}
        return CovariateTable(self.ids[rows], values, self.file)

    def values_for(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return values (patient,) by name for these ids; NaN for patients who are not in the file.

        Raises:
            ConfigError: If the file has patients that are not in the run.
        """
        position = {int(number): i for i, number in enumerate(ids)}
        unknown = [int(number) for number in self.ids if int(number) not in position]
        if unknown:
            rule = "every id in the file must belong to a patient of the run"
            todo = f"The run has {len(ids)} patients, from {ids.min()} to {ids.max()}"
            raise ConfigError(self.file, rule, str(unknown[0]), todo)
        rows = np.array([position[int(number)] for number in self.ids], int)
        out = {}
        for name, column in self.values.items():
            out[name] = np.full(len(ids), np.nan)
            out[name][rows] = column
        return out


def read_covariates(path: Path) -> CovariateTable:
    """Read covariates from a CSV file.

    The columns are id and any of body_weight or WT [kg], body_surface or BSA [m^2], height or HT
    [m], age [year] and sex.

    Raises:
        ConfigError: If the file breaks a rule.
    """
    name = path.name
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except FileNotFoundError:
        raise ConfigError(name, "the file must exist", "missing", "Check its path") from None
    except (OSError, UnicodeDecodeError):
        rule = "the file must be a text file"
        raise ConfigError(name, rule, "unreadable", "Save it as CSV in UTF-8") from None
    header = [_column(cell) for cell in lines[0]] if lines else []
    _check_header(header, name)
    numbered = [(i + 1, line) for i, line in enumerate(lines) if i and any(c.strip() for c in line)]
    if not numbered:
        todo = "Add one line per patient"
        raise ConfigError(name, "the file must have patients", "empty", todo)
    ids: dict[int, None] = {}  # an ordered set
    columns = {key: [] for key in header if key != "id"}
    for number, line in numbered:
        where = f"{name}: line {number}"
        if len(line) != len(header):
            rule = f"the number of cells must be {len(header)}"
            raise ConfigError(where, rule, len(line), "Check the commas")
        cells = dict(zip(header, (cell.strip() for cell in line), strict=True))
        ids[_id(cells["id"], ids, where)] = None
        for key, column in columns.items():
            column.append(_cell(key, cells[key], where))
    values = {key: np.array(column, np.float64) for key, column in columns.items()}
    return CovariateTable(np.array(list(ids), np.int64), values, name)


def _column(cell: str) -> str:
    name = cell.strip().lower()
    return SHORT.get(name, name)


def _check_header(header: list[str], name: str) -> None:
    known = ("id", *UNITS, "sex")
    if "id" not in header:
        rule = "the column id must be in the first line"
        raise ConfigError(name, rule, "missing", f"Known columns: {', '.join(known)}")
    for column in header:
        if column not in known:
            todo = f"{suggest(column, known)} Known columns: {', '.join(known)}".strip()
            todo += "; remove all other columns"
            raise ConfigError(name, f"{column} must be a known column", "unknown", todo)
        if header.count(column) > 1:
            raise ConfigError(name, "a column must appear once", f"{column!r} twice", "Remove one")


def _id(text: str, before: Collection[int], where: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        rule = "id must be a whole number from 0 to 4294967295"
        raise ConfigError(where, rule, repr(text), "Number the patients")
    if int(text) in before:
        raise ConfigError(where, "id must be unique", f"{text} twice", "Remove one line")
    return int(text)


def _cell(key: str, text: str, where: str) -> float:
    if text in ("", "."):
        return math.nan
    if key == "sex":
        codes = {"male": 0.0, "m": 0.0, "0": 0.0, "female": 1.0, "f": 1.0, "1": 1.0}
        if text.lower() not in codes:
            rule = "sex must be male or female"
            raise ConfigError(where, rule, repr(text), "m and f, or 0 and 1, are accepted too")
        return codes[text.lower()]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        rule = f"{key} must be a positive number in {UNITS[key]}"
        raise ConfigError(where, rule, repr(text), "Write the number without a unit")
    low, high = COVARIATE_LIMITS[key]
    if not low <= value <= high:
        rule = f"{key} must be from {low:g} to {high:g} {UNITS[key]}"
        raise ConfigError(where, rule, text, f"Check the value and its unit ({UNITS[key]})")
    return value
