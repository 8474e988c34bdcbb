"""Lines of a dose table: the cells, checked one by one, with errors by file, line and column.

`qsp.trial.dose_table` defines the meaning of the columns.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from qsp.errors import ConfigError, suggest

REQUIRED = ("ID", "TIME", "AMT", "EVID", "CMT")
OPTIONAL = ("RATE", "II", "ADDL", "SS", "ARM", "PERIOD", "LABEL")
# Columns of most NONMEM data sets that do not describe a dose.
IGNORED = ("C", "DV", "MDV")

_NEGATIVE = {
    "RATE": "Give the rate of the infusion; codes for an estimated rate or duration are refused",
    "II": "Give the interval from dose to dose",
    "ADDL": "Give the number of further doses",
}


class Row:
    """Cells of one line by column.

    Args:
        where: File and line, for error messages.
        header: Names of the columns.
        cells: Cell of each column.
    """

    def __init__(self, where: str, header: Sequence[str], cells: Sequence[str]) -> None:
        if len(cells) != len(header):
            rule = f"the line must have {len(header)} cells like the first line"
            raise ConfigError(where, rule, len(cells), "Check the commas")
        self.where = where
        self._cells = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}

    def text(self, column: str) -> str:
        """Return the cell, or an empty text if the column or the value is missing."""
        cell = self._cells.get(column, "")
        return "" if cell == "." else cell

    def number(self, column: str, default: float | None = None) -> float:
        """Return the finite number in the cell, or the default if the value is missing."""
        text = self.text(column)
        if not text and default is not None:
            return default
        if not text:
            raise ConfigError(self.where, f"{column} must be given", "missing", "Write a number")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            rule = f"{column} must be a number"
            raise ConfigError(self.where, rule, repr(text), "Write a number")
        return value

    def whole(self, column: str) -> int:
        """Return the whole number in the cell."""
        value = self.number(column)
        if value != int(value):
            rule = f"{column} must be a whole number"
            raise ConfigError(self.where, rule, self.text(column), "Write a whole number")
        return int(value)

    def patient(self) -> int:
        """Return the id of the patient."""
        number = self.whole("ID")
        if not 0 <= number < 2**32:
            rule = "ID must be a whole number from 0 to 4294967295"
            raise ConfigError(self.where, rule, self.text("ID"), "Renumber the patients")
        return number

    def at_least_0(self, column: str) -> float:
        """Return the nonnegative number in the cell, or 0 if the value is missing."""
        value = self.number(column, 0.0)
        if value < 0:
            rule = f"{column} must not be negative"
            raise ConfigError(self.where, rule, self.text(column), _NEGATIVE[column])
        return value

    def is_dose(self) -> bool:
        """Return whether the line is a dose rather than an observation."""
        event = self.whole("EVID")
        if event not in (0, 1):
            todo = "Remove reset and other events; each patient starts untreated"
            raise ConfigError(self.where, "EVID must be 0 (observation) or 1 (dose)", event, todo)
        return event == 1


def dose_rows(path: Path, ignore: Sequence[str]) -> Iterator[Row]:
    """Yield the dose lines of a dose table, in the order of the file.

    Args:
        path: CSV file.
        ignore: Columns to ignore.

    Raises:
        ConfigError: If the file cannot be read, a required column is missing, a column is unknown
            or a cell is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        rule = "the dose table must exist"
        raise ConfigError(path.name, rule, "missing", "Check dose_table.file") from None
    except (OSError, ValueError):  # not UTF-8, or an impossible path
        rule = "the dose table must be a text file"
        raise ConfigError(path.name, rule, "not readable as text", "Save it as CSV") from None
    lines = csv.reader(text.splitlines())
    header = [name.strip().upper() for name in next(lines, [])]
    _check_header(header, ignore, path.name)
    for cells in lines:
        if any(cell.strip() for cell in cells):
            row = Row(f"{path.name}: line {lines.line_num}", header, cells)
            if row.is_dose():
                yield row


def _check_header(header: Sequence[str], ignore: Sequence[str], name: str) -> None:
    for column in REQUIRED:
        if column not in header:
            got, todo = ", ".join(header), f"Name the columns {', '.join(REQUIRED)}"
            raise ConfigError(name, f"the first line must name {column}", got, todo)
    known = (*REQUIRED, *OPTIONAL)
    ignored = {*IGNORED, *(column.upper() for column in ignore)}
    for column in header:
        # A misspelt RATE would turn infusions into boluses, so no column is ignored silently.
        if column not in known and column not in ignored:
            todo = f"{suggest(column, known)} Or name it in dose_table.ignore".strip()
            raise ConfigError(name, "a column must be a known one", repr(column), todo)
        if header.count(column) > 1:
            rule = "a column must appear once"
            raise ConfigError(name, rule, f"{column!r} twice", "Rename or remove one")
