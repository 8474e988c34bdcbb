"""T cells and target cells: conservation, recruitment, killing, and steady state without drug."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp import model
from qsp.model.effects import no_effects
from qsp.model.engagement import Contact, contact, killing
from qsp.model.synapse import Kinetic, Relaxed
from qsp.model.t_cells import (
    MassAction,
    TCells,
    Threshold,
    t_cell_fluxes,
    t_cell_rates,
    within_reach,
)
from qsp.model.targets import target_fluxes, target_rates, tumor_volume
from qsp.model.tissues import BLOOD, TUMOR, TUMOR_KINDS
from qsp.model.traffic import net_arrival
from qsp.system import System
from tests.model import patient
from tests.model.patient import busy, units

FORMS = {
    "closed form": model.ModelStructure(),
    "mass action": model.ModelStructure(recruitment=MassAction()),
    "relaxed": model.ModelStructure(synapse=Relaxed()),
    "kinetic": model.ModelStructure(synapse=Kinetic()),
}


# === traffic ===================================================================================


@pytest.mark.parametrize("seed", range(3))
def test_traffic_conserves_cells(seed, complete):
    p, x = complete.model, busy(complete, System(), np.random.default_rng(seed)).model
    arrival = net_arrival(
        x.t_cells,
        p.t_cells.baseline,
        x.margination,
        jnp.asarray(2e3),
        jnp.asarray(150.0),
        p.traffic,
    )
    for name in ("resting", "activated", "post_activated"):
        flux = np.asarray(getattr(arrival, name))
        assert flux.sum() == pytest.approx(0.0, abs=1e-12 * np.abs(flux).sum())
        assert np.all(flux != 0.0)


def test_margination_and_chemotaxis_increase_exit_from_blood(complete):
    p, rest = complete.model, complete.model.t_cells.baseline
    none = jnp.zeros(4)

    def into_tissues(marginated, cxcl10):
        x = TCells(rest, none, none)
        level, zero = jnp.asarray(cxcl10), jnp.asarray(150.0)
        arrival = net_arrival(x, rest, jnp.asarray(marginated), level, zero, p.traffic)
        return np.asarray(arrival.resting)

    assert into_tissues(0.0, 150.0) == pytest.approx(np.zeros(4), abs=1e-9)
    marginated = into_tissues(1.0, 150.0)
    assert marginated[BLOOD] < 0.0 < marginated[1:].min()
    out = np.asarray(p.traffic.k_exit) * float(rest[BLOOD])
    # tenfold exit, a third of the return
    assert marginated[1:] == pytest.approx(out[1:] * (10.0 - 1.0 / 3.0))
    attracted = into_tissues(0.0, 2150.0)
    gain = np.asarray(p.traffic.chemotaxis) * 2000.0 / 4150.0
    assert attracted[1:] == pytest.approx(out[1:] * gain[1:], abs=1e-8)


def test_activated_cells_move_faster(complete):
    p, rest, none = complete.model, complete.model.t_cells.baseline, jnp.zeros(4)
    x = TCells(none, 0.1 * rest.at[BLOOD].multiply(3.0), 0.1 * rest.at[BLOOD].multiply(3.0))
    slow = dataclasses.replace(x, resting=x.activated)
    zero = jnp.asarray(150.0)
    arrival = net_arrival(slow, rest, jnp.asarray(0.3), zero, zero, p.traffic)
    assert np.asarray(arrival.activated) == pytest.approx(2.0 * np.asarray(arrival.resting))
    assert np.asarray(arrival.post_activated) == pytest.approx(2.0 * np.asarray(arrival.resting))


# === recruitment ===============================================================================


def stimulus(touching, stimulation):
    fill = lambda v: jnp.broadcast_to(jnp.asarray(v, float), (4,))  # noqa: E731
    touching, stimulation = fill(touching), fill(stimulation)
    activating = touching * stimulation
    return Contact(touching, activating, activating, stimulation)


cells = st.floats(0.0, 1e6)


@settings(max_examples=200)
@given(
    resting=cells,
    activated=cells,
    post=cells,
    touching=st.floats(0.0, 1.0),
    h=st.floats(0.0, 1.0),
)
def test_threshold_recruits_between_none_and_all_resting_cells(
    resting, activated, post, touching, h
):
    p = patient.complete().model.t_cells
    x = TCells(*(jnp.full(4, v) for v in (resting, activated, post)))
    flux = np.asarray(Threshold()(x, stimulus(touching, h), jnp.full(4, 18.0), p))
    assert np.all(flux >= 0.0)
    assert np.all(flux <= 18.0 * touching * resting)


@pytest.mark.parametrize("rule", [Threshold(), MassAction()])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_recruitment_is_zero_without_stimulation(rule, share, complete):
    pool = complete.model.t_cells.baseline
    x = TCells((1.0 - share) * pool, 0.4 * share * pool, 0.6 * share * pool)
    flux = rule(x, stimulus(0.9, 0.0), jnp.full(4, 18.0), complete.model.t_cells)
    assert np.all(np.asarray(flux) == 0.0)


def test_both_rules_agree_at_full_stimulation_of_a_resting_pool(complete):
    """Above all thresholds, both rules recruit the resting pool; they differ below."""
    p, none = complete.model.t_cells, jnp.zeros(4)
    x, rate = TCells(p.baseline, none, none), jnp.full(4, 18.0)
    threshold, mass_action = (
        rule(x, stimulus(0.8, 1.0), rate, p) for rule in (Threshold(), MassAction())
    )
    # for an unrecruited pool, smoothing reduces recruitment by ln 2 of 2 % of the pool
    assert np.asarray(threshold / mass_action) == pytest.approx(
        np.full(4, 1 - 0.02 * np.log(2)), rel=1e-9
    )
    assert np.asarray(mass_action) == pytest.approx(18.0 * 0.8 * np.asarray(p.baseline))


def test_repeated_stimulation_recruits_no_further_cells(complete):
    """Step-up dosing: the same stimulation recruits none, a stronger one only the difference."""
    p = complete.model.t_cells
    x = TCells(0.5 * p.baseline, 0.1 * p.baseline, 0.4 * p.baseline)
    sharp = dataclasses.replace(p, threshold_width=jnp.asarray(1e-4))
    rate = jnp.full(4, 18.0)
    again = Threshold()(x, stimulus(1.0, 0.4), rate, sharp)
    assert np.all(np.asarray(again) < 1e-12)
    stronger = Threshold()(x, stimulus(1.0, 0.7), rate, sharp)
    assert np.asarray(stronger) == pytest.approx(18.0 * 0.2 * np.asarray(p.baseline))
    assert np.all(np.asarray(MassAction()(x, stimulus(1.0, 0.4), rate, sharp)) > 0.0)


def test_recruitment_is_limited_by_resting_cells(complete):
    p = complete.model.t_cells
    x = TCells(0.01 * p.baseline, 0.99 * p.baseline, jnp.zeros(4))
    flux = Threshold()(x, stimulus(1.0, 1.0), jnp.full(4, 18.0), p)
    assert np.all(np.asarray(flux) <= 18.0 * np.asarray(x.resting))


def test_excluded_cells_have_no_contact_and_are_not_recruited(complete):
    """Excluding half equals a pool with half of the resting cells; activated cells all count."""
    p = complete.model.t_cells
    x = TCells(p.baseline, 0.1 * p.baseline, 0.1 * p.baseline)
    half = dataclasses.replace(p, excluded=jnp.full(4, 0.5))
    near = within_reach(x, half)
    assert np.asarray(near.total) == pytest.approx(0.7 * np.asarray(p.baseline))

    def activation(x, p):
        flux = t_cell_fluxes(x, stimulus(0.7, 0.6), no_effects(), Threshold(), p)
        return np.asarray(flux.activation)

    none = dataclasses.replace(p, excluded=jnp.zeros(4))
    assert activation(x, half) == pytest.approx(activation(near, none), rel=1e-12)
    all_excluded = dataclasses.replace(p, excluded=jnp.ones(4))
    assert np.all(activation(x, all_excluded) <= 0.0)


# === balance of T cells =========================================================================


def test_number_of_t_cells_changes_by_expansion_death_and_homeostasis_only(complete, rng):
    p, x = complete.model.t_cells, busy(complete, System(), rng).model.t_cells
    none = TCells(*[jnp.zeros(4)] * 3)
    flux = t_cell_fluxes(x, stimulus(0.7, 0.6), no_effects(), Threshold(), p)
    change = t_cell_rates(flux, none).total
    expected = flux.expansion + flux.homeostasis - flux.death_activated - flux.death_post
    assert np.asarray(change) == pytest.approx(np.asarray(expected), rel=1e-9)
    assert all(np.all(np.asarray(value) != 0.0) for _, _, value in units(flux))


def test_homeostasis_adds_missing_cells_and_removes_only_resting_cells_that_are_left(complete):
    p, none = complete.model.t_cells, jnp.zeros(4)

    def homeostasis(resting, activated):
        x = TCells(resting * p.baseline, activated * p.baseline, none)
        flux = t_cell_fluxes(x, stimulus(0.0, 0.0), no_effects(), Threshold(), p).homeostasis
        return np.asarray(flux / p.baseline.sum())

    k_home = np.asarray(p.k_home)
    assert homeostasis(0.4, 0.0) == pytest.approx(0.6 * k_home)
    assert homeostasis(1.0, 0.5) == pytest.approx(-0.5 * k_home)
    assert homeostasis(0.1, 2.0) == pytest.approx(-1.1 * 0.1 * k_home)
    assert np.all(homeostasis(0.0, 2.0) == 0.0)


def test_expansion_stops_at_its_limit(complete):
    p = complete.model.t_cells
    limit = np.asarray(p.expansion_limit * p.baseline)
    for share, expected in ((0.5, 0.5), (2.0, 0.0)):
        x = TCells(jnp.zeros(4), jnp.zeros(4), jnp.asarray(share * limit))
        flux = t_cell_fluxes(x, stimulus(1.0, 1.0), no_effects(), Threshold(), p)
        growth = np.asarray(flux.expansion) / (float(p.g_X) * share * limit)
        assert growth == pytest.approx(np.full(4, expected), abs=1e-4)


def test_steroid_inhibits_activation_and_jak_inhibitor_does_not_inhibit_expansion(complete, rng):
    p, x = complete.model.t_cells, busy(complete, System(), rng).model.t_cells

    def fluxes(**effect):
        effects = dataclasses.replace(
            no_effects(), **{name: jnp.asarray(value) for name, value in effect.items()}
        )
        return t_cell_fluxes(x, stimulus(0.7, 0.9), effects, Threshold(), p)

    plain, steroid, jak = fluxes(), fluxes(steroid=1.0), fluxes(jak=0.9)
    ratio = np.asarray(steroid.activation / plain.activation)
    assert ratio == pytest.approx(np.full(4, 1.0 - float(p.steroid_act)))
    assert np.asarray(jak.expansion) == pytest.approx(np.asarray(plain.expansion))


# === targets ====================================================================================


def test_exchange_conserves_target_cells(complete, rng):
    x = busy(complete, System(), rng).model.targets
    flux = target_fluxes(x, jnp.zeros((3, 4)), jnp.zeros(()), complete.model.targets)
    arrival = np.asarray(flux.arrival)
    assert arrival.sum(1) == pytest.approx(np.zeros(3), abs=1e-12 * np.abs(arrival).sum())
    assert np.all(arrival[:, 1:] != 0.0)


def test_killed_tumor_cells_become_dying_cells(complete, rng):
    x = busy(complete, System(), rng).model.targets
    kills = jnp.asarray(rng.uniform(1.0, 9.0, (3, 4)))
    flux = target_fluxes(x, kills, jnp.zeros(()), complete.model.targets)
    with_kills, without = (
        target_rates(flux),
        target_rates(dataclasses.replace(flux, killing=0 * kills)),
    )
    lost = np.asarray(without.viable - with_kills.viable)
    assert lost == pytest.approx(np.asarray(kills), rel=1e-9)
    gained = float(with_kills.dying - without.dying)
    assert gained == pytest.approx(float(kills[TUMOR_KINDS, TUMOR].sum()), rel=1e-9)


def test_both_clones_share_one_capacity(complete):
    p = complete.model.targets
    viable = p.baseline.at[1, TUMOR].set(0.7e6).at[2, TUMOR].set(0.3e6)
    x = dataclasses.replace(
        model.baseline(complete.model, model.ModelStructure()).targets, viable=viable
    )
    growth = np.asarray(target_fluxes(x, jnp.zeros((3, 4)), jnp.zeros(()), p).growth)
    assert growth[TUMOR_KINDS, TUMOR] == pytest.approx(np.zeros(2), abs=1e-8)


def test_tumor_volume_includes_dying_cells(complete):
    p = complete.model.targets
    x = model.baseline(complete.model, model.ModelStructure()).targets
    x = dataclasses.replace(x, dying=jnp.asarray(1000.0))
    tumor = float(x.viable[1, TUMOR] + x.viable[2, TUMOR]) + 1000.0
    assert float(tumor_volume(x, p)) == pytest.approx(tumor / 1e6)


def test_killing_per_target_falls_with_targets_per_effector(complete, rng):
    """More targets per effector cell give fewer kills per target; no effector cells, no kills."""
    e, s = complete.model.engagement, complete.model.synapse
    bridges, some = jnp.full((3, 4), 50.0), jnp.asarray(rng.uniform(10, 99, (3, 4)))

    def per_target(targets, activated):
        effectors = jnp.full(4, activated)
        return np.asarray(killing(bridges, targets, effectors, jnp.zeros(4), e, s) / targets)

    few, many = per_target(some, 100.0), per_target(10 * some, 100.0)
    assert np.all(many < few)
    assert np.all(few < np.asarray(e.k_kill) * 50.0 / (float(s.beta50_kill) + 50.0))
    assert np.all(per_target(some, 0.0) == 0.0)


def test_half_of_the_t_cells_are_in_contact_at_k_t_targets_per_t_cell(complete):
    e, s = complete.model.engagement, complete.model.synapse
    t_cells = jnp.full(4, 100.0)
    targets = jnp.zeros((3, 4)).at[0].set(e.k_T * t_cells)
    contacts = contact(jnp.full((3, 4), 1e12), targets, t_cells, e, s)
    assert np.asarray(contacts.touching) == pytest.approx(np.full(4, 0.5))
    assert np.asarray(contacts.stimulation) == pytest.approx(np.ones(4))
    assert np.asarray(contacts.killing) == pytest.approx(np.full(4, 0.5))


def test_contacts_are_zero_in_a_tissue_without_cells(complete):
    e, s = complete.model.engagement, complete.model.synapse
    contacts = contact(jnp.full((3, 4), 50.0), jnp.zeros((3, 4)), jnp.zeros(4), e, s)
    assert all(np.all(np.asarray(value) == 0.0) for _, _, value in units(contacts))


# === before treatment ===========================================================================


@functools.cache
def derivative(name):
    return jax.jit(System(FORMS[name]).rates)


GUARDS = {"model.bridges": 1e-9, "model.adaptation": 1e-14, "model.margination": 1e-14}
"""Rates per day that 1e-18 nmol/L of drug causes, by the first letters of the path."""


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("molecule", "cohort"),
    [
        ("mosunetuzumab", "nhl"),
        ("blinatumomab", "nhl_blinatumomab"),
        ("tebentafusp", "uveal_melanoma"),
    ],
)
def test_untreated_patient_is_at_steady_state_except_for_the_tumor(name, molecule, cohort):
    p = patient.typical(molecule, cohort)
    x = System(FORMS[name]).initial(p)
    dx = derivative(name)(jnp.asarray(0.0), x, p, jnp.zeros(6))
    growth = np.asarray(dx.model.targets.viable)
    assert np.all(growth[TUMOR_KINDS, TUMOR] > 0.0)
    resting = eqx.tree_at(lambda dx: dx.model.targets.viable, dx, growth * (np.abs(growth) < 1e-6))
    size = {path: float(np.max(np.abs(value))) for path, _, value in units(x)}
    for path in ("model.t_cells.activated", "model.t_cells.post_activated"):
        size[path] = size["model.t_cells.resting"]  # the pool from which they are recruited
    for path, _, rate in units(resting):
        # the numerical guard leaves 1e-18 nmol/L of drug and a negligible number of bridges
        guard = next((bound for start, bound in GUARDS.items() if path.startswith(start)), 0.0)
        assert float(np.max(np.abs(rate))) <= 1e-10 * max(size[path], 1.0) + guard, path
    assert np.count_nonzero(np.abs(growth) >= 1e-6) == np.count_nonzero(growth[TUMOR_KINDS, TUMOR])
