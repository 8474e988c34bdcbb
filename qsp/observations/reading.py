"""Read observations: from the rows of a dose table with EVID 0, or from a file of their own.

* DVID (or CMT, in a file without DVID) names the quantity; a file of one quantity needs neither.
* A row with MDV 1, or without DV, is passed over and counted.
* Where BLQ is 1, the value is below the limit in LLOQ, whose value may differ between rows. With
  the column CENS of nlmixr2 and Monolix, DV is the limit where the row has no LLOQ. In a file
  without such a column, a DV below LLOQ is below the limit.
* A grade of CRS is 0 to 4, at the time of the onset; 0 is a visit without CRS.

All errors of a file are reported together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp.csv_table import MISSING, Column, not_a_number, number, read_csv
from qsp.errors import ConfigError
from qsp.observations.checks import check_values
from qsp.observations.columns import column_names, resolved
from qsp.observations.format import ObservationFormat, Scales
from qsp.observations.observations import Observations
from qsp.observations.rows import Cells
from qsp.trial.dose_rows import DoseRows
from qsp.units import parse

REQUIRED = ("ID", "TIME")
_NO_PATIENT = -1


def observations_of_rows(rows: DoseRows, form: ObservationFormat) -> Observations:
    """Return the observations of a dose table.

    Args:
        rows: Rows of the table, read with `column_names`; errors are added to its problems.
        form: Columns and quantities.

    Raises:
        ConfigError: If the format does not fit the file.
    """
    chosen = np.flatnonzero(rows.is_observation & rows.is_valid)
    columns = {name: column.at(chosen) for name, column in rows.text.items()}
    cells = Cells(
        rows.name, rows.line[chosen], rows.patient[chosen], columns, rows.problems.add_rows
    )
    return _observations(cells, form)


def read_observations(path: Path, form: ObservationFormat) -> Observations:
    """Read a file of observations: columns ID, TIME and DV, and those of `qsp.observations`.

    Rows may be in any order. Rows with an EVID other than 0 are passed over, as are columns of
    other names.

    Args:
        path: CSV file.
        form: Columns and quantities.

    Raises:
        ConfigError: With all errors of the file.
    """
    known = (*REQUIRED, "EVID", "ARM", *column_names(form.columns))
    others: list[str] = []

    def choose(header: Sequence[str]) -> list[str]:
        others.extend(name for name in dict.fromkeys(header) if name not in known)
        return _chosen(header, known, path.name)

    table = read_csv(
        path,
        kind="the file of observations",
        missing="Check observations.file",
        rename=str.upper,
        choose=choose,
    )
    kept = np.arange(len(table.line))
    if "EVID" in table.columns:
        is_observed = table.columns["EVID"].mapped(
            lambda text: text in MISSING or number(text) == 0.0, bool
        )
        kept = np.flatnonzero(is_observed)
    columns = {name: column.at(kept) for name, column in table.columns.items()}
    patient = columns["ID"].mapped(_patient, np.int64)
    cells = Cells(table.name, table.line[kept], patient, columns, table.problems.add_rows)
    rule = "ID must be a whole number from 0 to 4294967295"
    cells.refuse(patient == _NO_PATIENT, rule, "ID", "Renumber the patients")
    found = _observations(cells, form)
    table.problems.raise_if_any()
    if others:
        found = found.with_notes([f"{table.name}: columns {', '.join(others)} are not read."])
    return found


def _chosen(header: Sequence[str], known: Sequence[str], name: str) -> list[str]:
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        rule = f"the first line must name {', '.join(missing)}"
        got, todo = ", ".join(header) or "empty", "Name the columns ID, TIME and DV"
        raise ConfigError(name, rule, got, todo)
    read = [column for column in header if column in known]
    for column in read:
        if read.count(column) > 1:
            rule = "a column must appear once"
            raise ConfigError(name, rule, f"{column!r} twice", "Rename or remove one")
    return read


def _patient(text: str) -> int:
    value = number(text)
    return int(value) if value == value // 1 and 0 <= value < 2**32 else _NO_PATIENT


def _observations(cells: Cells, form: ObservationFormat) -> Observations:
    scales = Scales(form)
    roles = resolved(form.columns, list(cells.columns), cells.name)
    days = parse(f"1 {form.time_unit}", "day", where="observations.time_unit")
    place = _places(cells, roles, scales)
    numbers = {
        role: _numbers(cells, roles[role]) for role in ("dv", "lloq", "mdv") if role in roles
    }
    numbers["time"] = _numbers(cells, "TIME")
    todo = "Write the time since the first dose"
    cells.refuse(np.isnan(numbers["time"]), "TIME must be given", "TIME", todo)
    checked = check_values(cells, roles, scales, place, numbers)
    quantity = np.array([each.observable.name for each in scales.scales], object)
    unit = np.array([each.unit for each in scales.scales], object)
    arm = cells.columns.get("ARM")
    found = Observations(
        file=cells.name,
        line=cells.line,
        patient=cells.patient,
        arm=np.full(len(place), "", object) if arm is None else arm.mapped(_present, object),
        time=numbers["time"] * days,
        quantity=quantity[np.maximum(place, 0)],
        unit=unit[np.maximum(place, 0)],
        value=checked.value,
        lloq=checked.lloq,
        is_blq=checked.is_blq,
    )
    found = found.at(cells.is_valid & ~checked.is_missing)
    found = dataclasses.replace(found, missing=int((checked.is_missing & cells.is_valid).sum()))
    _check_repeated(cells, found)
    return found.with_notes(_notes(found))


def _present(text: str) -> str:
    return "" if text in MISSING else text


def _numbers(cells: Cells, name: str) -> np.ndarray:
    """(row,): Return the numbers of a column; NaN where missing. Other texts are errors."""
    column: Column = cells.columns[name]
    values = column.numbers()
    todo = "Write a number; a value below the limit has BLQ 1 and its limit in LLOQ"

    def error(n: int) -> ConfigError:
        return not_a_number(cells.where(n), name, column.text(n), todo)

    cells.refuse_by(np.isinf(values), error)
    return np.where(np.isinf(values), np.nan, values)


def _places(cells: Cells, roles: Mapping[str, str], scales: Scales) -> np.ndarray:
    """(row,): Return the index of the quantity of each row; negative where it is unknown."""
    if "dvid" not in roles:
        if len(scales.scales) > 1:
            rule = "a file with several quantities must have the column DVID or CMT"
            todo = 'Or write columns = { dvid = "NAME" } in [observations]'
            raise ConfigError(cells.name, rule, ", ".join(cells.columns), todo)
        return np.zeros(len(cells.line), int)
    name = roles["dvid"]
    place = cells.columns[name].mapped(scales.place, int)
    known = ", ".join(scales.names)

    def unknown(n: int) -> ConfigError:
        text = cells.columns[name].text(n)
        todo = f'Map it with observations.quantities = {{ {text} = {{ quantity = "il6", ... }} }}'
        return ConfigError(cells.where(n), f"{name} must be one of {known}", repr(text), todo)

    is_needed = cells.is_valid & ~_is_passed_over(cells, roles)
    cells.refuse_by(is_needed & (place == -1), unknown)
    cells.refuse(is_needed & (place == -2), f"{name} must be given", name, f"Known: {known}")
    return place


def _is_passed_over(cells: Cells, roles: Mapping[str, str]) -> np.ndarray:
    """(row,): Return whether MDV is 1: such a row may have any DVID."""
    if "mdv" not in roles:
        return np.zeros(len(cells.line), bool)
    return cells.columns[roles["mdv"]].numbers() == 1.0


def _check_repeated(cells: Cells, found: Observations) -> None:
    """Refuse rows that repeat an earlier one; a second sample has another value."""
    if not len(found):
        return
    columns = (
        found.patient,
        _codes(found.arm),
        found.time,
        _codes(found.quantity),
        np.nan_to_num(found.value, nan=-1.0),
        np.nan_to_num(found.lloq, nan=-1.0),
    )
    table = np.column_stack([np.asarray(column, float) for column in columns])
    order = np.lexsort(table.T[::-1])
    same = (np.diff(table[order], axis=0) == 0).all(1)
    repeated = np.zeros(len(found), bool)
    repeated[order[1:][same]] = True
    rule = "an observation must appear once"
    todo = "Remove one of the two lines"
    cells.refuse_by(
        np.isin(cells.line, found.line[repeated]),
        lambda n: ConfigError(cells.where(n), rule, "the same as an earlier line", todo),
    )


def _codes(texts: np.ndarray) -> np.ndarray:
    """Return the number of the distinct text of each row."""
    names = {text: place for place, text in enumerate(dict.fromkeys(texts.tolist()))}
    return np.array([names[text] for text in texts.tolist()])


def _notes(found: Observations) -> list[str]:
    """Sentences on rows without a value, and on patients all of whose values are below limits."""
    notes = []
    if found.missing:
        lines = "1 line is" if found.missing == 1 else f"{found.missing} lines are"
        notes.append(f"{found.file}: {lines} passed over, without a value (MDV 1, or no DV).")
    for name in found.quantities:
        own = found.at(found.quantity == name)
        patients = np.unique(own.patient)
        censored = np.setdiff1d(patients, own.patient[~own.is_blq])
        if len(censored):
            shown = ", ".join(map(str, censored[:5].tolist()))
            shown += f" and {len(censored) - 5} more" if len(censored) > 5 else ""
            who = "patient" if len(censored) == 1 else "patients"
            notes.append(f"{found.file}: every value of {name} of {who} {shown} is below its LLOQ.")
    return notes
