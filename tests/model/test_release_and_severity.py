"""Release, cytokines and the three links to CRS: directions of effects, and exact limits."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.model.cytokines import CYTOKINES, IL6, IL10, Cytokines, cytokine_baseline, cytokine_rates
from qsp.model.effects import no_effects
from qsp.model.event_links import hazard, logistic
from qsp.model.interleukin1 import il1
from qsp.model.release import Release, release_rates
from qsp.model.severity import inflammation, severity_rate, thresholds


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
        cytokine_rates(x, jnp.asarray(0.0), effects, c).blood
        for effects in (effects_with(), blocked)
    ]
    expected = 0.9 * float(c.k_IL6_receptor) * float(x.blood[IL6])
    difference = np.asarray(rise[1] - rise[0])
    assert difference[IL6] == pytest.approx(expected)
    assert np.count_nonzero(difference) == 1
    assert inflammation(x.blood, blocked, s) < inflammation(x.blood, effects_with(), s)


def il6_rate(effects, p, myeloid=0.2):
    x = excited(p, myeloid)
    return float(cytokine_rates(x, jnp.asarray(0.0), effects, p).blood[IL6])


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
    dx = cytokine_rates(x, jnp.asarray(100.0), effects_with(), c)
    back = float(c.k_myeloid_off * (1.0 - c.f_tolerant) * x.myeloid + c.k_recovery * x.tolerant)
    activated = float(dx.myeloid + c.k_myeloid_off * x.myeloid)
    assert float(-(dx.myeloid + dx.tolerant)) == pytest.approx(back - activated)


def test_no_activation_without_resting_myeloid_cells(typical):
    c = typical.model.cytokines
    dx = cytokine_rates(excited(c, 0.2, 0.8), jnp.asarray(1e9), effects_with(), c)
    assert float(dx.myeloid) == pytest.approx(float(-c.k_myeloid_off * 0.2))


def test_il10_at_its_constant_halves_the_stimulus_of_myeloid_cells(typical):
    c = typical.model.cytokines
    weak = dataclasses.replace(c, contact50=jnp.asarray(1e9))  # far from saturation
    x = Cytokines(c.baseline, jnp.asarray(0.0), jnp.asarray(0.0))
    inhibited = dataclasses.replace(x, blood=x.blood.at[IL10].add(c.IL10_50))
    plain, treated = (
        float(cytokine_rates(y, jnp.asarray(1.0), effects_with(), weak).myeloid)
        for y in (x, inhibited)
    )
    assert treated == pytest.approx(plain / 2.0, rel=1e-6)


@pytest.mark.parametrize("name", ["anti-TNF", "JAK inhibitor", "steroid"])
def test_each_supportive_drug_lowers_myeloid_activation(name, typical):
    c = typical.model.cytokines
    effect = {
        "anti-TNF": {"tnf_free": 0.1},
        "JAK inhibitor": {"jak": 0.9},
        "steroid": {"steroid": 1.0},
    }
    x, release = excited(c, 0.0, 0.0), jnp.asarray(0.0)
    plain, treated = (
        float(cytokine_rates(x, release, effects, c).myeloid)
        for effects in (effects_with(), effects_with(**effect[name]))
    )
    assert 0.0 < treated < plain


def test_release_memory_at_its_constant_halves_release(typical):
    r = typical.model.release
    secreting = jnp.array([100.0, 20.0, 5.0, 1.0])
    x = Release(*[jnp.asarray(0.0)] * 3)
    naive = release_rates(x, secreting, jnp.asarray(0.0), effects_with(), r)
    desensitized = release_rates(
        dataclasses.replace(x, memory=r.CA50), secreting, jnp.asarray(0.0), effects_with(), r
    )
    assert float(naive.transit_1) == pytest.approx(126.0 * float(r.k_transit))
    assert float(desensitized.transit_1) == pytest.approx(63.0 * float(r.k_transit))
    assert float(naive.memory) == pytest.approx(126.0)


def test_severity_follows_the_index_of_the_cytokines(typical):
    s, c = typical.model.severity, typical.model.cytokines
    y = inflammation(cytokine_baseline(c).blood, effects_with(), s)
    assert float(severity_rate(y, c.baseline, effects_with(), s)) == 0.0
    assert float(severity_rate(y + 0.1, c.baseline, effects_with(), s)) == pytest.approx(
        -0.1 * float(s.k_F)
    )


def test_severity_saturates_at_the_sum_of_its_weights(typical):
    s = typical.model.severity
    high = inflammation(jnp.full(len(CYTOKINES), 1e12), effects_with(), s)
    assert float(high) == pytest.approx(1.0 + float(s.weight_TNF) + float(s.weight_IFN), rel=1e-6)
    lowest = inflammation(
        jnp.full(len(CYTOKINES), 1e12), effects_with(il6r_free=0.0, tnf_free=0.0), s
    )
    assert float(lowest) == pytest.approx(float(s.weight_IFN), rel=1e-6)


def test_random_effects_shift_all_thresholds_of_a_dose_together(typical):
    s = typical.model.severity
    xi_dose = jnp.array([0.0, 1.0, -2.0])
    levels = np.asarray(thresholds(jnp.asarray(0.5), xi_dose, s))
    plain = np.asarray(thresholds(jnp.asarray(0.0), jnp.zeros(1), s))[0]
    assert plain == pytest.approx(np.asarray(s.threshold))
    shift = np.exp(float(s.sd_patient) * 0.5 + float(s.sd_dose) * np.array([0.0, 1.0, -2.0]))
    assert levels == pytest.approx(shift[:, None] * plain)
    assert np.all(np.diff(levels, axis=1) > 0.0)


def test_logistic_and_hazard_links(typical):
    s = typical.model.severity
    even = jnp.exp(-s.logistic_intercept / s.logistic_slope) * s.IL6_unit
    assert float(logistic(even, s)) == pytest.approx(0.5)
    odds = [float(p / (1 - p)) for p in (logistic(even, s), logistic(even * jnp.e, s))]
    assert np.log(odds[1] / odds[0]) == pytest.approx(float(s.logistic_slope))
    excess = [float(hazard(*map(jnp.asarray, pair), s)) for pair in ((0.3, 0.0), (0.2, 0.0))]
    total = np.array(excess) + float(s.hazard_0)
    assert total[0] / total[1] == pytest.approx(np.exp(0.1 * float(s.hazard_slope)))


def test_hazard_is_zero_without_treatment(typical):
    s, at_rest = typical.model.severity, jnp.asarray(0.06)
    assert float(hazard(at_rest, at_rest, s)) == 0.0
    assert float(hazard(jnp.asarray(0.05), at_rest, s)) == 0.0
    assert float(hazard(jnp.asarray(0.061), at_rest, s)) > 0.0
