"""Tables of the terminal: complete at any width, also in a pipe."""

import io

import pytest
import xarray as xr
from rich.console import Console

from qsp import report
from qsp.cli.tables import print_results
from qsp.cli.text_table import print_table
from qsp.endpoints import add_best_response
from tests import synthetic

ROWS = [
    ("mosunetuzumab", "CRS of any grade, with a long text of words", "39.4 (32–46)", "-1.8 [h]"),
    ("mosunetuzumab", "objective response", "80.0 (65–90)", "2.4 (1.6–3.5)"),
]
HEADERS = ("molecule", "what", "published [%]", "Onset [h]")


def printed(width, show):
    console = Console(file=io.StringIO(), width=width)
    show(console)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def trial():
    return add_best_response(synthetic.lively(30))


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_number_is_truncated(trial, width):
    text = printed(width, lambda console: print_results(xr.DataTree(trial), console))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for table in (report.crs_table(trial), report.response_table(trial)):
        rates = [n for n, column in enumerate(table.columns) if column.title == "rate"]
        for group in table.groups:
            for row in group.rows:
                assert all(f"{row[n]} ({row[n + 1]})" in text for n in rates)
    for word in ("Onset [h]", "progressive", "Grade ≥ 3 [%]"):
        assert word in " ".join(text.split())


def test_wide_console_has_one_table_per_arm(trial):
    text = printed(200, lambda console: print_results(xr.DataTree(trial), console))
    assert "continued" not in text
    assert "continued" in printed(80, lambda c: print_results(xr.DataTree(trial), c))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_words_and_brackets_survive_in_any_width(width):
    text = printed(width, lambda console: print_table("Facts [1]", HEADERS, ROWS, console))
    for word in ("mosunetuzumab", "39.4 (32–46)", "2.4 (1.6–3.5)", "-1.8 [h]", "Onset", "[1]"):
        assert word in text
    assert max(map(len, text.splitlines())) <= width


def test_parts_of_a_table_number_rows_that_share_a_name():
    text = printed(50, lambda console: print_table("Facts", HEADERS, ROWS, console))
    part = text.partition("continued")[2]
    assert "no." in part
    assert "2     80.0 (65–90)" in part or "2     objective response" in part


def test_one_patient_is_printed_without_rates():
    ds = add_best_response(synthetic.neutral(patients=1))
    text = printed(80, lambda console: print_results(xr.DataTree(ds), console))
    assert "This run simulates one patient" in text
    assert "Monte Carlo" not in text
    assert "stable disease" in text
