"""Each numerical guard at its singular point (finite value and gradient) and away from it."""

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
    tested = {"ratio", "reciprocal", "positive_concentration", "hill", "softplus_gain"}
    assert guards == tested | {"root", "geometric_mean", "positive_part", "capped", "bounded"}


def test_ratio_of_zero_to_zero_is_zero_with_finite_gradient():
    value, gradients = value_and_gradients(numerics.ratio, 0.0, 0.0)
    assert value == 0.0
    assert gradients == [pytest.approx(1 / numerics.TINY), 0.0]


def test_ratio_is_unguarded_away_from_zero():
    value, gradients = value_and_gradients(numerics.ratio, 3.0, 4.0)
    assert value == pytest.approx(0.75, rel=1e-11)
    assert gradients == pytest.approx([1 / 4, -3 / 16], rel=1e-11)


def test_reciprocal_of_zero_is_finite_and_unguarded_away_from_zero():
    value, gradients = value_and_gradients(numerics.reciprocal, 0.0)
    assert value == 1.0 / numerics.TINY
    assert np.isfinite(gradients).all()
    assert float(numerics.reciprocal(jnp.asarray(4.0))) == pytest.approx(0.25, rel=1e-11)


def test_a_concentration_of_zero_becomes_positive():
    value, gradients = value_and_gradients(numerics.positive_concentration, 0.0)
    assert value == numerics.LEAST_DRUG > 0.0
    assert gradients == [1.0]


def test_a_concentration_below_zero_is_none():
    for free in (-1e-12, -1e-9, -1.0):
        value = (numerics.LEAST_DRUG, [0.0])
        assert value_and_gradients(numerics.positive_concentration, free) == value


def test_root_of_zero_is_negligible_with_a_finite_gradient():
    value, gradients = value_and_gradients(numerics.root, 0.0)
    assert value == pytest.approx(1e-6, rel=1e-9)
    assert np.isfinite(gradients).all()
    value, gradients = value_and_gradients(numerics.root, 4.0)
    assert value == pytest.approx(2.0, rel=1e-11)
    assert gradients == pytest.approx([0.25], rel=1e-11)


def test_geometric_mean_of_nothing_is_negligible_with_finite_gradients_in_both_modes():
    value, gradients = value_and_gradients(numerics.geometric_mean, 0.0, 0.0)
    assert 0.0 <= value <= np.sqrt(numerics.SMALLEST)
    assert gradients == [0.0, 0.0]
    both = jax.jacfwd(numerics.geometric_mean, argnums=(0, 1))
    assert [float(g) for g in both(jnp.asarray(0.0), jnp.asarray(0.0))] == [0.0, 0.0]


@pytest.mark.parametrize(("x", "y"), [(1e-12, 1e-9), (0.3, 7.0), (1e5, 4e4)])
def test_geometric_mean_is_the_bare_root_to_the_bit_away_from_zero(x, y):
    value, gradients = value_and_gradients(numerics.geometric_mean, x, y)
    assert value == np.sqrt(x * y)
    assert gradients == pytest.approx([0.5 * np.sqrt(y / x), 0.5 * np.sqrt(x / y)])


@pytest.mark.parametrize("n", [1.5, 2.0, 2.17, 4.0])
def test_hill_and_all_its_gradients_are_zero_without_bridges(n):
    value, gradients = value_and_gradients(numerics.hill, 0.0, 1010.0, n)
    assert value == 0.0
    assert gradients == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("n", [1.0, 1.78])
def test_hill_of_a_negative_state_is_zero(n):
    value, gradients = value_and_gradients(numerics.hill, -1e-9, 50.0, n)
    assert 0.0 <= value < numerics.SMALLEST
    assert np.isfinite(gradients).all()


def test_hill_of_exponent_one_has_its_one_sided_slope_at_zero():
    value, gradients = value_and_gradients(numerics.hill, 0.0, 50.0, 1.0)
    assert 0.0 <= value < numerics.SMALLEST
    assert gradients[0] == pytest.approx(1 / 50)
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize("x", [1e-12, 1e-3, 1.0, 50.0, 1e4])
def test_hill_is_the_power_law(x):
    got = float(numerics.hill(*map(jnp.asarray, (x, 50.0, 1.78))))
    assert got == pytest.approx(x**1.78 / (50.0**1.78 + x**1.78), rel=1e-12)


def test_hill_saturates_without_overflow():
    value, gradients = value_and_gradients(numerics.hill, 1e9, 1.0, 4.0)
    assert value == pytest.approx(1.0)
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize(("x", "value", "slope"), [(5.0, 5.0, 1.0), (-5.0, 0.0, 0.0)])
def test_softplus_gain_of_scale_zero_is_the_positive_part(x, value, slope):
    got, gradients = value_and_gradients(numerics.softplus_gain, x, -9.0, 0.0)
    assert got == pytest.approx(value, abs=1e-15)
    assert gradients[:2] == pytest.approx([slope, 0.0], abs=1e-15)
    assert gradients[2] == pytest.approx(0.0, abs=1e-2)  # a difference of two 5e12


def test_softplus_gain_at_zero_with_scale_zero():
    value, gradients = value_and_gradients(numerics.softplus_gain, 0.0, -1.0, 0.0)
    assert value == pytest.approx(0.0, abs=1e-12)
    assert gradients == pytest.approx([0.5, 0.0, np.log(2.0)])


def softplus(x, s):
    return s * np.logaddexp(0.0, x / s)


@pytest.mark.parametrize("x", [-300.0, -7.0, -1.0, 0.0, 2.0, 300.0, 1e9])
@pytest.mark.parametrize("low", [-200.0, -4.0, 0.0])
def test_softplus_gain_is_the_difference_of_two_softplus(x, low):
    got = float(numerics.softplus_gain(*map(jnp.asarray, (x, low, 3.0))))
    assert got == pytest.approx(softplus(x, 3.0) - softplus(low, 3.0), rel=1e-9, abs=1e-14)
    slopes = value_and_gradients(numerics.softplus_gain, x, low, 3.0)[1]
    assert np.isfinite(slopes).all()


def test_softplus_gain_is_exactly_zero_at_its_lower_end():
    for low in (-50.0, -1.3, 0.0):
        assert float(numerics.softplus_gain(*map(jnp.asarray, (low, low, 0.7)))) == 0.0


def test_positive_part_is_smooth_at_zero_and_exact_elsewhere():
    value, gradients = value_and_gradients(numerics.positive_part, 0.0)
    assert (value, gradients) == (pytest.approx(0.005), [pytest.approx(0.5)])
    high, slope_high = value_and_gradients(numerics.positive_part, 0.5)
    assert high == pytest.approx(0.5, abs=6e-5)
    assert slope_high == [pytest.approx(1.0, abs=2e-4)]
    low, slope_low = value_and_gradients(numerics.positive_part, -0.5)
    assert 0.0 < low < 6e-5
    assert 0.0 < slope_low[0] < 2e-4


def test_capped_has_the_slope_of_the_smaller_argument_and_half_of_both_at_the_kink():
    assert value_and_gradients(numerics.capped, 1.0, 2.0) == (1.0, [1.0, 0.0])
    assert value_and_gradients(numerics.capped, 3.0, 2.0) == (2.0, [0.0, 1.0])
    value, gradients = value_and_gradients(numerics.capped, 2.0, 2.0)
    assert value == 2.0
    assert sum(gradients) == 1.0


def test_bounded_clips_the_value_and_keeps_the_gradient_finite():
    edges = {0.5: (1.0, 0.0), 2.0: (2.0, 1.0), 9.0: (3.0, 0.0)}
    for x, (expected, slope) in edges.items():
        value, gradients = value_and_gradients(numerics.bounded, x, 1.0, 3.0)
        assert (value, gradients[0]) == (expected, slope)
    for edge in (1.0, 3.0):
        value, gradients = value_and_gradients(numerics.bounded, edge, 1.0, 3.0)
        assert value == edge
        assert np.isfinite(gradients).all()
        assert 0.0 <= gradients[0] <= 1.0


def test_guard_of_a_ratio_is_below_the_tolerance_of_a_run():
    for cells in (0.1, 1.0, 1e5):
        guarded = float(numerics.ratio(jnp.asarray(cells), jnp.asarray(cells)))
        assert abs(guarded - 1.0) <= 1e-10
