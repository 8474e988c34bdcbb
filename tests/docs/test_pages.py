"""Names, paths, labels and links in the written pages."""

import importlib
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from qsp.explain.equations import collect

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = re.compile(r"(model|notebooks)/.*\.md")
"""Pages that scripts/build_docs.py adds to docs/; it checks the links to them."""

PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("*/README.md")]
    if "runs" not in path.parts
)


def without_code(text):
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^()\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        path = unquote(link.partition("#")[0])
        if not path or re.match(r"\w+:", path):
            continue
        target = (page.parent / path).resolve()
        is_generated = target.is_relative_to(DOCS) and GENERATED.fullmatch(
            target.relative_to(DOCS).as_posix()
        )
        assert is_generated or target.exists(), link


@pytest.mark.parametrize("name", ["architecture.md", "native.md"])
def test_files_of_page_exist(name):
    text = (DOCS / name).read_text()
    for path in re.findall(
        r"`((?:qsp|configs|populations|tests|scripts|benchmarks)/[^`\s]*)`", text
    ):
        assert (ROOT / path).exists(), path


def test_equations_of_the_architecture_are_those_of_the_book():
    text = (DOCS / "architecture.md").read_text()
    labels = {equation.label for equation in collect()}
    cited = set(re.findall(r"Eq\. (\w+)", text))
    assert len(cited) >= 9
    assert cited <= labels


def test_picture_of_the_architecture_names_packages():
    names = re.findall(r"\bqsp\.\w+", (DOCS / "assets" / "architecture.svg").read_text())
    assert len(set(names)) >= 8
    for name in set(names):
        module, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(module), last) or importlib.import_module(name)


def test_every_package_has_a_layer_in_the_architecture():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    names = re.findall(r"\w+", " ".join(layers["contracts"][0]["layers"]))
    packages = {name for name in names if (ROOT / "qsp" / name / "__init__.py").is_file()}
    text = (DOCS / "architecture.md").read_text()
    listed = set(re.findall(r"`qsp[./](\w+)", text))
    assert packages - {"shipped"} <= listed
