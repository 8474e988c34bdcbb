"""Closed form of the trimers against numerical root finding and the kinetic scheme."""

import dataclasses
import itertools
from pathlib import Path
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from qsp import molecules, populations
from qsp.model.binding import Receptors
from qsp.model.engagement import killing_per_contact
from qsp.model.synapse import (
    Equilibrium,
    Gap,
    Kinetic,
    Plateau,
    Relaxed,
    contact_gap,
    per_synapse,
    trimers,
)

DENSITY = 9.03e-3  # molecules/um^2 equal to 1 nmol/L in the contact gap
CD3 = 6e4 / 150.0 / DENSITY


def root_find(c, K_3, K_T, alpha, chi, r_T, valency, r_3=CD3):
    """Trimers from the mass balances of CD3 and target, solved for ln t with t the free target."""
    single, double = valency / K_T, (valency - 1.0) * chi / K_T**2

    def trimer(t):
        per_cd3 = alpha * c / K_3 * (single * t + double * t * t)
        return r_3 * per_cd3 / (1.0 + c / K_3 + per_cd3)

    def balance(log_t):
        t = np.exp(log_t)
        on_target = c * (single * t + 2.0 * double * t * t)
        per_trimer = (single + 2.0 * double * t) / (single + double * t)
        return (t + on_target + per_trimer * trimer(t)) / r_T - 1.0

    top = np.log(r_T)
    return trimer(np.exp(cast(float, brentq(balance, top - 80, top + 1e-9, xtol=1e-14))))


def grid(*chi):
    """Combinations of drug, K_3, K_T, alpha, chi and target over the plausible ranges."""
    c, copies = np.logspace(-4, 4, 9), np.array([300.0, 1e4, 1e6])
    axes = c, (1.0, 40.0, 1000.0), (0.01, 1.0, 70.0), (1e-3, 1.0, 100.0), chi
    return np.array(list(itertools.product(*axes, copies / 500.0 / DENSITY)))


def closed_form(points, binding, valency, refinements, r_3=CD3):
    def at(point):
        c, K_3, K_T, alpha, chi, r_T, r_3 = point
        p = eqx.tree_at(
            lambda p: (p.KD_CD3, p.KD_target, p.chi, p.valency),
            binding,
            (K_3, K_T, chi, jnp.asarray(valency)),
        )
        in_gap = Gap(
            free=c[None], K_T=K_T, receptors=Receptors(jnp.full((1,), r_3), r_T[None, None])
        )
        return trimers(in_gap, alpha, p, refinements=refinements)[0, 0]

    rows = np.column_stack([points, np.broadcast_to(r_3, len(points))])
    return np.asarray(jax.jit(jax.vmap(at))(jnp.asarray(rows)))


def worst(points, binding, valency, refinements):
    reference = np.array([root_find(*point, valency=valency) for point in points])
    return np.abs(closed_form(points, binding, valency, refinements) / reference - 1.0).max()


def test_one_target_arm_is_exact(complete):
    assert worst(grid(0.0), complete.model.binding, 1.0, 0) < 2e-8


def test_one_target_arm_needs_no_refinement_and_no_chi(complete):
    points = grid(5.0)
    plain = closed_form(points, complete.model.binding, 1.0, 0)
    assert closed_form(points, complete.model.binding, 1.0, 4) == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("refinements", [0, 3, 8])
def test_two_target_arms_without_cross_arm_binding_are_exact(refinements, complete):
    assert worst(grid(0.0), complete.model.binding, 2.0, refinements) < 2e-8


@pytest.mark.parametrize("chi", [1e-12, 1e-10])
def test_two_target_arms_are_exact_as_chi_goes_to_zero(chi, complete):
    assert worst(grid(chi), complete.model.binding, 2.0, 8) < 1e-6


@pytest.mark.parametrize(("refinements", "tolerance"), [(3, 0.05), (8, 5e-3), (16, 1e-4)])
def test_two_target_arms_converge_with_refinements(refinements, tolerance, complete):
    points = grid(0.01, 1.0, 10.0, 1000.0)
    assert worst(points, complete.model.binding, 2.0, refinements) < tolerance


def test_typical_glofitamab_is_within_6e_4(double_precision):
    file = Path(__file__).parents[2] / "populations" / "nhl_dlbcl.toml"
    table = populations.nominal(molecules.load("glofitamab"), populations.read_cohort(file))
    p = table.nominal().model
    c = np.geomspace(1e-4, 1e3, 15)  # a column of tissues for each concentration
    gap = contact_gap(jnp.zeros(4), jnp.zeros(()), p.binding)
    r_T = np.asarray(gap.receptors.target)
    r_3, K_3 = float(gap.receptors.cd3[0]), float(p.binding.KD_CD3)
    K_T, chi, alpha = float(gap.K_T), float(p.binding.chi), float(p.synapse.alpha)
    worst = 0.0
    for target in np.unique(r_T[r_T > 0.0]):
        receptors = Receptors(cd3=jnp.full(c.size, r_3), target=jnp.full((3, c.size), target))
        some = Gap(free=jnp.asarray(c), K_T=gap.K_T, receptors=receptors)
        ours = np.asarray(trimers(some, p.synapse.alpha, p.binding, refinements=7))[0]
        exact = [root_find(x, K_3, K_T, alpha, chi, target, 2.0, r_3) for x in c]
        worst = max(worst, float(np.max(np.abs(ours / exact - 1.0))))
    assert 1e-4 < worst < 6e-4


def test_one_to_one_bridge_is_symmetric_in_both_arms(complete):
    points = grid(0.0)
    c, K_3, K_T, alpha, chi, r_T = points.T
    mirror = np.column_stack([c, K_T, K_3, alpha, chi, np.full(c.shape, CD3)])
    straight = closed_form(points, complete.model.binding, 1.0, 0)
    swapped = closed_form(mirror, complete.model.binding, 1.0, 0, r_3=r_T)
    assert swapped == pytest.approx(straight, rel=1e-11)


@pytest.mark.parametrize(("K_3", "K_T"), [(40.0, 70.0), (1000.0, 0.024), (0.3, 200.0)])
def test_bridges_are_highest_at_the_geometric_mean_of_the_affinities(K_3, K_T, complete):
    c = np.sqrt(K_3 * K_T) * np.exp(np.linspace(-8, 8, 4001))
    points = np.column_stack(
        [c, *(np.full(c.shape, v) for v in (K_3, K_T, 0.003, 0.0, 60.0 / DENSITY))]
    )
    height = closed_form(points, complete.model.binding, 1.0, 0)
    top = np.argmax(height)
    assert np.log(c[top] / np.sqrt(K_3 * K_T)) == pytest.approx(0.0, abs=0.0041)
    assert np.all(np.diff(height[: top + 1]) > 0)
    assert np.all(np.diff(height[top:]) < 0)


@pytest.mark.parametrize("valency", [1.0, 2.0])
def test_bridges_are_limited_by_receptors_and_negligible_without_drug(valency, complete):
    points = grid(0.0, 10.0)
    height = closed_form(points, complete.model.binding, valency, 8)
    assert np.all(height >= 0.0)
    assert np.all(height <= np.minimum(CD3, points[:, 5]) * (1 + 1e-12))
    # Bridges left by the guard at zero drug are negligible relative to a beta50 of 8 or more.
    without_drug = np.array(
        [[0.0, 40.0, K_T, 0.003, 1.0, 1e5 / 300 / DENSITY] for K_T in (5.0, 70.0)]
    )
    left = closed_form(without_drug, complete.model.binding, valency, 8) * DENSITY * 30.0
    assert np.all((left >= 0.0) & (left < 1e-4))


@pytest.mark.parametrize("refinements", [0, 6])
def test_bridges_are_zero_without_target_and_have_a_finite_gradient(refinements, complete):
    valency = jnp.asarray(2.0 if refinements else 1.0)
    p = eqx.tree_at(lambda p: p.valency, complete.model.binding, valency)

    def total(r_T):
        receptor = Receptors(jnp.full((1,), CD3), r_T)
        in_gap = Gap(free=jnp.full((1,), 20.0), K_T=p.KD_target, receptors=receptor)
        return trimers(in_gap, jnp.asarray(0.003), p, refinements=refinements).sum()

    none, few = jnp.zeros((1, 1)), jnp.full((1, 1), 1e-6)
    value, gradient = jax.value_and_grad(total)(none)
    assert float(value) == 0.0
    # At few targets, far from saturation, bridges are proportional to targets.
    slope = float(total(few)) / float(few[0, 0])
    assert float(gradient[0, 0]) == pytest.approx(slope, rel=1e-6)
    assert float(jax.jacfwd(total)(none)[0, 0]) == pytest.approx(slope, rel=1e-6)


def test_bridges_per_synapse_are_density_times_area(complete):
    p, s = complete.model.binding, complete.model.synapse
    got = per_synapse(jnp.full((3, 4), 100.0), p, s)
    assert np.asarray(got) == pytest.approx(np.full((3, 4), 100.0 * DENSITY * 30.0))


def surroundings(p, c=20.0):
    return contact_gap(jnp.array([c, 0.4 * c, 0.3 * c, 0.1 * c]), jnp.asarray(3.0), p)


def test_kinetic_scheme_reaches_the_closed_form(complete):
    b, s = complete.model.binding, complete.model.synapse
    in_gap, form = surroundings(b), Kinetic()
    state, tree = jax.tree.flatten(form.initial(b))
    size = [leaf.size for leaf in state]

    def unpack(flat):
        parts = np.split(flat, np.cumsum(size)[:-1])
        return tree.unflatten([jnp.asarray(part.reshape(3, 4)) for part in parts])

    @jax.jit
    def flow(state):
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(rates(state))])

    def rates(state):
        return form.rates(state, in_gap, b, s)

    options = {"method": "BDF", "rtol": 1e-9, "atol": 1e-12}
    run = solve_ivp(lambda t, y: np.asarray(flow(unpack(y))), (0, 30.0), np.zeros(36), **options)
    resting = form.bridges(unpack(run.y[:, -1]), in_gap, b, s)
    closed = Equilibrium().bridges(None, in_gap, b, s)
    assert np.asarray(resting) == pytest.approx(np.asarray(closed), rel=1e-6)
    assert float(closed.min()) > 1e-3


def test_relaxed_bridges_approach_the_closed_form_at_the_bounded_off_rate(complete):
    b, s = complete.model.binding, complete.model.synapse
    form = Relaxed()
    for c, expected in ((1e-3, None), (1e5, s.k_relax_max)):
        in_gap = surroundings(b, c)
        closed = Equilibrium().bridges(None, in_gap, b, s)
        assert np.all(
            np.asarray(form.rates(type(form.initial(b))(closed), in_gap, b, s).per_synapse) == 0
        )
        rate = form.rates(form.initial(b), in_gap, b, s).per_synapse / closed
        K_T = 70.0 * (1.0 + 3.0 / 4.0)
        free = np.asarray(in_gap.free) / K_T
        bare = float(s.k_off_target) * (1.0 + free) if expected is None else float(expected)
        assert np.asarray(rate) == pytest.approx(np.broadcast_to(bare, (3, 4)), rel=1e-12)
    slow = eqx.tree_at(lambda s: s.k_off_target, s, jnp.asarray(0.01))
    in_gap = surroundings(b, 1e-3)
    rate = form.rates(form.initial(b), in_gap, b, slow).per_synapse
    closed = Equilibrium().bridges(None, in_gap, b, slow)
    assert np.asarray(rate / closed) == pytest.approx(np.full((3, 4), float(s.k_relax_min)))


# === plateau at high drug ======================================================================


def bridges_at(form, p, c):
    """Bridges per synapse of malignant cells at concentrations of free drug."""
    copies = jnp.broadcast_to(p.binding.copies_target[1, 2], (3, c.size))
    area = jnp.broadcast_to(p.binding.area_target[1, 2], (3, c.size))
    b = dataclasses.replace(p.binding, copies_target=copies, area_target=area)
    gap = contact_gap(jnp.asarray(c), jnp.zeros(()), b)
    return np.asarray(form.bridges(None, gap, b, p.synapse))[1]


def model_of(molecule, population):
    file = Path(__file__).parents[2] / "populations" / f"{population}.toml"
    table = populations.nominal(molecules.load(molecule), populations.read_cohort(file))
    return jax.tree.map(jnp.asarray, table.nominal().model)


@pytest.mark.parametrize(
    ("molecule", "population"),
    [("teclistamab", "myeloma"), ("mosunetuzumab", "nhl"), ("glofitamab", "nhl_dlbcl")],
)
def test_bridges_of_the_plateau_never_fall(molecule, population):
    """They are those of the equilibrium at low drug, and close to its highest at high drug."""
    p, c = model_of(molecule, population), np.geomspace(1e-5, 1e5, 401)
    n = 7 if molecule == "glofitamab" else 0
    plateau, equilibrium = (bridges_at(form(n), p, c) for form in (Plateau, Equilibrium))
    assert np.all(np.diff(plateau) >= -1e-4 * plateau[:-1])  # the error of the iteration for 2:1
    np.testing.assert_allclose(plateau[:40], equilibrium[:40], rtol=1e-2)
    assert plateau[-1] == pytest.approx(equilibrium.max(), rel=0.1 if n else 0.01)
    assert equilibrium[-1] < 0.1 * equilibrium.max()


def test_killing_by_teclistamab_does_not_fall_from_2_to_512_nmol_per_liter():
    """In vitro it is 89 % of all cells over this range, and half of that near 0.1 nmol/L.

    Beyond the affinity of its arms the equilibrium alone falls, whatever alpha and beta50_kill.
    """
    p = model_of("teclistamab", "myeloma")
    p = eqx.tree_at(lambda p: p.binding.KD_target, p, jnp.asarray(0.18))
    p = eqx.tree_at(lambda p: p.binding.copies_target, p, jnp.full((3, 4), 12_600.0))
    c = np.array([2.0, 8.0, 32.0, 128.0, 512.0])

    def killed(form, alpha, potency):
        """Share of cells killed, with a rate that gives 89 % at the highest killing."""
        s = dataclasses.replace(p.synapse, alpha=jnp.asarray(alpha))
        q = dataclasses.replace(p, synapse=s)
        bridges, most = bridges_at(form, q, c), bridges_at(form, q, np.geomspace(0.1, 100, 200))
        half = dataclasses.replace(s, beta50_kill=jnp.asarray(potency * most.max()))
        effect = np.asarray(killing_per_contact(jnp.asarray(bridges), half))
        highest = float(killing_per_contact(jnp.asarray(most.max()), half))
        return 1.0 - 0.11 ** (effect / highest)

    for alpha in (1e-4, 1e-2):
        for potency in (3.0, 30.0):  # as steep as killing in vitro, half near 0.1 nmol/L
            assert killed(Plateau(), alpha, potency) == pytest.approx(np.full(5, 0.89), abs=0.02)
            assert killed(Equilibrium(), alpha, potency)[-1] < 0.89 - 0.10
