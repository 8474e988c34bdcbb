"""Figures of a report, drawn in a second process: the same ones, and no process is left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from qsp.endpoints import add_best_response
from qsp.report import drawing
from tests import synthetic

HERE = {"here": drawing.Picture("drawn in this process", "", "", "png")}


@pytest.fixture(scope="module")
def patient():
    """One patient without time courses, whose report has two figures: one SVG, one PNG."""
    ds = synthetic.lively(12).isel(patient=[0]).drop_dims("time")
    return add_best_response(synthetic.typical(ds))


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(drawing, "_cores", lambda: 2)


@pytest.fixture
def marked(monkeypatch):
    """Figures of this process that differ from those of another one."""
    monkeypatch.setattr("qsp.report.pictures.pictures", lambda *_: HERE)


@pytest.fixture
def started(monkeypatch):
    """Processes that were started."""
    found, start = [], drawing._started

    def noted():
        found.append(start())
        return found[-1]

    monkeypatch.setattr(drawing, "_started", noted)
    return found


def test_a_second_process_draws_the_same_figures(patient, started):
    with drawing.in_second_process() as draw:
        found = draw(patient, None, 100)()
    assert found == drawing.in_this_process(patient, None, 100)()
    assert {picture.kind for picture in found.values()} == {"svg+xml", "png"}
    assert started[0].returncode == 0  # it was not ended before it had answered


def test_figures_come_from_the_second_process(patient, marked):
    with drawing.in_second_process() as draw:
        assert "crs_by_dose" in draw(patient, None, 100)()


@pytest.mark.parametrize(
    "code",
    ["raise SystemExit(1)", "import sys; sys.stdin.buffer.read(); print('no figures')"],
    ids=["fails", "answers with something else"],
)
def test_figures_are_drawn_here_if_the_second_process_cannot(patient, marked, code, monkeypatch):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    start = lambda: subprocess.Popen([sys.executable, "-c", code], **pipes)
    monkeypatch.setattr(drawing, "_started", start)
    with drawing.in_second_process() as draw:
        assert draw(patient, None, 100)() == HERE


def test_a_warning_occurs_in_this_process(patient):
    rare = synthetic.with_record(patient, arms={"flat": {"title": "\U00013000"}})
    with (
        drawing.in_second_process() as draw,
        pytest.warns(UserWarning, match="missing from font"),
    ):
        draw(rare, None, 100)()


def test_figures_are_drawn_here_if_no_process_can_be_started(patient, marked, monkeypatch):
    def none():
        raise BlockingIOError

    monkeypatch.setattr(drawing, "_started", none)
    with drawing.in_second_process() as draw:
        assert draw(patient, None, 100)() == HERE


def test_one_core_draws_in_one_process(patient, marked, started, monkeypatch):
    monkeypatch.setattr(drawing, "_cores", lambda: 1)
    with drawing.in_second_process() as draw:
        assert draw(patient, None, 100)() == HERE
    assert not started


def test_large_results_are_not_copied(patient, marked, monkeypatch):
    monkeypatch.setattr(drawing, "LARGEST", 1000)
    with drawing.in_second_process() as draw:
        assert draw(patient, None, 100)() == HERE


@pytest.mark.parametrize("asked", [False, True], ids=["before it draws", "while it draws"])
def test_an_interrupt_ends_the_second_process(patient, started, asked):
    def interrupted():
        with drawing.in_second_process() as draw:
            if asked:
                draw(patient, None, 100)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert started[0].returncode == -signal.SIGKILL


def test_second_process_ends_if_this_one_is_killed():
    code = (
        "from qsp.report import drawing; import time; drawing._cores = lambda: 2; "
        "start = drawing._started; drawing._started = lambda: noted(start())\n"
        "def noted(second): print(second.pid, flush=True); return second\n"
        "with drawing.in_second_process(): time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as first:
        second = int(first.stdout.readline())
        first.kill()
    limit = time.monotonic() + 60
    while _runs(second):
        assert time.monotonic() < limit
        time.sleep(0.1)


def _runs(pid):
    """Whether a process runs; one that ended and that its parent has not asked for does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_second_process_imports_nothing_from_the_working_directory(
    patient, tmp_path, marked, monkeypatch
):
    (tmp_path / "numpy.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    monkeypatch.chdir(tmp_path)
    with drawing.in_second_process() as draw:
        assert "crs_by_dose" in draw(patient, None, 100)()
