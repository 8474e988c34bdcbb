"""Write the table and the figure of the validation page.

    python scripts/validation_table.py    # replaces both; takes some minutes

The page says with which numbers of patients and seed it was made. The published columns must be
those of the package (tests/docs/test_site.py), so that a new published value needs a new table.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from qsp.plots import Pair, agreement
from qsp.validation import Row, validate
from qsp.validation.row import COLUMNS, RECALLED

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "validation.csv"
FIGURE = ROOT / "docs" / "assets" / "validation.png"
PATIENTS, SEED = 400, 1


def main() -> None:
    """Simulate the studies, write the rows, and draw them."""
    rows = validate(patients=PATIENTS, seed=SEED, populations=ROOT / "populations")
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("result", *COLUMNS))
        writer.writerows((row.verdict.name.lower(), *row.cells()) for row in rows)
    agreement(pairs(rows)).savefig(FIGURE, dpi=110)
    print(f"{len(rows)} rows in {TABLE}")


def pairs(rows: Sequence[Row]) -> list[Pair]:
    """Return the published and simulated values of the rows that were computed."""
    found = []
    for row in rows:
        if row.simulated is not None:
            known, kind = row.fact.published, "read"
            if row.fact.certainty == RECALLED:
                kind = "not verified"
            elif row.fact.rule.text == "holdout":
                kind = "held out"
            found.append(Pair(known.value, row.simulated.value, known.unit, kind))
    return found


if __name__ == "__main__":
    main()
