"""Requirements that the shipped values do not meet, as strict expected failures with their figures.

The figures are those of docs/requirements.csv, which scripts/validation_table.py writes from 1,000
simulated patients of each study. Rows that are not met have an entry in docs/requirements.toml.
"""

import pytest

from qsp.validation.acceptance_rows import ROWS
from scripts.book.validation import NOT_MET, reasons, requirements, without_match

REASONS = reasons()


def marked(row):
    """Parameter of a test, an expected failure if the row has an entry."""
    if row["row"] not in REASONS:
        return pytest.param(row, id=row["row"])
    sentence, _, _ = " ".join(REASONS[row["row"]]["mechanism"].split()).partition(". ")
    mark = pytest.mark.xfail(strict=True, raises=AssertionError, reason=sentence)
    return pytest.param(row, id=row["row"], marks=mark)


@pytest.mark.parametrize("row", [marked(row) for row in requirements()])
def test_requirement_is_met(row):
    assert row["result"] != NOT_MET, f"{row['measured']}; at least {row['at_least']}"


def test_table_has_every_requirement():
    assert len(requirements()) == len(ROWS), "run scripts/validation_table.py --requirements"


def test_rows_that_are_not_met_have_a_reason_and_no_others():
    assert not without_match(requirements(), REASONS)
    assert all(entry.keys() == {"mechanism", "tried"} for entry in REASONS.values())


def test_row_without_a_reason_and_reason_without_a_row_are_named():
    rows = [{"row": "a", "result": NOT_MET}, {"row": "b", "result": "met"}]
    assert without_match(rows, {"b": {}}) == [
        "not met, but without a reason: a",
        "a reason, but not among the rows not met: b",
    ]
