"""Tables of text: columns, groups of rows, and formatted numbers.

A rate has three columns: the rate, its Monte Carlo interval, and the prediction interval of a trial
of n patients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

NONE = "–"
RANGE_TITLE = "median (P5–P95)"
RANGE_NOTE = "P5–P95: 5th to 95th percentile of the patients."


@dataclass(frozen=True)
class Column:
    """A column: its title, and a title above it that may span neighboring columns."""

    title: str
    group: str = ""


@dataclass(frozen=True)
class Group:
    """Rows under a common title, such as those of one arm."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Args:
        title: Title of the table.
        columns: Columns, in order.
        groups: Groups of rows; a single group without a title if the rows are not grouped.
        note: Explanation below the table.
    """

    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    note: str = ""

    def spans(self) -> list[tuple[str, int]]:
        """Return the titles above the columns with the number of columns that each spans."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group and column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found

    def starts(self, index: int) -> bool:
        """Return whether a column is the first under a spanning title."""
        group = self.columns[index].group
        return bool(group) and (index == 0 or self.columns[index - 1].group != group)

    def split(self) -> list[Table]:
        """Return one table per group, with the title of the group."""
        return [
            Table(group.title, self.columns, (Group("", group.rows),), self.note)
            for group in self.groups
        ]

    def plain_rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows with the title of their group as the first cell."""
        for group in self.groups:
            for row in group.rows:
                yield (group.title, *row)


def rate_columns(group: str) -> list[Column]:
    """Return the three columns of a rate."""
    return [Column(title, group) for title in ("rate", "95 % MC", "95 % PI")]


def rate_cells(rate: xr.Dataset) -> tuple[str, str, str]:
    """Return a rate, its Monte Carlo interval and its prediction interval, in percent."""
    value, lower, upper = (percent(float(rate[name])) for name in ("value", "lower", "upper"))
    low, high = (percent(float(rate[name]), digits=None) for name in ("trial_lower", "trial_upper"))
    return value, between(lower, upper), between(low, high)


def percent(share: float, digits: int | None = 1) -> str:
    """Return a proportion in percent, "–" if missing.

    Args:
        share: Proportion [1].
        digits: Number of decimals; None for at most one decimal, without trailing zeros.
    """
    if not math.isfinite(share):
        return NONE
    return f"{100 * share:.{digits}f}" if digits is not None else f"{round(100 * share, 1):g}"


def significant(value: float, digits: int = 3) -> str:
    """Return a number with the given significant digits, with an exponent only if very small."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return (
        f"{value:.{digits - 1}e}" if places > 6 else f"{round(value, places):,.{max(places, 0)}f}"
    )


def range_text(found: xr.Dataset, name: str = "value") -> str:
    """Return the median with the outer quantiles, as "12.3 (4.56–78.9)"."""
    ranked, levels = found[name].values, found["quantile"].values
    half = int(np.flatnonzero(levels == 0.5)[0])
    low, middle, high = (significant(float(ranked[place])) for place in (0, half, -1))
    return NONE if middle == NONE else f"{middle} ({low}–{high})"


def between(low: str, high: str) -> str:
    """Return a range, "–" if one of its bounds is missing."""
    return NONE if NONE in (low, high) else f"{low}–{high}"
