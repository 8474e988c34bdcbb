"""Derivatives of endpoints with respect to parameters, against differences, to 1e-4.

Forward mode through the whole simulation: the peak of IL-6 in the first dose period and the tumor
at the end, by potency, IL-6 production and killing (logarithms of all three).
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.engine.method import Method
from qsp.engine.trajectory import solve_simulation
from qsp.model.cytokines import IL6
from qsp.system import DOSE_KINDS, System
from tests.engine.whole import IV, NMOL_PER_MG, sim

pytestmark = pytest.mark.slow

PARAMETERS = ("alpha", "p_IL6", "k_kill")
ENDPOINTS = ("IL-6 peak", "tumor volume", "drug area")
STEP = 0.02
METHOD = Method(rtol=1e-10)
SEGMENTS = 3  # the infusion, the time after it, and the end


def endpoints(which, factors):
    """Logarithms of the endpoints for parameters times exp(factors)."""
    scale = jnp.exp(factors)
    where = lambda p: (  # noqa: E731
        p.model.synapse.alpha,
        p.model.cytokines.p_IL6,
        p.model.engagement.k_kill,
    )
    p = which.parameters
    changed = eqx.tree_at(where, p, tuple(a * b for a, b in zip(where(p), scale, strict=True)))
    changed = eqx.tree_at(lambda which: which.parameters, which, changed)
    arguments = {"system": System(), "method": METHOD, "kinds": len(DOSE_KINDS)}
    result = solve_simulation(changed, (), SEGMENTS, **arguments)
    m, rho = result.final.model.targets, changed.parameters.model.targets.density
    tumor = (m.viable[1:, 2].sum() + m.dying) / rho
    peak = result.periods.reductions.peak.cytokines[1, IL6]
    return jnp.log(jnp.stack([peak, tumor, result.periods.reductions.area.drug[1]]))


@pytest.fixture(scope="module")
def derivatives(strict_types):
    """(endpoint, parameter): by forward mode, and by differences of the same program."""
    dose = (0.0, IV, 3.0 * NMOL_PER_MG, 4 / 24, 1)
    which = jax.tree.map(jnp.asarray, sim(0, (dose,)))
    which = eqx.tree_at(lambda which: which.end, which, jnp.asarray(2.0))
    units = np.eye(len(PARAMETERS))
    stencil = {0: 0.0, -2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}  # of fourth order
    factors = np.concatenate([n * STEP * units for n in stencil])
    directions = np.concatenate([units] * len(stencil))
    f = functools.partial(endpoints, which)
    # In sequence: a program for many simulations at once takes twice as long to compile.
    one = lambda pair: jax.jvp(f, pair[:1], pair[1:])  # noqa: E731
    all_of_them = jax.jit(functools.partial(jax.lax.map, one))
    value, slope = all_of_them((jnp.asarray(factors), jnp.asarray(directions)))
    at = np.asarray(value).reshape(len(stencil), len(PARAMETERS), len(ENDPOINTS))
    differences = np.tensordot(list(stencil.values()), at, 1) / STEP
    return np.asarray(slope[: len(PARAMETERS)]).T, differences.T


@pytest.mark.parametrize("endpoint", ENDPOINTS[:2])
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_forward_mode_agrees_with_differences(endpoint, parameter, derivatives):
    at = ENDPOINTS.index(endpoint), PARAMETERS.index(parameter)
    by_mode, by_difference = derivatives[0][at], derivatives[1][at]
    assert by_mode == pytest.approx(by_difference, rel=1e-4, abs=1e-9)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="few T cells of the tumor are recruited within the time: derivative -3.5e-6",
)
def test_a_higher_kill_rate_shrinks_the_tumor(derivatives):
    tumor = derivatives[0][1]
    assert tumor[2] < -1e-5, f"derivative {tumor[2]:.2g}"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="few T cells of the tumor are recruited within the time: derivative -6.0e-6",
)
def test_more_potency_shrinks_the_tumor(derivatives):
    tumor = derivatives[0][1]
    assert tumor[0] < -1e-5, f"derivative {tumor[0]:.2g}"


def test_derivatives_have_the_signs_of_the_model(derivatives):
    by_mode = derivatives[0]
    peak, tumor, area = by_mode
    assert peak[0] > 0.1  # potency raises release
    assert 0.5 < peak[1] <= 1.01  # production raises IL-6 by at most its own factor
    assert tumor[0] < 0.0
    assert tumor[2] < 0.0
    assert tumor[1] == pytest.approx(0.0, abs=1e-12)  # IL-6 does not act on the tumor
    assert area == pytest.approx(np.zeros(3), abs=1e-3)  # almost no drug is bound to cells
