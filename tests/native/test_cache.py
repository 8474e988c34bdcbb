"""Keys of cached programs, and what is done without one."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.native import cache as kept


def key(**params):
    """Words for the parameters of a primitive."""
    eqn = SimpleNamespace(primitive=SimpleNamespace(name="add"), params=params)
    return tuple(kept._parameters(eqn))


def test_parts_of_a_parameter_are_parts_of_the_key():
    zeros = np.zeros(2000)
    other = np.where(np.arange(2000) == 1000, 1.0, zeros)
    different = [(1, 2), ((1,), 2), {1: 2}, {1: 3}, zeros, other, jnp.zeros(3), None]
    assert len({key(y=value) for value in different}) == len(different)
    assert key(y=zeros) == key(y=zeros.copy())


def test_a_parameter_known_by_its_address_has_no_key():
    with pytest.raises(kept.Unidentified, match="function is known by its address alone"):
        key(f=[{"g": (1, key)}])


def test_a_program_without_a_key_is_made_every_time(tmp_path):
    def unidentified():
        raise kept.Unidentified

    assert [kept.kept(tmp_path, unidentified, lambda: b"code") for _ in range(2)] == [b"code"] * 2
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_read_is_made_anew(tmp_path):
    (tmp_path / "native-a").mkdir()
    assert kept.kept(tmp_path, lambda: "a", lambda: b"code") == b"code"
