"""Output of `qsp validate`: options that exclude each other, and records."""

import pytest

from qsp.cli.published import acceptance_table, check_of_all, validation
from qsp.errors import ConfigError
from qsp.validation.acceptance import Figure, Line
from qsp.validation.judge import rule
from qsp.validation.row import RECORD, Fact
from qsp.validation.row import Figure as Published
from qsp.validation.selected import Simulated

LINES = [
    Line("flat over steps", (Figure("a", "1.6", True, False),), "1.5", "2"),
    Line("burden", (Figure("b", "7", False, False),), "below 6", "below 4"),
    Line("speed", (Figure("run", "a command"),), "0.6", "0.8"),
]


@pytest.mark.parametrize(
    ("molecule", "given", "message"),
    [
        ("glofitamab", {}, "MOLECULE must not be given with --table"),
        (None, {"write": True}, "--write must not be given with --table"),
    ],
)
def test_options_that_a_table_of_all_molecules_does_not_use(molecule, given, message):
    options = {"write": False, "curves": None} | given
    with pytest.raises(ConfigError, match=message):
        check_of_all(molecule, **options)


def test_requirements_are_counted():
    listing = acceptance_table(LINES)
    assert listing.parts[1].startswith("1 of 2 rows meet the bound, 0 the aim.")
    rows = listing.records()
    assert [row["result"] for row in rows] == ["met", "not met", ""]
    assert rows[1]["measured"] == "b 7!"
    assert all(tuple(row) == tuple(listing.columns) for row in rows)


@pytest.mark.parametrize(
    ("value", "unit", "found", "judged", "difference", "scale"),
    [
        (70.0, "%", 60.0, "within 12 points", -10.0, "percentage points"),
        (1.0, "%", 2.0, "within 3-fold odds", 2.0204, "odds ratio"),
        (0.5, "1", 0.4, "within 0.25", -0.1, "difference"),
        (10.0, "pg/mL", 20.0, "within 3-fold", 2.0, "ratio"),
    ],
)
def test_record_has_the_difference_and_its_scale(value, unit, found, judged, difference, scale):
    fact = Fact(
        molecule="glofitamab",
        study="glofitamab",
        what="a quantity",
        when="overall",
        published=Published(value, unit),
        measure=lambda _: Simulated(found),
        rule=rule(judged, unit=unit, published=value, where="test"),
        certainty="label",
        source="a label",
    )
    (record,) = validation([fact.compared(None)]).records()
    assert tuple(record) == RECORD
    assert record["difference"] == pytest.approx(difference, abs=1e-4)
    assert (record["difference_units"], record["verdict"]) == (scale, "within")
