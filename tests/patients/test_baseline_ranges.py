"""The file of ranges before treatment: valid files are read, and each error names its line."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.errors import ConfigError
from qsp.patients.baseline_ranges import COLUMNS, QUANTITIES, STATUSES, ranges_of, read_ranges

HEADER = ",".join(COLUMNS) + "\n"
NUMBERS = st.floats(0.0, 1e6, allow_nan=False)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("ranges") / "ranges.csv"

    def of(*rows, header=HEADER):
        path.write_text(header + "\n".join(rows), encoding="utf-8")
        return read_ranges(path)

    return of


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(sorted(QUANTITIES)),
            st.sampled_from(["", "NHL", "multiple myeloma"]),
            st.tuples(NUMBERS, NUMBERS).map(sorted),
            st.sampled_from(STATUSES),
        ),
        min_size=1,
        unique_by=lambda row: row[:2],
    )
)
def test_valid_ranges_are_read_as_written(read, rows):
    texts = [
        f"{quantity},{disease},{low!r},{high!r},{QUANTITIES[quantity]},{status},Author 2020,"
        for quantity, disease, (low, high), status in rows
    ]
    found = read(*texts)
    assert [(r.quantity, r.disease, [r.low, r.high], r.status) for r in found] == rows
    own = ranges_of(found, "NHL")
    assert len({each.quantity for each in own}) == len(own)
    assert {each.quantity for each in own} == {row[0] for row in rows if row[1] in ("", "NHL")}
    assert all(each.disease == "NHL" for each in own if (each.quantity, "NHL") in
               {row[:2] for row in rows})  # fmt: skip


@given(rows=st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=9), max_size=4))
def test_any_text_is_read_or_refused(read, rows):
    with contextlib.suppress(ConfigError):  # any other exception is an error of the reader
        assert read(*(",".join(row) for row in rows))


def test_units_are_converted(read):
    (found,) = read("il6_baseline,,0.001,0.01,ng/mL,assumed,,")
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(10.0))
    (found,) = read("t_cells_blood_baseline,,16e6,2e9,1/L,assumed,,")
    assert (found.low, found.high) == (pytest.approx(16.0), pytest.approx(2000.0))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("il6,,1,2,pg/mL,assumed,,", "line 2: quantity must be one that has a range, but is 'il6'. "
         "Did you mean 'il6_baseline'"),
        ("il6_baseline,,3,2,pg/mL,assumed,,", "low must be at most high (2), but is 3"),
        ("il6_baseline,,-1,2,pg/mL,assumed,,", "low must be 0 or more"),
        ("il6_baseline,,,2,pg/mL,assumed,,", "low must be given"),
        ("il6_baseline,,1,two,pg/mL,assumed,,", "high must be a number"),
        ("il6_baseline,,1,2,,assumed,,", "unit must be given"),
        ("il6_baseline,,1,2,kg,assumed,,", "kg"),
        ("il6_baseline,,1,2,pg/mL,recalled,,", "status must be published or assumed"),
        ("il6_baseline,,1,2,pg/mL,published,,", "source must be given for a published range"),
        ("il6_baseline,,1,2,pg/mL,assumed,,\nil6_baseline,,1,3,pg/mL,assumed,,",
         "line 3: quantity must be given once for a disease, but is il6_baseline twice"),
        ("", "the file must have ranges, but is empty"),
    ],
)  # fmt: skip
def test_wrong_rows_are_refused_with_a_remedy(read, row, message):
    with pytest.raises(ConfigError) as caught:
        read(row)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("quantity,low\n", "the column disease must be in the first line"),
        (HEADER.replace("low", "lo"), "lo must be a known column, but is unknown"),
        (HEADER.replace("high", "low"), "a column must appear once, but is 'low' twice"),
    ],
)
def test_wrong_columns_are_refused(read, header, message):
    with pytest.raises(ConfigError) as caught:
        read("il6_baseline,1", header=header)
    assert message in str(caught.value)
