"""Kinetics of the M-protein: the exact step against its differential equation, and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qsp.response.m_protein import (
    ELIMINATION,
    SHARES,
    Isotype,
    m_protein_course,
    m_protein_rate,
    m_protein_step,
)

POSITIVE = st.floats(0.01, 100.0)


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.001, 5.0))
def test_step_solves_the_differential_equation(protein, first, last, k_el):
    step = 2.0

    def rate(t, y):
        cells = first + (last - first) * t / step
        values = (float(y[0]), cells, 1.0, 1.0, k_el)
        return [float(m_protein_rate(*values))]  # pyright: ignore

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


def test_rate_is_zero_in_balance_and_elimination_without_cells():
    at = jnp.asarray
    assert float(m_protein_rate(at(30.0), at(7.0), at(7.0), at(30.0), at(0.05))) == 0.0
    assert float(m_protein_rate(at(30.0), at(0.0), at(7.0), at(30.0), at(0.05))) == -1.5


def test_course_is_the_same_on_finer_times_of_a_linear_course():
    """Cells that fall linearly to zero, then stay zero."""
    coarse = jnp.asarray([0.0, 10.0, 60.0])
    fine = jnp.asarray(np.linspace(0.0, 60.0, 601))
    at = lambda t: jnp.maximum(1.0 - t / 10.0, 0.0)  # noqa: E731
    start, k_el = jnp.asarray(25.0), jnp.asarray(ELIMINATION[Isotype.IGG])
    long = m_protein_course(coarse, at(coarse), start, k_el)
    short = m_protein_course(fine, at(fine), start, k_el)
    np.testing.assert_allclose(long[1:], short[jnp.asarray([100, 600])], rtol=1e-12)


def test_derivative_with_respect_to_the_cells_is_finite_at_no_step():
    slope = jax.grad(
        lambda step: m_protein_step(jnp.asarray(2.0), *map(jnp.asarray, (1.0, 1.0, 0.5)), step)
    )
    assert float(slope(jnp.asarray(0.0))) == pytest.approx(-0.5)


def test_constants_have_one_value_for_each_isotype():
    assert len(ELIMINATION) == len(SHARES) == len(Isotype)
    assert sum(SHARES) == pytest.approx(1.0)
    assert np.log(2) / ELIMINATION[Isotype.IGG] == pytest.approx(13.8, abs=0.1)
