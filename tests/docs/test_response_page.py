"""Page of the response rules: constants with unit and source, and equations."""

import importlib
import re
from pathlib import Path

import pytest

from qsp import response
from qsp.units import is_unit
from scripts.book import response as book

FILES = {path.stem for path in Path(response.__file__).parent.glob("*.py")}


def module(name):
    return importlib.import_module(f"{response.__name__}.{name}")


@pytest.fixture(scope="module")
def page():
    return book.page()


def test_every_module_has_a_section():
    assert set(book.MODULES) == FILES - {"__init__", "category", "rules"}


@pytest.mark.parametrize("name", book.MODULES)
def test_every_constant_has_a_unit_and_a_source(name, page):
    for constant, _, doc in book.constants(module(name)):
        meaning, unit, source = book.described(doc)
        assert is_unit(unit), constant
        assert meaning
        assert re.search(r"\d{4}|assumed", source), constant
        assert f"<code>{constant}</code>" in page


@pytest.mark.parametrize("name", book.MODULES)
def test_every_number_of_a_module_is_a_documented_constant(name):
    """A threshold in the middle of a rule would have neither a unit nor a source."""
    source = Path(str(module(name).__file__)).read_text()
    code = re.sub(r'r?""".*?"""', "", source, flags=re.S)
    body = "\n".join(line for line in code.splitlines() if not re.match(r"[A-Z_]+ = ", line))
    numbers = set(re.findall(r"(?<![\w.])\d+\.\d+", body))
    assert numbers <= {"0.0", "1.0", "6.0", "100.0"}  # pi/6, percent


def test_constant_without_a_source_is_rejected():
    with pytest.raises(ValueError, match="source"):
        book.described("Largest size [cm].")


def test_equations_are_rendered(page):
    assert page.count("<math") == sum(
        (module(name).__doc__ or "").count("$$") // 2 for name in book.MODULES
    )
    assert "$$" not in page
    assert "\\frac" not in re.sub(r"<annotation.*?</annotation>", "", page)
