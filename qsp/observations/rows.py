"""Rows of a file that are observations, with the errors of their cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from qsp.csv_table import Column
from qsp.errors import ConfigError

AddRows = Callable[[np.ndarray, np.ndarray, Callable[[int], ConfigError]], None]


@dataclasses.dataclass
class Cells:
    """Cells of the observations of a file.

    Args:
        name: Name of the file.
        line: (row,): Line in the file.
        patient: (row,): Id of the patient.
        columns: Columns by name.
        add_rows: Adds the error of each of some rows to the problems of the file.
    """

    name: str
    line: np.ndarray
    patient: np.ndarray
    columns: Mapping[str, Column]
    add_rows: AddRows

    def __post_init__(self) -> None:
        self.is_valid = np.ones(len(self.line), bool)

    def where(self, row: int) -> str:
        """Return file and line of a row."""
        return f"{self.name}: line {self.line[row]}"

    def shown(self, column: str, row: int) -> str:
        """Return the text of a cell for a message."""
        return self.columns[column].text(row) or "missing"

    def refuse(self, rows: np.ndarray, rule: str, column: str, todo: str) -> None:
        """Add an error for each of some rows, with the cell that was found."""
        self.refuse_by(
            rows, lambda n: ConfigError(self.where(n), rule, self.shown(column, n), todo)
        )

    def refuse_by(self, rows: np.ndarray, error_at: Callable[[int], ConfigError]) -> None:
        """Add the error of each of some rows that has none yet."""
        wrong = rows & self.is_valid
        self.add_rows(wrong, self.line, error_at)
        self.is_valid &= ~wrong
