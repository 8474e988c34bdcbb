"""Rows of a dose table: the cells by column, checked row by row.

`qsp.trial.dose_table` defines the meaning of the columns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp.csv_table import (
    COMMENT,
    MISSING,
    Column,
    CsvTable,
    not_a_number,
    number,
    read_csv,
)
from qsp.errors import ConfigError, suggest
from qsp.problems import Problems

REQUIRED = ("ID", "TIME", "AMT", "CMT")
OPTIONAL = ("EVID", "RATE", "II", "ADDL", "SS", "ARM", "PERIOD", "LABEL")
# Columns of most NONMEM data sets that do not describe a dose.
IGNORED = ("C", "DV", "DVID", "MDV", "LLOQ", "ALLOQ", "BLQ", "BLOQ", "BLQFL", "CENS")
COVARIATES = ("WT", "BODY_WEIGHT", "HT", "HEIGHT", "BSA", "BODY_SURFACE", "AGE", "SEX")
"""Columns that describe the patients; `qsp.populations` reads them."""
FLAG = "C"
"""Column whose cells mark lines to skip, as with IGNORE=C of NONMEM."""

_NUMBERS = ("TIME", "AMT", "RATE", "II", "ADDL", "SS")
_OF_DOSES = ("AMT", "RATE", "II", "ADDL", "SS")
_NO_PATIENT = -1
# RxODE wrote an injection into the first compartment as EVID 101; CMT names the compartment here.
_EVENTS = {0: 0, 1: 1, 2: 2, 101: 1}
_INVALID = -1


@dataclasses.dataclass(frozen=True)
class DoseRows:
    """Rows of a dose table that are not skipped.

    Args:
        name: Name of the file.
        line: (row,): Line in the file.
        patient: (row,): Id of the patient; -1 if it is invalid.
        is_dose: (row,): Whether the row is a dose, rather than an observation or another event.
        is_observation: (row,): Whether the row is an observation.
        is_valid: (row,): Whether no error was found.
        number: (row,): Values of the columns of numbers by name; NaN where missing.
        text: Columns by name.
        covariates: Names of the columns of covariates.
        problems: Errors so far.
        notes: Sentences about the rows that the user should know.
        passed: Columns of the file that are not read.
    """

    name: str
    line: np.ndarray
    patient: np.ndarray
    is_dose: np.ndarray
    is_observation: np.ndarray
    is_valid: np.ndarray
    number: Mapping[str, np.ndarray]
    text: Mapping[str, Column]
    covariates: tuple[str, ...]
    problems: Problems
    notes: tuple[str, ...]
    passed: tuple[str, ...] = ()

    @property
    def patients(self) -> tuple[int, ...]:
        """Ids of the patients, in increasing order."""
        return tuple(np.unique(self.patient[self.patient != _NO_PATIENT]).tolist())

    def where(self, row: int) -> str:
        """Return file and line of a row."""
        return f"{self.name}: line {self.line[row]}"

    def cell(self, column: str, row: int) -> str:
        """Return the text of a cell; empty if the column or the value is missing."""
        return self.text[column].text(row) if column in self.text else ""

    def shown(self, column: str, row: int) -> str:
        """Return the text of a cell for a message."""
        return self.cell(column, row) or "missing"

    def values(self, column: str, default: float = 0.0) -> np.ndarray:
        """(row,): Return the numbers of a column, with a default for missing values."""
        if column not in self.number:
            return np.full(len(self.line), default)
        values = self.number[column]
        return np.where(np.isnan(values), default, values)

    def copy(self) -> DoseRows:
        """Return the rows with lists of errors of their own."""
        return dataclasses.replace(
            self, is_valid=self.is_valid.copy(), problems=self.problems.copy()
        )

    def refuse(self, rows: np.ndarray, rule: str, found: str, todo: str) -> None:
        """Add an error for each of some rows.

        Args:
            rows: (row,): Whether the row breaks the rule.
            rule: The rule.
            found: Column whose cell was found.
            todo: Remedy.
        """
        self.problems.add_rows(
            rows,
            self.line,
            lambda n: ConfigError(self.where(n), rule, self.shown(found, n), todo),
        )
        self.is_valid[rows] = False


def read_dose_rows(
    path: Path,
    ignore: Sequence[str] = (),
    covariates: Collection[str] = (),
    observed: Collection[str] = (),
    *,
    default_compartment: str = "",
) -> DoseRows:
    """Read the rows of a dose table, in the order of the file.

    Args:
        path: CSV file.
        ignore: Columns to ignore.
        covariates: Columns that describe the patients, if the file has them.
        observed: Columns of observations, if the file has them; `qsp.observations` reads them.
        default_compartment: Compartment of doses without a CMT; the column CMT may be missing if
            there is one.

    Returns:
        The rows, with the errors of their cells among `problems`.

    Raises:
        ConfigError: If the file cannot be read, a required column is missing, or a column is
            unknown.
    """
    ignored = {column.upper() for column in ignore}
    described = [column.upper() for column in covariates if column.upper() not in ignored]
    required = [name for name in REQUIRED if name != "CMT" or not default_compartment]
    passed: list[str] = []

    def choose(header: Sequence[str]) -> list[str]:
        chosen = _chosen(header, required, ignored, (*described, *observed), ignore, path.name)
        passed.extend(column for column in header if column not in chosen)
        return chosen

    table = read_csv(
        path,
        kind="the dose table",
        missing="Check dose_table.file",
        rename=str.upper,
        choose=choose,
    )
    table, notes = _without_flagged(table)
    if "EVID" not in table.columns:
        notes = (
            *notes,
            f"{table.name} has no EVID: its lines with an AMT are doses, as in NONMEM.",
        )
    rows = _rows(table, tuple(name for name in described if name in table.columns), notes)
    return dataclasses.replace(rows, passed=tuple(passed))


def _chosen(
    header: Sequence[str],
    required: Sequence[str],
    ignored: Collection[str],
    further: Sequence[str],
    ignore: Sequence[str],
    name: str,
) -> list[str]:
    """Check the names of the columns; return those to read."""
    missing = [column for column in required if column not in header]
    if missing:
        got, todo = ", ".join(header), f"Name the columns {', '.join(REQUIRED)}"
        if missing == ["CMT"]:
            todo = 'Add the column, or write default_compartment = "central" in [dose_table]'
        rule = f"the first line must name {', '.join(missing)}"
        raise ConfigError(name, rule, got or "empty", todo)
    known = (*REQUIRED, *OPTIONAL, *further)
    passed = {*IGNORED, *ignored}
    # A misspelt RATE would turn infusions into boluses, so no column is ignored silently.
    unknown = [column for column in dict.fromkeys(header) if column not in {*known, *passed}]
    if unknown:
        hints = filter(None, (suggest(column, known) for column in unknown))
        listed = ", ".join(f'"{column}"' for column in (*ignore, *unknown))
        todo = " ".join([*hints, f"Or write ignore = [{listed}] in [dose_table]"])
        if "DV" in further and "DV" not in header:
            todo += f', or columns = {{ dv = "{unknown[0]}" }} in [observations]'
        got = ", ".join(map(repr, unknown))
        raise ConfigError(name, "a column must be a known one", got, todo)
    read = [column for column in header if column in known and column not in ignored]
    for column in read:
        if read.count(column) > 1:
            rule = "a column must appear once"
            raise ConfigError(name, rule, f"{column!r} twice", "Rename or remove one")
    return [*read, FLAG] if FLAG in header else read


def _without_flagged(table: CsvTable) -> tuple[CsvTable, tuple[str, ...]]:
    """Leave out the rows that are flagged, and count them."""
    notes = []
    if table.comments:
        notes.append(_skipped(table.name, COMMENT, table.comments))
    if FLAG not in table.columns:
        return table, tuple(notes)
    column = table.columns[FLAG]
    is_flagged = column.mapped(lambda text: text.upper() in (FLAG, COMMENT), bool)
    is_plain = column.mapped(lambda text: text in MISSING or number(text) == 0.0, bool)
    if is_flagged.any():
        notes.append(_skipped(table.name, FLAG, table.line[is_flagged].tolist()))
    rule, todo = f"{FLAG} must be {FLAG} or missing", "Flag a line to skip it, or empty the cell"
    table.problems.add_rows(
        ~is_flagged & ~is_plain,
        table.line,
        lambda n: ConfigError(f"{table.name}: line {table.line[n]}", rule, column.text(n), todo),
    )
    kept = np.flatnonzero(~is_flagged)
    columns = {name: each.at(kept) for name, each in table.columns.items() if name != FLAG}
    return dataclasses.replace(table, line=table.line[kept], columns=columns), tuple(notes)


def _skipped(name: str, flag: str, lines: Sequence[int]) -> str:
    if len(lines) == 1:
        return f"{name}: 1 line flagged {flag} is skipped (line {lines[0]})."
    return f"{name}: {len(lines)} lines flagged {flag} are skipped (the first is line {lines[0]})."


def _rows(table: CsvTable, covariates: tuple[str, ...], notes: tuple[str, ...]) -> DoseRows:
    columns, count = table.columns, len(table.line)
    rows = DoseRows(
        name=table.name,
        line=table.line,
        patient=columns["ID"].mapped(_patient, np.int64),
        is_dose=np.zeros(count, bool),
        is_observation=np.zeros(count, bool),
        is_valid=np.ones(count, bool),
        number={name: columns[name].numbers() for name in _NUMBERS if name in columns},
        text=columns,
        covariates=covariates,
        problems=table.problems,
        notes=notes,
    )
    rule = "ID must be a whole number from 0 to 4294967295"
    rows.refuse(rows.patient == _NO_PATIENT, rule, "ID", "Renumber the patients")
    _check_numbers(rows)
    if "EVID" in columns:
        events = columns["EVID"].mapped(_event, int)
    else:  # as in NONMEM, a line with an amount is a dose
        events = np.where(rows.values("AMT") != 0.0, 1, 0)
    _check_events(rows, events)
    rows.is_dose[:] = events == 1
    rows.is_observation[:] = events == 0
    return rows


def _patient(text: str) -> int:
    value = number(text)
    return int(value) if value == value // 1 and 0 <= value < 2**32 else _NO_PATIENT


def _event(text: str) -> int:
    """Return 0 for an observation, 1 for a dose, 2 for an event without effect."""
    if text in MISSING:
        return 0
    value = number(text)
    return _EVENTS.get(int(value), _INVALID) if value == value // 1 else _INVALID


def _check_numbers(rows: DoseRows) -> None:
    for name, values in rows.number.items():
        column, is_wrong = rows.text[name], np.isinf(values)
        rows.problems.add_rows(
            is_wrong,
            rows.line,
            lambda n, name=name, column=column: not_a_number(rows.where(n), name, column.text(n)),
        )
        rows.is_valid[is_wrong] = False


def _of_rxode(event: int, text: str) -> str:
    """Return the remedy for an EVID of RxODE: compartment, flag of an infusion, and 01."""
    compartment = event // 100 % 100 + event // 100_000 * 100
    if event // 10_000 % 10 == 0:
        return (
            f"RxODE wrote {text} for a dose into compartment {compartment}: write 1, and the "
            + ("compartment in CMT")
        )
    return (
        f"RxODE wrote {text} for an infusion into compartment {compartment}, and its rate in AMT: "
        "write 1, the compartment in CMT, and amount and rate in AMT and RATE"
    )


def _check_events(rows: DoseRows, events: np.ndarray) -> None:
    """Check EVID, and that only doses have an amount."""

    def error(n: int) -> ConfigError:
        text = rows.cell("EVID", n)
        event, found = number(text), text
        todo = "Remove reset and other events; each patient starts untreated"
        if not np.isfinite(event):
            found, todo = repr(text), "Write a number"
        elif event >= 100 and event % 100 == 1:
            todo = _of_rxode(int(event), text)
        rule = "EVID must be 0 (observation), 1 (dose) or 2 (other)"
        return ConfigError(rows.where(n), rule, found, todo)

    rows.problems.add_rows(events == _INVALID, rows.line, error)
    rows.is_valid[events == _INVALID] = False
    for name in _OF_DOSES:
        is_wrong = (events != 1) & rows.is_valid & (rows.values(name) != 0.0)
        for event, shown in ((0, "0 or missing"), (2, "2")):
            rule = f"{name} must be 0 or missing where EVID is {shown}"
            todo = "Write EVID 1 for a dose, or remove the value"
            if "EVID" not in rows.text:
                rule, todo = f"{name} must be 0 or missing without AMT", "Write AMT, or remove it"
            rows.refuse(is_wrong & (events == event), rule, name, todo)
