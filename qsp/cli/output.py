"""Output of commands that print a table: text for people, CSV or JSON for programs.

CSV follows RFC 4180: a line of names, fields in quotes where they need them, CRLF at the end of
each line, and an empty field for a missing value. JSON is a list of records, with null for a
missing value and for a number that is not finite. Both have the same names, which end with the unit
(`amount_mg`); a name without a unit is that of a text, a count or a proportion. Numbers have full
precision. Notes and progress are written to standard error.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from qsp.cli import messages
from qsp.cli.text_table import TextTable, print_table
from qsp.errors import ConfigError

Format = Literal["text", "csv", "json"]
Value = str | int | float | bool | None
Record = Mapping[str, Any]
"""Values of a row by name."""


@dataclasses.dataclass(frozen=True)
class Listing:
    """The result of a command.

    Args:
        parts: Tables and notes for people, in order.
        records: Returns the rows for programs, which have the same names.
        columns: Names of the values of a record.
    """

    parts: Sequence[TextTable | str]
    records: Callable[[], Sequence[Record]]
    columns: Sequence[str]

    def without_text(self) -> Listing:
        """Return the records only."""
        return dataclasses.replace(self, parts=())


@dataclasses.dataclass(frozen=True)
class Output:
    """Form of the result of a command.

    Args:
        format: Form of the table on standard output.
        file: File to which the table is written as well, as CSV or JSON by its suffix.
    """

    format: Format = "text"
    file: Path | None = None

    @property
    def is_asked_for(self) -> bool:
        """Whether an option asks for the table."""
        return self.format != "text" or self.file is not None

    def console(self, console: Console) -> Console:
        """Return the console for notes: standard error if programs read the output.

        Args:
            console: Console for people.
        """
        return console if self.format == "text" else messages.errors

    def show(self, listing: Listing, console: Console) -> None:
        """Print a result, and write it to the file.

        Args:
            listing: Result.
            console: Console for people.
        """
        notes = self.console(console)
        for part in listing.parts:
            if isinstance(part, str):
                notes.print(part, markup=False, soft_wrap=self.format != "text")
            elif self.format == "text":
                print_table(part, console)
        if self.format != "text":
            _write_to_standard_output(self._text(listing, self.format), console)
        if self.file is not None:
            self.write(listing)
            notes.print(f"Table: {self.file}", markup=False, soft_wrap=True)

    def write(self, listing: Listing) -> None:
        """Write the rows of a result to the file, without a word."""
        if self.file is not None:
            self.file.write_bytes(self._text(listing, _format_of(self.file)).encode())

    def _text(self, listing: Listing, form: Format) -> str:
        records = [plain(record, listing.columns) for record in listing.records()]
        return csv_text(records, listing.columns) if form == "csv" else json_text(records)


def chosen(as_csv: bool, as_json: bool, file: Path | None) -> Output:
    """Return the output that the options of a command ask for.

    Args:
        as_csv: Whether `--csv` is given.
        as_json: Whether `--json` is given.
        file: File of `--to`, if any.

    Raises:
        ConfigError: If both formats are asked for, or the file cannot be written.
    """
    if as_csv and as_json:
        rule, todo = "one format must be chosen", "Write the other one to a file with --to FILE"
        raise ConfigError("--csv", rule, "combined with --json", todo)
    if file is not None:
        _format_of(file)
        if file.is_dir():
            raise ConfigError(str(file), "--to must be a file", "a folder", "Name a file in it")
        if not file.resolve().parent.is_dir():
            raise ConfigError(
                str(file), "the folder of --to must exist", "missing", "Create it first"
            )
    return Output("csv" if as_csv else "json" if as_json else "text", file)


def _format_of(file: Path) -> Format:
    """Return the format of a file by its suffix.

    Raises:
        ConfigError: If it is neither CSV nor JSON.
    """
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".json"):
        rule, todo = "the file must end with .csv or .json", "Write --to table.csv"
        raise ConfigError("--to", rule, repr(file.name), todo)
    return "csv" if suffix == ".csv" else "json"


def plain(record: Record, columns: Sequence[str]) -> dict[str, Value]:
    """Return the values of a record as Python objects in order of the columns; None if missing.

    Args:
        record: Values by name, of Python, NumPy or pandas.
        columns: Names of all values.
    """
    return {name: _plain(record[name]) for name in columns}


def _plain(value: Any) -> Value:
    if not isinstance(value, str) and hasattr(value, "item"):
        value = value.item()  # of NumPy
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    text = str(value)
    return None if text in ("", "<NA>") else text


def csv_text(records: Sequence[Mapping[str, Value]], columns: Sequence[str]) -> str:
    """Return records as CSV.

    Args:
        records: Plain records.
        columns: Names of the values.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_field(record[name]) for name in columns])
    return text.getvalue()


def _field(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def json_text(records: Sequence[Mapping[str, Value]]) -> str:
    """Return records as a list in JSON, which has no number for infinity.

    Args:
        records: Plain records.
    """
    finite = [{name: _finite(value) for name, value in record.items()} for record in records]
    return json.dumps(finite, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_to_standard_output(text: str, console: Console) -> None:
    """Write text in UTF-8 with its own ends of lines, on any operating system."""
    stream = console.file
    binary = getattr(stream, "buffer", None)
    if binary is None:  # a stream of text in memory
        stream.write(text)
        return
    stream.flush()
    binary.write(text.encode())
    binary.flush()
