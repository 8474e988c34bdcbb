"""`cond` with an identity branch: native code skips it, JAX under vmap computes both branches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.native import loops
from tests.native.compare import agree, natively

SIMULATIONS = 24


def update(carry):
    """Change three parts in more than `MIN_SKIPPED` equations; the fourth is passed through."""
    table, counts, total, same = carry
    for n in range(12):
        total = total * 0.5 + table[n] * n
    return table.at[counts[0] % 30].set(total), counts + 1, total, same


def updated_if(predicate, carry):
    return jax.lax.cond(predicate, update, lambda carry: carry, carry)


def initial(x):
    return jnp.arange(30.0) * x, jnp.array([3, 4]), x, 2.0 * x


@pytest.fixture
def numbers():
    return np.random.default_rng(3).normal(size=SIMULATIONS)


@pytest.mark.parametrize("threshold", [-10.0, 0.0, 10.0], ids=["all", "some", "none"])
def test_any_share_of_simulations_is_updated(numbers, threshold):
    agree(lambda x: updated_if(x > threshold, initial(x)), numbers, rtol=1e-13)


def test_the_carry_of_a_loop_is_updated_in_place(numbers):
    """In some iterations of some simulations only."""

    def function(x):
        def body(n, carry):
            carry = updated_if((x > 0.0) & (n % 3 == 0), carry)
            table, counts, total, same = carry
            return table + 1.0, counts, total + table[5], same

        return jax.lax.fori_loop(0, jnp.where(x > 1.0, 8, 7), body, initial(x))

    agree(function, numbers, rtol=1e-13)


def test_the_values_before_an_update_in_place_can_be_used_after_it(numbers):
    def function(x):
        def body(_, carry):
            after = updated_if(x > 0.0, carry)
            return (after[0] - carry[0], after[1], after[2] + carry[2], carry[3] + 1.0)

        return jax.lax.fori_loop(0, 4, body, initial(x))

    agree(function, numbers, rtol=1e-13)


def test_nested_updates(numbers):
    def outer(carry):
        carry = updated_if(carry[2] > 0.5, carry)
        return update(carry)

    def function(x):
        def body(_, carry):
            return jax.lax.cond(x > -0.5, outer, lambda carry: carry, carry)

        return jax.lax.fori_loop(0, 5, body, initial(x))

    agree(function, numbers, rtol=1e-13)


def test_skipping_changes_no_bit(numbers, monkeypatch):
    def function(x):
        return jax.lax.fori_loop(0, 9, lambda n, c: updated_if(x * n > 1.0, c), initial(x))

    skipped = natively(function, numbers)
    monkeypatch.setattr(loops, "MIN_SKIPPED", 10_000)
    for a, b in zip(skipped, natively(function, numbers), strict=True):
        np.testing.assert_array_equal(a, b)
