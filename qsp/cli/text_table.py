"""Tables of text on a terminal.

One that is wider than the terminal, or than the 80 columns of a log, is printed as several, one
above the other; nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Longer cells are prose, which may be broken between words.
_PROSE = 24
# Of a column: a space on both sides and the rule; of a table: its left edge.
_PADDING, _EDGES = 3, 1


def print_table(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], console: Console
) -> None:
    """A table of text at the width of the console, in parts where it does not fit.

    Args:
        title: Title of the first part.
        headers: Names of the columns; the first column names a row, and stands in every part. Where
            several rows have one name, parts have the number of the row instead.
        rows: Cells.
        console: Where to print.
    """
    texts = [[header, *(row[n] for row in rows)] for n, header in enumerate(headers)]
    needed = [min(_needed(own), console.width - _EDGES - _PADDING) for own in texts]
    parts = _parts(needed, console.width - _EDGES)
    if len(parts) > 1 and len({row[0] for row in rows}) < len(rows):
        numbered = [(str(number), *row) for number, row in enumerate(rows, start=1)]
        print_table(title, ("no.", *headers), numbered, console)
        return
    for part, columns in enumerate(parts):
        name = Text(f"{title}, continued" if part else title)  # as text: "[h]" is no markup
        shown = Table(title=name, title_justify="left", title_style="bold", box=SIMPLE)
        room = console.width - _EDGES - sum(needed[n] + _PADDING for n in columns)
        for n in columns:
            more = min(max(map(len, texts[n])) - needed[n], max(room, 0))
            shown.add_column(Text(headers[n]), width=needed[n] + more, overflow="fold")
            room -= more
        for row in rows:
            shown.add_row(*(Text(row[n]) for n in columns))
        console.print(shown)


def _needed(texts: Sequence[str]) -> int:
    """Width below which a column would be cut: short cells in one line, words whole."""
    header, *cells = texts
    words = [word for text in (header, *cells) for word in text.split()]
    return max(map(len, (*words, *(cell[:_PROSE] for cell in cells))), default=0)


def _parts(needed: Sequence[int], width: int) -> list[list[int]]:
    """Columns of each part of a table that fits in a width; the first column is in every part."""
    key = needed[0] + _PADDING
    # Beside a first column that takes all, there is room for no other.
    first = [0] if key + max(needed) + _PADDING <= width else []
    parts, room = [[0]], width - key
    for n in range(1, len(needed)):
        if needed[n] + _PADDING > room:
            parts.append(list(first))
            room = width - (key if first else 0)
        parts[-1].append(n)
        room -= needed[n] + _PADDING
    return parts
