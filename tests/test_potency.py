"""Free drug at half-maximum effect: closed form at low drug, interpolation, and `qsp explain`."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from qsp import molecules
from qsp.explain import explain
from qsp.explain.potency import bridges_at, half_effect
from qsp.explain.values import shipped
from qsp.model.tissues import BLOOD, NORMAL
from qsp.populations import nominal, read_cohort

POPULATIONS = Path(__file__).parents[1] / "populations"


def model_of(molecule, cohort):
    table = nominal(molecules.load(molecule), read_cohort(POPULATIONS / f"{cohort}.toml"))
    return table.nominal().model


def test_bridges_at_low_drug_are_proportional_to_both_receptors():
    """Trimers are alpha*c*R3*RT/(K3*KT) far below both dissociation constants."""
    model = model_of("mosunetuzumab", "nhl")
    free = np.array([1e-7, 2e-7])
    p, s = model.binding, model.synapse
    per_area = p.density_per_concentration
    r3 = p.copies_CD3 / p.area_t_cell / per_area
    r_t = p.copies_target[NORMAL, BLOOD] / p.area_target[NORMAL, BLOOD] / per_area
    expected = s.alpha * free * r3 * r_t / (p.KD_CD3 * p.KD_target) * per_area * s.area
    got = bridges_at(free, model)[:, NORMAL, BLOOD]
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_half_effect_is_the_drug_at_which_bridges_reach_beta50():
    free = np.logspace(-3, 3, 601)
    assert half_effect(free, 10.0 * free, 5.0) == pytest.approx(0.5, rel=1e-6)
    bell = free / (1.0 + free) ** 2
    assert half_effect(free, bell, 0.2) == pytest.approx((3.0 - 5.0**0.5) / 2.0, rel=1e-3)
    assert np.isnan(half_effect(free, bell, 0.3))  # above the maximum of the curve


def test_explain_compares_potency_with_in_vitro_values(tmp_path):
    text = "\n".join(explain("blinatumomab", POPULATIONS))
    assert "nhl_blinatumomab, normal cell in blood" in text
    assert "in vitro, activation: 0.1 ng/mL; published, Hosseini2020" in text
    assert ("Less than half of the maximum" in text) == ("at no concentration" in text)
    rare = "\n".join(explain("elranatamab", POPULATIONS))
    assert "activation at no concentration, killing at no concentration" in rare
    assert "Less than half of the maximum is enough for CRS." in rare
    assert "0.324 L/day, sd 1.001 (log scale), sex" in rare
    assert "sd 0.34 (logit scale); published, Hibma2026" in rare
    assert "no EC50 on file" in "\n".join(explain("tebentafusp", POPULATIONS))
    assert set(shipped(tmp_path).cohorts) == set()


def culture(valency, copies):
    """Share of targets killed in a culture of a day by concentration [nmol/L].

    Five effector cells per target cell, and glofitamab with one or two target arms on a cell line
    with its copies of CD20 on 300 um2.
    """
    model = model_of("glofitamab", "nhl_dlbcl")
    p = model.binding
    cells = dataclasses.replace(
        p,
        valency=np.asarray(valency),
        copies_target=np.full_like(p.copies_target, copies),
        area_target=np.full_like(p.area_target, 300.0),
    )
    e, free = model.engagement, np.geomspace(1e-7, 1.0, 400)
    line = dataclasses.replace(model, binding=cells)
    bridges = bridges_at(free, line)[:, NORMAL, BLOOD]
    per_contact = bridges / (model.synapse.beta50_kill + bridges)
    attacked = 5.0 / (5.0 + float(e.k_K))
    rate = float(e.k_kill[NORMAL, BLOOD]) * attacked * per_contact
    return free, 1.0 - np.exp(-rate)


@pytest.mark.parametrize(("copies", "low", "high"), [(30_000.0, 10.0, 1000.0), (1e5, 33.0, 300.0)])
def test_two_target_arms_are_ten_to_a_thousand_times_as_potent_in_vitro(copies, low, high):
    """Published for 2:1 over 1:1 at low drug, more on cells with more target."""
    half = []
    for valency in (2.0, 1.0):
        free, killed = culture(valency, copies)
        assert killed.max() > 0.95
        half.append(half_effect(free, killed, 0.5))
    assert low < half[1] / half[0] < high
