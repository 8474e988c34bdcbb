"""The layout of a dose table does not change its doses: any legal one gives the same events."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cases.tables import config_of, doses

COLUMNS = ("ID", "TIME", "AMT", "RATE", "II", "ADDL", "EVID", "CMT")
MISSING = ("", ".", "NA", "NaN")


@st.composite
def patients(draw):
    """Rows of one to three patients: the first dose at 0, then later ones, and observations."""
    rows = []
    for number in draw(st.lists(st.integers(0, 9999), min_size=1, max_size=3, unique=True)):
        hours = sorted(draw(st.lists(st.integers(1, 400), max_size=3, unique=True)))
        for hour in (0, *hours):
            amount, central = draw(st.integers(1, 99)), draw(st.booleans())
            rate = amount / draw(st.sampled_from((2, 4, 8))) if central else 0
            further = draw(st.integers(0, 2)) if hour == (hours or [0])[-1] else 0
            rows.append((number, hour, amount, rate, 48 * (further > 0), further, 1, 1 + central))
            if draw(st.booleans()):
                rows.append((number, hour + 0.5, None, None, None, None, draw(EVENTS), None))
    return rows


EVENTS = st.sampled_from((0, 2, None))
NUMBERS = st.sampled_from(
    (
        lambda value: f"{value:g}",
        lambda value: f"{float(value):.6f}",
        lambda value: f"{value:.9E}",
        lambda value: f"{value:.9E}".replace("E", "D"),
        lambda value: f" +{value:g} ",
        lambda value: f'"{value:g}"',
    )
)


@st.composite
def layouts(draw):
    """A function from rows to the bytes of a file."""
    order = draw(st.permutations(range(len(COLUMNS))))
    number, missing = draw(NUMBERS), draw(st.sampled_from(MISSING))
    ends = draw(st.sampled_from(("\n", "\r\n", "\r")))
    encoding = draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16")))
    case = draw(st.sampled_from((str.upper, str.lower, str.title)))
    dose = draw(st.sampled_from((1, 101)))
    tail, marks = draw(st.sampled_from(("", ",,"))), draw(st.booleans())

    def cell(column, value):
        value = dose if column == "EVID" and value == 1 else value
        return missing if value is None else number(value)

    def file(rows):
        header = ("# " if marks else "") + ",".join(case(COLUMNS[n]) for n in order) + tail
        lines = [header]
        for row in rows:
            lines.append(",".join(cell(COLUMNS[n], row[n]) for n in order) + tail)
            lines += ["", "# a comment, with a comma"] if marks else []
        return (ends.join(lines) + ends).encode(encoding)

    return file


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=patients(), layout=layouts())
def test_any_layout_gives_the_same_doses(rows, layout, tmp_path):
    config = config_of(tmp_path, layout(rows), "days=40")
    for number in {row[0] for row in rows}:
        expected = sorted(
            (hour + every * n, amount, amount / rate if rate else 0.0)
            for who, hour, amount, rate, every, further, event, _ in rows
            for n in range((further or 0) + 1)
            if who == number and event == 1
        )
        found = doses(config, number if len({row[0] for row in rows}) > 1 else None)
        assert found == [pytest.approx(dose) for dose in expected]


READ_LARGE = """
import sys, time
from pathlib import Path
from qsp import process
process.start()
from qsp.config import load
began = time.perf_counter()
config = load(sys.argv[1])
trial = config.trial(1000.0)
first, last = trial.arms[0].regimens[0], trial.arms[0].regimens[-1]
print(trial.patients, len(first.administrations), last.administrations[1].amount.value)
# Not ru_maxrss, which a new process takes over from the process that started it.
lines = Path("/proc/self/status").read_text().splitlines()
(peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
print(time.perf_counter() - began, peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_million_lines_take_seconds_and_less_than_a_gigabyte(tmp_path):
    """20,000 patients with 5 doses of their own and 45 observations each."""
    with (tmp_path / "doses.csv").open("w", encoding="utf-8") as file:
        file.write("ID,TIME,AMT,RATE,EVID,CMT,DV\n")
        for number in range(20_000):
            for n in range(5):
                file.write(f"{number},{48 * n},{1 + n + number / 1e5:.5f},0,1,1,.\n")
            file.writelines(f"{number},{240 + n},.,.,0,1,{n}\n" for n in range(45))
    (tmp_path / "trial.toml").write_text(
        'molecule = "mosunetuzumab"\npopulation = "nhl"\ndays = 28\nresponse = "lugano"\n'
        '[dose_table]\nfile = "doses.csv"\ntime_unit = "hour"\ncompartments = { 1 = "depot" }\n'
    )
    words = [sys.executable, "-c", READ_LARGE, str(tmp_path / "trial.toml")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    content, cost = done.stdout.splitlines()
    assert content.split() == ["20000", "5", str(2 + 19_999 / 1e5)]
    seconds, kilobytes = map(float, cost.split())
    assert seconds < 20.0
    assert kilobytes < 1e6
