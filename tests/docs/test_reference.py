"""The Python reference has every public name once, and the methods of its objects."""

import inspect
import re
from collections import Counter
from pathlib import Path

import griffe
import pytest
import typer

import qsp
from qsp.cli.app import app
from qsp.drugs import DRUG_BY_NAME

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
INDEX = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
OBJECTS = re.findall(r"^::: ([\w.]+)", "\n".join(page.read_text() for page in PAGES), re.MULTILINE)
ANCHORS = re.findall(r'<span id="([\w.]+)">', INDEX)


@pytest.fixture(scope="module")
def package():
    """The package as mkdocstrings reads it, without importing it."""
    return griffe.load("qsp", search_paths=[ROOT])


def canonical(package, path):
    found = package[path.removeprefix("qsp.")] if "." in path else package
    return found.canonical_path


def test_every_public_name_is_in_the_reference_once(package):
    written = [name.removeprefix("qsp.") for name in ANCHORS]
    documented = Counter(canonical(package, path) for path in OBJECTS)
    for name in qsp.__all__:
        if name in DRUG_BY_NAME or name == "__version__":
            assert written.count(name) == 1, name
        else:
            assert documented[canonical(package, f"qsp.{name}")] == 1, name
    assert {name for name, times in documented.items() if times > 1} == set()


def test_objects_of_the_interface_are_on_the_first_page(package):
    classes = ("People", "Population", "Molecule", "Results", "Trial", "Trajectory")
    for name in classes:
        (path,) = re.findall(rf"^::: (qsp\.\S*\b{name})$", INDEX, re.MULTILINE)
        found = package[path.removeprefix("qsp.")]
        public = [m for m in found.members.values() if not m.name.startswith("_")]
        methods = [m for m in public if m.is_function or "property" in m.labels]
        assert len(methods) >= 3
        for method in methods:
            assert method.has_docstring, (name, method.name)


def test_links_of_the_table_of_subjects_have_targets():
    links = re.findall(r"\]\(#(qsp\.[\w.]+)\)", INDEX)
    assert len(links) > 10
    for link in links:
        assert link in OBJECTS or link in ANCHORS, link


def test_table_of_supportive_drugs_is_that_of_the_package():
    rows = re.findall(r'`qsp\.(\w+)`</span> \| ([\w, ]+) \| `qsp\.\w+\("(.+?)"\)` \| (\w+)', INDEX)
    assert rows == [
        (name, ", ".join(drug.routes), drug.example, "itself" if name == drug.name else drug.name)
        for name, drug in DRUG_BY_NAME.items()
    ]


def test_arguments_of_supportive_drugs_are_those_of_their_docstring():
    section = INDEX.partition("## Supportive drugs")[2].partition("\n## ")[0]
    first = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| \w", section.split("| Argument")[1], re.MULTILINE
    )
    listed = re.findall(r"\w+", " ".join(first))
    args = inspect.getdoc(qsp.dexamethasone).split("Args:")[1].split("Returns:")[0]
    assert listed == re.findall(r"^    (\w+): ", args, re.MULTILINE)
    signature = section.split("qsp.DRUG(")[1].split("```")[0]
    assert [part.split("=")[0].strip() for part in signature.split(",")] == listed


def test_every_command_is_in_its_page_once_with_options_that_exist():
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`qsp (\w+)[^`]*`)? ?\|.*\|(.*)\|$", text, re.MULTILINE)
    commands = typer.main.get_command(app).commands
    assert sorted(name for _, name, _ in rows if name) == sorted(commands)
    current = ""
    for _, name, options in rows:
        current = name or current
        known = {o for p in commands[current].params for o in (*p.opts, *p.secondary_opts)}
        assert set(re.findall(r"(?<!\S)`(--[\w-]+)", options)) <= known, current
