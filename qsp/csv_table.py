"""CSV files of users: their cells by column, and all their errors with file and line.

A file is read in blocks of lines, and a column holds each distinct text once, so that a table of a
million lines takes seconds and a few hundred megabytes.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qsp.errors import ConfigError, suggest
from qsp.problems import Problems

MISSING = frozenset(("", ".", "NA", "NaN", "nan"))
"""Cells without a value, as NONMEM, R, Python and spreadsheets write them."""
COMMENT = "#"
_BLOCK = 50_000
"""Lines that are held as texts at a time."""

# Fortran writes an exponent as E or D, and NONMEM reads both.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?", re.ASCII)
_DATE = re.compile(r"\d{1,4}[-/]\d{1,2}([-/]\d{1,4})?( .*)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_SEPARATORS = {"\t": "a tab", ";": "a semicolon", "|": "a bar", " ": "a space"}
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclasses.dataclass(frozen=True)
class Column:
    """Cells of a column.

    Args:
        texts: The distinct texts, without spaces around them.
        codes: (row,): Index of the text of each row.
    """

    texts: tuple[str, ...]
    codes: np.ndarray

    def text(self, row: int) -> str:
        """Return the text of a row; empty if the value is missing."""
        found = self.texts[self.codes[row]]
        return "" if found in MISSING else found

    def mapped(self, value: Callable[[str], Any], dtype: Any) -> np.ndarray:
        """(row,): Return a value for the text of each row; each distinct text is mapped once."""
        return np.array([value(text) for text in self.texts], dtype)[self.codes]

    def numbers(self) -> np.ndarray:
        """(row,): Return the numbers; NaN where missing, inf where the text is no number."""
        return self.mapped(number, float)

    def at(self, rows: np.ndarray) -> Column:
        """Return the column of some rows."""
        return Column(self.texts, self.codes[rows])


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """A CSV file.

    Args:
        name: Name of the file.
        line: (row,): Line of each row in the file.
        columns: The chosen columns.
        comments: Lines below the header that begin with `COMMENT`.
        problems: Errors of the lines so far.
        remarks: Lines above the header that begin with `COMMENT`, by their number.
    """

    name: str
    line: np.ndarray
    columns: Mapping[str, Column]
    comments: tuple[int, ...]
    problems: Problems
    remarks: Mapping[int, str]


def number(text: str) -> float:
    """Return the number in a cell; NaN for a missing value, inf for a text that is no number."""
    if text in MISSING:
        return math.nan
    if not _NUMBER.fullmatch(text):
        return math.inf
    return float(text.upper().replace("D", "E"))


def not_a_number(where: str, column: str, text: str, todo: str = "Write a number") -> ConfigError:
    """Return the error of a cell that is no number, with the kind of text that was found.

    Args:
        where: File and line.
        column: Name of the column.
        text: The cell.
        todo: Remedy for a text of no known kind.
    """
    found = repr(text)
    if _CLOCK.fullmatch(text):
        found, todo = f"the clock time {text!r}", "Clock times are not read"
    elif _DECIMAL_COMMA.fullmatch(text):
        found, todo = f"{text!r} with a comma", f"Write {text.replace(',', '.')}"
    elif _DATE.fullmatch(text):
        found, todo = f"the date {text!r}", "Dates are not read"
    if column == "TIME" and todo.endswith("not read"):
        todo += ": write the time since the first dose of the molecule, in the unit of time_unit"
    return ConfigError(where, f"{column} must be a number", found, todo)


def read_csv(
    path: Path,
    *,
    kind: str,
    missing: str,
    rename: Callable[[str], str],
    choose: Callable[[Sequence[str]], Collection[str]],
) -> CsvTable:
    """Read the chosen columns of a CSV file.

    Lines that begin with `COMMENT` are skipped, except the line with the names of the columns,
    which NONMEM reads as a comment. Columns without a name must be empty.

    Args:
        path: The file: text in UTF-8, or in UTF-16 with a byte order mark.
        kind: The file in error messages, such as "the dose table".
        missing: Remedy if there is no such file.
        rename: Returns the name of a column from the text in the first line.
        choose: Checks the names of the columns and returns those to read.

    Returns:
        The table, with an error for each line that has another number of cells.

    Raises:
        ConfigError: If the file is missing or no text, if cells are not separated by commas, or if
            a quote is not closed.
    """
    stream = _stream(path, kind, missing)
    try:
        return _Reader(path.name, stream, rename, choose).table()
    except UnicodeError:
        raise _not_utf8(path) from None


def checked_header(
    header: Sequence[str], name: str, columns: Sequence[str], required: Sequence[str]
) -> Sequence[str]:
    """Return a header that has known columns only, each once, and all that are required.

    Args:
        header: Names in the first line.
        name: Name of the file.
        columns: Known columns.
        required: Columns that must be there.

    Raises:
        ConfigError: If a column is unknown, there twice, or missing.
    """
    unknown = [column for column in header if column not in columns]
    if unknown:
        todo = f"{suggest(unknown[0], columns)} Known columns: {', '.join(columns)}".strip()
        raise ConfigError(name, f"{unknown[0]} must be a known column", "unknown", todo)
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        raise ConfigError(name, "a column must appear once", f"{twice[0]!r} twice", "Remove one")
    missing = [column for column in required if column not in header]
    if missing:
        rule = f"the column {missing[0]} must be in the first line"
        raise ConfigError(name, rule, "missing", "Add it")
    return header


def _stream(path: Path, kind: str, missing: str) -> io.TextIOBase:
    rule = f"{kind} must be a text file"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(path.name, f"{kind} must exist", "missing", missing) from None
    except (OSError, ValueError):  # a folder, or an impossible path
        raise ConfigError(path.name, rule, "not readable as text", "Save it as CSV") from None
    encodings = (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    encoding = next(encodings, "utf-8")
    if content.startswith(b"PK"):
        got = "a zip file, such as an Excel workbook"
        raise ConfigError(path.name, rule, got, "Save it as CSV")
    if encoding != "utf-16" and b"\0" in content:
        raise ConfigError(path.name, rule, "not readable as text", "Save it as CSV in UTF-8")
    return io.TextIOWrapper(io.BytesIO(content), encoding)


def _not_utf8(path: Path) -> ConfigError:
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{content[error.start]:02x}"
        where = f"{path.name}: line {line}"
        return ConfigError(where, "the text must be in UTF-8", got, "Save it as CSV in UTF-8")
    return ConfigError(path.name, "the text must be in UTF-8", "damaged", "Save it again")


class _Codes(dict[str, int]):
    """Index of each distinct text, in the order of their first rows."""

    def __missing__(self, text: str) -> int:
        self[text] = code = len(self)
        return code


class _Reader:
    """Rows of a stream of text."""

    def __init__(
        self,
        name: str,
        stream: Iterable[str],
        rename: Callable[[str], str],
        choose: Callable[[Sequence[str]], Collection[str]],
    ) -> None:
        self._name = name
        self._lines = enumerate(stream, start=1)
        self._problems = Problems(name)
        self._comments: list[int] = []
        self._remarks: dict[int, str] = {}
        self._header = self._read_header(rename)
        self._unnamed = [n for n, column in enumerate(self._header) if not column]
        chosen = choose([column for column in self._header if column])
        self._columns = {column: self._header.index(column) for column in chosen}

    def table(self) -> CsvTable:
        """Read all rows."""
        numbers: list[np.ndarray] = []
        codes = {column: _Codes() for column in self._columns}
        parts: dict[str, list[np.ndarray]] = {column: [] for column in self._columns}
        for lines, rows in self._blocks():
            numbers.append(np.array(lines, np.int32))
            for column, place in self._columns.items():
                cells = (codes[column][row[place]] for row in rows)
                parts[column].append(np.fromiter(cells, np.int32, len(rows)))
        empty = [np.zeros(0, np.int32)]
        columns = {
            column: _stripped(codes[column], np.concatenate(empty + parts[column]))
            for column in self._columns
        }
        line = np.concatenate(empty + numbers)
        return CsvTable(
            self._name, line, columns, tuple(self._comments), self._problems, self._remarks
        )

    def _read_header(self, rename: Callable[[str], str]) -> list[str]:
        """Return the names of the columns; the line may be a comment, as NONMEM needs it."""
        for number, line in self._lines:
            text = line.strip()
            cells = self._cells([text.removeprefix(COMMENT)], [number])[0] if text else []
            names = [rename(cell.strip()) for cell in cells]
            is_comment = text.startswith(COMMENT) and rename("ID") not in names
            if text and not is_comment:
                self._check_separator(text, names, number)
                return names
            if text:
                self._remarks[number] = text
        return []

    def _check_separator(self, text: str, names: Sequence[str], number: int) -> None:
        found = [word for letter, word in _SEPARATORS.items() if letter in text]
        if len(names) == 1 and found:
            todo = "Save the file as CSV with commas, and decimals with a point"
            where = f"{self._name}: line {number}"
            raise ConfigError(where, "the separator of the columns must be a comma", found[0], todo)

    def _blocks(self) -> Iterator[tuple[list[int], list[list[str]]]]:
        """Yield the numbers and cells of the rows, block by block."""
        while block := list(itertools.islice(self._lines, _BLOCK)):
            self._comments += [number for number, line in block if line.startswith(COMMENT)]
            kept = [item for item in block if not item[1].startswith(COMMENT)]
            numbers = [number for number, _ in kept]
            rows = self._cells([line for _, line in kept], numbers)
            width = len(self._header)
            if all(len(row) == width and row[0] for row in rows) and not self._unnamed:
                yield numbers, rows
                continue
            chosen = [
                (number, row)
                for number, row in zip(numbers, rows, strict=True)
                if any(cell.strip() for cell in row) and self._is_regular(number, row)
            ]
            yield [number for number, _ in chosen], [row for _, row in chosen]

    def _cells(self, lines: Sequence[str], numbers: Sequence[int]) -> list[list[str]]:
        """Split lines into cells; a quoted cell ends on its line."""
        try:
            rows = list(csv.reader(lines, strict=True))
            if len(rows) == len(lines):
                return rows
        except csv.Error:
            pass
        return [self._cells_of_line(*item) for item in zip(lines, numbers, strict=True)]

    def _cells_of_line(self, line: str, number: int) -> list[str]:
        try:
            return next(csv.reader([line], strict=True))
        except csv.Error:
            rule, got = "a quote must be closed on its line", "one that is open"
            where = f"{self._name}: line {number}"
            raise ConfigError(where, rule, got, "Close or remove the quote") from None

    def _is_regular(self, number: int, row: Sequence[str]) -> bool:
        """Return whether a row has a cell for each column; empty cells may follow."""
        width = len(self._header)
        where = f"{self._name}: line {number}"
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            rule = f"the line must have {width} cells like the first line"
            todo = "Check the commas"
            if len(row) > width:
                todo += "; decimals need a point"
            self._problems.add(ConfigError(where, rule, len(row), todo), number)
            return False
        for column in self._unnamed:
            if row[column].strip():
                rule = f"column {column + 1} must be empty, because it has no name"
                todo = "Name the column in the first line"
                self._problems.add(ConfigError(where, rule, repr(row[column]), todo), number)
                return False
        return True


def _stripped(codes: Mapping[str, int], column: np.ndarray) -> Column:
    """Return a column with its distinct texts, without the spaces around them."""
    stripped = _Codes()
    places = np.array([stripped[text.strip()] for text in codes], np.int32)
    return Column(tuple(stripped), places[column] if len(places) else column)
