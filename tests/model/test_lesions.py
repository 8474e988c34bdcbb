"""Lesions: the first tumor model as a limit, conservation, limits without drug, and extinction."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp import model
from qsp.errors import ConfigError
from qsp.model.disposition import total_drug
from qsp.model.effects import no_effects
from qsp.model.lesions import dividing
from qsp.model.targets import growth_per_cell
from qsp.model.tissues import MALIGNANT, TUMOR, TUMOR_KINDS
from qsp.model.tumors import Lesions, Pool
from qsp.system import DOSE_KINDS, System
from qsp.validation.one_lesion import course, difference, like_pool, with_lesions
from tests.model.patient import busy, complete, typical, units


def system(tumor):
    return System(model.ModelStructure(tumor=tumor))


@pytest.mark.parametrize(
    ("number", "antigen_low"), [(1, 0.0), (1, 0.03), (4, 0.03)], ids=["one", "clone", "four alike"]
)
def test_lesions_without_exhaustion_are_the_first_tumor_model(number, antigen_low):
    """One lesion, or four that differ in size alone, over 16 days with three doses."""
    p = like_pool(typical(), antigen_low)
    ours, first = course(Lesions(number), p), course(Pool(), p)
    assert float(first.targets.viable[-1, MALIGNANT, TUMOR]) < 0.5 * 50_000.0
    found = {path: value for path, _, value in units(ours)}
    for path, _, value in units(first):
        scale = np.abs(np.asarray(value)).max()
        np.testing.assert_allclose(found[path], value, rtol=1e-9, atol=1e-9 * scale, err_msg=path)
    cells = ours.lesions.positive.sum(-1)
    np.testing.assert_allclose(cells, first.targets.viable[:, MALIGNANT, TUMOR], rtol=1e-9)
    assert difference(ours, first) < 1e-9


def test_slow_exhaustion_differs_from_the_first_tumor_model():
    p = like_pool(typical(), 0.0)
    exhausted = course(Lesions(1), with_lesions(p, k_exhaust=1e-3))
    assert difference(exhausted, course(Pool(), p)) > 1e-4


@pytest.fixture
def random_state():
    """A patient with every process active in a random state, whose sums agree with the lesions."""
    p, of = complete(), system(Lesions(3, m_protein=True))
    x = busy(p, of, np.random.default_rng(5))
    lesions = x.model.lesions
    clones = jnp.stack([lesions.positive.sum(), lesions.loss.sum()])
    targets = dataclasses.replace(
        x.model.targets,
        viable=x.model.targets.viable.at[TUMOR_KINDS, TUMOR].set(clones),
        dying=lesions.dying.sum(),
    )
    return p, eqx.tree_at(lambda x: x.model.targets, x, targets), of


def test_cells_are_conserved(random_state):
    """Killed cells become dying cells, and the tumor is the sum of its lesions."""
    p, x, of = random_state
    dx = of.rates(jnp.asarray(3.0), x, p, jnp.zeros(len(DOSE_KINDS))).model
    y, dy = x.model.lesions, dx.lesions
    growth = growth_per_cell(x.model.targets.viable, p.model.targets)[TUMOR_KINDS, TUMOR]
    factor, one = p.model.lesions.growth_factor[:3], p.model.lesions.one_cell
    grown = factor * sum(
        rate * dividing(cells, one) * cells
        for rate, cells in zip(growth, (y.positive, y.loss), strict=True)
    )
    cleared = p.model.targets.k_clear * y.dying
    np.testing.assert_allclose(dy.positive + dy.loss + dy.dying, grown - cleared, rtol=1e-9)
    sums = [dy.positive.sum(), dy.loss.sum()]
    np.testing.assert_allclose(dx.targets.viable[TUMOR_KINDS, TUMOR], sums, rtol=1e-12)
    np.testing.assert_allclose(dx.targets.dying, dy.dying.sum(), rtol=1e-12)


def test_drug_is_conserved(random_state):
    """The derivative of all drug, in the body and lost, is the infusion."""
    p, x, of = random_state
    infusion = jnp.zeros(len(DOSE_KINDS)).at[0].set(70.0)
    tumor, q = of.structure.tumor, p.model
    parameters = eqx.tree_at(
        lambda p: p.model.binding, p, tumor.binding(q.binding, q.lesions)
    ).model

    def drug(x):
        bulk = model.algebraic(x.model, q, of.structure).bulk
        return total_drug(x.model.drug, bulk, parameters.disposition, parameters.tissues)

    dx = of.rates(jnp.asarray(3.0), x, p, infusion)
    rate = jax.jvp(drug, (x,), (dx,))[1]
    assert float(rate) == pytest.approx(70.0, rel=1e-9)


def test_without_drug_lesions_grow():
    """No killing and no exhaustion: cells grow by their own rates, M-protein follows them."""
    p = with_lesions(typical(), loss_share=0.2, growth_factor=[1.0, 2.0, 0.5, 1.0, 1.0, 1.0])
    p = with_lesions(p, m_protein_baseline=30.0, k_protein=0.05)
    capacity = jnp.full(4, 1e12)
    p = eqx.tree_at(lambda p: p.model.targets.capacity, p, capacity)
    of = system(Lesions(3, m_protein=True))
    x = of.initial(p)
    start = x.model.lesions
    no_dose = jnp.zeros(len(DOSE_KINDS))
    dx = of.rates(jnp.asarray(0.0), x, p, no_dose).model.lesions
    k = float(p.model.targets.k_growth[MALIGNANT, TUMOR]) * np.array([1.0, 2.0, 0.5])
    np.testing.assert_allclose(dx.positive, k * start.positive, rtol=1e-6)
    np.testing.assert_allclose(dx.loss, k * start.loss, rtol=1e-6)
    np.testing.assert_allclose(dx.loss / dx.positive, 0.25, rtol=1e-9)
    assert np.abs(np.asarray(dx.dying)).max() < 1e-9 * float(start.positive.max())
    assert np.abs(np.asarray(dx.exhaustion)).max() < 1e-9
    assert float(dx.m_protein) == pytest.approx(0.0, abs=1e-9)
    assert float(dx.new_lesions) == pytest.approx(float(p.model.lesions.k_new))
    larger = eqx.tree_at(
        lambda x: x.model.targets.viable,
        x,
        x.model.targets.viable.at[TUMOR_KINDS, TUMOR].multiply(4.0),
    )
    dx = of.rates(jnp.asarray(0.0), larger, p, no_dose).model.lesions
    assert float(dx.new_lesions) == pytest.approx(2.0 * float(p.model.lesions.k_new))
    assert float(dx.m_protein) == pytest.approx(0.05 * (4 - 1) * 30.0)


def test_lesions_differ_by_their_killing_rate():
    """Under the same drug some lesions shrink while others grow; contact exhausts, not killing."""
    p = with_lesions(
        typical(), k_kill=[12.0, 0.0, 0.3, 0.0, 0.0, 0.0], loss_share=0.0, k_exhaust=0.02
    )
    end = course(Lesions(4), p).lesions
    size = np.asarray(end.positive[-1] / system(Lesions(4)).initial(p).model.lesions.positive)
    assert size[0] < 0.5 * size[2] < 0.5 < size[1]
    assert size[1] == pytest.approx(size[3], rel=1e-9)
    assert float(jnp.diff(end.positive[:, 1]).min()) > 0.0
    assert float(end.dying[:, 1].max()) == 0.0
    assert 0.0 < float(end.exhaustion[-1, 0]) < float(end.exhaustion[-1, 1])


def test_exhaustion_lowers_killing_and_recovers():
    p = with_lesions(typical(), k_kill=3.0, loss_share=0.0, k_exhaust=0.3, k_recover=0.1)
    end, fresh = course(Lesions(1), p), course(Lesions(1), with_lesions(p, k_exhaust=0.0))
    assert float(end.lesions.positive[-1, 0]) > 1.1 * float(fresh.lesions.positive[-1, 0])
    rested = jax.tree.map(lambda leaf: leaf[-1], end)
    none = dataclasses.replace(rested.drug, soluble=jnp.zeros(4), peripheral=jnp.zeros(()))
    rested = dataclasses.replace(rested, drug=none)
    of = system(Lesions(1)).structure
    dosing = model.Dosing(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))
    dx = model.rates(jnp.asarray(28.0), rested, dosing, p.model, no_effects(), of)
    expected = -0.1 * float(rested.lesions.exhaustion[0])
    assert float(dx.lesions.exhaustion[0]) == pytest.approx(expected, rel=1e-6)


def test_exhausted_t_cells_divide_less_in_the_tumor_alone(random_state):
    p, x, of = random_state

    def rates(exhaustion):
        lesions = dataclasses.replace(x.model.lesions, exhaustion=jnp.full(3, exhaustion))
        other = eqx.tree_at(lambda x: x.model.lesions, x, lesions)
        return of.rates(jnp.asarray(3.0), other, p, jnp.zeros(len(DOSE_KINDS))).model.t_cells

    fresh, half, spent = (np.asarray(rates(e).post_activated) for e in (0.0, 0.5, 1.0))
    assert spent[TUMOR] < half[TUMOR] < fresh[TUMOR]
    assert half[TUMOR] == pytest.approx(0.5 * (fresh[TUMOR] + spent[TUMOR]), rel=1e-9)
    np.testing.assert_allclose(np.delete(spent, TUMOR), np.delete(fresh, TUMOR), rtol=1e-12)
    np.testing.assert_allclose(rates(1.0).activated, rates(0.0).activated, rtol=1e-12)


def test_a_lesion_below_one_cell_does_not_grow_back():
    one = jnp.asarray(1e-6)
    factor = np.asarray(dividing(jnp.array([-1.0, 0.0, 1e-8, 1e-6, 1e-4, 5e4]), one))
    np.testing.assert_allclose(factor, [0.0, 0.0, 1e-4, 0.5, 0.9999, 1.0], atol=1e-4)
    assert float(dividing(jnp.asarray(5e4), one)) == pytest.approx(1.0, abs=1e-15)


def test_a_loss_clone_of_less_than_one_cell_is_none():
    p = with_lesions(typical(), weight=[1.0, 9.0, 0.0, 0.0, 0.0, 0.0])
    cells = float(p.model.targets.baseline[TUMOR_KINDS, TUMOR].sum())
    p = with_lesions(p, loss_share=5e-6 / cells)  # 0.5 and 4.5 cells
    start = system(Lesions(2)).initial(p).model
    np.testing.assert_allclose(start.lesions.loss, [0.0, 4.5e-6], rtol=1e-9)
    np.testing.assert_allclose(
        start.lesions.positive + start.lesions.loss, [0.1 * cells, 0.9 * cells]
    )


def test_a_patient_may_have_fewer_lesions():
    """A lesion of size zero, such as the extramedullary one, has no cells and finite rates."""
    p = with_lesions(complete(), weight=[1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    of = system(Lesions(2, m_protein=True))
    x = of.initial(p)
    dx = of.rates(jnp.asarray(1.0), x, p, jnp.ones(len(DOSE_KINDS)))
    assert all(np.isfinite(np.asarray(value)).all() for _, _, value in units(dx))
    assert float(dx.model.lesions.positive[1]) == float(x.model.lesions.positive[1]) == 0.0


@pytest.mark.parametrize("number", [0, 7])
def test_the_number_of_lesions_is_one_to_six(number):
    with pytest.raises(ConfigError, match="from 1 to 6"):
        Lesions(number)


def test_rates_of_lesions_have_finite_derivatives():
    p, of = complete(), system(Lesions(4, m_protein=True))
    x = of.initial(p)

    def total(p):
        dx = of.rates(jnp.asarray(1.0), x, p, jnp.ones(len(DOSE_KINDS)))
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(dx))

    slopes = jax.tree.leaves(jax.grad(total)(p))
    assert all(np.isfinite(np.asarray(slope)).all() for slope in slopes)
