"""Pages of the documentation that are generated from the code and the files."""

import csv
import importlib
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import pytest

from qsp import molecules, populations
from qsp.explain.equations import collect
from qsp.interventions import INTERVENTIONS
from qsp.populations.paths import fields
from qsp.validation.facts import published_facts
from qsp.validation.row import COLUMNS
from scripts.book import DRUGS, html, pages, states, text
from scripts.book.links import MECHANISMS, page_of_label
from scripts.book.validation import is_large, requirements
from scripts.book.validation import page as validation_page
from scripts.build_docs import dead_links
from scripts.validation_table import PATIENTS, SEED

ROOT = Path(__file__).parents[2]
TOML = [
    ROOT / "qsp" / "model" / "physiology.toml",
    *sorted((ROOT / "qsp" / "molecules").glob("*.toml")),
    *sorted((ROOT / "populations").glob("*.toml")),
]
WRITTEN = sorted((ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def book():
    return pages()


def entries(table, path=""):
    """Paths of the values in a parameter file, other than correlations."""
    for name, inner in table.items():
        where = f"{path}.{name}".lstrip(".")
        if isinstance(inner, dict):
            yield from [where] if "value" in inner else entries(inner, where)


@pytest.mark.parametrize("file", TOML, ids=lambda path: path.name)
def test_every_value_of_every_file_is_in_the_book(file, book):
    shown = set(re.findall(r'data-entry="([^"]+)"', "\n".join(book.values())))
    table = tomllib.loads(file.read_text())
    paths = set(entries(table))
    paths |= {
        f"{path} ({part['name']})"
        for mixture in table.get("mixtures", [])
        for part in mixture["components"]
        for path in part["values"]
    }
    assert paths
    assert {f"{file.name} {path}" for path in paths} <= shown


@pytest.mark.parametrize("file", TOML, ids=lambda path: path.name)
def test_every_correlation_of_every_file_is_in_the_book(file, book):
    page = book["model/inputs.md"]
    section = page.partition("## Correlations")[2].partition("## Mixtures")[0]
    shown = {
        entry: re.findall(r"<td>(.*?)</td>", cells)
        for entry, cells in re.findall(r'<tr data-entry="([^"]+)">(.*?)</tr>', section)
        if entry.startswith(f"{file.name} ")
    }
    expected = tomllib.loads(file.read_text()).get("correlations", [])
    assert len(shown) == len(expected)
    for item in expected:
        first, second = item["between"]
        cells = shown[f"{file.name} {first} and {second}"]
        assert [re.sub("<.*?>", "", cell) for cell in cells] == [
            first,
            second,
            file.name,
            f"{item['value']:g}",
            item["status"],
            item.get("source", ""),
            item.get("note", ""),
        ]


def test_correlations_of_physiology_and_nhl_are_many():
    counts = {f.name: len(tomllib.loads(f.read_text()).get("correlations", [])) for f in TOML}
    assert counts["physiology.toml"] >= 8
    assert counts["nhl.toml"] == 5


def test_typical_patients_have_the_shown_clearance(book):
    section = book["model/inputs.md"].partition("## Covariates")[2]
    row = re.search(r"<tr><td>nhl</td>(.*?)</tr>", section)
    assert row is not None
    surface, clearance = re.findall(r"<td>(.*?)</td>", row[1])[-2:]
    table = populations.nominal(
        molecules.load("mosunetuzumab"), populations.read_cohort(ROOT / "populations" / "nhl.toml")
    )
    people = populations.typical(table, periods=1)
    assert surface == f"{people.covariates['body_surface'][0]:.4g}"
    supportive: Any = people.parameters.supportive
    assert clearance == f"{supportive.tocilizumab.CL[0]:.4f}" == "0.3138"


def test_every_mixture_states_the_value_of_the_typical_patient(book):
    section = book["model/inputs.md"].partition("## Mixtures")[2]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr data.*?</tr>", section)]
    assert rows
    assert all(row[-1] for row in rows)
    assert "500 Mcell" in {row[-1] for row in rows if row[4] == "targets.baseline.normal.blood"}


def test_doses_of_supportive_drugs_enter_the_shown_compartments(book):
    section = book["model/supportive.md"].partition("## Doses")[2].partition("## Equiv")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>.*?</tr>", section)]
    shown = {row[0]: re.sub("<.*?>", "", row[2]) for row in rows if row}
    compartments = {name: f"supportive.{name}.{x.entry}" for name, x in INTERVENTIONS.items()}
    assert shown == compartments | {"obinutuzumab": "drug.competitor (Eq. D14)"}


def test_states_of_the_list_have_different_symbols(book):
    page = book["model/index.md"].partition("## All states")[2].partition("</table>")[0]
    symbols = re.findall(r"<tr><td>(<math.*?</math>)", page)
    repeated = {symbol for symbol, times in Counter(symbols).items() if times > 1}
    assert len(symbols) == len([*states()])
    assert repeated <= {html.math(r"\beta")}


def test_every_equation_state_and_parameter_has_one_anchor(book):
    anchors = Counter(re.findall(r'\bid="([^"]+)"', "\n".join(book.values())))
    for equation in collect():
        assert anchors[f"eq-{equation.label.lower()}"] == 1
    for path in fields():
        assert anchors[path] == 1, path
    for item, _ in states():  # on its page and in the list of all states
        assert anchors[item.path] == 2, item.path


@pytest.mark.parametrize("equation", collect(), ids=lambda equation: equation.label)
def test_symbols_of_an_equation_are_in_the_table_of_its_page_with_a_unit(equation, book):
    page = book[f"model/{page_of_label(equation.label)}.md"]
    shown = page.partition(f'id="eq-{equation.label.lower()}"')[2].partition("</table>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>.*?</tr>", shown)]
    units = {row[0]: row[2] for row in rows if row}
    for symbol in equation.symbols:
        assert units[html.math(symbol.latex)] == escape(symbol.unit) != "", symbol


def test_every_link_of_the_book_leads_to_an_anchor(book):
    anchors = {name: set(re.findall(r'\bid="([^"]+)"', page)) for name, page in book.items()}
    for name, page in book.items():
        for target, anchor in re.findall(r'href="([^"#]*)#([^"]+)"', page):
            there = f"model/{Path(target).stem}.md" if target else name
            assert anchor in anchors[there], (name, target, anchor)


WITHOUT_PARAMETERS = (
    "effects",
    "axes",  # on the page of severity, with the next
    "temperature",
    "tumors",
    "lesion_map",
    "lesion_measures",
)
WITHOUT_EQUATIONS = (
    "tissues",
    "severity",
    "tumors",
)  # of severity, on the pages of its axes and temperature


def test_every_mechanism_has_a_diagram_tables_assumptions_differences_and_sources(book):
    numerical = ("numerics", "tolerance")
    for name in (*MECHANISMS, *DRUGS):
        if name in numerical:
            continue
        page = book[f"model/{name}.md"]
        assert text.DIAGRAM in page, name
        sections = ["Differences from publications", "Sources"]
        sections += ["Equations"] if name not in WITHOUT_EQUATIONS else []
        sections += ["Assumptions"] if name != "effects" else []
        sections += ["Parameters"] if name not in WITHOUT_PARAMETERS else []
        for section in sections:
            assert re.search(rf"^## {section}\n\n\S", page, re.MULTILINE), (name, section)
        stated = page.partition("## Differences from publications")[2]
        assert re.search(r"\n- (Differs from \\\[\[\w+\d{4}\]|No publication is repr)", stated), (
            name
        )
    with_states = {page for page, content in book.items() if "\n## States" in content}
    assert len(with_states) == 17  # ten mechanisms and seven supportive drugs


def test_symbols_without_a_path_lead_to_the_equations_that_define_them(book):
    row = re.search(r"<td>Killing by T cells</td>.*", book["model/targets.md"])[0]
    assert 'href="engagement.html#eq-e7"' in row
    row = re.search(r"<td>Homeostatic return to baseline</td>.*", book["model/targets.md"])[0]
    assert "#eq-g3" in row
    assert "#eq-t11" not in row


def test_mathml_is_well_formed():
    for equation in collect():
        for latex in (equation.latex, *(symbol.latex for symbol in equation.symbols)):
            math = html.math(latex)
            ElementTree.fromstring(math)
            assert "\\" not in math, equation.label


def test_docstrings_become_markdown():
    doc = (
        "Summary.\n\nRates k_on*z, *soluble* drug [Bender2024]::\n\n    a -> b\n\n    c\n\n"
        "Args:\n    x: X."
    )
    summary, body = text.heading(doc)
    assert summary == "Summary."
    assert body == (
        r"Rates k\_on\*z, *soluble* drug \[[Bender2024](references.md#Bender2024)\]:"
        "\n\n``` { .text .diagram }\na -> b\n\nc\n```"
    )


def test_everything_after_the_word_assumed_is_an_assumption():
    docs = [
        "Summary.\n\nFacts. Assumed: one pool. It is mixed.\n\nRates (assumed). Facts.\n\nArgs:"
    ]
    assert text.assumptions(docs) == ["One pool. It is mixed.", "Rates (assumed)."]


def test_validation_page_has_the_published_values_of_the_package():
    with (ROOT / "docs" / "validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = Counter((f.molecule, f.what, f.when, f.published.text) for f in published_facts())
    shown = Counter(
        (
            row["molecule"],
            row["quantity"],
            row["dose or time"],
            row["published"] or row["recalled"],
        )
        for row in rows
        if not row["quantity"].startswith("Digitized curve")
    )
    assert shown == ours, "run scripts/validation_table.py"
    assert set(rows[0]) == {"result", *COLUMNS}


def test_validation_page_has_every_row_once_and_misses_first():
    with (ROOT / "docs" / "validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    page = validation_page()
    assert f"{PATIENTS} virtual patients per regimen, seed {SEED}." in " ".join(page.split())
    assert f"Of {len(rows)} values: " in page
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", page, re.MULTILINE))
    titles = list(sections)
    assert titles[:3] == [
        "Requirements that are not met",
        "Outside the limits",
        "Large deviations without a limit",
    ]
    missed = [row for row in requirements() if row["result"] == "not met"]
    for row in missed:
        assert f"Measured: {row['measured']}." in sections[titles[0]]
    assert sections[titles[0]].count("*Mechanism.*") == len(missed)
    assert sections["Requirements"].count("<tr><td>") == len(requirements())
    assert titles.index("Counting of CRS events") < titles.index("Within the limits")
    parts = {
        "misses": "Outside the limits",
        "within": "Within the limits",
        "shown": "Shown without a limit",
        "skipped": "Skipped",
        "large": "Large deviations without a limit",
    }
    count = Counter()
    for row in rows:
        is_deviation = row["result"] == "shown" and is_large(row["difference"])
        title = parts["large" if is_deviation else row["result"]]
        cells = "".join(f"<td>{escape(row[name])}</td>" for name in list(row)[1:])
        assert sections[title].count(cells) >= 1, row
        count[title] += 1
    assert {title: sections[title].count("<tr><td>") for title in parts.values()} == count


def test_large_deviations_are_above_12_points_or_3_fold():
    assert [is_large(f"{n:+.1f} points") for n in (12.0, 12.1, -12.1, -3)] == [0, 1, 1, 0]
    assert [is_large(f"x {n:.2f}") for n in (3.0, 3.01, 0.33, 0.34)] == [0, 1, 1, 0]
    assert [is_large(f"odds x {n:.2f}") for n in (3.0, 3.01)] == [0, 1]
    assert [is_large(f"{n:+.2f}") for n in (0.25, 0.26, -0.26)] == [0, 1, 1]
    assert not is_large("")


def test_validation_page_without_a_table_is_refused():
    with pytest.raises(ValueError, match="table: misses"):
        validation_page("# Validation\n")


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.stem)
def test_names_in_the_pages_exist(page):
    for name in set(re.findall(r"`(qsp(?:\.\w+)+)`|::: (qsp[.\w]*)", page.read_text())):
        path = name[0] or name[1]
        module, rest = path, []
        while module:
            try:
                found = importlib.import_module(module)
                break
            except ModuleNotFoundError:
                module, _, last = module.rpartition(".")
                rest.insert(0, last)
        for part in rest:
            found = getattr(found, part)


def test_links_without_a_target_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"></p><a href="b.html#there"></a><a href="#here">')
    (tmp_path / "b.html").write_text('<a href="c.html"></a><a href="https://example.org"></a>')
    assert set(dead_links(tmp_path)) == {"a.html: b.html#there", "b.html: c.html"}
