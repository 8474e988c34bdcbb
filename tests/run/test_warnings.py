"""Warnings on the command line: each is one line on standard error, without code."""

import shutil
import warnings
from pathlib import Path

import pytest

from qsp.cli.messages import warnings_as_lines
from tests.run.conftest import call

OLD = Path(__file__).resolve().parents[1] / "old"

pytestmark = pytest.mark.filterwarnings("default")


def test_old_keys_of_a_config_are_one_line():
    done = call("check", OLD / "mosunetuzumab_rules.toml")
    assert done.code == 0, done.err
    (line,) = done.err.splitlines()
    assert line.startswith(f"qsp: warning: {OLD / 'mosunetuzumab_rules.toml'} has keys of an ear")
    assert line.endswith("consecutive_visits. Old names will be refused later.")


def test_old_results_are_one_line(tmp_path, no_figures, monkeypatch):
    monkeypatch.setattr("qsp.model.MODEL_VERSION", "1.2")
    shutil.copy(OLD / "results.nc", tmp_path)
    done = call("report", tmp_path)
    assert done.code == 0, done.err
    (line,) = done.err.splitlines()
    assert line.startswith("qsp: warning: results of qsp 0.1.0, read under the names of this ver")


def test_old_results_of_another_model_have_a_line_on_each(tmp_path, no_figures, monkeypatch):
    monkeypatch.setattr("qsp.model.MODEL_VERSION", "2.0")
    shutil.copy(OLD / "results.nc", tmp_path)
    done = call("report", tmp_path)
    assert done.code == 0, done.err
    first, second = done.err.splitlines()
    assert first.startswith("qsp: warning: results of qsp 0.1.0, read under the names of this ver")
    assert second.startswith("qsp: warning: Results of model 1.0; the current model is 2.0. ")


def test_warnings_of_libraries_are_left_to_python():
    before = warnings.showwarning
    with pytest.warns(RuntimeWarning, match="from a library"), warnings_as_lines():
        warnings.warn("from a library", RuntimeWarning, stacklevel=1)
    assert warnings.showwarning is before
