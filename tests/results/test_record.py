"""The record of a run: the same after a round trip through JSON, and read by all other code."""

import ast
import dataclasses
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.errors import ConfigError
from qsp.parameter_record import ParameterRecord
from qsp.results.record import (
    ArmRecord,
    DoseRecord,
    MethodRecord,
    RegimenRecord,
    RequestRecord,
    RunRecord,
    record_of,
)
from tests import synthetic

ROOT = Path(__file__).resolve().parents[2]
PARSERS = {"tomllib", "shlex"}
MAY_PARSE = {"qsp/results/legacy.py": PARSERS, "qsp/run/record.py": {"shlex"}}
"""Results of earlier versions are parsed in one place; the command for people is joined in one."""

text = st.text(max_size=8)
number = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | text
table = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=6,
)


def tuples(of):
    return st.lists(of, max_size=3).map(tuple)


requests = st.builds(
    RequestRecord, text, tuples(st.tuples(text, text)), maybe, maybe, st.booleans(), maybe
)
doses = st.builds(
    DoseRecord,
    *(number, text, text, text, number, text),
    cap_mg=st.none() | number,
    duration=number,
    period=text,
)
arms = st.builds(
    ArmRecord,
    name=text,
    title=text,
    regimens=tuples(st.builds(RegimenRecord, tuples(doses), tuples(st.integers()))),
    regimens_left_out=st.integers(),
    parameters=st.dictionaries(text, text, max_size=2),
    rules=tuples(text),
    planned_doses=tuples(text),
)
rows = st.builds(ParameterRecord, *[text] * len(dataclasses.fields(ParameterRecord)))
records = st.builds(
    RunRecord,
    *[text] * 5,
    request=st.none() | requests,
    config=st.dictionaries(text, table, max_size=3),
    data_files=st.dictionaries(text, text, max_size=2),
    seed=st.none() | st.integers(),
    method=st.none() | st.builds(MethodRecord, text, number, text, text),
    molecular_weight_kda=st.none() | number,
    days=st.none() | number,
    visits=tuples(number),
    arms=tuples(arms),
    notes=tuples(text),
    parameters=tuples(rows),
    limits=tuples(text),
)


@given(records)
def test_a_record_is_the_same_after_a_round_trip(record):
    assert RunRecord.from_json(record.to_json()) == record


def test_the_record_is_plain_json_with_a_schema():
    assert json.loads(RunRecord(name="trial").to_json())["schema"] == 1


def test_results_without_a_record_have_an_empty_one():
    ds = synthetic.neutral()
    assert record_of(ds).name == "synthetic"
    assert record_of(ds.drop_attrs()) == RunRecord()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "must be the record of a run"),
        ("[]", "must be the record of a run"),
        ('{"schema": 1}', "must be the record of a run"),
        (RunRecord(schema=2).to_json(), "schema must be 1, but is 2"),
    ],
)
def test_a_broken_or_later_record_is_refused(content, message):
    with pytest.raises(ConfigError, match=message):
        RunRecord.from_json(content)


def test_numbers_that_json_lacks_are_not_written():
    with pytest.raises(ValueError, match="JSON"):
        RunRecord(days=math.inf).to_json()


@pytest.mark.parametrize(
    ("time", "day", "hour"),
    [(0.0, 1, 0.0), (-1 / 24, -1, 23.0), (6.9999999, 8, 0.0), (1.5, 2, 12.0)],
)
def test_day_and_hour_are_those_of_a_protocol(time, day, hour):
    dose = DoseRecord(time, "m", "drug_iv", "IV", 1.0)
    assert (dose.day, dose.hour) == (day, pytest.approx(hour, abs=1e-4))


def imported(path):
    """Modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("package", ["plots", "report", "endpoints", "results", "run"])
def test_code_that_reads_results_parses_no_config_and_no_command(package):
    files = sorted((ROOT / "qsp" / package).rglob("*.py"))
    assert files
    for path in files:
        allowed = MAY_PARSE.get(path.relative_to(ROOT).as_posix(), set())
        assert not (set(imported(path)) & PARSERS) - allowed, path
