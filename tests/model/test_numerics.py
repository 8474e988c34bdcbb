"""Each guard at the edge it protects, where value and gradient are finite, and away from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.model import numerics


def value_and_gradients(f, *args):
    arguments = [jnp.asarray(arg, float) for arg in args]
    value, gradients = jax.value_and_grad(f, argnums=tuple(range(len(args))))(*arguments)
    return float(value), [float(g) for g in gradients]


def test_every_guard_is_tested_here():
    guards = {
        name
        for name, item in vars(numerics).items()
        if callable(item) and getattr(item, "__module__", "") == numerics.__name__
    }
    tested = {"ratio", "positive_concentration", "hill", "softplus", "positive_part"}
    assert guards == tested | {"capped", "bounded"}


def test_ratio_of_nothing_to_nothing_is_zero_with_finite_gradient():
    value, gradients = value_and_gradients(numerics.ratio, 0.0, 0.0)
    assert value == 0.0
    assert gradients == [pytest.approx(1 / numerics.TINY), 0.0]


def test_ratio_is_bare_away_from_zero():
    value, gradients = value_and_gradients(numerics.ratio, 3.0, 4.0)
    assert value == pytest.approx(0.75, rel=1e-11)
    assert gradients == pytest.approx([1 / 4, -3 / 16], rel=1e-11)


def test_a_concentration_of_zero_becomes_positive():
    value, gradients = value_and_gradients(numerics.positive_concentration, 0.0)
    assert value == numerics.TINY > 0.0
    assert gradients == [1.0]


@pytest.mark.parametrize("n", [1.5, 2.0, 2.17, 4.0])
def test_hill_and_all_its_gradients_are_zero_without_bridges(n):
    value, gradients = value_and_gradients(numerics.hill, 0.0, 1010.0, n)
    assert value == 0.0
    assert gradients == [0.0, 0.0, 0.0]


def test_hill_of_exponent_one_has_its_one_sided_slope_at_zero():
    value, gradients = value_and_gradients(numerics.hill, 0.0, 50.0, 1.0)
    assert value == 0.0
    assert gradients[0] == pytest.approx(1 / 50)
    assert np.isfinite(gradients).all()


def test_hill_saturates_without_overflow():
    value, gradients = value_and_gradients(numerics.hill, 1e9, 1.0, 4.0)
    assert value == pytest.approx(1.0)
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize(("x", "value", "slope"), [(5.0, 5.0, 1.0), (-5.0, 0.0, 0.0)])
def test_softplus_of_scale_zero_is_the_positive_part(x, value, slope):
    got, gradients = value_and_gradients(numerics.softplus, x, 0.0)
    assert got == pytest.approx(value, abs=1e-15)
    assert gradients[0] == pytest.approx(slope, abs=1e-15)
    assert np.isfinite(gradients).all()


def test_softplus_at_zero_with_scale_zero():
    value, gradients = value_and_gradients(numerics.softplus, 0.0, 0.0)
    assert value == pytest.approx(0.0, abs=1e-12)
    assert gradients == pytest.approx([0.5, np.log(2.0)])


def test_softplus_rounds_over_its_scale_and_is_exact_beyond():
    f = numerics.softplus
    assert float(f(jnp.asarray(0.0), jnp.asarray(3.0))) == pytest.approx(3.0 * np.log(2.0))
    assert float(f(jnp.asarray(300.0), jnp.asarray(3.0))) == pytest.approx(300.0, rel=1e-15)
    assert float(f(jnp.asarray(-300.0), jnp.asarray(3.0))) < 1e-42
    assert float(f(jnp.asarray(1e9), jnp.asarray(1.0))) == 1e9


def test_positive_part_is_smooth_at_zero_and_exact_beyond():
    value, gradients = value_and_gradients(numerics.positive_part, 0.0)
    assert (value, gradients) == (pytest.approx(0.005), [pytest.approx(0.5)])
    high, slope_high = value_and_gradients(numerics.positive_part, 0.5)
    assert high == pytest.approx(0.5, abs=6e-5)
    assert slope_high == [pytest.approx(1.0, abs=2e-4)]
    low, slope_low = value_and_gradients(numerics.positive_part, -0.5)
    assert 0.0 < low < 6e-5
    assert 0.0 < slope_low[0] < 2e-4


def test_capped_takes_the_slope_of_the_smaller_and_half_of_both_at_the_edge():
    assert value_and_gradients(numerics.capped, 1.0, 2.0) == (1.0, [1.0, 0.0])
    assert value_and_gradients(numerics.capped, 3.0, 2.0) == (2.0, [0.0, 1.0])
    value, gradients = value_and_gradients(numerics.capped, 2.0, 2.0)
    assert value == 2.0
    assert sum(gradients) == 1.0


def test_bounded_keeps_the_value_within_and_its_gradient_finite():
    edges = {0.5: (1.0, 0.0), 2.0: (2.0, 1.0), 9.0: (3.0, 0.0)}
    for x, (expected, slope) in edges.items():
        value, gradients = value_and_gradients(numerics.bounded, x, 1.0, 3.0)
        assert (value, gradients[0]) == (expected, slope)
    for edge in (1.0, 3.0):
        value, gradients = value_and_gradients(numerics.bounded, edge, 1.0, 3.0)
        assert value == edge
        assert np.isfinite(gradients).all()
        assert 0.0 <= gradients[0] <= 1.0


def test_a_guard_costs_less_than_the_tolerance_of_any_run():
    for cells in (0.1, 1.0, 1e5):
        guarded = float(numerics.ratio(jnp.asarray(cells), jnp.asarray(cells)))
        assert abs(guarded - 1.0) <= 1e-10
