"""Text tables on a terminal.

A table that is wider than the terminal, or than the 80 columns of a log, is printed as several
parts, one above the other; no cell is truncated.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PROSE = 24
"""Cells longer than this may be broken between words."""
_PADDING, _EDGES = 3, 1
"""Width of a column's spaces and rule, and of the left edge of a table."""


def print_table(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], console: Console
) -> None:
    """Print a table, in several parts if it does not fit into the width of the console.

    Args:
        title: Title of the first part.
        headers: Names of the columns. The first column names the row, and is repeated in every
            part; if the names of rows are not unique, parts repeat the number of the row instead.
        rows: Cells by row.
        console: Console to print on.
    """
    texts = [[header, *(row[n] for row in rows)] for n, header in enumerate(headers)]
    needed = [min(_needed(own), console.width - _EDGES - _PADDING) for own in texts]
    parts = _parts(needed, console.width - _EDGES)
    if len(parts) > 1 and len({row[0] for row in rows}) < len(rows):
        numbered = [(str(number), *row) for number, row in enumerate(rows, start=1)]
        print_table(title, ("no.", *headers), numbered, console)
        return
    for part, columns in enumerate(parts):
        name = Text(f"{title}, continued" if part else title)  # Text, because "[h]" is not markup
        shown = Table(title=name, title_justify="left", title_style="bold", box=SIMPLE)
        spare = console.width - _EDGES - sum(needed[n] + _PADDING for n in columns)
        for n in columns:
            more = min(max(map(len, texts[n])) - needed[n], max(spare, 0))
            shown.add_column(Text(headers[n]), width=needed[n] + more, overflow="fold")
            spare -= more
        for row in rows:
            shown.add_row(*(Text(row[n]) for n in columns))
        console.print(shown)


def _needed(texts: Sequence[str]) -> int:
    """Return the least width of a column: short cells in one line, unbroken words."""
    header, *cells = texts
    words = [word for text in (header, *cells) for word in text.split()]
    return max(map(len, (*words, *(cell[:_PROSE] for cell in cells))), default=0)


def _parts(needed: Sequence[int], width: int) -> list[list[int]]:
    """Return the columns of each part that fits into a width; each part has the first column."""
    key = needed[0] + _PADDING
    # The first column is not repeated if it leaves too little space for the widest one.
    first = [0] if key + max(needed) + _PADDING <= width else []
    parts, space = [[0]], width - key
    for n in range(1, len(needed)):
        if needed[n] + _PADDING > space:
            parts.append(list(first))
            space = width - (key if first else 0)
        parts[-1].append(n)
        space -= needed[n] + _PADDING
    return parts
