"""Published distributions of patients: one CSV file, with one row for each point.

| column | meaning |
|---|---|
| `quantity` | covariate, path of a parameter, or variable of the results |
| `arm` | arm of the run; empty for a quantity that is the same in all arms |
| `period` | label of a dose period; empty for the largest value over all doses |
| `at_most`, `unit` | value of the quantity, such as a published median |
| `share` | proportion of the patients with this value or a lower one, between 0 and 1 |
| `n` | number of patients of the publication |
| `source` | source of the value |

A median is a row with `share` 0.5, and a rate of CRS of 37 % is the row `crs_grade`, `at_most` 0,
`share` 0.63. The rows of one quantity and source form bins, such as those between quartiles.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qsp.csv_table import CsvTable, checked_header, not_a_number, number, read_csv
from qsp.errors import ConfigError
from qsp.problems import Problems

REQUIRED = ("quantity", "at_most", "unit", "share", "n", "source")
COLUMNS = ("quantity", "arm", "period", "at_most", "unit", "share", "n", "source")

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Published:
    """Published distribution of a quantity at some points.

    Args:
        quantity: Name of the quantity.
        arm: Arm; empty if the quantity is the same in all arms.
        period: Label of a dose period; empty for the largest value over all doses.
        unit: Unit of the values.
        source: Source.
        n: Number of patients.
        at_most (point,): Values, increasing.
        shares (point,): Proportion of the patients with this value or a lower one [1], increasing.
        where: File and first line, for error messages.
    """

    quantity: str
    arm: str
    period: str
    unit: str
    source: str
    n: int
    at_most: Floats
    shares: Floats
    where: str

    @property
    def title(self) -> str:
        """Name for tables, such as "il6_peak, step_up, SUD1"."""
        return ", ".join(filter(None, (self.quantity, self.arm, self.period)))

    @property
    def probabilities(self) -> Floats:
        """(point + 1,): Proportion of the patients in each bin [1]."""
        return np.diff(self.shares, prepend=0.0, append=1.0)

    @property
    def covariance(self) -> Floats:
        """(point, point): Sampling covariance of the shares among n patients."""
        low = np.minimum(self.shares[:, None], self.shares)
        return (low - np.outer(self.shares, self.shares)) / self.n

    def bin_text(self, place: int) -> str:
        """Return a bin as text, such as "above 3 to 10 pg/mL"."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if place == 0:
            return f"{self.at_most[0]:g}{unit} or less"
        low = f"above {self.at_most[place - 1]:g}"
        return (
            f"{low}{unit}"
            if place == len(self.at_most)
            else (f"{low} to {self.at_most[place]:g}{unit}")
        )


def read_published(path: Path) -> tuple[Published, ...]:
    """Read published distributions.

    Args:
        path: CSV file with the columns above.

    Returns:
        One for each quantity, arm, period and source, in the order of the file.

    Raises:
        ConfigError: With all errors of the file.
    """
    table = read_csv(
        path,
        kind="the file of targets",
        missing="Check its path",
        rename=lambda cell: cell.strip().lower(),
        choose=lambda header: checked_header(header, path.name, COLUMNS, REQUIRED),
    )
    problems = table.problems
    if not len(table.line) and not problems:
        todo = "Add a row for each published value"
        raise ConfigError(path.name, "the file must have targets", "empty", todo)
    rows = [_row(table, n) for n in range(len(table.line))]
    for row in rows:
        for error in _errors_of_row(row):
            problems.add(error, row.line)
    problems.raise_if_any()
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    for own in groups.values():
        _check_group(own, problems)
    problems.raise_if_any()
    return tuple(_published(own) for own in groups.values())


@dataclasses.dataclass(frozen=True)
class _Row:
    """Texts of a row of the file."""

    name: str
    line: int
    texts: Mapping[str, str]

    @property
    def where(self) -> str:
        return f"{self.name}: line {self.line}"

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(self.texts.get(name, "") for name in ("quantity", "arm", "period", "source"))

    def number(self, column: str) -> float:
        return number(self.texts[column])


def _row(table: CsvTable, n: int) -> _Row:
    texts = {name: column.text(n) for name, column in table.columns.items()}
    return _Row(table.name, int(table.line[n]), texts)


def _errors_of_row(row: _Row) -> Iterator[ConfigError]:
    """Yield the errors of one row."""
    for column in ("quantity", "unit", "source"):
        if not row.texts[column]:
            todo = {
                "quantity": "Name a quantity, such as age",
                "unit": "Write the unit of at_most; 1 for a number without unit",
                "source": "Name the publication",
            }[column]
            yield ConfigError(row.where, f"{column} must be given", "missing", todo)
    for column in ("at_most", "share", "n"):
        value = row.number(column)
        if math.isnan(value):
            yield ConfigError(row.where, f"{column} must be given", "missing", "Write a number")
        elif math.isinf(value):
            yield not_a_number(row.where, column, row.texts[column])
    share, n = row.number("share"), row.number("n")
    if math.isfinite(share) and not 0 < share < 1:
        rule = "share must be a proportion above 0 and below 1"
        todo = "Leave the row out, or choose a value that some patients exceed"
        if 1 < share < 100:
            todo = f"Write {share / 100:g} for {share:g} %"
        elif share > 100:
            todo = "Correct it: a share of 40 %, for example, is 0.4"
        yield ConfigError(row.where, rule, row.texts["share"], todo)
    if math.isfinite(n) and (n < 1 or n != n // 1):
        rule, todo = "n must be a whole number of at least 1", "Write the number of patients"
        yield ConfigError(row.where, rule, row.texts["n"], todo)


def _check_group(rows: Sequence[_Row], problems: Problems) -> None:
    """Add the errors between the rows of one quantity and source."""
    first = rows[0]
    for column in ("n", "unit"):
        for row in rows[1:]:
            if row.texts[column] != first.texts[column]:
                rule = f"{column} must be the same in all rows of a quantity and source"
                got = f"{row.texts[column]} after {first.texts[column]}"
                todo = "Correct it, or name another source"
                problems.add(ConfigError(row.where, rule, got, todo), row.line)
                return
    ordered = sorted(rows, key=lambda row: row.number("at_most"))
    for before, row in zip(ordered, ordered[1:], strict=False):
        low, high = before.number("share"), row.number("share")
        if before.number("at_most") == row.number("at_most"):
            rule = "at_most must be given once for a quantity and source"
            got, todo = f"{row.texts['at_most']} twice", "Remove one of the rows"
            problems.add(ConfigError(row.where, rule, got, todo), row.line)
        elif high <= low:
            rule = "share must increase with at_most within a quantity and source"
            got = f"{high:g} at {row.texts['at_most']}, but {low:g} at {before.texts['at_most']}"
            todo = "The rows contradict each other: correct one, or name another source"
            problems.add(ConfigError(row.where, rule, got, todo), row.line)


def _published(rows: Sequence[_Row]) -> Published:
    ordered = sorted(rows, key=lambda row: row.number("at_most"))
    first = rows[0]
    return Published(
        quantity=first.texts["quantity"],
        arm=first.texts.get("arm", ""),
        period=first.texts.get("period", ""),
        unit=first.texts["unit"],
        source=first.texts["source"],
        n=int(first.number("n")),
        at_most=np.array([row.number("at_most") for row in ordered]),
        shares=np.array([row.number("share") for row in ordered]),
        where=first.where,
    )
