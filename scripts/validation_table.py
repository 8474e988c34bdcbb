"""Write the table of the validation page: simulated and published values, misses first.

    python scripts/validation_table.py    # replaces docs/validation.csv; takes some minutes

The page says with which numbers of patients and seed it was made. The published columns must be
those of the package (tests/docs/test_site.py), so that a new published value needs a new table.
"""

import csv
from pathlib import Path

from qsp.validation import validate
from qsp.validation.row import COLUMNS

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "validation.csv"
PATIENTS, SEED = 400, 1


def main() -> None:
    """Simulate the studies and write the rows."""
    rows = validate(patients=PATIENTS, seed=SEED, populations=ROOT / "populations")
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("result", *COLUMNS))
        writer.writerows((row.verdict.name.lower(), *row.cells()) for row in rows)
    print(f"{len(rows)} rows in {TABLE}")


if __name__ == "__main__":
    main()
