"""Covariates of individual patients, read from a CSV file or from the columns of a dose table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp.csv_table import MISSING, Column, not_a_number, number, read_csv
from qsp.errors import ConfigError, suggest
from qsp.populations.covariates import UNITS
from qsp.populations.plausible import COVARIATE_LIMITS
from qsp.problems import Problems

_SEX = {"male": 0.0, "m": 0.0, "female": 1.0, "f": 1.0}
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
        ConfigError: With all errors of the file.
    """
    table = read_csv(
        path,
        kind="the file",
        missing="Check its path",
        rename=_column,
        choose=lambda header: _chosen(header, path.name),
    )
    problems, line = table.problems, table.line
    if not len(line) and not problems:
        todo = "Add one line per patient"
        raise ConfigError(path.name, "the file must have patients", "empty", todo)
    ids = table.columns["id"].mapped(_id, np.int64)
    _check_ids(ids, table.columns["id"], line, problems)
    columns = {name: column for name, column in table.columns.items() if name != "id"}
    values = {name: _values(name, columns[name], line, problems) for name in columns}
    problems.raise_if_any()
    return CovariateTable(ids, values, path.name)


def covariates_of_lines(
    name: str, line: np.ndarray, patient: np.ndarray, columns: Mapping[str, Column]
) -> CovariateTable:
    """Return the covariates of patients with several lines each, as in a dose table.

    Args:
        name: Name of the file.
        line: (row,): Line in the file.
        patient: (row,): Id of the patient.
        columns: Columns by name, such as WT; in the lines of a patient a value is the same or
            missing.

    Raises:
        ConfigError: With all errors of the columns.
    """
    problems = Problems(name)
    ids, first = np.unique(patient, return_inverse=True)
    values = {}
    for column, cells in columns.items():
        key = _column(column)
        if key in values:
            rule = "a covariate must be in one column"
            todo = "Name one of the columns in dose_table.ignore"
            raise ConfigError(name, rule, f"{key} twice", todo)
        todo = f"or name {column} in dose_table.ignore"
        each = _values(key, cells, line, problems, patient=first, or_else=todo)
        values[key] = np.full(len(ids), np.nan)
        given = np.flatnonzero(~np.isnan(each))[::-1]
        values[key][first[given]] = each[given]  # the first line is written last
        changes = ~np.isnan(each) & (each != values[key][first])
        rule = f"{column} must have one value for a patient"
        todo = "Covariates do not change with time: give one value, or name the column in ignore"
        problems.add_rows(
            changes,
            line,
            lambda n, cells=cells, rule=rule, todo=todo: ConfigError(
                f"{name}: line {line[n]}", rule, f"{cells.text(n)} after another", todo
            ),
        )
    problems.raise_if_any()
    return CovariateTable(ids, values, name)


def _column(cell: str) -> str:
    name = cell.strip().lower()
    return SHORT.get(name, name)


def _chosen(header: Sequence[str], name: str) -> Sequence[str]:
    """Check the names of the columns, all of which are read."""
    known = ("id", *UNITS, "sex")
    if "id" not in header:
        rule = "the column id must be in the first line"
        raise ConfigError(name, rule, "missing", f"Known columns: {', '.join(known)}")
    unknown = [column for column in dict.fromkeys(header) if column not in known]
    if unknown:
        hints = filter(None, (suggest(column, known) for column in unknown))
        todo = " ".join([*hints, f"Known columns: {', '.join(known)}"])
        todo += "; remove all other columns"
        raise ConfigError(name, f"{', '.join(unknown)} must be a known column", "unknown", todo)
    for column in header:
        if header.count(column) > 1:
            raise ConfigError(name, "a column must appear once", f"{column!r} twice", "Remove one")
    return header


def _id(text: str) -> int:
    value = number(text)
    return int(value) if value == value // 1 and 0 <= value < 2**32 else -1


def _check_ids(ids: np.ndarray, cells: Column, line: np.ndarray, problems: Problems) -> None:
    """Check that ids are numbers of patients, each once."""

    def invalid(n: int) -> ConfigError:
        rule = "id must be a whole number from 0 to 4294967295"
        found = cells.texts[cells.codes[n]]
        return ConfigError(where(n), rule, repr(found), "Number the patients")

    def repeats(n: int) -> ConfigError:
        return ConfigError(where(n), "id must be unique", f"{ids[n]} twice", "Remove one line")

    def where(n: int) -> str:
        return f"{problems.name}: line {line[n]}"

    _, first = np.unique(ids, return_index=True)
    is_first = np.zeros(len(ids), bool)
    is_first[first] = True
    problems.add_rows(ids < 0, line, invalid)
    problems.add_rows((ids >= 0) & ~is_first, line, repeats)


def _values(
    key: str,
    cells: Column,
    line: np.ndarray,
    problems: Problems,
    *,
    patient: np.ndarray | None = None,
    or_else: str = "",
) -> np.ndarray:
    """(row,): Return the values of a covariate; NaN where missing or invalid.

    Args:
        key: Name of the covariate.
        cells: Cells of the column.
        line: (row,): Line in the file.
        problems: Errors of the file.
        patient: (row,): Patient of each row, if a patient has several: an invalid value that
            a patient repeats is one error.
        or_else: Another remedy.
    """
    errors = {text: _error(key, text) for text in cells.texts}
    is_wrong = cells.mapped(lambda text: errors[text] is not None, bool)
    is_first = np.ones(len(is_wrong), bool)
    if patient is not None:
        _, places = np.unique(np.stack([patient, cells.codes]), axis=1, return_index=True)
        is_first = np.isin(np.arange(len(is_wrong)), places)

    def error(n: int) -> ConfigError:
        found = errors[cells.texts[cells.codes[n]]]
        assert found is not None
        where = f"{problems.name}: line {line[n]}"
        todo = f"{found.todo}, {or_else}" if or_else else found.todo
        return ConfigError(where, found.rule, found.got, todo)

    problems.add_rows(is_wrong & is_first, line, error)
    return np.where(is_wrong, np.nan, cells.mapped(lambda text: _value(key, text), float))


def _value(key: str, text: str) -> float:
    return _SEX.get(text.lower(), number(text)) if key == "sex" else number(text)


def _error(key: str, text: str) -> ConfigError | None:
    """Return the error of a cell, without its line; None if it is valid or missing."""
    if text in MISSING:
        return None
    value = _value(key, text)
    if key == "sex":
        rule, todo = "sex must be male or female", "m and f, or 0 and 1, are accepted too"
        return None if value in (0.0, 1.0) else ConfigError("", rule, repr(text), todo)
    if not math.isfinite(value) or value <= 0:
        other = not_a_number("", key, text, "Write the number without a unit")
        rule = f"{key} must be a positive number in {UNITS[key]}"
        return ConfigError("", rule, other.got, other.todo)
    low, high = COVARIATE_LIMITS[key]
    if not low <= value <= high:
        rule = f"{key} must be from {low:g} to {high:g} {UNITS[key]}"
        return ConfigError("", rule, text, f"Check the value and its unit ({UNITS[key]})")
    return None
