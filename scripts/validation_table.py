"""Write the tables and the figure of the validation page.

    python scripts/validation_table.py                   # replaces all; takes some minutes
    python scripts/validation_table.py --requirements    # only the table of requirements

The table of requirements includes the recorded benchmarks, so that new ones are recorded first. A
row that is not met needs an entry in docs/requirements.toml: the mechanism that fails, and attempts
at a cure. The page says with which numbers of patients and seed it was made. The published columns
must equal those of the package (tests/docs/test_site.py), so that a new published value needs a new
table.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from qsp.plots import Pair, agreement
from qsp.validation import Row, acceptance, validate
from qsp.validation.acceptance_rows import ROWS
from qsp.validation.row import COLUMNS, RECALLED

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "validation.csv"
REQUIREMENTS = ROOT / "docs" / "requirements.csv"
FIGURE = ROOT / "docs" / "assets" / "validation.png"
PATIENTS, SEED = 400, 1


def main() -> None:
    """Write the tables and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirements", action="store_true", help="only the requirements")
    arguments = parser.parse_args()
    requirements()
    if not arguments.requirements:
        values()


def requirements() -> None:
    """Simulate the studies of the table of requirements, and write its rows."""
    runs = acceptance.simulate(populations=ROOT / "populations")
    lines = acceptance.table(runs, ROWS)
    with REQUIREMENTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(acceptance.RECORD)
        writer.writerows(line.cells() for line in lines)
    print(f"{len(lines)} rows in {REQUIREMENTS}")


def values() -> None:
    """Simulate the studies of the published values, write the rows, and draw them."""
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
            known, kind = row.fact.published, "published"
            if row.fact.certainty == RECALLED:
                kind = "recalled"
            elif row.fact.rule.text == "holdout":
                kind = "held out"
            found.append(Pair(known.value, row.simulated.value, known.unit, kind))
    return found


if __name__ == "__main__":
    main()
