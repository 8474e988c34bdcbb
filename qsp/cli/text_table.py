"""Text tables on a terminal.

A table is printed in aligned columns if it fits into the width of the console. Cells are broken
between words where that makes it fit. Any other table is printed as records: one block for each
row, with a line `name: value` for each cell. No cell is truncated, and no line is wider than the
console, which has 80 columns in a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Spaces between two columns."""
_INDENT = 2
"""Spaces before a table, and before the cells of a record."""
_VALUES = 24
"""Least width of the cells of a record, where their names leave more than half of the console."""
_UNBROKEN = (20, 12)
"""Cells of at most this length are not broken: first tried, and if the table is then too wide."""
_MOST_LINES = 3
"""Maximum number of lines of a cell in aligned columns; other tables are printed as records."""


class TextTable(NamedTuple):
    """A table of text.

    Args:
        title: Title.
        headers: Names of the columns. The first column names the row.
        rows: Cells by row.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


def print_table(table: TextTable, console: Console) -> None:
    """Print a table in aligned columns, or as records if it does not fit into the console.

    Args:
        table: Table.
        console: Console to print on.
    """
    console.print(Text(table.title, style="bold"))  # Text, because "[h]" is not markup
    widths = _widths(table, console.width - _INDENT)
    if widths is None:
        _print_records(table, console)
    else:
        _print_columns(table, widths, console)
    console.print()


def _print_columns(table: TextTable, widths: Sequence[int], console: Console) -> None:
    shown = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), expand=False
    )
    for header, width in zip(table.headers, widths, strict=True):
        shown.add_column(Text(header), width=width, overflow="fold")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    print_indented(shown, console)


def _print_records(table: TextTable, console: Console) -> None:
    """Print each row as its first cell, and below it a line for each other cell with a text."""
    first, *others = table.headers
    longest = max((cell_len(header) for header in others), default=0)
    width = console.width - _INDENT
    names = min(longest + 1, max(1, width // 2, width - _VALUES))
    for row in table.rows:
        console.print(Text(f"{first}: {row[0]}", overflow="fold"))
        record = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        record.add_column(width=names, overflow="fold")
        record.add_column(overflow="fold")
        for header, cell in zip(others, row[1:], strict=True):
            if cell:
                record.add_row(Text(f"{header}:"), Text(cell))
        if record.row_count:
            print_indented(record, console)


def print_indented(content: Table | Text, console: Console, indent: int = _INDENT) -> None:
    """Print a table or a text behind an indent, without spaces at the ends of its lines.

    Args:
        content: Table or text.
        console: Console to print on.
        indent: Spaces before each line.
    """
    options = console.options.update_width(max(1, console.width - indent))
    for line in console.render_lines(content, options, pad=False):
        text = Text(" " * indent)
        for segment in line:
            text.append(segment.text, segment.style)
        text.rstrip()
        console.print(text, soft_wrap=True)


def _widths(table: TextTable, width: int) -> list[int] | None:
    """Return the widths of the columns of a table that fits into a width, None if none does."""
    columns = [[header, *(row[n] for row in table.rows)] for n, header in enumerate(table.headers)]
    for unbroken in _UNBROKEN:
        widths = [_needed(texts, unbroken) for texts in columns]
        spare = width - sum(widths) - _GAP * (len(widths) - 1)
        if spare < 0:
            continue
        lacking = [
            max(map(cell_len, texts)) - own for texts, own in zip(columns, widths, strict=True)
        ]
        for n in sorted(range(len(columns)), key=lacking.__getitem__):
            more = min(lacking[n], spare)
            widths[n] += more
            spare -= more
        if _most_lines(columns, widths) <= _MOST_LINES:
            return widths
    return None


def _needed(texts: Sequence[str], unbroken: int) -> int:
    """Return the least width of a column: whole words, and whole cells up to a length."""
    header, *cells = texts
    words = [word for text in (header, *cells) for word in text.split()]
    short = [cell for cell in cells if cell_len(cell) <= unbroken]
    return max(map(cell_len, (*words, *short)), default=0)


def _most_lines(columns: Sequence[Sequence[str]], widths: Sequence[int]) -> int:
    console = Console(width=max(widths))
    return max(
        len(Text(text).wrap(console, width)) if width else 1
        for texts, width in zip(columns, widths, strict=True)
        for text in texts
    )
