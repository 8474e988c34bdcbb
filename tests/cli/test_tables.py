"""Tables of every command: no line is wider than the terminal, and programs read the same values.

`tests/golden/terminal` holds the text of each command at 80 columns. `pytest tests/cli
--update-golden` rewrites it; review its diff.
"""

import csv
import io
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from qsp.cli import app
from qsp.cli.output import Output, csv_text, json_text, plain
from qsp.cli.text_table import TextTable, print_table
from tests.cli.listings import LISTINGS
from tests.run.conftest import call

GOLDEN = Path(__file__).parents[1] / "golden" / "terminal"
WIDTHS = (40, 60, 80, 100, 132)
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(' ,"[]'),
    max_size=40,
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT


@pytest.fixture(scope="module")
def listings():
    return {name: build() for name, build in LISTINGS.items()}


def printed(listing, width, output=None):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    (output or Output()).show(listing, console)
    return console.file.getvalue()


def records(listing):
    return [plain(record, listing.columns) for record in listing.records()]


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def as_field(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@pytest.mark.parametrize("name", LISTINGS)
def test_text_at_80_columns(name, listings, request):
    text, path = printed(listings[name], 80), GOLDEN / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LISTINGS)
def test_no_line_is_wider_than_the_terminal(name, width, listings):
    text = printed(listings[name], width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LISTINGS)
def test_every_word_of_a_table_is_printed(name, width, listings):
    text = "".join(printed(listings[name], width).split())
    for part in listings[name].parts:
        if isinstance(part, TextTable):
            words = {w for row in part.rows for cell in row for w in cell.split()}
            short = [word for word in words if len(word) < width // 3]
            assert short
            assert [word for word in short if word not in text] == []


@pytest.mark.parametrize("name", LISTINGS)
def test_csv_has_the_records(name, listings):
    text = printed(listings[name], 80, Output("csv"))
    own = records(listings[name])
    assert own
    assert text.endswith("\r\n")
    assert read_csv(text) == [
        {key: as_field(value) for key, value in record.items()} for record in own
    ]
    for row, record in zip(read_csv(text), own, strict=True):
        for key, value in record.items():
            if isinstance(value, float):
                assert float(row[key]) == value  # full precision


@pytest.mark.parametrize("name", LISTINGS)
def test_json_has_the_records(name, listings):
    own = records(listings[name])
    finite = [
        {k: None if isinstance(v, float) and math.isinf(v) else v for k, v in record.items()}
        for record in own
    ]
    assert json.loads(printed(listings[name], 80, Output("json"))) == finite


@pytest.mark.parametrize("name", LISTINGS)
def test_names_of_values_need_no_quotes(name, listings):
    assert all(column.isidentifier() for column in listings[name].columns)
    assert len(set(listings[name].columns)) == len(listings[name].columns)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(12, 120),
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.lists(TEXT, min_size=n, max_size=n),
            st.lists(st.lists(TEXT, min_size=n, max_size=n), max_size=4),
        )
    ),
)
def test_any_table_fits(width, texts):
    headers, rows = texts
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(TextTable("Title", headers, rows), console)
    assert max(map(cell_len, console.file.getvalue().splitlines())) <= width


@settings(max_examples=200, deadline=None)
@given(
    st.lists(TEXT.filter(bool), min_size=1, max_size=5, unique=True).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(st.fixed_dictionaries(dict.fromkeys(names, VALUES)), max_size=5),
        )
    )
)
def test_any_record_is_read_back(case):
    names, values = case
    own = [plain(record, names) for record in values]
    assert read_csv(csv_text(own, names)) == [
        {key: as_field(value) for key, value in record.items()} for record in own
    ]
    finite = [
        {k: None if isinstance(v, float) and math.isinf(v) else v for k, v in record.items()}
        for record in own
    ]
    assert json.loads(json_text(own)) == finite


def test_columns_that_fit_are_aligned_and_others_become_records():
    table = TextTable("Facts [1]", ("name", "value", "note"), [("a", "1", "x" * 30), ("b", "", "")])

    def lines(width):
        console = Console(file=io.StringIO(), width=width)
        print_table(table, console)
        return console.file.getvalue().splitlines()

    assert lines(60)[:4] == [
        "Facts [1]",
        "  name  value  note",
        "  " + "─" * (4 + 2 + 5 + 2 + 30),
        "  a     1      " + "x" * 30,
    ]
    assert lines(40) == [
        *("Facts [1]", "name: a", "  value: 1", "  note:  " + "x" * 30),
        *("name: b", ""),
    ]


def test_numbers_and_intervals_are_broken_before_the_interval_only():
    cells = ("any dose", "39.4 (32.1–46.0)", "0.21 ± 0.01")
    console = Console(file=io.StringIO(), width=36)
    print_table(TextTable("", ("period", "rate", "DLTs"), [cells]), console)
    assert console.file.getvalue().splitlines()[3:] == [
        "  any dose  39.4         0.21 ± 0.01",
        "            (32.1–46.0)",
        "",
    ]


class TestCommand:
    def test_only_the_table_is_on_standard_output(self):
        text = call("molecules", "--json")
        assert [row["name"] for row in json.loads(text.out)][:2] == ["blinatumomab", "elranatamab"]
        assert text.err == ""
        assert read_csv(call("molecules", "--csv").out)[0]["molecular_weight_kda"] == "54.0"

    def test_doses_of_a_config_and_its_notes(self):
        done = call("check", "approved/tebentafusp", "--csv")
        rows = read_csv(done.out)
        assert [row["protocol_day"] for row in rows][:3] == ["1", "8", "15"]
        assert float(rows[0]["amount_mg"]) == pytest.approx(0.02)
        assert {row["duration_hour"] for row in rows} == {"0.25"}
        assert "tebentafusp.toml is valid." in done.err

    @pytest.mark.parametrize("suffix", ["csv", "json"])
    def test_a_file_is_written_and_the_text_is_printed(self, suffix, tmp_path):
        file = tmp_path / f"molecules.{suffix}"
        done = call("molecules", "--to", file)
        assert "Shipped molecules" in done.out
        assert file.read_bytes().decode() == call("molecules", f"--{suffix}").out
        assert f"Table: {file}" in done.out

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--csv", "--json"), "one format must be chosen, but is combined with --json"),
            (("--to", "table.txt"), "the file must end with .csv or .json, but is 'table.txt'"),
            (("--to", "no/table.csv"), "the folder of --to must exist, but is missing"),
        ],
    )
    def test_other_options_are_refused(self, words, message, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        done = call("molecules", *words)
        assert done.code == 2
        assert message in done.err
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_is_refused_before_anything_is_simulated(self, tmp_path):
        folder = tmp_path / "table.csv"
        folder.mkdir()
        done = call("molecules", "--to", folder)
        assert done.code == 2
        assert "--to must be a file, but is a folder. Name a file in it." in done.err
        assert done.out == ""

    @pytest.mark.parametrize(
        "command",
        [
            *("run", "check", "replay", "escalate", "molecules"),
            *("validate", "compare", "diff", "weigh", "status"),
        ],
    )
    def test_each_command_with_a_table_has_the_options(self, command):
        words = call(command, "--help").out
        assert all(option in words for option in ("--csv", "--json", "--to"))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_explanation_is_wrapped_on_a_terminal_only(is_terminal, monkeypatch):
    text = io.StringIO()
    console = Console(file=text, width=60, force_terminal=is_terminal, color_system=None)
    monkeypatch.setattr(app, "console", console)
    app.explain(["synapse.alpha"])
    lines = text.getvalue().splitlines()
    assert (max(map(len, lines)) <= 60) == is_terminal
    values = [line for line in lines if line.startswith("  teclistamab.toml")]
    assert len(values) == 1
    if is_terminal:
        after = lines[lines.index(values[0]) + 1]
        assert after.startswith("  ")
        assert not after.startswith("   ")
