"""The folder of compiled programs is passed from the caller to the solver."""

import pytest

from qsp import run as runs
from qsp.engine.cache import VARIABLE
from tests.run.conftest import call


class _SolverReached(Exception):
    """The solver was called."""


@pytest.fixture
def folders(monkeypatch):
    """Folders that the solver was called with; it computes nothing."""
    found = []

    def solver(*_, cache_dir, **__):
        found.append(cache_dir)
        raise _SolverReached

    monkeypatch.setattr("qsp.simulation.simulate_batch", solver)
    return found


def test_a_run_from_python_passes_its_folder_on(folders, small_config, tmp_path):
    prepared = runs.prepare(runs.Request(small_config))
    for options in ({}, {"cache_dir": None}, {"cache_dir": tmp_path}):
        with pytest.raises(_SolverReached):
            runs.run(prepared, **options)
        for block in (2, 100):
            with pytest.raises(_SolverReached):
                runs.run_into(tmp_path / "run", prepared, block=block, **options)
    assert folders == [*["default"] * 3, *[None] * 3, *[tmp_path] * 3]


@pytest.mark.parametrize("words", [[], ["--no-cache"]], ids=str)
def test_the_command_line_caches_where_python_does(
    words, folders, small_config, tmp_path, monkeypatch
):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr("qsp.engine.cache.jax_cache_dir", lambda: None)
    monkeypatch.setattr("qsp.engine.cache.default_cache_dir", lambda: tmp_path)
    of_xla = []
    monkeypatch.setattr("qsp.engine.cache.enable_jax_cache", of_xla.append)
    with pytest.raises(_SolverReached):
        call("run", small_config, "--out", tmp_path / "run", "--quiet", *words)
    assert folders == ([None] if words else [tmp_path])
    assert of_xla == ([] if words else [tmp_path])
