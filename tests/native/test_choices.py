"""A change that is skipped where no lane wants it: the same as by JAX, which computes both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.native import loops
from tests.native.compare import agree, natively

LANES = 24


def change(carry):
    """More equations than it takes to be skipped; the last part is given back as it came."""
    table, counts, total, same = carry
    for n in range(12):
        total = total * 0.5 + table[n] * n
    return table.at[counts[0] % 30].set(total), counts + 1, total, same


def chosen(wanted, carry):
    return jax.lax.cond(wanted, change, lambda carry: carry, carry)


def first(x):
    return jnp.arange(30.0) * x, jnp.array([3, 4]), x, 2.0 * x


@pytest.fixture
def numbers():
    return np.random.default_rng(3).normal(size=LANES)


@pytest.mark.parametrize("least", [-10.0, 0.0, 10.0], ids=["all", "some", "none"])
def test_lanes_want_it(numbers, least):
    agree(lambda x: chosen(x > least, first(x)), numbers, rtol=1e-13)


def test_in_a_loop_that_carries_it(numbers):
    """What the loop carries is changed in its place, in some turns of some lanes."""

    def function(x):
        def turn(n, carry):
            carry = chosen((x > 0.0) & (n % 3 == 0), carry)
            table, counts, total, same = carry
            return table + 1.0, counts, total + table[5], same

        return jax.lax.fori_loop(0, jnp.where(x > 1.0, 8, 7), turn, first(x))

    agree(function, numbers, rtol=1e-13)


def test_what_it_was_before_is_still_known(numbers):
    def function(x):
        def turn(_, carry):
            after = chosen(x > 0.0, carry)
            return (after[0] - carry[0], after[1], after[2] + carry[2], carry[3] + 1.0)

        return jax.lax.fori_loop(0, 4, turn, first(x))

    agree(function, numbers, rtol=1e-13)


def test_one_inside_another(numbers):
    def outer(carry):
        carry = chosen(carry[2] > 0.5, carry)
        return change(carry)

    def function(x):
        def turn(_, carry):
            return jax.lax.cond(x > -0.5, outer, lambda carry: carry, carry)

        return jax.lax.fori_loop(0, 5, turn, first(x))

    agree(function, numbers, rtol=1e-13)


def test_it_is_a_jump_and_changes_no_bit(numbers, monkeypatch):
    def function(x):
        return jax.lax.fori_loop(0, 9, lambda n, c: chosen(x * n > 1.0, c), first(x))

    skipped = natively(function, numbers)
    monkeypatch.setattr(loops, "WORTH", 10_000)
    for a, b in zip(skipped, natively(function, numbers), strict=True):
        np.testing.assert_array_equal(a, b)
