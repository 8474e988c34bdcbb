"""Which parameter values need a program of their own: those that are zero, or no longer zero."""

import contextlib
import io

import pytest
from rich.console import Console

from qsp import run as runs
from qsp.cli.preview import announced
from qsp.engine import backends
from qsp.run.zeros import ZeroChange, changed_zeros
from qsp.stages import Stopwatch, unmeasured

VALUES = '[disposition]\nV1 = "5 L"\n[synapse]\nalpha = "1e-3"\n[t_cells]\nk_act = "0.4 1/hour"\n'
ONE_LESS = '[traffic.k_exit]\nskin = "0 1/day"\n'


class _Tracing(Exception):
    """A program is traced."""


def _no_tracing(name):
    if name == "tracing":
        raise _Tracing
    return contextlib.nullcontext()


@pytest.fixture
def prepared(small_config, tmp_path):
    """Prepare the small trial with a text as the parameter file, or without one."""

    def prepare(text=None):
        if text is None:
            return runs.prepare(runs.Request(small_config))
        file = tmp_path / "own.toml"
        file.write_text(text)
        return runs.prepare(runs.Request(small_config, parameters=file))

    return prepare


def test_other_values_change_no_zero(prepared):
    assert changed_zeros(prepared()) == ()
    assert changed_zeros(prepared(VALUES)) == ()


def test_a_value_of_zero_is_named(prepared):
    assert changed_zeros(prepared(ONE_LESS)) == (ZeroChange("traffic.k_exit", becomes_zero=True),)


def test_other_values_use_the_same_program(prepared):
    for text, stage in ((None, unmeasured), (VALUES, _no_tracing)):
        backends._programs.cache_clear()  # as in another process, which has the cache alone
        runs.run(prepared(text), stage=stage)


def test_a_zero_needs_another_program(prepared):
    backends._programs.cache_clear()
    with pytest.raises(_Tracing):
        runs.run(prepared(ONE_LESS), stage=_no_tracing, cache_dir=None)


@pytest.mark.parametrize(
    ("text", "words"), [(ONE_LESS, "traffic.k_exit becomes 0"), (VALUES, "Compiling: about")]
)
def test_a_compilation_is_announced_with_its_cause_and_time(prepared, text, words):
    printed = io.StringIO()
    stage = announced(prepared(text), Console(file=printed))
    with stage("simulation"):
        assert printed.getvalue() == ""
    for _ in range(2):
        with stage("tracing"):
            pass
    note = printed.getvalue()
    assert words in note
    assert note.count("s, once.") == 1


def test_a_run_enters_each_stage(prepared, tmp_path):
    stopwatch = Stopwatch()
    runs.run_into(tmp_path / "run", prepared(), stage=stopwatch)
    compiling = {"tracing", "lowering", "LLVM"}
    assert set(stopwatch.seconds) - compiling - {"program"} == {
        *("simulation", "results", "writing", "tables", "figures", "page")
    }
