"""Effects of supportive drugs given around 60 mg mosunetuzumab in the typical patient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.interventions import effects
from qsp.model.cytokines import IL6
from qsp.model.tissues import BLOOD
from qsp.system import DOSE_KINDS, System
from tests.scenarios import HOUR, Dose, Scenario, mosunetuzumab, solve

BEFORE = -2 * HOUR


def every_half_day(kind, mg):
    return tuple(Dose(kind, BEFORE + 0.5 * i, mg) for i in range(14))


OBINUTUZUMAB = Dose("obinutuzumab", -7.0, 1000.0, 4 * HOUR)
TWICE_A_DAY = every_half_day("jak_inhibitor", 15.0)


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl = mosunetuzumab()
    patient, dose = nhl.patient(), nhl.iv([0], [60])
    tocilizumab = Dose("tocilizumab", BEFORE, 8.0 * 70.0, HOUR)
    dexamethasone = Dose("dexamethasone", -HOUR, 20.0, HOUR)
    return solve(
        {
            "alone": Scenario(patient, dose, 28),
            "tocilizumab": Scenario(patient, (*dose, tocilizumab), 28),
            "dexamethasone": Scenario(patient, (*dose, dexamethasone), 28),
            "jak_inhibitor": Scenario(patient, (*dose, *TWICE_A_DAY), 28),
            "siltuximab": Scenario(
                patient, (*dose, Dose("siltuximab", BEFORE, 11.0 * 70.0, HOUR)), 28
            ),
            "anti_tnf": Scenario(patient, (*dose, Dose("anti_tnf", BEFORE, 5.0 * 70.0, HOUR)), 28),
            "anakinra": Scenario(patient, (*dose, *every_half_day("anakinra", 100.0)), 28),
            "kinase_inhibitor": Scenario(
                patient, (*dose, *every_half_day("kinase_inhibitor", 100.0)), 28
            ),
            "obinutuzumab": Scenario(patient, (*dose, OBINUTUZUMAB), 28),
            "obinutuzumab, step-up": Scenario(
                patient, (*nhl.iv([0, 7, 14], [1, 2, 60]), OBINUTUZUMAB), 28
            ),
        }
    )


def from_dose(course, values):
    """Values from the start of the dose; courses differ in the number of earlier times."""
    return course.between(values, 0.0, np.inf)


def il6_signal(course):
    """IL-6 times the fraction of receptors that are free."""
    p = course.scenario.parameters.supportive
    free = jax.vmap(lambda x: effects(x, p).il6r_free)(course.state.supportive)
    return course.state.model.cytokines.blood[:, IL6] * np.asarray(free)


def severity_peak(course):
    return float(course.reductions.peak.severity[0])


def test_tocilizumab_raises_measured_il6_and_lowers_its_signal(courses):
    """Before the dose: IL-6 peak up 1.3- to 10-fold, IL-6 signal and severity down."""
    alone, treated = courses["alone"], courses["tocilizumab"]
    assert 1.3 <= treated.peak("il6") / alone.peak("il6") <= 10.0
    assert il6_signal(treated).max() < il6_signal(alone).max()
    assert severity_peak(treated) < severity_peak(alone)


def test_tocilizumab_spares_killing(courses):
    """Target cells and tumor differ from those without it by at most 1 % at all times."""
    alone, treated = courses["alone"], courses["tocilizumab"]
    assert alone.at(alone.b_cells, 2.0) < 0.5  # there is killing to spare
    for spared in ("viable", "dying"):
        cells = [from_dose(c, getattr(c.state.model.targets, spared)) for c in (alone, treated)]
        assert cells[0].max() > 0.0
        assert cells[1] == pytest.approx(cells[0], rel=0.01)
    volumes = [from_dose(c, c.volume) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)


def test_dexamethasone_lowers_early_cytokines_and_spares_the_tumor(courses):
    """20 mg an hour before: peaks of IL-6 and TNF-alpha in 12 h fall by 30 %, tumor within 10 %."""
    alone, treated = courses["alone"], courses["dexamethasone"]
    for name in ("il6", "tnf_alpha"):
        early = [c.between(c.cytokine(name), 0.0, 0.5).max() for c in (alone, treated)]
        assert early[1] < 0.7 * early[0], (name, early)
    volumes = [from_dose(c, c.volume) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.10)


def test_jak_inhibition_lowers_cxcl10_and_severity_and_spares_the_tumor(courses):
    """15 mg twice a day: CXCL10 and severity down, tumor of day 14 within 15 %."""
    alone, treated = courses["alone"], courses["jak_inhibitor"]
    assert treated.peak("cxcl10") < alone.peak("cxcl10")
    assert severity_peak(treated) < severity_peak(alone)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.15)


def test_jak_inhibition_changes_neither_killing_nor_expansion(courses):
    """In the same state, the rates of all cells are equal with and without the inhibitor."""
    course = courses["jak_inhibitor"]
    p = jax.tree.map(jnp.asarray, course.scenario.parameters)
    during = jax.tree.map(lambda leaf: jnp.asarray(course.at(leaf, 0.5)), course.state)
    without = eqx.tree_at(lambda x: x.supportive.jak_inhibitor.plasma, during, jnp.zeros(()))
    assert float(effects(during.supportive, p.supportive).jak) > 0.3
    change = [
        System().rates(jnp.asarray(0.5), x, p, jnp.zeros(len(DOSE_KINDS)))
        for x in (during, without)
    ]
    for cells in ("targets", "t_cells"):
        inhibited, free = (jax.tree.leaves(getattr(rates.model, cells)) for rates in change)
        assert all(np.array_equal(a, b) for a, b in zip(inhibited, free, strict=True))
    assert change[0].model.cytokines.blood[-1] < change[1].model.cytokines.blood[-1]


def test_siltuximab_raises_measured_il6_and_lowers_its_signal(courses):
    """IL-6 bound to the antibody is measured, is cleared slowly and does not signal."""
    alone, treated = courses["alone"], courses["siltuximab"]
    assert treated.peak("il6") > 1.5 * alone.peak("il6")
    p = treated.scenario.parameters.supportive
    free = np.asarray(jax.vmap(lambda x: effects(x, p).il6_free)(treated.state.supportive))
    signal = treated.state.model.cytokines.blood[:, IL6] * free
    assert signal.max() < 0.2 * alone.peak("il6")
    assert severity_peak(treated) < severity_peak(alone)


def test_anti_tnf_lowers_severity_and_spares_killing(courses):
    """5 mg/kg: severity loses its TNF-alpha part. IFN-gamma also activates myeloid cells, so IL-6
    falls by less than 10 %."""
    alone, treated = courses["alone"], courses["anti_tnf"]
    assert severity_peak(treated) < 0.8 * severity_peak(alone)
    assert 0.9 * alone.peak("il6") < treated.peak("il6") < alone.peak("il6")
    assert treated.peak("ifn_gamma") == pytest.approx(alone.peak("ifn_gamma"), rel=0.01)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)


def test_anakinra_removes_the_il6_that_depends_on_il1(courses):
    """At most half of the IL-6 of myeloid cells; T cells and tumor are unaffected."""
    alone, treated = courses["alone"], courses["anakinra"]
    assert 0.5 <= treated.peak("il6") / alone.peak("il6") < 0.75
    assert treated.peak("ifn_gamma") == pytest.approx(alone.peak("ifn_gamma"), rel=0.05)
    assert severity_peak(treated) < severity_peak(alone)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)


def test_a_kinase_inhibitor_lowers_release_and_spares_killing(courses):
    alone, treated = courses["alone"], courses["kinase_inhibitor"]
    for name, most in (("ifn_gamma", 0.6), ("il2", 0.6), ("tnf_alpha", 0.8), ("il6", 0.9)):
        assert treated.peak(name) < most * alone.peak(name), name
    assert severity_peak(treated) < severity_peak(alone)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.15)


def test_obinutuzumab_depletes_b_cells_and_lowers_the_first_release(courses):
    """A week ahead: B cells fall below 5 %, secretion in blood by half, IL-6 by 40 %."""
    alone, treated = courses["alone"], courses["obinutuzumab"]
    before = [from_dose(c, np.asarray(c.shown.b_cells_blood))[0] for c in (alone, treated)]
    assert before[1] < 0.05 * before[0]
    in_blood = [float(c.reductions.flow_area.secreting[0, BLOOD]) for c in (alone, treated)]
    assert in_blood[1] < 0.5 * in_blood[0]
    assert treated.peak("il6") < 0.6 * alone.peak("il6")
    assert severity_peak(treated) < severity_peak(alone)


def test_after_obinutuzumab_step_up_dosing_still_helps(courses):
    """Targets remain in tissues: a full first dose releases more than each step."""
    flat, stepped = courses["obinutuzumab"], courses["obinutuzumab, step-up"]
    assert stepped.largest("il6") < 0.7 * flat.largest("il6")
    assert max(stepped.reductions.peak.severity[:3]) < severity_peak(flat)
