"""Binding equilibrium in a tissue against numerical root finding and finite differences."""

import dataclasses
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from qsp import model
from qsp.model.binding import (
    Receptors,
    arm_affinity,
    avidity,
    bulk,
    free_drug,
    gap_receptors,
    receptors,
)
from qsp.model.disposition import total_drug
from qsp.model.synapse import Equilibrium
from tests.model.patient import complete

DECADES = st.floats(-6.0, 4.0)


def one(value):
    return jnp.full((1,), value)


def free_by_root_find(C, s, K):
    """Root of c*(1 + s/(K + c)) = C in ln c."""
    low = np.log(C) - np.log1p(s / K)
    f = lambda u: np.exp(u) * (1.0 + s / (K + np.exp(u))) / C - 1.0  # noqa: E731
    return np.exp(cast(float, brentq(f, low - 1e-6, np.log(C) + 1e-6, xtol=1e-14)))


free_jitted = jax.jit(free_drug)


@given(C=DECADES, s=DECADES, K=st.floats(-4.0, 4.0))
def test_free_drug_solves_its_mass_balance(C, s, K):
    C, s, K = 10.0**C, 10.0**s, 10.0**K
    p = eqx.tree_at(lambda p: p.KD_soluble, complete().model.binding, jnp.asarray(K))
    got = float(free_jitted(one(C), one(s), p)[0])
    # With drug far in excess of K, a difference of two large numbers loses digits.
    lost = 4e-16 * (C + s + K) / K * (s < C)
    assert got == pytest.approx(free_by_root_find(C, s, K), rel=1e-12 + 4.0 * lost)


@pytest.mark.parametrize("C", [1e-12, 1e-3, 50.0, 1e4])
def test_all_drug_is_free_without_soluble_target(C, complete):
    got = free_drug(one(C), one(0.0), complete.model.binding)
    assert float(got[0]) == pytest.approx(C, rel=1e-11)


def test_free_drug_is_zero_without_drug_and_has_a_finite_gradient(complete):
    f = lambda C: free_drug(C, one(0.7), complete.model.binding).sum()  # noqa: E731
    value, gradient = jax.value_and_grad(f)(one(0.0))
    assert float(value) == 0.0
    assert float(gradient[0]) == pytest.approx(2.4 / (0.7 + 2.4))


DERIVATIVES = {
    "bound_per_free": "free",
    "free_per_soluble": "soluble",
    "free_per_target": "soluble_target",
    "bound_per_competitor": "competitor",
}


@pytest.mark.parametrize(
    ("name", "valency"),
    [
        *((name, 1.0) for name in DERIVATIVES),
        *((name, 2.0) for name in DERIVATIVES),
    ],
)
def test_derivatives_equal_finite_differences(name, valency, complete, rng):
    variable = DERIVATIVES[name]
    p = eqx.tree_at(lambda p: p.valency, complete.model.binding, jnp.asarray(valency))
    soluble, target = jnp.asarray(rng.uniform(1, 30, 4)), jnp.asarray(rng.uniform(0.1, 3, 4))
    competitor = jnp.asarray(3.0)
    receptor = Receptors(
        jnp.asarray(rng.uniform(0.1, 5, 4)), jnp.asarray(rng.uniform(0.1, 9, (3, 4)))
    )

    @jax.jit
    def at(soluble=soluble, target=target, competitor=competitor):
        return bulk(soluble, target, competitor, receptor, p)

    step = 1e-5
    if variable == "soluble":
        low, high = at(soluble=soluble * (1 - step)), at(soluble=soluble * (1 + step))
        difference = (high.free - low.free) / (2 * step * soluble)
    elif variable == "free":
        low, high = at(soluble=soluble * (1 - step)), at(soluble=soluble * (1 + step))
        difference = (high.bound - low.bound) / (high.free - low.free)
    elif variable == "soluble_target":
        low, high = at(target=target * (1 - step)), at(target=target * (1 + step))
        difference = (high.free - low.free) / (2 * step * target)
    else:
        low, high = at(competitor=competitor - step), at(competitor=competitor + step)
        difference = (high.bound - low.bound) / (2 * step)
    assert np.asarray(getattr(at(), name)) == pytest.approx(np.asarray(difference), rel=1e-7)


def test_bound_drug_is_occupancy_times_receptors(complete):
    receptor = Receptors(jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.arange(1.0, 13.0).reshape(3, 4))
    equilibrium = bulk(
        jnp.full(4, 9.0), jnp.zeros(4), jnp.asarray(0.0), receptor, complete.model.binding
    )
    expected = [
        9 / (40 + 9) * receptor.cd3[k] + 9 / (70 + 9) * float(receptor.target[:, k].sum())
        for k in range(4)
    ]
    assert np.asarray(equilibrium.bound) == pytest.approx([float(e) for e in expected], rel=1e-12)
    assert np.asarray(equilibrium.occupancy_cd3) == pytest.approx(np.full(4, 9 / 49), rel=1e-12)


def test_competitor_doubles_the_apparent_constant_at_its_own_constant(complete):
    p = complete.model.binding
    assert float(arm_affinity(jnp.asarray(0.0), p)) == float(p.KD_target)
    assert float(arm_affinity(p.KD_competitor, p)) == pytest.approx(2 * float(p.KD_target))


def test_avidity_needs_a_second_target_arm(complete):
    K_T = jnp.asarray(70.0)
    p = dataclasses.replace(complete.model.binding, chi=jnp.asarray(3.0))
    assert np.asarray(avidity(K_T, p)) == pytest.approx(np.ones((3, 4)))
    double = dataclasses.replace(p, valency=jnp.asarray(2.0))
    expected = 2.0 + 3.0 * np.asarray(gap_receptors(p).target) / 70.0
    assert np.asarray(avidity(K_T, double)) == pytest.approx(expected)


def test_receptor_concentration_is_cells_times_copies_over_volume(complete):
    p, tissues = complete.model.binding, complete.model.tissues
    receptor = receptors(jnp.full(4, 4000.0), jnp.full((3, 4), 500.0), p, tissues)
    # 4000 Mcell with 6e4 copies in 5 L: 2.4e14 molecules, 0.3985 nmol, 0.0797 nmol/L
    assert float(receptor.cd3[0]) == pytest.approx(4e9 * 6e4 / 6.022e23 * 1e9 / 5.0, rel=1e-6)
    assert float(receptor.target[0, 0]) == pytest.approx(5e8 * 1e5 / 6.022e23 * 1e9 / 5.0, rel=1e-6)


def test_receptors_in_the_contact_gap_follow_from_surface_densities(complete):
    p = complete.model.binding
    gap = gap_receptors(p)
    # A 15 nm gap over 1 um^2 holds 1.5e-17 L: 1 nmol/L there is 9.03e-3 molecules.
    per_nmol = 6.022e23 * 1e-9 * 15e-9 * 1e-12 * 1e3
    assert float(gap.cd3[0]) == pytest.approx(6e4 / 150.0 / per_nmol, rel=1e-3)
    assert np.asarray(gap.target[:, 0]) == pytest.approx(
        np.array([1e5 / 300, 3e4 / 500, 3e3 / 400]) / per_nmol, rel=1e-3
    )


def test_bolus_of_a_bivalent_drug_adds_its_dose():
    """Total drug rises by the dose with and without cross-arm binding."""
    p = eqx.tree_at(lambda p: p.model.binding.valency, complete(), jnp.asarray(2.0)).model
    for synapse in (Equilibrium(refinements=0), Equilibrium(refinements=6)):
        structure = model.ModelStructure(synapse=synapse)
        before = model.baseline(p, structure)
        after = model.bolus(before, jnp.asarray(10.0), jnp.asarray(0.0), p, structure)
        amount = [
            float(
                total_drug(x.drug, model.algebraic(x, p, structure).bulk, p.disposition, p.tissues)
            )
            for x in (before, after)
        ]
        assert amount[1] - amount[0] == pytest.approx(10.0, rel=1e-9)
