"""The listing of two compared runs: a short table for each pair of arms, or all outcomes.

The short tables fit into 80 columns. They leave out the dose periods without events, ratios, the
intervals of a trial and the counts of pairs, which the long tables and the records have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from qsp.cli.output import Listing
from qsp.cli.text_table import TextTable
from qsp.endpoints import differences
from qsp.report import Table
from qsp.report import differences as compared

_PROBABILITIES = ("probability", "trial_probability")


class Tables(NamedTuple):
    """Tables and notes of a comparison, in order.

    Args:
        differences: Tables of the outcomes, one per pair of arms.
        utilities: Tables of the utility; empty without responses.
    """

    differences: list[TextTable | str]
    utilities: list[TextTable | str]


def of_differences(frame: pd.DataFrame, preferences: pd.DataFrame, *, every: bool) -> Listing:
    """Return the differences of two runs: a table per pair of arms, utilities, and the notes.

    A record of the utility has the quantity "utility", and its probabilities.

    Args:
        frame: Differences, from `qsp.endpoints.differences`.
        preferences: Utilities, from `qsp.endpoints.utility`.
        every: Whether tables have every outcome and column.
    """
    columns = (*differences.COLUMNS, *_PROBABILITIES)
    if not len(frame):
        return Listing(["The arms have no outcome in common."], list, columns)
    models = frame.attrs.get("models", "")
    parts: list[TextTable | str] = [f"Note: {models}."] if models else []
    found = (_long if every else _short)(frame, preferences)
    parts += [*found.differences, *found.utilities]
    return Listing(parts, _records(frame, preferences, columns), columns)


def _long(frame: pd.DataFrame, preferences: pd.DataFrame) -> Tables:
    table = compared.difference_table(frame)
    first = [f"{table.title}.", *map(_whole, table.split()), table.note]
    if not len(preferences):
        return Tables(first, [])
    utilities = compared.preference_table(preferences)
    return Tables(first, [_whole(utilities), utilities.note])


def _whole(table: Table) -> TextTable:
    headers = [f"{c.title} ({c.group})" if c.group else c.title for c in table.columns]
    return TextTable(table.title, headers, [row for group in table.groups for row in group.rows])


def _short(frame: pd.DataFrame, preferences: pd.DataFrame) -> Tables:
    table = compared.short_table(frame)
    first = [f"{table.title}.", *map(_whole, table.split()), table.note]
    if not len(preferences):
        return Tables(first, [])
    whole, size = compared.preference_table(preferences), preferences["trial_size"].iloc[0]
    headers = ("Arm", "Reference", "Utility", "95 % MC", "P(higher)", f"in 2 × {size:,}")
    rows = [row[: len(headers)] for group in whole.groups for row in group.rows]
    meaning = (
        f"Utility: difference of {preferences.attrs['utility']}. P(higher): probability that the "
        "utility of the arm is higher than that of the reference, in the population and in a trial "
        f"with {size:,} other patients in each arm."
    )
    return Tables(first, [TextTable(whole.title, headers, rows), meaning])


def _records(
    frame: pd.DataFrame, preferences: pd.DataFrame, columns: tuple[str, ...]
) -> Callable[[], list[dict[str, Any]]]:
    empty = dict.fromkeys(columns)

    def records() -> list[dict[str, Any]]:
        rows = [empty | row for row in frame.to_dict("records")]
        for row in preferences.to_dict("records"):
            value, base = row.pop("utility"), row.pop("reference_utility")
            named = {"quantity": "utility", "event": "Utility", "units": "1"}
            rows.append(empty | named | row | {"value": value, "reference_value": base})
        return rows

    return records
