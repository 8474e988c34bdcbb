"""Published values, read from the tables in `data/`.

Each row has its source, its certainty (``label``, ``paper``, or ``own-knowledge`` for values
recalled from memory and not verified) and the confidence of its compiler. The column ``judged`` is
the acceptance criterion, in the form read by `qsp.validation.judge.rule`; a column ``judged_NAME``
overrides it for the numbers in column NAME.
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
        cells: Text by column; empty if missing.
    """

    table: str
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the text in a column."""
        return self.cells[column]

    def number(self, column: str) -> float:
        """Return the number in a column; NaN if missing."""
        return float(self.cells[column] or math.nan)

    def judged(self, column: str = "") -> str:
        """Return the acceptance criterion of a column, by default that of the row."""
        return self.cells.get(f"judged_{column}") or self.cells["judged"]


def read(table: str) -> tuple[Published, ...]:
    """Read the rows of a table, in the order of the file.

    Args:
        table: Name of the table, one of `TABLES`.
    """
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Published(table, cells) for cells in csv.DictReader(file))
