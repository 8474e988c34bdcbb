"""Diameters from volumes, and their sums."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.response import geometry
from qsp.response.geometry import Lesions


def one(volume, error=1.0, **more):
    found = geometry.measured(
        jnp.asarray([volume]), jnp.asarray([volume]), jnp.asarray([error]), **more
    )
    return float(found.long[0]), float(found.short[0])


def test_diameters_of_a_sphere_of_1_cm_radius():
    long, short = one(4 / 3 * math.pi, residual=0.0)
    assert (long, short) == pytest.approx((2.3, 1.8))


def test_node_without_tumor_is_normal():
    """The residual of 0.3 mL has a longest diameter below 1 cm."""
    assert one(0.0) == pytest.approx((0.955, 0.748), abs=1e-3)
    assert one(0.0, residual=0.0) == (0.0, 0.0)


def test_diameter_falls_less_than_the_volume():
    """-90 % of the volume is -54 % of a diameter and -78 % of a product."""
    large, small = one(10.0, residual=0.0), one(1.0, residual=0.0)
    assert small[0] / large[0] - 1 == pytest.approx(-0.536, abs=1e-3)
    assert math.prod(small) / math.prod(large) - 1 == pytest.approx(-0.785, abs=1e-3)


def test_error_multiplies_diameters_only():
    exact, wrong = one(10.0), one(10.0, error=1.1)
    assert wrong == pytest.approx((1.1 * exact[0], 1.1 * exact[1]))
    draws = np.random.default_rng(3).standard_normal(200_000)
    factors = np.asarray(geometry.error_factor(jnp.asarray(draws)))
    assert factors.std() / factors.mean() == pytest.approx(0.06, rel=0.01)
    assert np.median(factors) == pytest.approx(1.0, abs=1e-3)


def test_sums_are_over_the_lesions_that_the_patient_has():
    nan = math.nan
    lesions = Lesions(*(jnp.asarray(row) for row in ([2.0, 3.0, nan], [1.0, 2.0, nan], [1.0] * 3)))
    has = geometry.present(lesions)
    assert has.tolist() == [True, True, False]
    assert float(geometry.sum_of_products(lesions, has)) == 8.0
    assert float(geometry.sum_of_diameters(lesions.long, has)) == 5.0


@pytest.mark.parametrize(("long", "measurable"), [(1.5, False), (1.6, True), (math.nan, False)])
def test_measurable_node_is_above_15_mm(long, measurable):
    lesions = Lesions(*(jnp.asarray([value, math.nan]) for value in (long, 1.0, 1.0)))
    assert bool(geometry.is_measurable(lesions)) == measurable
