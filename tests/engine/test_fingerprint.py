"""Fingerprints: equal where JAX traces the same program, and in every process."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import qsp.engine.solvers.rock
import qsp.model
import qsp.model.numerics
from qsp.engine import fingerprint as fingerprints
from qsp.engine.fingerprint import fingerprint
from qsp.engine.method import Method
from qsp.model import ModelStructure
from qsp.model.t_cells import MassAction
from qsp.native import Shape
from qsp.system import System

ROOT = Path(__file__).resolve().parents[2]
SHAPE = Shape((2,), np.dtype(float), frozenset({1}))


def output_of(code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()


def test_processes_have_the_same_fingerprint():
    code = """
import qsp.engine.backends
from qsp.engine.fingerprint import fingerprint
from qsp.engine.method import Method
from qsp.system import System
print(fingerprint(System(), Method()))
"""
    one, other = output_of(code), output_of("import qsp.errors\n" + code)
    assert one == other
    assert len(one[0]) == 64


def test_every_module_from_which_a_program_is_traced_is_covered():
    code = "import sys, qsp.engine.backends, qsp.system; print(*sys.modules)"
    modules = {name for name in output_of(code) if name.partition(".")[0] == "qsp"}
    without_code_of_programs = {"qsp", "qsp.process", "qsp.stages", "qsp.version"}
    without_code_of_programs |= {"qsp.csv_table", "qsp.problems"}  # readers of files
    assert {name for name in modules if not fingerprints._is_within(name)} == (
        without_code_of_programs
    )


def test_every_argument_changes_the_fingerprint():
    other_zero = dataclasses.replace(SHAPE, absent=frozenset({0}))
    arguments = [
        (System(), Method(), 4, [SHAPE]),
        (System(ModelStructure(recruitment=MassAction())), Method(), 4, [SHAPE]),
        (System(saved=("bridges",)), Method(), 4, [SHAPE]),
        (System(), Method(rtol=1e-6), 4, [SHAPE]),
        (System(), Method(), 5, [SHAPE]),
        (System(), Method(), 4, [other_zero]),
    ]
    found = {fingerprint(*each) for each in arguments}
    assert len(found) == len(arguments)
    assert None not in found


def test_an_object_of_unknown_code_has_no_fingerprint():
    class Own(System):
        """A system outside the package."""

    assert fingerprint(Own(), Method()) is None
    assert fingerprint(lambda: 1) is None


def test_replaced_code_changes_the_fingerprint(monkeypatch):
    before = fingerprint(System())
    for target, name, value in [
        (qsp.model, "rates", lambda *arguments: None),
        (System, "signals", lambda self, peaks: 2.0 * peaks.severity),
        (qsp.engine.solvers.rock, "ROCK4_TABLES", {}),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            assert fingerprint(System()) != before
    assert fingerprint(System()) == before


def test_a_constant_within_a_function_changes_the_fingerprint(monkeypatch):
    def first(self, peaks):
        return 1.0 * peaks.severity

    def second(self, peaks):
        return 1.5 * peaks.severity

    second.__qualname__ = first.__qualname__
    monkeypatch.setattr(System, "signals", first)
    one = fingerprint(System())
    monkeypatch.setattr(System, "signals", second)
    assert fingerprint(System()) != one


def test_settings_of_jax_and_equinox_change_the_fingerprint(monkeypatch):
    before = fingerprint(System())
    with jax.numpy_rank_promotion("warn"):
        assert fingerprint(System()) != before
    with monkeypatch.context() as patch:
        patch.setenv("EQX_ON_ERROR", "nan")
        assert fingerprint(System()) != before
    assert fingerprint(System()) == before


@pytest.mark.parametrize("name", ["jax_compilation_cache_dir"])
def test_the_cache_itself_does_not_change_the_fingerprint(name, tmp_path):
    before, folder = fingerprint(System()), jax.config.values[name]
    jax.config.update(name, str(tmp_path))
    try:
        assert fingerprint(System()) == before
    finally:
        jax.config.update(name, folder)
