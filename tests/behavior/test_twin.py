"""Agreement of the package with the twin, an independent implementation of the same equations.

Together the scenarios use every process: step-up infusions, injections with lymph
transits, boluses, tocilizumab, dexamethasone, JAK inhibitor, anti-TNF, soluble target, competitor,
mechanistic clearance, relaxing bridges, each law of recruitment, cooperativity of myeloid cells,
and one and two axes of severity. Both solve at 1e-9. Grades of CRS are those of the rule of events
on the fever and leak of the twin.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.model import ModelStructure
from qsp.model.axes import OneAxis
from qsp.model.synapse import Relaxed
from qsp.model.t_cells import MassAction, Threshold
from qsp.model.tissues import LYMPHOID
from qsp.system import System
from tests.model.patient import busy, complete
from tests.reference import twin
from tests.reference.adapter import twin_parameters, twin_state
from tests.reference.agreement import (
    TARGET,
    courses_agree,
    derivatives_agree,
    reference,
    without_other_drugs,
)
from tests.reference.events import events
from tests.scenarios import HOUR, PERIODS, Dose, Scenario, Subject, mosunetuzumab, solve

RELAXED_MASS_ACTION = ModelStructure(synapse=Relaxed(), recruitment=MassAction())
IN_TWIN = twin.Forms(recruitment="mass_action", bridges="relaxed")
OTHER = ModelStructure(recruitment=Threshold(), severity=OneAxis())
OTHER_IN_TWIN = twin.Forms(recruitment="threshold", severity="one_axis")
SEPARATE_SITES = {
    "cytokines.u50_myeloid": 2.5,
    "cytokines.hill_myeloid": 1.35,
    "cytokines.steroid_stimulus": 0.2,
    "cytokines.steroid_production": 0.57,
    "cytokines.f_tolerant": 0.5,
    "t_cells.steroid_act": 0.1,
    "release.steroid_release": 0.7,
    "supportive.dexamethasone.IC50": 0.014,
}
"""Cooperativity of myeloid cells, and another maximum of the steroid at each site."""
SINKS_OF_LOSS = {
    "binding.k_int_CD3": 1.584,
    "binding.k_int_target": 0.24,
    "disposition.lost_on_death": 1.0,
}
SOLUBLE_AND_COMPETITOR = {
    **{f"disposition.soluble_target.{tissue}": 4.0 for tissue in ("blood", "lymphoid", "tumor")},
    "disposition.k_soluble": 0.3,
    "binding.KD_soluble": 2.4,
    "disposition.competitor": 20.0,
    "disposition.k_competitor": 0.05,
    "binding.KD_competitor": 4.0,
    "targets.k_depletion.blood": 0.0,
    "targets.k_depletion.lymphoid": 0.0,
}
LEVELS = {"fever": (0.25,), "leak": (0.3, 0.6, 1.2)}
"""Levels of the grades of CRS as shares of the highest fever and leak, so that grade 3 occurs, but
not grade 4, with any values of the parameters."""
GRADED = ("steroid and tocilizumab", "BCMA under the skin")
MARGIN = 0.01
"""Levels this much higher or lower must give the same grades, as half an hour is a coarse grid."""


def steroid_and_tocilizumab():
    """Step-up infusions with dexamethasone before each, and tocilizumab after the first."""
    nhl = mosunetuzumab()
    doses = (
        *nhl.iv((0, 7, 14), (1, 2, 60)),
        *(Dose("dexamethasone", day - HOUR, 20.0, HOUR) for day in (0, 7, 14)),
        Dose("tocilizumab", 1.0, 560.0, HOUR),
    )
    return Scenario(nhl.patient(SEPARATE_SITES), doses, 21)


def scenarios():
    """Scenarios of the default structure."""
    nhl = mosunetuzumab()
    blinatumomab = Subject.of("blinatumomab", "nhl_blinatumomab")
    weeks, lengths = (0, 7, 14, 21, 42, 63), (4, 4, 4, 2, 2, 2)
    step_up = nhl.iv(weeks, (1, 2, 60, 60, 30, 30), lengths)
    supportive = (
        Dose("dexamethasone", -HOUR, 20.0, HOUR),
        Dose("anti_tnf", -6 * HOUR, 300.0, 2 * HOUR),
        Dose("tocilizumab", 0.5, 560.0, HOUR),
        *(Dose("jak_inhibitor", -HOUR + 0.5 * i, 15.0) for i in range(6)),
        Dose("tocilizumab", 4.0, 300.0),
    )
    teclistamab = Subject.of("teclistamab", "myeloma")
    injections = teclistamab.sc((0, 3, 6, 13), (4.5, 22.5, 112.5, 112.5))
    bolus = Dose("drug_iv", 10.0, nhl.nmol(10.0), 0.0, 3)
    mechanistic = SINKS_OF_LOSS | {"disposition.CL_base": 0.584}
    return {
        "step-up": Scenario(nhl.patient(), step_up),
        "steroid and tocilizumab": steroid_and_tocilizumab(),
        "BCMA under the skin": Scenario(teclistamab.patient(), injections, 21),
        "supportive": Scenario(nhl.patient(), (*nhl.iv([0], [30]), *supportive), 14),
        "under the skin": Scenario(
            nhl.patient(SOLUBLE_AND_COMPETITOR), (*nhl.sc([0, 3], [20, 40]), bolus), 21
        ),
        "mechanistic": Scenario(nhl.patient(mechanistic), nhl.iv([0, 7], [1, 60]), 14),
        "continuous": Scenario(
            blinatumomab.patient(), blinatumomab.iv([0, 7], [0.066, 0.6], 168), 14
        ),
    }


def relaxed_scenarios():
    """Scenarios with relaxing bridges and mass-action recruitment."""
    tebentafusp, nhl = Subject.of("tebentafusp", "uveal_melanoma"), mosunetuzumab()
    weekly = tebentafusp.iv((0, 7, 14), (0.02, 0.03, 0.068), 0.25)
    changes = SOLUBLE_AND_COMPETITOR | {"synapse.k_off_target": 2.0}
    return {
        "tebentafusp": Scenario(tebentafusp.patient(), weekly, 21),
        "slow arm": Scenario(nhl.patient(changes), nhl.iv([0, 7], [1, 20]), 14),
    }


def other_scenarios():
    """A scenario for recruitment by a threshold and one axis of severity."""
    return {"steroid and tocilizumab": steroid_and_tocilizumab()}


@pytest.fixture(scope="module")
def courses(double_precision):
    return solve(scenarios())


@pytest.fixture(scope="module")
def relaxed(double_precision):
    return solve(relaxed_scenarios(), structure=RELAXED_MASS_ACTION)


@pytest.fixture(scope="module")
def other(double_precision):
    return solve(other_scenarios(), structure=OTHER)


@pytest.mark.parametrize("name", list(scenarios()))
def test_package_and_twin_agree(name, courses):
    """Every state and output at all times, with the default structure."""
    course = courses[name]
    courses_agree(course, reference(course.scenario, course.times))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(relaxed_scenarios()))
def test_package_and_twin_agree_on_relaxing_bridges_and_mass_action(name, relaxed):
    """Every state and output at all times, with the other forms of both."""
    course = relaxed[name]
    courses_agree(course, reference(course.scenario, course.times, IN_TWIN))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(other_scenarios()))
def test_package_and_twin_agree_on_threshold_recruitment_and_one_axis(name, other):
    """Every state and output at all times, with the other recruitment and severity."""
    course = other[name]
    courses_agree(course, reference(course.scenario, course.times, OTHER_IN_TWIN))


@pytest.fixture(scope="module")
def graded(double_precision):
    """Courses with levels relative to the twin's peaks, and the time courses of the twin."""
    cases, dense = {}, {}
    for name in GRADED:
        scenario = scenarios()[name]
        times = np.arange(scenario.begin, scenario.days, HOUR / 2)
        y = dense[name] = reference(scenario, times)
        highest = {"fever": np.max(y["F"] - y["B"]), "leak": np.max(y["W"])}
        levels = np.array([share * highest[by] for by in LEVELS for share in LEVELS[by]])
        cases[name] = dataclasses.replace(
            scenario, thresholds=np.linspace(1.1, 0.9, PERIODS)[:, None] * levels
        )
    return solve(cases), dense


@pytest.mark.parametrize("name", GRADED)
def test_grades_are_those_of_the_rule_on_the_twin(name, graded):
    """Grade and onset of CRS after each dose, from the twin's fever and leak every half an hour."""
    course, y = graded[0][name], graded[1][name]
    signals = np.stack([y["F"] - y["B"], y["W"], y["W"], y["W"]], axis=1)
    starts, levels = np.array(course.starts), course.scenario.thresholds
    near = [events(y["t"], signals, starts, f * levels)[0] for f in (1 - MARGIN, 1.0, 1 + MARGIN)]
    grades = [[one.grade for one in periods] for periods in near]
    assert grades[0] == grades[1] == grades[2]
    found = course.reductions.crossing
    assert found.grade[: len(starts)].tolist() == grades[1]
    onsets = [one.onset for one in near[1]]
    assert found.onset[: len(starts)].tolist() == pytest.approx(onsets, abs=HOUR, nan_ok=True)
    assert max(grades[1]) == 3
    assert min(grades[1]) < 3


@pytest.fixture(scope="module")
def patient(double_precision):
    """A patient with every process of both implementations active."""
    # The competitor of the twin does not deplete cells.
    k_depletion = complete().model.targets.k_depletion
    p = eqx.tree_at(lambda p: p.model.targets.k_depletion, complete(), jnp.zeros_like(k_depletion))
    only_lymphoid = jnp.zeros(4).at[LYMPHOID].set(0.0042)
    t_cells = dataclasses.replace(p.model.t_cells, k_home=only_lymphoid)
    return dataclasses.replace(p, model=dataclasses.replace(p.model, t_cells=t_cells))


FORMS = {
    "default": (ModelStructure(), twin.DEFAULT),
    "relaxed, mass action": (RELAXED_MASS_ACTION, IN_TWIN),
    "relaxed by CD3": (
        ModelStructure(synapse=Relaxed(by_cd3=True)),
        twin.Forms(bridges="relaxed_by_cd3"),
    ),
    "threshold, one axis": (OTHER, OTHER_IN_TWIN),
}


@pytest.mark.parametrize("form", FORMS)
def test_derivatives_agree_at_random_states(form, patient):
    """Derivatives at 60 random states, with infusions of every drug, agree to 1e-9."""
    structure, forms = FORMS[form]
    system, rng = System(structure), np.random.default_rng(7)
    infusion, p = np.array([30.0, 20.0, 500.0, 20.0, 30.0, 100.0]), twin_parameters(patient)
    rates = jax.jit(lambda t, x: system.rates(t, x, patient, jnp.asarray(infusion)))
    inputs: dict[str, float] = dict(zip(TARGET.values(), infusion, strict=True))
    for _ in range(60):
        time, x = rng.uniform(0.0, 60.0), without_other_drugs(busy(patient, system, rng))
        ours = twin_state(rates(jnp.asarray(time), x))
        theirs = twin.derivative(time, twin_state(x), p, forms, inputs=inputs)
        derivatives_agree(ours, theirs)
