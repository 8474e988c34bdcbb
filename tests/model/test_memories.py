"""Cooperative activation of myeloid cells, and the memories that form despite a steroid."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qsp import model
from qsp.model.cytokines import Cytokines, cytokine_baseline, cytokine_rates
from qsp.model.effects import no_effects
from qsp.model.release import Release, release_factor, release_rates

ONE = jnp.asarray(1.0)


def steroid(fraction):
    return dataclasses.replace(no_effects(), steroid=jnp.asarray(fraction))


# === activation of myeloid cells ===============================================================


@pytest.fixture(scope="module")
def activation(typical):
    """Activation of resting myeloid cells by contact alone, relative to its maximum."""

    def relative(u, *, half=1.0, n=1.0):
        c = dataclasses.replace(
            typical.model.cytokines, u50_myeloid=jnp.asarray(half), hill_myeloid=jnp.asarray(n)
        )
        x = cytokine_baseline(c)
        rate = cytokine_rates(x, u * c.contact50, no_effects(), c, ONE).myeloid
        return float(rate / c.k_myeloid_on)

    return relative


@pytest.mark.parametrize("n", [1.0, 1.35, 3.0])
def test_half_of_the_myeloid_activation_is_at_its_constant(n, activation):
    assert activation(2.5, half=2.5, n=n) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("u", [1e-6, 0.03, 1.0, 40.0])
def test_myeloid_activation_without_cooperativity_is_u_over_one_plus_u(u, activation):
    assert activation(u) == pytest.approx(u / (1.0 + u), rel=1e-12)


@pytest.mark.parametrize("n", [1.0, 1.35])
def test_weak_stimuli_activate_as_a_power_of_the_stimulus(n, activation):
    """A stimulus ten times weaker activates 10^n times less."""
    ratio = activation(1e-6, half=2.5, n=n) / activation(1e-7, half=2.5, n=n)
    assert ratio == pytest.approx(10.0**n, rel=1e-5)


# === memories ==================================================================================


def release_memory(r, effects, days):
    """Release memory after some days of a constant number of secreting cells [Mcell*day]."""
    factor = model.memory_correction(release_factor(effects, r))
    secreting = jnp.array([1000.0, 200.0, 50.0, 10.0])

    @jax.jit
    def rates(memory):
        x = Release(jnp.asarray(0.0), jnp.asarray(0.0), memory)
        return release_rates(x, secreting, jnp.asarray(0.0), effects, r, factor).memory

    slope = lambda _, y: [float(rates(jnp.asarray(y[0])))]  # noqa: E731
    return solve_ivp(slope, (0.0, days), [0.0], rtol=1e-10, atol=1e-10).y[0, -1]


def test_release_memory_forms_under_a_steroid_as_without_one(typical):
    """The memory after a dose with a steroid equals that without."""
    r = typical.model.release
    without = release_memory(r, steroid(0.0), 3.0)
    assert without > float(r.CA50) / 10
    assert release_memory(r, steroid(0.9), 3.0) == pytest.approx(without, rel=1e-9)


def test_steroid_inhibits_release_although_the_memory_forms(typical):
    r = typical.model.release
    x, secreting = Release(*[jnp.asarray(0.0)] * 3), jnp.full(4, 10.0)

    def drive(effects):
        factor = model.memory_correction(release_factor(effects, r))
        return float(release_rates(x, secreting, jnp.asarray(0.0), effects, r, factor).transit_1)

    expected = drive(no_effects()) * (1.0 - 0.9 * float(r.steroid_release))
    assert drive(steroid(0.9)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("f_tolerant", "factor", "share"), [(0.5, 1.0, 0.5), (0.3, 2.5, 0.75), (0.82, 2.5, 1.0)]
)
def test_share_of_myeloid_cells_that_become_tolerant_is_at_most_one(
    f_tolerant, factor, share, typical
):
    c = dataclasses.replace(typical.model.cytokines, f_tolerant=jnp.asarray(f_tolerant))
    x = Cytokines(c.baseline, jnp.asarray(0.6), jnp.asarray(0.0))
    dx = cytokine_rates(x, jnp.asarray(100.0), steroid(0.9), c, jnp.asarray(factor))
    assert float(dx.tolerant) == pytest.approx(share * float(c.k_myeloid_off) * 0.6, rel=1e-12)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_myeloid_cells_are_conserved_and_none_is_created(factor, typical):
    """The resting fraction 1 - M_a - M_tol does not fall below zero under strong stimulation."""
    c, now = typical.model.cytokines, steroid(0.9)

    @jax.jit
    def rates(y):
        x = Cytokines(c.baseline, y[0], y[1])
        dx = cytokine_rates(x, jnp.asarray(1e6), now, c, jnp.asarray(factor))
        return jnp.stack([dx.myeloid, dx.tolerant])

    out = solve_ivp(
        lambda _, y: np.asarray(rates(jnp.asarray(y))),
        (0.0, 30.0),
        [0.0, 0.0],
        method="LSODA",
        rtol=1e-9,
        atol=1e-12,
        max_step=0.25,
    )
    assert out.y.min() >= 0.0
    assert (1.0 - out.y.sum(axis=0)).min() >= 0.0
    assert out.y[1, -1] > 0.8


def test_each_site_of_a_steroid_acts_alone(typical):
    """Stimulus and production of myeloid cells: each maximum changes only its own rates."""
    c = dataclasses.replace(
        typical.model.cytokines,
        steroid_stimulus=jnp.asarray(0.0),
        steroid_production=jnp.asarray(0.0),
    )
    x = Cytokines(c.baseline + 50.0, jnp.asarray(0.2), jnp.asarray(0.1))

    def rates(**changes):
        changed = dataclasses.replace(c, **{k: jnp.asarray(v) for k, v in changes.items()})
        return cytokine_rates(x, jnp.asarray(500.0), steroid(0.8), changed, ONE)

    plain = rates()
    stimulus, production = rates(steroid_stimulus=0.7), rates(steroid_production=0.7)
    assert float(stimulus.myeloid) < float(plain.myeloid) == float(production.myeloid)
    assert np.all(np.asarray(stimulus.blood) == np.asarray(plain.blood))
    lower = np.asarray(production.blood) < np.asarray(plain.blood)
    assert lower.tolist() == [False, True, False, True, False, True]  # TNF, IL-6, CXCL10
