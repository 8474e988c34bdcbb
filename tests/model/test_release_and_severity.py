"""Release and cytokines: directions of effects, and exact limits."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.model.axes import fever_drive, rises
from qsp.model.cytokines import IL6, IL10, Cytokines, cytokine_rates
from qsp.model.effects import no_effects
from qsp.model.interleukin1 import il1
from qsp.model.release import Release, release_rates

ONE = jnp.asarray(1.0)  # no correction of the memories for a steroid


def effects_with(**effects):
    values = {name: jnp.asarray(value) for name, value in effects.items()}
    return dataclasses.replace(no_effects(), **values)


def excited(p, myeloid=0.2, tolerant=0.3):
    blood = p.baseline + jnp.array([200.0, 40.0, 30.0, 250.0, 0.0, 900.0])
    return Cytokines(blood=blood, myeloid=jnp.asarray(myeloid), tolerant=jnp.asarray(tolerant))


def test_receptor_blockade_raises_il6_and_lowers_its_effect(typical):
    c, s = typical.model.cytokines, typical.model.severity
    x, blocked = excited(c), effects_with(il6r_free=0.1)
    rise = [
        cytokine_rates(x, jnp.asarray(0.0), effects, c, ONE).blood
        for effects in (effects_with(), blocked)
    ]
    expected = 0.9 * float(c.k_IL6_receptor) * float(x.blood[IL6])
    difference = np.asarray(rise[1] - rise[0])
    assert difference[IL6] == pytest.approx(expected)
    assert np.count_nonzero(difference) == 1
    fever = [
        float(fever_drive(rises(x.blood, c.baseline, effects, s), s))
        for effects in (effects_with(), blocked)
    ]
    assert fever[1] < fever[0]


def il6_rate(effects, p, myeloid=0.2):
    x = excited(p, myeloid)
    return float(cytokine_rates(x, jnp.asarray(0.0), effects, p, ONE).blood[IL6])


@pytest.mark.parametrize("steroid", [0.0, 0.6])
def test_il6_without_anakinra_does_not_depend_on_il1(steroid, typical):
    """Production is p_IL6 times the active myeloid cells for any share of IL-1."""
    c = typical.model.cytokines
    myeloid = 0.2 * (1.0 - float(c.steroid_production) * steroid)
    production = il6_rate(effects_with(steroid=steroid), c) - il6_rate(
        effects_with(), c, myeloid=0.0
    )
    assert production == pytest.approx(float(c.p_IL6) * myeloid, rel=1e-12)
    none = dataclasses.replace(c, share_IL1=jnp.asarray(0.0))
    assert il6_rate(effects_with(steroid=steroid), c) == il6_rate(
        effects_with(steroid=steroid), none
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_full_il1_blockade_lowers_il6_production_by_the_share_of_il1(share, typical):
    c = dataclasses.replace(typical.model.cytokines, share_IL1=jnp.asarray(share))
    plain, blocked = (il6_rate(effects_with(il1r_free=free), c) for free in (1.0, 0.0))
    assert plain - blocked == pytest.approx(share * float(c.p_IL6) * 0.2, rel=1e-12)


def test_il6_production_follows_the_il1_signal_of_free_receptors(typical):
    """IL-6 from the steady state of IL-1 equals IL-6 from the rates."""
    c, p, free = typical.model.cytokines, typical.model.interleukin1, 0.3
    level = lambda myeloid: float(il1(jnp.asarray(myeloid), p))  # noqa: E731
    residual = float(p.p_IL1) * 0.2 - float(p.k_IL1) * (level(0.2) - float(p.baseline))
    assert abs(residual) < 1e-12 * float(p.p_IL1)
    il1_signal = free * (level(0.2) - level(0.0)) / (level(1.0) - level(0.0))
    share = float(c.share_IL1)
    expected = float(c.p_IL6) * ((1.0 - share) * 0.2 + share * il1_signal)
    production = il6_rate(effects_with(il1r_free=free), c) - il6_rate(
        effects_with(), c, myeloid=0.0
    )
    assert production == pytest.approx(expected, rel=1e-12)


def test_balance_of_resting_myeloid_cells(typical):
    c = typical.model.cytokines
    x = excited(c)
    dx = cytokine_rates(x, jnp.asarray(100.0), effects_with(), c, ONE)
    back = float(c.k_myeloid_off * (1.0 - c.f_tolerant) * x.myeloid + c.k_recovery * x.tolerant)
    activated = float(dx.myeloid + c.k_myeloid_off * x.myeloid)
    assert float(-(dx.myeloid + dx.tolerant)) == pytest.approx(back - activated)


def test_no_activation_without_resting_myeloid_cells(typical):
    c = typical.model.cytokines
    dx = cytokine_rates(excited(c, 0.2, 0.8), jnp.asarray(1e9), effects_with(), c, ONE)
    assert float(dx.myeloid) == pytest.approx(float(-c.k_myeloid_off * 0.2))


def test_il10_at_its_constant_halves_the_stimulus_of_myeloid_cells(typical):
    c = typical.model.cytokines
    weak = dataclasses.replace(c, contact50=jnp.asarray(1e9))  # far from saturation
    x = Cytokines(c.baseline, jnp.asarray(0.0), jnp.asarray(0.0))
    inhibited = dataclasses.replace(x, blood=x.blood.at[IL10].add(c.IL10_50))
    plain, treated = (
        float(cytokine_rates(y, jnp.asarray(1.0), effects_with(), weak, ONE).myeloid)
        for y in (x, inhibited)
    )
    assert treated == pytest.approx(plain / 2.0, rel=1e-6)


@pytest.mark.parametrize("name", ["anti-TNF", "JAK inhibitor", "steroid"])
def test_each_supportive_drug_lowers_myeloid_activation(name, typical):
    # The shipped site of steroids at the stimulus is zero.
    c = dataclasses.replace(typical.model.cytokines, steroid_stimulus=jnp.asarray(0.5))
    effect = {
        "anti-TNF": {"tnf_free": 0.1},
        "JAK inhibitor": {"jak": 0.9},
        "steroid": {"steroid": 1.0},
    }
    x, release = excited(c, 0.0, 0.0), jnp.asarray(0.0)
    plain, treated = (
        float(cytokine_rates(x, release, effects, c, ONE).myeloid)
        for effects in (effects_with(), effects_with(**effect[name]))
    )
    assert 0.0 < treated < plain


def test_release_memory_at_its_constant_halves_release(typical):
    r = typical.model.release
    secreting = jnp.array([100.0, 20.0, 5.0, 1.0])
    x = Release(*[jnp.asarray(0.0)] * 3)
    naive = release_rates(x, secreting, jnp.asarray(0.0), effects_with(), r, ONE)
    desensitized = release_rates(
        dataclasses.replace(x, memory=r.CA50), secreting, jnp.asarray(0.0), effects_with(), r, ONE
    )
    assert float(naive.transit_1) == pytest.approx(126.0 * float(r.k_transit))
    assert float(desensitized.transit_1) == pytest.approx(63.0 * float(r.k_transit))
    assert float(naive.memory) == pytest.approx(126.0)
