"""Fitted values as text, and files that are replaced as a whole."""

import tomllib
from pathlib import Path

import pytest

from qsp.calibration.parameters import Parameter, read
from qsp.calibration.problem import FILE
from qsp.calibration.written import Written, replace_file, rounded, values, with_value
from qsp.errors import ConfigError

ROOT = Path(__file__).parents[2]


def test_rounding_keeps_three_digits():
    assert [rounded(v) for v in (0.00123456, 1234.56, 0.5)] == ["0.00123", "1230", "0.5"]


def test_a_file_is_replaced_and_no_draft_remains(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text("old")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


SHARED = Parameter("p", "cytokines.p_IL6", 400.0, 1.0, unit="pg/mL/hour")
FACTOR = Parameter("f", "cytokines.p_IL6", 2.0, 1.0, diseases=("NHL",), file="populations/nhl.toml")
ALPHA = Parameter("alpha_a", "synapse.alpha", 1e-3, 1.0, molecules=("a",))
OTHER = Parameter("alpha_b", "synapse.alpha", 1e-5, 1.0, molecules=("b",))


def test_a_disease_gets_the_product_and_a_molecule_without_data_the_geometric_mean():
    mean = {"path": "synapse.alpha", "molecules": ["c"], "of": ["alpha_"]}
    zero = dict.fromkeys(("p", "f", "alpha_a", "alpha_b"), 0.0)
    found = {
        (each.file, each.text, each.status)
        for each in values((SHARED, FACTOR, ALPHA, OTHER), zero, [mean])
    }
    assert found == {
        ("qsp/model/physiology.toml", "400 pg/mL/hour", "tuned"),
        ("populations/nhl.toml", "800 pg/mL/hour", "tuned"),
        ("qsp/molecules/a.toml", "0.001", "tuned"),
        ("qsp/molecules/b.toml", "1e-05", "tuned"),
        ("qsp/molecules/c.toml", "0.0001", "assumed"),
    }


TEXT = """[synapse]
alpha = { value = "1", status = "assumed", cv = "80 %", note = "value of x" }

[other]
alpha = { value = "3", status = "assumed" }
"""


def test_value_and_status_change_in_the_line_of_the_path_only():
    found = with_value(TEXT, Written("x.toml", "synapse.alpha", "2 nmol/L", "tuned"))
    before, after = tomllib.loads(TEXT), tomllib.loads(found)
    assert after["synapse"]["alpha"] == before["synapse"]["alpha"] | {
        "value": "2 nmol/L",
        "status": "tuned",
    }
    assert after["other"] == before["other"]


def test_a_path_without_a_line_is_an_error():
    with pytest.raises(ConfigError, match=r"synapse\.beta"):
        with_value(TEXT, Written("x.toml", "synapse.beta", "2", "tuned"))


def test_shipped_values_are_those_of_the_recorded_fit():
    tables, parameters = read(FILE)
    record = tomllib.loads((FILE.parent / "calibrated.toml").read_text())
    z = {each.name: record[each.name]["z"] for each in parameters}
    for each in values(parameters, z, tables["means"], tables["ratios"]):
        section = tomllib.loads((ROOT / each.file).read_text())
        for key in each.path.split("."):
            section = section[key]
        number, _, unit = each.text.partition(" ")
        shipped, _, shipped_unit = section["value"].partition(" ")
        assert (section["status"], shipped_unit) == (each.status, unit), each
        # The record has z with six digits, the shipped value three digits.
        assert float(shipped) == pytest.approx(float(number), rel=6e-3), each
