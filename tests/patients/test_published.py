"""Files of published distributions: their content, and the errors of each row."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsp.errors import ConfigError
from qsp.patients import read_published

HEADER = "quantity,arm,period,at_most,unit,share,n,source"
ROW = {"quantity": "age", "arm": "", "period": "", "at_most": "60", "unit": "year", "share": "0.5",
       "n": "80", "source": "A 2020"}  # fmt: skip


def written(tmp_path, *rows, header=HEADER):
    path = tmp_path / "targets.csv"
    lines = [",".join({**ROW, **row}[name] for name in header.split(",")) for row in rows]
    path.write_text("\n".join([header, *lines]))
    return path


def test_rows_of_a_quantity_and_source_are_one_distribution(tmp_path):
    found = read_published(
        written(
            tmp_path,
            {"at_most": "70", "share": "0.75"},
            {},
            {"quantity": "il6_peak", "arm": "step", "period": "SUD1", "unit": "pg/mL"},
            {"source": "B 2021"},
        )
    )
    assert [(each.title, each.source, len(each.shares)) for each in found] == [
        ("age", "A 2020", 2),
        ("il6_peak, step, SUD1", "A 2020", 1),
        ("age", "B 2021", 1),
    ]
    first = found[0]
    np.testing.assert_array_equal(first.at_most, [60.0, 70.0])
    np.testing.assert_allclose(first.probabilities, [0.5, 0.25, 0.25])
    expected = np.array([[0.25, 0.125], [0.125, 0.1875]]) / 80
    np.testing.assert_allclose(first.covariance, expected)
    assert [first.bin_text(n) for n in range(3)] == [
        "60 year or less",
        "above 60 to 70 year",
        "above 70 year",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=6, unique=True),
    st.data(),
)
def test_file_is_read_as_written_in_any_order(tmp_path, points, data):
    count = len(points)
    shares = data.draw(st.lists(st.integers(1, 999), min_size=count, max_size=count, unique=True))
    pairs = list(zip(sorted(points), sorted(shares), strict=True))
    rows = [{"at_most": repr(a), "share": repr(s / 1000)} for a, s in pairs]
    (found,) = read_published(written(tmp_path, *data.draw(st.permutations(rows))))
    np.testing.assert_array_equal(found.at_most, sorted(points))
    np.testing.assert_array_equal(found.shares, np.array(sorted(shares)) / 1000)
    assert found.probabilities.sum() == pytest.approx(1.0)
    assert (np.linalg.eigvalsh(found.covariance) > 0).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"share": "63"}], "line 2: share must be a proportion above 0 and below 1, but is 63. "
         "Write 0.63 for 63 %"),
        ([{"share": "120"}], "share must be a proportion above 0 and below 1, but is 120. Correct "
         "it: a share of 40 %, for example, is 0.4"),
        ([{"share": "0"}], "share must be a proportion above 0 and below 1, but is 0. Leave"),
        ([{"share": "1"}], "share must be a proportion above 0 and below 1, but is 1"),
        ([{"share": "-0.1"}], "share must be a proportion above 0 and below 1, but is -0.1"),
        ([{"share": ""}], "share must be given, but is missing. Write a number"),
        ([{"share": "half"}], "share must be a number, but is 'half'"),
        ([{"n": "0"}], "n must be a whole number of at least 1, but is 0. Write the number"),
        ([{"n": "12.5"}], "n must be a whole number of at least 1, but is 12.5"),
        ([{"unit": ""}], "unit must be given, but is missing. Write the unit of at_most; 1 for"),
        ([{"source": ""}], "source must be given, but is missing. Name the publication"),
        ([{"quantity": ""}], "quantity must be given, but is missing. Name a quantity"),
        ([{"at_most": "NA"}], "at_most must be given, but is missing"),
        ([{}, {}], "line 3: at_most must be given once for a quantity and source, but is 60 twice"),
        ([{}, {"at_most": "70", "share": "0.4"}], "share must increase with at_most within a "
         "quantity and source, but is 0.4 at 70, but 0.5 at 60. The rows contradict"),
        ([{}, {"at_most": "70", "n": "90"}], "n must be the same in all rows of a quantity and "
         "source, but is 90 after 80. Correct it, or name another source"),
        ([{}, {"at_most": "70", "unit": "day"}], "unit must be the same in all rows"),
        ([], "the file must have targets, but is empty. Add a row"),
    ],
)  # fmt: skip
def test_bad_rows_are_refused_with_a_remedy(tmp_path, rows, message):
    with pytest.raises(ConfigError) as caught:
        read_published(written(tmp_path, *rows))
    assert message in str(caught.value)


def test_errors_of_all_rows_are_reported_together(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_published(written(tmp_path, {"share": "2"}, {"n": "0"}, {"unit": ""}))
    assert [f"line {n}" in str(caught.value) for n in (2, 3, 4)] == [True] * 3


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("quantity,at_most,unit,share,n", "the column source must be in the first line"),
        ("quantity,at_most,unit,share,n,source,shares", "shares must be a known column"),
        ("quantity,at_most,unit,share,n,source,n", "a column must appear once, but is 'n' twice"),
    ],
)
def test_bad_columns_are_refused(tmp_path, header, message):
    path = tmp_path / "targets.csv"
    path.write_text(header + "\n")
    with pytest.raises(ConfigError, match="targets.csv: ") as caught:
        read_published(path)
    assert message in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the file of targets must exist, but is missing"):
        read_published(tmp_path / "none.csv")
