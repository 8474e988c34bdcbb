"""Free drug at half-maximum effect: closed form at low drug, interpolation, and `qsp explain`."""

from pathlib import Path

import numpy as np
import pytest

from qsp import molecules
from qsp.explain import explain
from qsp.explain.values import shipped
from qsp.model.tissues import BLOOD, NORMAL
from qsp.populations import nominal, read_cohort
from qsp.run.bridges import bridges_at, half_effect
from qsp.validation import co_culture

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


@pytest.mark.parametrize(("copies", "low", "high"), [(30_000.0, 10.0, 1000.0), (1e5, 33.0, 300.0)])
def test_two_target_arms_are_ten_to_a_thousand_times_as_potent_in_vitro(copies, low, high):
    """Published for 2:1 over 1:1 at low drug, more on cells with more target."""
    assert all(co_culture.killed(arms, copies).max() > 0.95 for arms in (1, 2))
    assert low < co_culture.potency_ratio(copies) < high


def test_killing_in_the_co_culture_rises_with_drug_target_and_arms():
    few, many = (co_culture.killed(1, copies) for copies in (3e3, 1e5))
    assert np.all(np.diff(co_culture.killed(1, 1e5)[:200]) > 0.0)
    assert np.all(many > few)
    assert np.all(co_culture.killed(2, 1e5)[:200] > many[:200])
