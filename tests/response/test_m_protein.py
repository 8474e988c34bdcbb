"""Kinetics of the M-protein: the exact step against its differential equation, and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qsp.response.m_protein import ELIMINATION, Isotype, m_protein_step

POSITIVE = st.floats(0.01, 100.0)


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.001, 5.0))
def test_step_solves_the_differential_equation(protein, first, last, k_el):
    step = 2.0

    def rate(t, y):
        cells = first + (last - first) * t / step
        return [k_el * (cells - float(y[0]))]

    found = float(m_protein_step(*map(jnp.asarray, (protein, first, last, k_el, step))))
    solved = solve_ivp(rate, (0, step), [protein], rtol=1e-9, atol=1e-10)
    assert found == pytest.approx(solved.y[0, -1], rel=1e-6, abs=1e-7)


@given(POSITIVE, st.floats(0.001, 5.0), st.floats(0.0, 1000.0))
def test_balance_is_kept(protein, k_el, step):
    values = map(jnp.asarray, (protein, protein, protein, k_el, step))
    assert float(m_protein_step(*values)) == pytest.approx(protein, rel=1e-12)


@pytest.mark.parametrize("step", [0.0, 1e-12, 1e-8, 1e-4])
def test_short_steps_are_accurate(step):
    """The weights are differences of nearly equal numbers; their error stays at rounding."""
    found = float(m_protein_step(*map(jnp.asarray, (2.0, 10.0, 10.0, 1.0, step))))
    assert found == pytest.approx(2.0 + 8.0 * step, abs=max(1e-15, 5 * step**2))


def test_many_short_steps_of_a_linear_course_are_one_long_step():
    """Cells that fall linearly to zero within 10 days."""
    start, k_el = jnp.asarray(25.0), jnp.asarray(ELIMINATION[Isotype.IGG])
    long = m_protein_step(start, start, jnp.asarray(0.0), k_el, jnp.asarray(10.0))
    secretion, found = np.linspace(25.0, 0.0, 101), start
    for here, later in zip(secretion[:-1], secretion[1:], strict=True):
        found = m_protein_step(found, *map(jnp.asarray, (here, later)), k_el, jnp.asarray(0.1))
    np.testing.assert_allclose(found, long, rtol=1e-12)


def test_derivative_with_respect_to_the_cells_is_finite_at_no_step():
    slope = jax.grad(
        lambda step: m_protein_step(jnp.asarray(2.0), *map(jnp.asarray, (1.0, 1.0, 0.5)), step)
    )
    assert float(slope(jnp.asarray(0.0))) == pytest.approx(-0.5)


def test_constants_have_one_value_for_each_isotype():
    assert len(ELIMINATION) == len(Isotype)
    assert np.log(2) / ELIMINATION[Isotype.IGG] == pytest.approx(13.8, abs=0.1)
