"""Page of the validation: docs/validation.md with the rows of its two tables.

Requirements that are not met come first: the row of docs/requirements.csv with the mechanism that
fails and attempts at a cure, from docs/requirements.toml.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from scripts.book.html import table
from scripts.validation_table import REQUIREMENTS, TABLE

TEXT = TABLE.with_suffix(".md")
REASONS = REQUIREMENTS.with_suffix(".toml")
NOT_MET = "not met"
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
    listed = requirements()
    parts["requirements"] = _table(listed)
    parts["requirements not met"] = _not_met(listed, reasons())
    parts["counts"] = f"Of {len(rows)} values: {counts}."
    comments = re.findall(r"<!-- (.+) -->", text)
    if sorted(comments) != sorted(parts):
        raise ValueError(f"{TEXT.name} must have one comment each of {', '.join(parts)}")
    return re.sub(r"<!-- (.+) -->", lambda found: parts[found[1]], text)


def requirements(path: Path = REQUIREMENTS) -> list[Row]:
    """Return the rows of the table of requirements."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reasons(path: Path = REASONS) -> Mapping[str, Row]:
    """Return the mechanism that fails and the attempts at a cure, by row of the requirements."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def without_match(rows: Sequence[Row], known: Mapping[str, Row]) -> list[str]:
    """Return as text the rows that are not met without a reason, and the reasons of other rows."""
    missed = {row["row"] for row in rows if row["result"] == NOT_MET}
    return [
        *(f"not met, but without a reason: {name}" for name in sorted(missed - known.keys())),
        *(f"a reason, but not among the rows not met: {name}" for name in known.keys() - missed),
    ]


def _not_met(rows: Sequence[Row], known: Mapping[str, Row]) -> str:
    """Return a section for each row that is not met.

    Raises:
        ValueError: If a row has no reason, or a reason no row.
    """
    if wrong := without_match(rows, known):
        raise ValueError(f"{REASONS.name}: {'; '.join(wrong)}")
    sections = [
        f"### {_capital(row['row'])}\n\n"
        f"At least: {row['at_least']}. Measured: {row['measured']}.\n\n"
        f"*Mechanism.* {known[row['row']]['mechanism'].strip()}\n\n"
        f"*Tried.* {known[row['row']]['tried'].strip()}\n"
        for row in rows
        if row["result"] == NOT_MET
    ]
    return "\n".join(sections) or "None."


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


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
        [head.capitalize().replace("_", " ") for head in heads],
        [[escape(row[head]) for head in heads] for row in rows],
    )
