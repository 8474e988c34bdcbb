"""Interface of the engine: no biology in its source, and a source for every observable of rules."""

import re
from pathlib import Path

import pytest

from qsp import engine
from qsp.engine.adaptive.state import History
from qsp.trial.rules import MEASURED, OBSERVABLES

ROOT = Path(engine.__file__).parent
BIOLOGY = re.compile(r"(?<![a-z])crs(?![a-z])|cytokine|tumou?r|(?<![a-z])il[-_ ]?6", re.IGNORECASE)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_the_engine_contains_no_biology(path):
    assert BIOLOGY.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["CRS", "last_crs", "crs_grade", "cytokines", "IL-6", "il6"])
def test_words_of_biology_are_found(text):
    assert BIOLOGY.search(text)


def test_every_observable_is_measured_or_part_of_the_history():
    """Measured ones come first: the engine appends the history to the measurements."""
    sources = [observable.source for observable in OBSERVABLES]
    assert not any(sources[:MEASURED])
    assert sorted(sources[MEASURED:]) == sorted(History._fields)
