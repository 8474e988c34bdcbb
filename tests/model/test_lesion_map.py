"""The map of lesions alone: growth without drug, the equations at a constant attack, its order."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

from qsp import model
from qsp.model.lesion_map import Held, lesion_course
from qsp.model.lesion_measures import lesion_volumes
from qsp.model.tissues import ANTIGEN_LOW, MALIGNANT, TUMOR, TUMOR_KINDS
from qsp.model.tumors import Lesions
from qsp.system import System
from tests.model.patient import busy, complete

DAYS = 21
ONE_CELL = 1e-6  # [Mcell]
TUMOR_FORM = Lesions(3, m_protein=True)


@pytest.fixture
def patient(double_precision):
    """A patient with every process active, and lesions in a random state."""
    p, system = complete(), System(model.ModelStructure(tumor=TUMOR_FORM))
    x = busy(p, system, np.random.default_rng(5)).model
    return p.model, x, model.algebraic(x, p.model, system.structure).attack


def held(p, x, attack):
    return Held(attack, x.targets, p.targets, p.lesions, p.engagement)


def course(p, x, attack, step=1.0):
    """Lesions after each step."""
    times = jnp.linspace(0.0, DAYS, round(DAYS / step) + 1)
    return lesion_course(x.lesions, times, held(p, x, attack), TUMOR_FORM)


def solved(p, x, attack):
    """Lesions after an interval by the equations at a constant attack, by SciPy."""
    flat, form = ravel_pytree(x.lesions)

    @jax.jit
    def slope(vector):
        y = form(vector)
        sums = jnp.stack([y.positive.sum(), y.loss.sum()])
        viable = x.targets.viable.at[TUMOR_KINDS, TUMOR].set(sums)
        targets = dataclasses.replace(x.targets, viable=viable)
        args = (attack, targets.viable, p.lesions, p.engagement)
        _, killed = TUMOR_FORM.killing(y, *args)
        _, rates = TUMOR_FORM.rates(
            y, attack, killed, targets, targets, p.targets, p.lesions, p.engagement
        )
        return ravel_pytree(rates)[0]

    run = solve_ivp(
        lambda t, y: np.asarray(slope(y)), (0, DAYS), np.asarray(flat), rtol=1e-10, atol=1e-12
    )
    return form(jnp.asarray(run.y[:, -1]))


def without_attack(attack):
    return jax.tree.map(jnp.zeros_like, attack)


def test_without_drug_the_cells_grow_logistically(patient):
    """All lesions grow alike here, so that their sum has a closed form."""
    p, x, attack = patient
    k_growth = p.targets.k_growth.at[TUMOR_KINDS, TUMOR].set(0.03)
    p = eqx.tree_at(
        lambda p: (p.targets.k_growth, p.lesions.growth_factor, p.lesions.one_cell),
        p,
        (k_growth, jnp.ones_like(p.lesions.growth_factor), jnp.zeros(())),
    )
    found = course(p, x, without_attack(attack))
    cells = np.asarray((found.positive + found.loss).sum(-1))
    limit, days = float(p.targets.capacity[TUMOR]), np.arange(DAYS + 1)
    expected = limit / (1 + (limit / cells[0] - 1) * np.exp(-0.03 * days))
    np.testing.assert_allclose(cells, expected, rtol=1e-6)
    assert cells[-1] > 1.2 * cells[0]
    fading = np.exp(-float(p.targets.k_clear) * DAYS)
    np.testing.assert_allclose(found.dying[-1], x.lesions.dying * fading, rtol=1e-12)
    recovery = np.exp(-float(p.lesions.k_recover) * DAYS)
    np.testing.assert_allclose(found.exhaustion[-1], x.lesions.exhaustion * recovery, rtol=1e-12)


@pytest.mark.parametrize(("step", "rtol"), [(1.0, 0.02), (0.125, 3e-4)])
def test_at_a_constant_attack_an_interval_is_that_of_the_equations(patient, step, rtol):
    """Also a lesion that loses all of its positive cells within the interval."""
    p, x, attack = patient
    expected, found = solved(p, x, attack), course(p, x, attack, step)
    assert float(expected.positive.min() / x.lesions.positive.max()) < 0.9  # killing matters
    for name in ("positive", "loss", "dying", "exhaustion", "new_lesions", "m_protein"):
        value, true = np.asarray(getattr(found, name)[-1]), np.asarray(getattr(expected, name))
        np.testing.assert_allclose(value, true, rtol=rtol, atol=ONE_CELL, err_msg=name)
    np.testing.assert_allclose(
        lesion_volumes(jax.tree.map(lambda leaf: leaf[-1], found), p.targets),
        lesion_volumes(expected, p.targets),
        rtol=rtol,
    )


def test_half_the_step_leaves_a_quarter_of_the_error(patient):
    p, x, attack = patient
    true = np.asarray(solved(p, x, attack).positive)
    coarse, fine = (
        np.abs(np.asarray(course(p, x, attack, step).positive[-1]) / true - 1).max()
        for step in (1.0, 0.5)
    )
    assert 3.0 < coarse / fine < 6.0


def test_a_lesion_without_a_cell_stays_without(patient):
    """Also if the solver left slightly less than none."""
    p, x, attack = patient
    none = dataclasses.replace(
        x.lesions,
        positive=x.lesions.positive.at[0].set(-1e-15),
        loss=x.lesions.loss.at[0].set(0.0),
    )
    found = course(p, dataclasses.replace(x, lesions=none), attack)
    assert np.asarray(found.positive[:, 0]).tolist() == [0.0] * (DAYS + 1)
    assert np.isfinite(np.asarray(found.exhaustion)).all()
    assert float(found.positive[-1, 1]) > 0.0


def test_clones_of_the_tumor_at_the_start_are_those_of_the_lesions(patient):
    """Target cells of the tumor in the input do not matter: the lesions have them."""
    p, x, attack = patient
    viable = x.targets.viable.at[MALIGNANT, TUMOR].set(1.0).at[ANTIGEN_LOW, TUMOR].set(2.0)
    other = dataclasses.replace(x, targets=dataclasses.replace(x.targets, viable=viable))
    one, two = course(p, x, attack), course(p, other, attack)
    jax.tree.map(np.testing.assert_array_equal, one, two)
