"""Keys of cached programs, and what happens to programs that have none."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.native import cache


def key(**params):
    """Part of a key that comes from the parameters of a primitive."""
    eqn = SimpleNamespace(primitive=SimpleNamespace(name="add"), params=params)
    return tuple(cache._serialize_params(eqn))


def test_every_part_of_a_parameter_changes_the_key():
    zeros = np.zeros(2000)
    other = np.where(np.arange(2000) == 1000, 1.0, zeros)
    different = [(1, 2), ((1,), 2), {1: 2}, {1: 3}, zeros, other, jnp.zeros(3), None]
    assert len({key(y=value) for value in different}) == len(different)
    assert key(y=zeros) == key(y=zeros.copy())


def test_a_parameter_identified_by_its_address_has_no_key():
    with pytest.raises(cache.Uncacheable, match="function is identified only by its address"):
        key(f=[{"g": (1, key)}])


def test_a_program_without_a_key_is_compiled_every_time(tmp_path, monkeypatch):
    def no_key(closed, inputs):
        raise cache.Uncacheable

    monkeypatch.setattr(cache, "program_key", no_key)
    file = cache.program_file(tmp_path, None, ())
    compiled = []

    def compile_code():
        compiled.append(1)
        return b"code"

    codes = [cache.load_or_compile(file, compile_code) for _ in range(2)]
    assert codes == [b"code"] * 2
    assert len(compiled) == 2
    assert not list(tmp_path.iterdir())


def test_an_unreadable_file_is_compiled_again(tmp_path):
    (tmp_path / "native-a").mkdir()
    assert cache.load_or_compile(tmp_path / "native-a", lambda: b"code") == b"code"


def test_a_write_that_fails_leaves_no_partial_file(tmp_path):
    (tmp_path / "native-a").mkdir()  # a file cannot replace a folder
    assert cache.load_or_compile(tmp_path / "native-a", lambda: b"code") == b"code"
    assert [path.name for path in tmp_path.iterdir()] == ["native-a"]
