"""Text of tables: their columns and groups, and numbers as a reader wants them.

A rate takes three columns: the rate, its Monte Carlo interval, and the prediction interval of a
trial of n patients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import xarray as xr

NONE = "–"


@dataclass(frozen=True)
class Column:
    """One column: its title, and the title above it that it shares with its neighbors."""

    title: str
    group: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that belong together, such as those of one arm."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Args:
        title: What it shows.
        columns: Columns, in order.
        groups: Rows under their titles; one group without a title where rows stand alone.
        note: What the reader must know to read it.
    """

    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    note: str = ""

    def spans(self) -> list[tuple[str, int]]:
        """Titles above the columns with the number of columns each covers."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group and column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found

    def starts(self, index: int) -> bool:
        """Whether a column is the first under a title that it shares."""
        group = self.columns[index].group
        return bool(group) and (index == 0 or self.columns[index - 1].group != group)

    def split(self) -> list[Table]:
        """One table per group, titled by it."""
        return [
            Table(group.title, self.columns, (Group("", group.rows),), self.note)
            for group in self.groups
        ]

    def plain_rows(self) -> Iterator[tuple[str, ...]]:
        """Rows with the title of their group as first cell."""
        for group in self.groups:
            for row in group.rows:
                yield (group.title, *row)


def rate_columns(group: str, trial_size: int) -> list[Column]:
    """The three columns of a rate."""
    return [Column(title, group) for title in ("rate", "95 % MC", f"trial of {trial_size}")]


def rate_cells(rate: xr.Dataset) -> tuple[str, str, str]:
    """Rate, Monte Carlo interval and prediction interval, in percent."""
    value, lower, upper = (percent(float(rate[name])) for name in ("value", "lower", "upper"))
    low, high = (percent(float(rate[name]), digits=None) for name in ("trial_lower", "trial_upper"))
    return value, between(lower, upper), between(low, high)


def percent(share: float, digits: int | None = 1) -> str:
    """Share as percent, "–" where there is none; without digits, only those that it has."""
    if not math.isfinite(share):
        return NONE
    return f"{100 * share:.{digits}f}" if digits is not None else f"{round(100 * share, 1):g}"


def significant(value: float, digits: int = 3) -> str:
    """Number with so many significant digits, without an exponent where it can be avoided."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return (
        f"{value:.{digits - 1}e}" if places > 6 else f"{round(value, places):,.{max(places, 0)}f}"
    )


def range_text(found: xr.Dataset, name: str = "value") -> str:
    """Median with the outer quantiles, as "12.3 (4.56–78.9)"."""
    levels = found["quantile"].values
    ranked = found[name].sel(quantile=[levels[0], 0.5, levels[-1]])
    low, middle, high = (significant(float(value)) for value in ranked.values)
    return NONE if middle == NONE else f"{middle} ({low}–{high})"


def between(low: str, high: str) -> str:
    """Two ends as a range, "–" where one of them does not exist."""
    return NONE if NONE in (low, high) else f"{low}–{high}"
