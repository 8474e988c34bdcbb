"""T9-T11 of the model description: supportive drugs around a dose of 60 mg mosunetuzumab."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.interventions import effects
from qsp.model.cytokines import IL6
from qsp.model.tissues import BLOOD
from qsp.system import System
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
    """Values from the start of the dose on: those before it differ in number between courses."""
    return course.between(values, 0.0, np.inf)


def il6_signal(course):
    """IL-6 times the fraction of its receptors that is free."""
    p = course.scenario.parameters.supportive
    free = jax.vmap(lambda x: effects(x, p).il6r_free)(course.state.supportive)
    return course.state.model.cytokines.blood[:, IL6] * np.asarray(free)


def severity_peak(course):
    return float(course.reductions.peak.severity[0])


def test_T09_tocilizumab_raises_measured_il6_and_lowers_what_it_does(courses):
    """Before the dose: IL-6 peak up 1.3- to 10-fold, IL-6 signal and severity down."""
    alone, treated = courses["alone"], courses["tocilizumab"]
    assert 1.3 <= treated.peak("il6") / alone.peak("il6") <= 10.0
    assert il6_signal(treated).max() < il6_signal(alone).max()
    assert severity_peak(treated) < severity_peak(alone)


def test_T09_tocilizumab_spares_killing(courses):
    """Every target cell and the tumor as without it, at all times, within 1 %."""
    alone, treated = courses["alone"], courses["tocilizumab"]
    assert alone.at(alone.b_cells, 2.0) < 0.5  # there is killing to spare
    for spared in ("viable", "dying"):
        cells = [from_dose(c, getattr(c.state.model.targets, spared)) for c in (alone, treated)]
        assert cells[0].max() > 0.0
        assert cells[1] == pytest.approx(cells[0], rel=0.01)
    volumes = [from_dose(c, c.volume) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)


def test_T10_dexamethasone_lowers_early_cytokines_and_spares_the_tumor(courses):
    """20 mg an hour before: IL-6 and TNF-alpha of 12 h down by 30 %, tumor within 10 %."""
    alone, treated = courses["alone"], courses["dexamethasone"]
    for name in ("il6", "tnf_alpha"):
        early = [c.between(c.cytokine(name), 0.0, 0.5).max() for c in (alone, treated)]
        assert early[1] < 0.7 * early[0], (name, early)
    volumes = [from_dose(c, c.volume) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.10)


def test_T11_jak_inhibition_lowers_cxcl10_and_severity_and_spares_the_tumor(courses):
    """15 mg twice a day: CXCL10 and severity down, tumor of day 14 within 15 %."""
    alone, treated = courses["alone"], courses["jak_inhibitor"]
    assert treated.peak("cxcl10") < alone.peak("cxcl10")
    assert severity_peak(treated) < severity_peak(alone)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.15)


def test_T11_jak_inhibition_changes_neither_killing_nor_expansion(courses):
    """In one and the same state, cells change alike whether JAK is inhibited or not."""
    course = courses["jak_inhibitor"]
    p = jax.tree.map(jnp.asarray, course.scenario.parameters)
    during = jax.tree.map(lambda leaf: jnp.asarray(course.at(leaf, 0.5)), course.state)
    without = eqx.tree_at(lambda x: x.supportive.jak_inhibitor.plasma, during, jnp.zeros(()))
    assert float(effects(during.supportive, p.supportive).jak) > 0.3
    change = [System().rates(jnp.asarray(0.5), x, p, jnp.zeros(10)) for x in (during, without)]
    for cells in ("targets", "t_cells"):
        inhibited, free = (jax.tree.leaves(getattr(rates.model, cells)) for rates in change)
        assert all(np.array_equal(a, b) for a, b in zip(inhibited, free, strict=True))
    assert change[0].model.cytokines.blood[-1] < change[1].model.cytokines.blood[-1]


def test_siltuximab_raises_measured_il6_and_lowers_what_it_does(courses):
    """IL-6 that an antibody holds is measured, stays longer, and does not signal."""
    alone, treated = courses["alone"], courses["siltuximab"]
    assert treated.peak("il6") > 1.5 * alone.peak("il6")
    p = treated.scenario.parameters.supportive
    free = np.asarray(jax.vmap(lambda x: effects(x, p).il6_free)(treated.state.supportive))
    signal = treated.state.model.cytokines.blood[:, IL6] * free
    assert signal.max() < 0.2 * alone.peak("il6")
    assert severity_peak(treated) < severity_peak(alone)


def test_anti_tnf_holds_back_what_tnf_does_and_spares_killing(courses):
    """5 mg/kg: severity loses what TNF adds to it; myeloid cells have IFN-gamma beside TNF, so IL-6
    falls by little (TCE-42 f)."""
    alone, treated = courses["alone"], courses["anti_tnf"]
    assert severity_peak(treated) < 0.8 * severity_peak(alone)
    assert 0.9 * alone.peak("il6") < treated.peak("il6") < alone.peak("il6")
    assert treated.peak("ifn_gamma") == pytest.approx(alone.peak("ifn_gamma"), rel=0.01)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)


def test_anakinra_takes_the_share_of_il6_that_il1_makes(courses):
    """Half of the IL-6 of myeloid cells, at most; T cells and tumor are as without."""
    alone, treated = courses["alone"], courses["anakinra"]
    assert 0.5 <= treated.peak("il6") / alone.peak("il6") < 0.75
    assert treated.peak("ifn_gamma") == pytest.approx(alone.peak("ifn_gamma"), rel=0.05)
    assert severity_peak(treated) < severity_peak(alone)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.01)


def test_a_kinase_inhibitor_holds_back_release_and_spares_killing(courses):
    alone, treated = courses["alone"], courses["kinase_inhibitor"]
    for name, most in (("ifn_gamma", 0.6), ("il2", 0.6), ("tnf_alpha", 0.8), ("il6", 0.9)):
        assert treated.peak(name) < most * alone.peak(name), name
    assert severity_peak(treated) < severity_peak(alone)
    volumes = [c.at(c.volume, 14) for c in (alone, treated)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.15)


def test_obinutuzumab_empties_the_blood_and_takes_most_of_the_first_release(courses):
    """A week ahead: B cells below 5 %; of what is secreted in blood most goes, and IL-6 falls."""
    alone, treated = courses["alone"], courses["obinutuzumab"]
    before = [from_dose(c, np.asarray(c.shown.b_cells_blood))[0] for c in (alone, treated)]
    assert before[1] < 0.05 * before[0]
    in_blood = [float(c.reductions.flow_area[0, BLOOD]) for c in (alone, treated)]
    assert in_blood[1] < 0.5 * in_blood[0]
    assert treated.peak("il6") < 0.6 * alone.peak("il6")
    assert severity_peak(treated) < severity_peak(alone)


def test_after_obinutuzumab_step_up_dosing_still_helps(courses):
    """Targets of tissues are left: a full first dose releases more than any step."""
    flat, stepped = courses["obinutuzumab"], courses["obinutuzumab, step-up"]
    assert stepped.largest("il6") < 0.7 * flat.largest("il6")
    assert max(stepped.reductions.peak.severity[:3]) < severity_peak(flat)
