"""Digitized curves: compared if present, reported as skipped if missing."""

import pytest

from qsp.errors import ConfigError
from qsp.validation import curves
from qsp.validation.curves import IL6_FILES, PK_FILE, curve_facts, points
from qsp.validation.judge import Verdict


@pytest.fixture
def prepared(monkeypatch):
    monkeypatch.setattr(curves, "dose_starts", lambda study, arm: (0.0, 7.0))
    return {"mosunetuzumab": None}


def test_without_a_folder_every_curve_is_skipped_with_a_reason(prepared):
    facts, rows = curve_facts(None, prepared)
    assert facts == ()
    assert [row.verdict for row in rows] == [Verdict.SKIPPED] * 3
    assert {row.cells()[7] for row in rows} == {"skipped: no folder of curves"}
    assert [row.fact.molecule for row in rows] == ["mosunetuzumab", "blinatumomab", "blinatumomab"]


def test_missing_file_is_skipped_by_name(prepared, tmp_path):
    (tmp_path / PK_FILE).write_text("day,ug\n1,0.1\n")
    facts, rows = curve_facts(tmp_path, prepared)
    assert len(facts) == 1
    assert [row.cells()[7] for row in rows] == [f"skipped: no {file}" for file in IL6_FILES]


def test_missing_folder_is_an_error(prepared, tmp_path):
    with pytest.raises(ConfigError, match="--curves must be a folder that exists, but is missing"):
        curve_facts(tmp_path / "absent", prepared)


def test_points_within_six_hours_of_a_dose_have_no_verdict(prepared, tmp_path):
    (tmp_path / PK_FILE).write_text("day,ug\n0.2,1\n0.25,1\n6.9,1\n7,1\n7.24,1\n7.3,1\n")
    facts, _ = curve_facts(tmp_path, prepared)
    assert [fact.rule.judged for fact in facts] == [False, True, True, False, False, True]
    assert {fact.rule.text for fact in facts} == {"within 6 h of a dose", "0.7 to 1.4"}
    assert [fact.time for fact in facts] == [0.2, 0.25, 6.9, 7.0, 7.24, 7.3]


def test_samples_near_a_time_give_the_median_above_the_detection_limit(prepared, tmp_path):
    file = next(iter(IL6_FILES))
    lines = ["0.1,20", "0.2,8", "0.3,40", "0.4,100", "0.6,300", "0.5,10", "1.0,5000"]
    (tmp_path / file).write_text("\n".join(["day,pg", *lines]))
    early, late = curve_facts(tmp_path, prepared)[0]
    assert (early.published.value, early.time) == (30.0, 0.25)
    assert (late.published.value, late.time) == (200.0, 0.5)
    assert early.what.endswith("2 samples")
    assert early.rule.text == late.rule.text == "3-fold"


def test_curve_without_a_detectable_sample_is_refused(prepared, tmp_path):
    (tmp_path / next(iter(IL6_FILES))).write_text("day,pg\n0.2,8\n0.5,90\n")
    with pytest.raises(ConfigError, match="the file must hold samples near day 0.25"):
        curve_facts(tmp_path, prepared)


@pytest.mark.parametrize("line", ["1", "1,2,3", "one,2"])
def test_line_that_is_no_point_is_named(tmp_path, line):
    path = tmp_path / "curve.csv"
    path.write_text(f"day,value\n0,1\n{line}\n")
    with pytest.raises(ConfigError, match=r"curve.csv: line 3: the line must be two numbers"):
        points(path)
