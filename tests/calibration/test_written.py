"""Fitted values as text, and files that are replaced as a whole."""

from qsp.calibration.written import replace_file, rounded


def test_rounding_keeps_three_digits():
    assert [rounded(v) for v in (0.00123456, 1234.56, 0.5)] == ["0.00123", "1230", "0.5"]


def test_a_file_is_replaced_and_no_draft_remains(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text("old")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
