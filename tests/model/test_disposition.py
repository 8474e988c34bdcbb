"""Mass balance of the drug: rates of the whole model at a state, and boluses."""

import functools
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from qsp import model
from qsp.model.disposition import clearance, total_drug
from qsp.model.synapse import Equilibrium
from qsp.system import System
from tests.model.patient import busy, complete

SYSTEM = System()
TWO_ARMS = System(model.ModelStructure(synapse=Equilibrium(refinements=3)))


def total(x, p, system=SYSTEM):
    """Amount of drug in a state, including the sinks [nmol]."""
    bulk = model.algebraic(x.model, p.model, system.structure).bulk
    return total_drug(x.model.drug, bulk, p.model.disposition, p.model.tissues)


@functools.cache
def balance(system):
    """A function that returns the rate of total drug, and the derivative of the state."""

    @jax.jit
    def f(x, p, infusion):
        dx = system.rates(jnp.asarray(9.0), x, p, infusion)
        return jax.jvp(lambda x: total(x, p, system), (x,), (dx,))[1], dx

    return f


def parameters_and_state(p, seed, *, valency=1.0, competitor=True):
    p = eqx.tree_at(lambda p: p.model.binding.valency, p, jnp.asarray(valency))
    x = busy(p, SYSTEM, np.random.default_rng(seed))
    if not competitor:
        x = eqx.tree_at(lambda x: x.model.drug.competitor, x, jnp.asarray(0.0))
    return p, x


def check_balance(system, p, x, seed):
    infusion = jnp.asarray(np.random.default_rng(seed).uniform(0.0, 50.0, 6))
    change, dx = balance(system)(x, p, infusion)
    dosing = infusion[0] + p.model.disposition.bioavailability * infusion[1]
    sinks = dx.model.drug.eliminated + dx.model.drug.internalized + dx.model.drug.died
    turnover = float(dosing + sinks)
    assert turnover > 1.0
    assert float(change - dosing) == pytest.approx(0.0, abs=1e-9 * turnover)


@pytest.mark.parametrize("seed", range(8))
def test_rate_of_total_drug_is_the_infusion(seed, complete):
    p, x = parameters_and_state(complete, seed)
    check_balance(SYSTEM, p, x, seed)


@pytest.mark.parametrize("seed", range(3))
def test_rate_of_total_drug_is_the_infusion_for_a_2_to_1_molecule(seed, complete):
    p, x = parameters_and_state(complete, seed, valency=2.0, competitor=False)
    check_balance(TWO_ARMS, p, x, seed)


def test_competitor_conserves_the_drug_of_a_2_to_1_molecule(complete):
    p, x = parameters_and_state(complete, 0, valency=2.0)
    check_balance(TWO_ARMS, p, x, 0)


def test_a_missing_sink_is_detected(complete):
    """Mutation: drug on dying cells disappears instead of entering its sink."""
    p, x = parameters_and_state(complete, 0)
    change, dx = balance(SYSTEM)(x, p, jnp.zeros(6))
    assert abs(float(change)) < 1e-9
    assert abs(float(change - dx.model.drug.died)) > 1e-3


@settings(max_examples=60)
@given(
    scale=st.lists(st.floats(0.0, 30.0), min_size=6, max_size=6),
    seed=st.integers(0, 10**6),
)
def test_sinks_never_decrease(scale, seed):
    """For any state, including empty compartments."""
    p = complete()
    drug, target, t_cells, cells, activity, bridging = scale
    x = busy(p, SYSTEM, np.random.default_rng(seed))
    x = eqx.tree_at(
        lambda x: (
            x.model.drug.soluble,
            x.model.drug.soluble_target,
            x.model.t_cells,
            x.model.targets.viable,
            x.model.margination,
            x.model.drug.competitor,
        ),
        x,
        (
            drug * x.model.drug.soluble,
            target * x.model.drug.soluble_target,
            jax.tree.map(lambda cells: t_cells * cells, x.model.t_cells),
            cells * x.model.targets.viable,
            jnp.asarray(activity / 30.0),
            bridging * x.model.drug.competitor,
        ),
    )
    dx = balance(SYSTEM)(x, p, jnp.zeros(6))[1].model.drug
    for sink in (dx.eliminated, dx.internalized, dx.died):
        assert float(sink) >= 0.0


bolus = jax.jit(SYSTEM.bolus)
all_drug = jax.jit(total)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dose", [1e-3, 1.0, 400.0])
def test_bolus_changes_soluble_drug_in_blood_only_and_adds_its_dose(seed, dose, complete):
    p, x = parameters_and_state(complete, seed)
    before = all_drug(x, p)
    after = bolus(x, p, jnp.zeros(10).at[0].set(dose))
    assert float(all_drug(after, p) - before) == pytest.approx(dose, abs=1e-10 * float(before))
    soluble = lambda x: x.model.drug.soluble  # noqa: E731
    rest = eqx.tree_at(soluble, after, soluble(after).at[0].set(soluble(x)[0]))
    assert all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (rest, x)), strict=True))
    assert float(soluble(after)[0]) > float(soluble(x)[0])


@settings(max_examples=60)
@given(
    dose=st.floats(-4.0, 4.0),
    cells=st.floats(-2.0, 1.5),
    KD=st.floats(-2.0, 2.5),
    soluble=st.floats(-2.0, 2.0),
    target=st.floats(-3.0, 1.5),
)
def test_bolus_conserves_drug_at_all_receptor_numbers(dose, cells, KD, soluble, target):
    p = complete()
    x = busy(p, SYSTEM, np.random.default_rng(1))
    p = eqx.tree_at(
        lambda p: (p.model.binding.KD_target, p.model.binding.KD_soluble),
        p,
        (jnp.asarray(10.0**KD), jnp.asarray(1.0)),
    )
    x = eqx.tree_at(
        lambda x: (
            x.model.targets.viable,
            x.model.drug.soluble,
            x.model.drug.soluble_target,
        ),
        x,
        (
            10.0**cells * x.model.targets.viable,
            jnp.full(4, 10.0**soluble),
            jnp.full(4, 10.0**target),
        ),
    )
    before = float(all_drug(x, p))
    after = float(all_drug(bolus(x, p, jnp.array([10.0**dose, 0, 0, 0, 0, 0])), p))
    assert after - before == pytest.approx(10.0**dose, abs=1e-10 * (before + 10.0**dose))


def test_bolus_of_zero_changes_nothing(complete):
    p, x = parameters_and_state(complete, 3)
    after = bolus(x, p, jnp.zeros(6))
    for a, b in zip(*map(jax.tree.leaves, (after, x)), strict=True):
        assert np.asarray(a) == pytest.approx(np.asarray(b), rel=1e-14)


def test_subcutaneous_bolus_enters_the_depot(complete):
    p, x = parameters_and_state(complete, 0)
    after = bolus(x, p, jnp.zeros(10).at[1].set(40.0))
    gained = after.model.drug.depot - x.model.drug.depot
    assert float(gained) == pytest.approx(40.0 * float(p.model.disposition.bioavailability))


def test_supportive_doses_enter_their_compartments(complete):
    p, x = parameters_and_state(complete, 0)
    after = bolus(x, p, jnp.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0])).supportive
    before = x.supportive
    gained = [
        after.tocilizumab.central - before.tocilizumab.central,
        after.dexamethasone.central - before.dexamethasone.central,
        after.jak_inhibitor.gut - before.jak_inhibitor.gut,
        after.anti_tnf.central - before.anti_tnf.central,
        after.siltuximab.central - before.siltuximab.central,
        after.anakinra.depot - before.anakinra.depot,
        after.kinase_inhibitor.gut - before.kinase_inhibitor.gut,
    ]
    assert [float(g) for g in gained] == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])


def test_bolus_solves_its_mass_balance_if_receptors_bind_most_of_it(complete):
    """Compared with a bracketing root finder."""
    p, x = parameters_and_state(complete, 0)
    x = eqx.tree_at(lambda x: x.model.drug.soluble, x, jnp.full(4, 1e-3))
    x = eqx.tree_at(lambda x: x.model.targets.viable, x, 50.0 * x.model.targets.viable)
    dose, expected_total = 2.0, float(all_drug(x, p)) + 2.0

    def missing(log_c):
        at = lambda x: x.model.drug.soluble  # noqa: E731
        return (
            float(all_drug(eqx.tree_at(at, x, at(x).at[0].set(np.exp(log_c))), p)) / expected_total
            - 1.0
        )

    expected = np.exp(cast(float, brentq(missing, -12.0, 8.0, xtol=1e-13)))
    got = bolus(x, p, jnp.zeros(10).at[0].set(dose)).model.drug.soluble[0]
    assert float(got) == pytest.approx(expected, rel=1e-9)


def test_clearance_is_halfway_to_steady_state_after_one_half_life(typical):
    d = typical.model.disposition
    at = lambda t: float(clearance(jnp.asarray(t), d))  # noqa: E731
    half_life, first, last = float(d.half_life_CL), float(d.CL_base), float(d.CL_ss)
    assert at(0.0) == pytest.approx(first)
    assert at(half_life) == pytest.approx((first + last) / 2)
    assert at(1e4) == pytest.approx(last)
