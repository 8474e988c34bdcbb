"""Results of another major version of the model: read and reported with a banner, not continued."""

import dataclasses
import warnings
from pathlib import Path

import pytest
import xarray as xr

import qsp
from qsp import run as runs
from qsp.endpoints import add_best_response, differences, utility
from qsp.errors import ConfigError
from qsp.results import load, record_of, save
from qsp.results.legacy import OldResultsWarning
from qsp.results.model_version import OtherModelWarning, major, model_version, other_model
from qsp.results.record import ATTRIBUTE, RunRecord
from tests import synthetic
from tests.run.conftest import call

OLD = Path(__file__).resolve().parents[1] / "old" / "results.nc"
HEADING = "Results of model 1.2; the current model is 2.0"
OF_NEW_MODEL = ("fever", "leak", "fever_peak", "leak_peak")
"""Variables that results of model 1 lack."""


@pytest.fixture(autouse=True)
def second_model(monkeypatch):
    """The current model is 2.0, whichever version the tests run with."""
    monkeypatch.setattr("qsp.model.MODEL_VERSION", "2.0")


def of_version(ds, version):
    """Results with another version of the model; those of model 1 lack the new variables."""
    if version and major(version) == "1":
        ds = ds.drop_vars([name for name in OF_NEW_MODEL if name in ds])
    changed = synthetic.with_record(ds, model_version=version, qsp_version="0.2.0")
    return changed.assign_attrs(model_version=version, qsp_version="0.2.0")


@pytest.fixture(scope="module")
def results():
    return add_best_response(synthetic.lively(20, arms=("step_up", "flat")))


@pytest.fixture
def folder(results, tmp_path):
    """Folder of a run of model 1.2."""
    out = tmp_path / "first"
    out.mkdir()
    save(xr.DataTree(of_version(results, "1.2")), out / "results.nc")
    return out


@pytest.mark.parametrize(
    ("record", "version"),
    [
        (RunRecord(qsp_version="0.1.0"), "1.0"),
        (RunRecord(qsp_version="0.2.0", model_version="1.2"), "1.2"),
        (RunRecord(qsp_version="0.9.0", model_version="3.1"), "3.1"),
        (RunRecord(qsp_version="0.2.0", model_version="2.7"), None),
        (RunRecord(), None),
    ],
)
def test_only_another_major_version_is_another_model(record, version):
    found = other_model(record)
    assert (found.version if found else None) == version
    assert model_version(record) == (version or record.model_version)


def test_the_version_to_install_is_named_with_its_commit():
    record = RunRecord(qsp_version="0.2.0", git_commit="0123abc", model_version="1.2")
    assert other_model(record).package == "qsp 0.2.0 (commit 0123abc)"
    assert other_model(dataclasses.replace(record, git_commit="")).package == "qsp 0.2.0"


def test_reading_warns_once_by_version(folder):
    with pytest.warns(OtherModelWarning) as caught:
        found = runs.read(folder)
    assert len(caught) == 1
    assert str(caught[0].message).startswith(f"{HEADING}. ")
    assert "do not compare values of CRS" in str(caught[0].message)
    assert "install the version that made it, qsp 0.2.0" in str(caught[0].message)
    assert not set(OF_NEW_MODEL) & set(found.data_vars)


def test_results_of_the_same_major_version_are_read_without_a_warning(results, tmp_path):
    save(xr.DataTree(of_version(results, "2.7")), tmp_path / "results.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "Results of model" not in repr(qsp.read(tmp_path))


def test_results_in_a_notebook_name_the_models(folder):
    with pytest.warns(OtherModelWarning):
        found = qsp.read(folder)
    assert HEADING in repr(found)


@pytest.mark.filterwarnings("default")
def test_report_on_the_command_line_has_the_banner_first(folder, no_figures):
    done = call("report", folder)
    assert done.code == 0, done.err
    assert done.err.startswith(f"qsp: warning: {HEADING}. ")
    assert done.err.count("\n") == 1
    page = (folder / "report.html").read_text(encoding="utf-8").partition("</header>")[2]
    assert page.lstrip().startswith(f'<div class="notice"><b>{HEADING}.</b> The two models')
    assert (folder / "summary.csv").is_file()


def test_report_of_the_same_major_version_has_no_banner(results, tmp_path, no_figures):
    page, _ = runs.write_report(xr.DataTree(of_version(results, "2.7")), tmp_path)
    assert "the current model is" not in page.read_text(encoding="utf-8")


def test_a_file_of_the_first_release_is_reported_with_the_banner(tmp_path, no_figures):
    (tmp_path / "results.nc").write_bytes(OLD.read_bytes())
    with pytest.warns(OldResultsWarning), pytest.warns(OtherModelWarning, match="of model 1.0"):
        found = runs.read(tmp_path)
    page, _ = runs.write_report(found, tmp_path)
    assert "Results of model 1.0; the current model is 2.0." in page.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("default")
def test_replay_of_another_model_is_refused_by_name(folder):
    done = call("replay", folder)
    assert done.code == 2
    refused = done.err.splitlines()[-1]
    assert refused.startswith(
        "qsp: replay: the run must be of model 2, the model of this version, but is of model 1.2. "
        "Install the version that made it, qsp 0.2.0"
    )
    assert refused.endswith("or run the trial again: qsp run configs/synthetic.toml.")


def test_replay_of_a_file_of_the_first_release_is_refused_by_name():
    with pytest.warns(OldResultsWarning):
        old = load(OLD)
    message = "but is of model 1.0. Install the version that made it, qsp 0.1.0"
    with pytest.raises(ConfigError, match=message):
        runs.replay(old)


def test_replay_of_the_same_major_version_asks_for_its_input(results):
    """It is not refused for its model, but as the artificial run has no rules."""
    with pytest.raises(ConfigError, match="the run must have rules"):
        runs.replay(xr.DataTree(of_version(results, "2.7")))


@pytest.mark.parametrize("compare", [differences.between, utility.between])
def test_a_comparison_of_two_models_says_so(results, compare):
    first, second = of_version(results, "1.2"), of_version(results, "2.0")
    text = "before is of model 1.2 and after of model 2.0: values of CRS, cytokines and T cells"
    with pytest.warns(OtherModelWarning, match=text):
        frame = compare(first, second, names=("before", "after"))
    assert len(frame)


def test_a_comparison_of_one_major_version_is_silent(results):
    frame = differences.between(of_version(results, "1.0"), of_version(results, "1.2"))
    assert "models" not in frame.attrs


@pytest.mark.filterwarnings("default")
def test_diff_prints_the_models_above_its_tables(results, folder, tmp_path):
    out = tmp_path / "second"
    out.mkdir()
    save(xr.DataTree(of_version(results, "2.0")), out / "results.nc")
    done = call("diff", folder, out)
    assert done.code == 0, done.err
    printed = " ".join(done.out.split())
    assert printed.startswith("Note: first is of model 1.2 and second of model 2.0: values of CRS")
    (line,) = done.err.splitlines()
    assert line.startswith(f"qsp: warning: {HEADING}. ")


def test_the_record_of_the_results_is_not_changed(folder):
    with pytest.warns(OtherModelWarning):
        found = runs.read(folder)
    assert record_of(found).model_version == "1.2"
    assert ATTRIBUTE in found.attrs
