"""Estimates of the time of a run, which count compilation where programs are not cached."""

import dataclasses

import pytest

from qsp import run as runs
from qsp.engine import backends
from qsp.run.estimate import COMPILE_SECONDS, Estimate, estimate, is_cached


@pytest.fixture
def prepared(small_config):
    return runs.prepare(runs.Request(small_config))


def test_compilation_is_counted_where_nothing_is_cached(prepared, tmp_path):
    cold = estimate(prepared, tmp_path)
    assert cold == estimate(prepared, None)
    assert cold.compile_s > COMPILE_SECONDS
    more = dataclasses.replace(prepared, ids=prepared.ids.repeat(1000))
    assert estimate(more, None).run_s > cold.run_s
    assert estimate(more, None).compile_s == cold.compile_s


def test_estimates_are_in_words():
    assert Estimate(16.0, 12.3).text == "about 28 s, 16 s of them to compile, once"
    assert Estimate(0.0, 12.3).text == "about 12 s, compiled before"


@pytest.mark.slow
def test_a_run_caches_the_programs_of_its_next_one(small_config, prepared, tmp_path):
    assert not is_cached(prepared, tmp_path)
    backends._programs.cache_clear()  # a program that this process has compiled is not stored again
    runs.run(prepared, cache_dir=tmp_path)
    assert is_cached(prepared, tmp_path)
    assert estimate(prepared, tmp_path).compile_s == 0.0
    fewer = ("patients=3", "seed=9", "arms.flat.doses.0.amount=30 mg")
    assert is_cached(runs.prepare(runs.Request(small_config, fewer)), tmp_path)
    longer = runs.prepare(runs.Request(small_config, ('visits=["2 day", "4 day", "8 day"]',)))
    assert not is_cached(longer, tmp_path)
    other = runs.prepare(runs.Request(small_config, ("method.solver=ROCK2",)))
    assert not is_cached(other, tmp_path)
    implicit = runs.prepare(runs.Request(small_config, ("method.solver=Kvaerno5",)))
    assert not is_cached(implicit, tmp_path)
