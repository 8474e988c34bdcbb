"""One small run of the command line, shared by the tests of its files."""

import contextlib
import importlib
import io
import sys
from pathlib import Path

import pytest

from qsp.cli import app as cli
from tests import small

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = ["--patients", "6", "--set", "days=8", "--set", 'visits=["4 day", "8 day"]']
ONE_WEEK = '[{period="SUD1",time="0 day",amount="1 mg",route="iv",duration="4 hour"}]'


class Done:
    """Exit code and output of a command."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def call(*words):
    """The command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    before, code = sys.argv, 0
    sys.argv = ["qsp", *map(str, words)]
    cli.console.file, cli.errors.file = out, err
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv, cli.console.file, cli.errors.file = before, None, None
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def small_config(tmp_path_factory):
    """Two arms, eight days, one dose each."""
    path = tmp_path_factory.mktemp("configs") / "small.toml"
    path.write_text(small.config(CONFIGS.parent / "populations" / "nhl.toml", 6))
    return path


@pytest.fixture(scope="session")
def small_run(small_config, tmp_path_factory):
    """Folder of a run of the small trial, and the output of the command."""
    out = tmp_path_factory.mktemp("runs") / "small"
    return out, call("run", small_config, "--out", out, "--no-cache")


@pytest.fixture
def no_report(monkeypatch):
    """Runs without report and summary, for tests of the results alone."""
    module = importlib.import_module("qsp.run.runs")
    monkeypatch.setattr(module, "write_report", lambda *_, **__: None)
