"""Large runs in blocks, interruptions, and the display of progress."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import qsp
from qsp.api import simulate as api
from qsp.api.simulate import simulate_trial

K_ACT = "t_cells.k_act"
LIMIT_S = 240
ENDLESS = """
import qsp
from qsp.api.simulate import simulate_trial

class Announce:
    def compiled(self, seconds): pass
    def start(self, sims): pass
    def advance(self, sims): print("advanced", flush=True)

people = qsp.population("nhl").sample(9000, molecule="mosunetuzumab", seed=1)
trial = qsp.Trial.of(qsp.regimen(qsp.iv("60 mg", over="4 h")), people, days=28)
simulate_trial(trial, progress=Announce(), block=64)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Failing:
    """Progress that raises an error after the first chunk."""

    def compiled(self, seconds):
        pass

    def start(self, sims):
        pass

    def advance(self, sims):
        raise KeyboardInterrupt


@pytest.mark.slow
def test_run_in_blocks_is_usable_saved_and_removed(arms, people, run, temporary, tmp_path):
    trial = qsp.Trial.of(arms, people, days=28, visits=[14, 28])
    blocks = simulate_trial(trial, progress=False, block=4)
    assert list(temporary.iterdir())
    np.testing.assert_array_equal(blocks.tree["parameters"][K_ACT], people.parameters[K_ACT])
    assert blocks.difference("step", "flat").equals(run.difference("step", "flat"))
    assert repr(qsp.endpoints.summary(blocks)) == repr(qsp.endpoints.summary(run))
    out = blocks.save(tmp_path / "run")
    assert blocks.report() == out / "report.html"
    with pytest.raises(qsp.QSPError, match="must not exist"):
        blocks.save(out)
    again = qsp.read(out).tree["parameters"]
    assert set(again.data_vars) == set(run.tree["parameters"].data_vars)
    np.testing.assert_array_equal(again[K_ACT], people.parameters[K_ACT])
    del blocks
    assert not list(temporary.iterdir())


def test_error_leaves_no_folder_and_no_thread(arms, people, run, temporary):
    del run  # its program is compiled
    threads = threading.active_count()
    trial = qsp.Trial.of(arms, people, days=28, visits=[14, 28])
    with pytest.raises(KeyboardInterrupt) as caught:  # keeps the frames alive
        simulate_trial(trial, progress=Failing(), block=4)
    assert caught.traceback
    assert not list(temporary.iterdir())
    assert threading.active_count() == threads
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_process_leaves_no_folder(number, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "advanced\n"
    assert list(tmp_path.glob("qsp-*"))
    process.send_signal(number)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode != 0
    assert not list(tmp_path.glob("qsp-*"))


def count(progress):
    """Use progress as a run of 12 simulations does."""
    with api._shown(progress) as shown:
        shown.compiled(0.1)
        shown.start(12)
        shown.advance(12)


def console(text, *, terminal):
    return lambda **_: Console(file=text, force_terminal=terminal, width=80, force_jupyter=False)


def test_terminal_shows_a_bar(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(api, "Console", console(text, terminal=True))
    count(True)
    assert "Compiled in" in text.getvalue()
    assert "12/12" in text.getvalue()


def test_other_output_stays_empty(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(api, "Console", console(text, terminal=False))
    count(True)
    assert text.getvalue() == ""
    monkeypatch.setattr(api, "Console", console(text, terminal=True))
    count(False)
    assert text.getvalue() == ""


def test_notebook_shows_a_line_that_it_updates(tmp_path):
    pytest.importorskip("ipykernel")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    code = (
        "from qsp.api import simulate as api\n"
        "with api._shown(True) as shown:\n"
        "    shown.compiled(0.1); shown.start(12); shown.advance(12)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    root = Path(qsp.__file__).parents[1]
    nbclient.NotebookClient(notebook, timeout=LIMIT_S).execute(cwd=str(root))
    (output,) = notebook.cells[0].outputs
    assert output["data"]["text/plain"].startswith("compiled in 0.1 s")
    assert output["data"]["text/plain"].endswith(", 12 of 12 patients x arms")
