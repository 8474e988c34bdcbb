"""Results on the terminal: complete at any width, also in a pipe."""

import io

import pytest
import xarray as xr
from rich.console import Console

from qsp import report
from qsp.cli import tables
from qsp.cli.output import Output
from qsp.cli.text_table import TextTable, print_table
from qsp.endpoints import add_best_response
from tests import synthetic

ROWS = [
    ("mosunetuzumab", "CRS of any grade, with a long text of words", "39.4 (32–46)", "-1.8 [h]"),
    ("mosunetuzumab", "objective response", "80.0 (65–90)", "2.4 (1.6–3.5)"),
]
FACTS = TextTable("Facts [1]", ("molecule", "what", "published [%]", "Onset [h]"), ROWS)


def printed(width, show):
    console = Console(file=io.StringIO(), width=width)
    show(console)
    return console.file.getvalue()


def results(ds, width):
    return printed(width, lambda c: Output().show(tables.results(xr.DataTree(ds)), c))


@pytest.fixture(scope="module")
def trial():
    return add_best_response(synthetic.lively(30))


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_number_is_truncated(trial, width):
    text = results(trial, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for table in (report.crs_table(trial), report.response_table(trial)):
        rates = [n for n, column in enumerate(table.columns) if column.title == "rate"]
        for group in table.groups:
            for row in group.rows:
                for n in rates:  # an interval is below its rate where a cell is broken
                    assert row[n] in words
                    assert f"({row[n + 1]})" in words
                    assert width < 100 or f"{row[n]} ({row[n + 1]})" in text
    for word in ("Onset", "[h]", "progressive", "Grade ≥ 3"):
        assert word in " ".join(words)


@pytest.mark.parametrize("width", [80, 200])
def test_each_arm_is_one_table(trial, width):
    lines = results(trial, width).splitlines()
    heads = [line for line in lines if "Dose period" in line]
    assert len(heads) == trial.sizes["arm"]
    assert not any("continued" in line for line in lines)


def test_a_narrow_terminal_has_a_record_for_each_row(trial):
    lines = results(trial, 50).splitlines()
    table = report.crs_table(trial)
    labels = [row[0] for group in table.groups for row in group.rows]
    assert [line for line in lines if line.startswith("Dose period: ")] == [
        f"Dose period: {label}" for label in labels
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_words_and_brackets_survive_in_any_width(width):
    text = printed(width, lambda console: print_table(FACTS, console))
    for word in ("mosunetuzumab", "39.4", "(32–46)", "2.4", "-1.8 [h]", "Onset", "[1]"):
        assert word in text
    assert max(map(len, text.splitlines())) <= width


def test_one_patient_is_printed_without_rates():
    text = results(add_best_response(synthetic.neutral(patients=1)), 80)
    assert "This run simulates one patient" in text
    assert "Monte Carlo" not in text
    assert "stable disease" in text
