"""Observed curves with a header: units, names, and all errors of all files together."""

from pathlib import Path

import numpy as np
import pytest

from qsp.errors import ConfigError, QSPWarning
from qsp.validation.curve_bands import curves_of, simulated_arms
from qsp.validation.curve_file import read_curves
from tests.docs.code_blocks import blocks

HEADER = {
    "quantity": "il6",
    "unit": "pg/mL",
    "molecule": "mosunetuzumab",
    "arm": "MOSU_IV_1_2_60_30",
}
POINTS = "time,value\n0,5\n0.25,40\n"


def written(folder, name="made_up.csv", points=POINTS, **header):
    lines = [f"# {key}: {text}" for key, text in (HEADER | header).items() if text is not None]
    path = folder / name
    path.write_text("\n".join([*lines, points]))
    return path


def only(folder):
    (curve,) = curves_of(folder)
    return curve


def test_header_and_points_are_read(tmp_path):
    written(tmp_path, source="made up", note="read by eye: twice")
    curve = only(tmp_path)
    assert (curve.file, curve.quantity, curve.unit) == ("made_up.csv", "il6", "pg/mL")
    assert (curve.molecule, curve.study) == ("mosunetuzumab", "mosunetuzumab")
    assert (curve.arm, curve.statistic) == ("MOSU_IV_1_2_60_30", "individual")
    assert curve.source == "made up"
    np.testing.assert_array_equal(curve.day, [0, 0.25])
    np.testing.assert_array_equal(curve.value, [5, 40])
    assert np.isnan(curve.low).all()
    assert curve.line.tolist() == [8, 9]


@pytest.mark.parametrize(
    ("quantity", "unit", "factor"),
    [
        ("IL-6", "ng/L", 1.0),
        ("ifn_gamma", "ng/mL", 1000.0),
        ("b_cells_blood", "cell", 1e-6),
        ("tumor_volume", "L", 1000.0),
        ("drug", "pmol/mL", 1.0),
        ("drug_central", "ug/mL", 1000.0 / 146.0),  # molecular weight 146 kDa
        ("Drug central", "ng/mL", 1.0 / 146.0),
    ],
)
def test_units_are_converted(tmp_path, quantity, unit, factor):
    written(tmp_path, quantity=quantity, unit=unit)
    assert only(tmp_path).per_unit == pytest.approx(factor)


@pytest.mark.parametrize(("time", "days"), [("hour", 1 / 24), ("h", 1 / 24), ("week", 7.0)])
def test_unit_of_time_is_converted(tmp_path, time, days):
    written(tmp_path, points="time,value\n2,5\n", time=time)
    assert only(tmp_path).day[0] == pytest.approx(2 * days)


def test_interval_may_be_partly_missing(tmp_path):
    written(tmp_path, points="value,time,low,high\n5,1,3,9\n6,2,,.\n", statistic="Mean")
    curve = only(tmp_path)
    assert curve.statistic == "mean"
    np.testing.assert_array_equal(curve.low, [3, np.nan])
    np.testing.assert_array_equal(curve.high, [9, np.nan])


@pytest.mark.parametrize(
    ("molecule", "arm", "found"),
    [
        ("mosunetuzumab", "MOSU_IV_1_2_60_30", ("mosunetuzumab", "MOSU_IV_1_2_60_30")),
        (
            "mosunetuzumab",
            "mosunetuzumab_fl/approved",
            ("mosunetuzumab_fl", "approved"),
        ),
        ("teclistamab", "teclistamab_1.5_weekly", ("approved/teclistamab_1.5_weekly", "approved")),
        ("Glofitamab", "approved/glofitamab", ("approved/glofitamab", "approved")),
    ],
)
def test_arm_is_a_regimen_of_a_study_or_an_approved_one(tmp_path, molecule, arm, found):
    written(tmp_path, molecule=molecule, arm=arm)
    assert (only(tmp_path).study, only(tmp_path).arm) == found


def test_each_molecule_has_a_regimen():
    from qsp.molecules import names

    assert set(simulated_arms()) == set(names())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_file_of_a_spreadsheet_is_read(tmp_path, encoding):
    path = written(tmp_path)
    text = path.read_text().replace(": il6", ": il6,,").replace("\n", "\r\n")
    path.write_bytes(text.encode(encoding))
    assert only(tmp_path).quantity == "il6"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": "il7"}, r"made_up.csv: line 1: quantity must be a known one, but is 'il7'"),
        ({"quantity": None}, r"made_up.csv: quantity must be in the header, but is missing. Write"),
        ({"unit": "foo"}, r"line 2: unit must have a unit like pg/mL, but is 'foo'"),
        ({"unit": "mg"}, r"line 2: unit must have the dimension of pg/mL, but is 'mg'"),
        ({"unit": ""}, r"unit must be in the header"),
        ({"molecule": "aspirin"}, r"line 3: molecule must be one with a simulated study"),
        ({"arm": "ARM_A"}, r"line 4: arm must be a regimen of mosunetuzumab, but is 'ARM_A'\. "),
        ({"arm": "TEBE_20_30_68"}, r"arm must be a regimen of mosunetuzumab"),
        ({"statistic": "mode"}, r"line 5: statistic must be one of individual, median, mean"),
        ({"time": "mL"}, r"line 5: time must have the dimension of day"),
        ({"quantitys": "il6"}, r"key 'quantitys' of the header must be .* Did you mean 'quantity'"),
    ],
)
def test_error_of_the_header_names_file_line_and_rule(tmp_path, changes, message):
    written(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message):
        curves_of(tmp_path)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            "time,value\n0,5\n1,high\n",
            r"made_up.csv: line 7: value must be a number, but is 'high'",
        ),
        ("time,value\n0,\n", r"line 6: value must be a number, but is ''. Write a number, or rem"),
        ("time,value\n0,NA\n", r"line 6: value must be a number"),
        ("time,value\n8:00,5\n", r"line 6: time must be a number, but is the clock time '8:00'"),
        ("time,value\n0,-5\n", r"line 6: value must not be negative, but is -5"),
        ("time,value\n0,5,6\n", r"line 6: the line must have 2 cells"),
        ("time,value,low,high\n0,5,7,6\n", r"line 6: low must be below high, but is 7"),
        ("time,value\n", r"made_up.csv: the file must hold points, but is empty"),
        ("time,il6\n0,5\n", r"made_up.csv: the column value must be present, but is missing"),
        ("time,value,sd\n0,5,1\n", r"the column sd must be a known one"),
        ("time,value,value\n0,5,5\n", r"the column value must be present once"),
        ("time;value\n0;5\n", r"the separator of the columns must be a comma"),
    ],
)
def test_error_of_a_point_names_file_and_line(tmp_path, points, message):
    written(tmp_path, points=points)
    with pytest.raises(ConfigError, match=message):
        curves_of(tmp_path)


def test_key_may_not_be_repeated(tmp_path):
    path = written(tmp_path)
    path.write_text("# unit: ng/mL\n" + path.read_text())
    with pytest.raises(ConfigError, match=r"line 3: unit must be in the header once"):
        curves_of(tmp_path)


def test_errors_of_all_files_are_reported_together_up_to_twenty(tmp_path):
    rows = "".join(f"{n},none\n" for n in range(15))
    written(tmp_path, "a.csv", points=f"time,value\n{rows}", quantity="il7")
    written(tmp_path, "b.csv", points=f"time,value\n{rows}")
    with pytest.raises(ConfigError) as caught:
        curves_of(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("a.csv: line 1: quantity")
    assert [line.split(":")[0] for line in lines[:-1]] == ["a.csv"] * 16 + ["b.csv"] * 4
    assert lines[-1] == "and 11 more errors."


def test_file_without_a_header_is_named_and_left_out(tmp_path):
    written(tmp_path)
    (tmp_path / "other.csv").write_text(POINTS)
    (tmp_path / "mosunetuzumab_pk.csv").write_text(POINTS)  # read by its name elsewhere
    with pytest.warns(QSPWarning, match=r"not compared, .* # quantity: il6: other.csv$") as caught:
        assert only(tmp_path).file == "made_up.csv"
    assert len(caught) == 1


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="--curves must be a folder that exists"):
        read_curves(tmp_path / "absent", {})


def test_example_of_the_documentation_is_a_curve(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "validation.md"
    (block,) = [each for each in blocks(page) if each.title == "mosunetuzumab_il6.csv"]
    (tmp_path / block.title).write_text(block.code)
    curve = only(tmp_path)
    assert curve.statistic == "median"
    np.testing.assert_allclose(24 * curve.day, [0, 6, 24])
