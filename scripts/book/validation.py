"""Page of the validation: docs/validation.md with the rows of docs/validation.csv in its tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from scripts.book.html import table
from scripts.validation_table import TABLE

TEXT = TABLE.with_suffix(".md")
RESULTS = {
    "misses": "outside the limits",
    "within": "within the limits",
    "shown": "shown without a limit",
    "skipped": "skipped",
}
LARGE_POINTS, LARGE_FACTOR, LARGE_FRACTION = 12.0, 3.0, 0.25
"""Deviations above these are large in a row without a limit: those of most rows with one."""

Row = Mapping[str, str]


def page(text: str | None = None, path: Path = TABLE) -> str:
    """Return the page in Markdown.

    Args:
        text: Text of the page with a comment such as ``<!-- table: misses -->`` for each table;
            docs/validation.md by default.
        path: File of the rows.

    Raises:
        ValueError: If a table has no comment in the text, or a comment no table.
    """
    text = TEXT.read_text(encoding="utf-8") if text is None else text
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    groups = {name: [row for row in rows if row["result"] == name] for name in RESULTS}
    counts = ", ".join(f"{len(groups[name])} {words}" for name, words in RESULTS.items())
    groups["deviations"] = [row for row in groups["shown"] if is_large(row["difference"])]
    groups["shown"] = [row for row in groups["shown"] if not is_large(row["difference"])]
    parts = {f"table: {name}": _table(group) for name, group in groups.items()}
    parts["counts"] = f"Of {len(rows)} values: {counts}."
    comments = re.findall(r"<!-- (.+) -->", text)
    if sorted(comments) != sorted(parts):
        raise ValueError(f"{TEXT.name} must have one comment each of {', '.join(parts)}")
    return re.sub(r"<!-- (.+) -->", lambda found: parts[found[1]], text)


def is_large(difference: str) -> bool:
    """Whether a difference such as ``+13.0 points``, ``odds x 0.25`` or ``-0.3`` is large."""
    if found := re.fullmatch(r"([+-][\d.]+) points", difference):
        return abs(float(found[1])) > LARGE_POINTS
    if found := re.fullmatch(r"(?:odds )?x ([\d.]+)", difference):
        return not 1 / LARGE_FACTOR <= float(found[1]) <= LARGE_FACTOR
    if re.fullmatch(r"[+-][\d.]+", difference):
        return abs(float(difference)) > LARGE_FRACTION
    return False


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "None."
    heads = [name for name in rows[0] if name != "result"]
    return table(
        [head.capitalize() for head in heads],
        [[escape(row[head]) for head in heads] for row in rows],
    )
