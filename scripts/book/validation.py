"""Page of the validation: simulated and published values, from docs/validation.csv."""

from __future__ import annotations

import csv
from html import escape
from pathlib import Path

from scripts.book.html import table
from scripts.validation_table import PATIENTS, SEED, TABLE

TITLES = {
    "misses": "Outside the limits",
    "within": "Within the limits",
    "shown": "Shown without a limit",
    "skipped": "Skipped",
}
INTRODUCTION = """\
# Validation

`qsp validate` simulates the regimens of published studies and compares the results with published
values, one row per value. Each row has the limits of the comparison: points for a rate, a factor
for a concentration or a time. This page has its output for {patients} virtual patients per
regimen, seed {seed}; `python scripts/validation_table.py` makes the table again. Simulated values
have a 95 % interval where one can be computed.

{counts} The *certainty* of a published value is its origin: a label, a paper, or general knowledge
(`own-knowledge`), which was not verified.

Many of these values were used to tune the model (see the notes of the
[parameters](model/index.md)), so that this is a check of consistency, not a prediction. The model
is for research, not for clinical decisions.
"""


def page(path: Path = TABLE) -> str:
    """Return the page in Markdown, misses first."""
    with path.open(encoding="utf-8", newline="") as file:
        heads, *rows = list(csv.reader(file))
    groups = {result: [row[1:] for row in rows if row[0] == result] for result in TITLES}
    counts = ", ".join(
        f"{len(group)} {TITLES[result].lower()}" for result, group in groups.items() if group
    )
    introduction = INTRODUCTION.format(
        patients=PATIENTS, seed=SEED, counts=f"Of {len(rows)} values: {counts}."
    )
    parts = [introduction]
    for result, group in groups.items():
        if group:
            cells = [[escape(cell) for cell in row] for row in group]
            titles = [head.capitalize() for head in heads[1:]]
            parts += [f"## {TITLES[result]}", "", table(titles, cells), ""]
    return "\n".join(parts)
