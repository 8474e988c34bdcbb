"""The folder of a run appears whole or not at all, and replaces nothing but runs."""

import pytest

from qsp.errors import ConfigError
from qsp.run import folder


def fill(path, text="new"):
    (path / folder.RESULTS).write_text(text)


def test_folder_appears_with_everything_in_it(tmp_path):
    with folder.written(tmp_path / "deep" / "run", force=False) as fresh:
        fill(fresh)
        assert not (tmp_path / "deep" / "run").exists()
    assert (tmp_path / "deep" / "run" / folder.RESULTS).read_text() == "new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]


def write_and_fail(out, error):
    with folder.written(out, force=True) as fresh:
        fill(fresh)
        raise error


def test_failure_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "run", RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_the_run_that_was_there(tmp_path):
    (tmp_path / "run").mkdir()
    fill(tmp_path / "run", "old")
    with pytest.raises(KeyboardInterrupt):
        write_and_fail(tmp_path / "run", KeyboardInterrupt)
    assert (tmp_path / "run" / folder.RESULTS).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_force_replaces_a_run_with_all_files_in_its_folder(tmp_path):
    (tmp_path / "run").mkdir()
    fill(tmp_path / "run", "old")
    (tmp_path / "run" / "stale.txt").write_text("")
    with folder.written(tmp_path / "run", force=True) as fresh:
        fill(fresh)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [folder.RESULTS]
    assert (tmp_path / "run" / folder.RESULTS).read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_existing_folder_is_refused_without_force(tmp_path):
    with pytest.raises(ConfigError, match="must not exist yet, but is an existing folder"):
        folder.check(tmp_path, force=False)


def test_force_replaces_nothing_but_a_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="must hold a run to be replaced"):
        folder.check(tmp_path, force=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="must be a folder"):
        folder.check(tmp_path / "file", force=True)
