"""Compiled native programs are cached between processes, from Python as from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from qsp.engine import cache
from qsp.engine.method import Method
from qsp.engine.trajectory import solve_simulation
from qsp.native.cache import ADDRESS, serialize
from qsp.system import System
from tests.engine import whole

ROOT = Path(__file__).resolve().parents[2]
ONE_PROCESS = """
import json, sys
from pathlib import Path
import numpy as np
from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.native import codegen
from tests.engine import toy

compiled, compile_ir = [], codegen.compile_ir
codegen.compile_ir = lambda text: compiled.append(text) or compile_ir(text)
batch = Batch(toy.stacked(toy.sim((0.0, 0, 4.0, 0.0, 1))), (np.array(toy.EVERY),))
_, timing = simulate(batch, toy.Toy(), Method(), kinds=toy.KINDS, cache_dir=Path(sys.argv[1]))
print(json.dumps([timing.backend, len(compiled)]))
"""


def in_a_fresh_process(folder):
    """Backend, and number of native programs compiled."""
    # As for a Python user: no settings of the command line or of this suite.
    ours = ("JAX_COMPILATION_CACHE_DIR", "EQX_ON_ERROR", cache.VARIABLE)
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    words = [sys.executable, "-c", ONE_PROCESS, str(folder)]
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_second_process_compiles_nothing(tmp_path):
    assert in_a_fresh_process(tmp_path) == ["native", 1]
    [program] = tmp_path.iterdir()  # a system outside of the package has no fingerprint
    assert in_a_fresh_process(tmp_path) == ["native", 0]
    assert list(tmp_path.iterdir()) == [program]


def test_the_key_of_the_default_model_holds_no_address():
    grids = (np.asarray(whole.GRID),)
    sim = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), whole.sim(0, whole.STEP_UP)
    )
    traced = jax.make_jaxpr(
        lambda sim: solve_simulation(
            sim, grids, np.int32(2), system=System(), method=Method(), kinds=whole.CORE_KINDS
        )
    )(sim)
    assert ADDRESS in str(traced).encode()  # rules of derivatives, and checks that call Python
    found = list(serialize(traced))
    assert len(found) > 10_000
    assert not [word for word in found if ADDRESS in word]


@pytest.fixture
def no_jax_folder(monkeypatch):
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_folder_of_jax_comes_first(no_jax_folder, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "ours"))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))
    assert cache.chosen("default") == cache.jax_cache_dir() == tmp_path / "jax"
    assert cache.chosen(tmp_path) == tmp_path
    assert cache.chosen(None) is None


def test_jax_without_its_cache_means_no_cache(no_jax_folder, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        assert cache.chosen("default") is None
    finally:
        jax.config.update("jax_enable_compilation_cache", True)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "named/qsp/compiled"),
        ("linux", "", ".cache/qsp/compiled"),
        ("darwin", "", "Library/Caches/qsp/compiled"),
        ("win32", "LOCALAPPDATA", "named/qsp/compiled"),
        ("win32", "", "AppData/Local/qsp/compiled"),
    ],
)
def test_the_folder_of_a_user(no_jax_folder, monkeypatch, tmp_path, platform, variable, expected):
    for name in (cache.VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "named"))
    assert cache.chosen("default") == tmp_path / expected


def test_a_variable_names_the_folder_or_none(no_jax_folder, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert cache.chosen("default") == tmp_path
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.chosen("default") is None


# === the scope for programs of JAX


def folder_of_jax():
    return jax.config.values["jax_compilation_cache_dir"]


def test_settings_are_restored_by_the_last_of_overlapping_scopes(
    no_jax_folder, monkeypatch, tmp_path
):
    """As in two threads, of which the first ends first."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    before = dict(jax.config.values)
    first, second = cache.jax_cache(), cache.jax_cache()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert folder_of_jax() == str(tmp_path)
    second.__exit__(None, None, None)
    assert dict(jax.config.values) == before


def test_an_error_within_the_scope_restores_the_settings(no_jax_folder, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    before = dict(jax.config.values)
    with pytest.raises(ZeroDivisionError), cache.jax_cache():
        _ = 1 / 0
    assert dict(jax.config.values) == before


def test_a_folder_that_the_caller_sets_within_the_scope_is_kept(
    no_jax_folder, monkeypatch, tmp_path
):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    own = str(tmp_path / "own")
    with cache.jax_cache():
        jax.config.update("jax_compilation_cache_dir", own)
    assert folder_of_jax() == own


def test_the_scope_leaves_a_folder_of_the_caller_alone(no_jax_folder, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    before = dict(jax.config.values)
    with cache.jax_cache():
        assert dict(jax.config.values) == before
    assert dict(jax.config.values) == before
