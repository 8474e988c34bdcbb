"""Published figures: tables copied from the clinical tables of the project, read at run time.

A row keeps every column it had, with its source, its certainty (``label``, ``paper``, or
``own-knowledge`` for what was recalled and not read) and the confidence of who compiled it. One
column is added: ``judged`` says how the simulated figure is held against it, as
`qsp.validation.judge.rule` reads it; a column ``judged_NAME`` says so of the numbers in column NAME
alone.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

DATA = Path(__file__).parent / "data"
TABLES = ("crs_rates", "crs_timing", "cytokines", "exposure", "efficacy")


@dataclasses.dataclass(frozen=True)
class Published:
    """One row of a table.

    Args:
        table: Name of the table.
        cells: Text by column; empty where there is none.
    """

    table: str
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The text in a column."""
        return self.cells[column]

    def number(self, column: str) -> float:
        """The number in a column; NaN where there is none."""
        return float(self.cells[column] or math.nan)

    def judged(self, column: str = "") -> str:
        """How the number in a column is judged: like the row, unless it has a word of its own."""
        return self.cells.get(f"judged_{column}") or self.cells["judged"]


def read(table: str) -> tuple[Published, ...]:
    """The rows of a table, in the order of the file.

    Args:
        table: One of `TABLES`.
    """
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Published(table, cells) for cells in csv.DictReader(file))
