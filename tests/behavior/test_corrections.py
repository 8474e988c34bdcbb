"""Corrections of an early prototype of the model.

Each criterion is met with the correction and missed, or met by less, with the form of the
prototype. Further
corrections are tested in test_population.py (response), test_kinetic.py (slow target arms) and
test_mass_balance.py (sinks).
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from qsp.model import ModelStructure
from qsp.model.synapse import Equilibrium, Relaxed, contact_gap
from qsp.model.t_cells import MassAction
from qsp.model.tissues import BLOOD, MALIGNANT, NORMAL, SKIN, TUMOR
from tests.scenarios import Scenario, Subject, mosunetuzumab, solve

DRUGS = Path(__file__).parent / "drugs"
PER_HOUR = 24.0
# 70 % of the patients have few B cells.
FEW_B_CELLS = {
    "targets.baseline.normal.blood": 10.0,
    "targets.baseline.normal.lymphoid": 0.2 * 30_000.0,
}
FAST_ABSORPTION = {"disposition.ka": 0.02 * PER_HOUR, "disposition.k_lymph": 1e3}
PROTOTYPE_RELEASE = {"synapse.alpha": 1.0, "cytokines.p_IL6": 3000.0 * PER_HOUR}
PROTOTYPE_SKIN = {"engagement.k_kill.normal.skin": 0.005 * PER_HOUR}
NO_KILLING = {
    f"engagement.k_kill.{kind}.{tissue}": 0.0
    for kind in ("normal", "malignant", "antigen_low")
    for tissue in ("blood", "lymphoid", "tumor", "skin")
}
ALL_WITHIN_REACH = {"t_cells.excluded.tumor": 0.0}
NO_EXPANSION = {"t_cells.g_A": 0.0, "t_cells.g_X": 0.0}
NO_SOLUBLE_BCMA = {f"antigens.BCMA.soluble.{tissue}": 0.0 for tissue in ("blood", "tumor")}
OBINUTUZUMAB = {
    "disposition.competitor": 500.0,
    "disposition.k_competitor": 0.0828 / 2.76,
    "binding.KD_competitor": 4.0,
}


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl = mosunetuzumab()
    blinatumomab = Subject.of("blinatumomab", "nhl_blinatumomab")
    teclistamab = Subject.of(DRUGS / "teclistamab_like.toml", DRUGS / "myeloma.toml")
    step_up = nhl.iv([0, 7, 14], [1, 2, 60])
    under_skin = nhl.sc([0], [60])
    full = nhl.iv([0], [60])
    steps = teclistamab.sc([0, 3, 6], [4.5, 22.5, 112.5])
    first_step = blinatumomab.iv([0], [5e-3 * 1.88 * 7], 168)
    return solve(
        {
            "exclusion, corrected": Scenario(nhl.patient(), full, 7),
            "exclusion, prototype": Scenario(nhl.patient(ALL_WITHIN_REACH), full, 7),
            "absorption, corrected": Scenario(nhl.patient(FEW_B_CELLS), under_skin, 14),
            "absorption, prototype": Scenario(
                nhl.patient(FEW_B_CELLS | FAST_ABSORPTION), under_skin, 14
            ),
            "exchange": Scenario(nhl.patient(FEW_B_CELLS), step_up, 21),
            "release, corrected": Scenario(blinatumomab.patient(), first_step, 7),
            "release, prototype": Scenario(blinatumomab.patient(PROTOTYPE_RELEASE), first_step, 7),
            "soluble, corrected": Scenario(teclistamab.patient(), steps, 13),
            "soluble, prototype": Scenario(teclistamab.patient(NO_SOLUBLE_BCMA), steps, 13),
            "competitor, corrected": Scenario(nhl.patient(OBINUTUZUMAB), nhl.iv([0], [2.5]), 7),
            "competitor, prototype": Scenario(nhl.patient(), nhl.iv([0], [2.5]), 7),
        }
    )


@pytest.fixture(scope="module")
def relaxed(double_precision):
    tebentafusp = Subject.of("tebentafusp", "uveal_melanoma")
    weekly = tebentafusp.iv((0, 7, 14, 21), (0.02, 0.03, 0.068, 0.068), 0.25)
    return solve(
        {
            "melanocytes, corrected": Scenario(tebentafusp.patient(), weekly, 28),
            "melanocytes, prototype": Scenario(tebentafusp.patient(PROTOTYPE_SKIN), weekly, 28),
            **recruiting(),
        },
        structure=ModelStructure(synapse=Relaxed()),
    )


@pytest.fixture(scope="module")
def mass_action(double_precision):
    return solve(
        recruiting(), structure=ModelStructure(synapse=Relaxed(), recruitment=MassAction())
    )


def recruiting():
    """Continuous infusions: repeated, stepped up, and with targets that are not killed."""
    blinatumomab = Subject.of("blinatumomab", "nhl_blinatumomab")

    def two_weeks(first, second, changes=None):
        mg = [each * 1e-3 * 1.88 * 7 for each in (first, second)]
        return Scenario(blinatumomab.patient(changes), blinatumomab.iv([0, 7], mg, 168), 14)

    return {
        "repeat": two_weeks(5, 5),
        "step": two_weeks(5, 15),
        "steady": two_weeks(5, 5, NO_KILLING | NO_EXPANSION),
    }


def test_resting_t_cells_of_the_stroma_are_recruited_late(courses):
    """60 mg: less than 5 % of the tumor T cells recruited at 12 h; more if all are within reach.

    Slow entry of the drug also delays recruitment, so that the share is small without exclusion.
    """
    corrected, prototype = (courses[f"exclusion, {form}"] for form in ("corrected", "prototype"))
    share = [run.at(recruited(run, TUMOR), 0.5) for run in (corrected, prototype)]
    assert share[0] < 0.05, f"recruited {share}"
    assert share[0] < 0.9 * share[1], f"recruited {share}"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="the drug enters the tumor slowly, which delays recruitment without exclusion too",
)
def test_t_cells_within_reach_are_recruited_early(courses):
    """60 mg: over 5 % of the tumor T cells recruited at 12 h if all are within reach."""
    run = courses["exclusion, prototype"]
    share = run.at(recruited(run, TUMOR), 0.5)
    assert share > 0.05, f"recruited {share:.3f}"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="the drug enters lymphoid tissue and tumor slowly, as the new cause of late IL-6",
)
def test_il6_is_early_with_fast_absorption(courses):
    """60 mg SC with fast absorption and no lymph transits: IL-6 peaks within 24 h."""
    hours = courses["absorption, prototype"].peak_hours("il6")
    assert hours < 24.0, f"{hours:.0f} h"


def test_il6_after_subcutaneous_dosing_is_late(courses):
    """60 mg SC: IL-6 peaks after 24 h; hours earlier with fast absorption and no lymph transits."""
    hours = [
        courses[f"absorption, {form}"].peak_hours("il6") for form in ("corrected", "prototype")
    ]
    assert 24.0 < hours[0] < 72.0, f"corrected at {hours[0]:.0f} h"
    assert hours[1] < hours[0] - 4.0, f"prototype at {hours[1]:.0f} h"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "with few B cells the tumor, which the drug enters within a day, is the main "
        "source: peak at 22 h"
    ),
)
def test_il6_of_the_first_full_dose_peaks_within_a_day(courses):
    """1/2/60 mg: IL-6 of the full dose peaks at 4-20 h."""
    hours = courses["exchange"].peak_hours("il6", 3)
    assert 4.0 < hours < 20.0, f"{hours:.0f} h"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "one production of IL-6 serves CD20 and CD19 in lymphoma, and is too high for "
        "CD19: 1241 pg/mL"
    ),
)
def test_il6_of_the_first_step_of_blinatumomab_is_half_of_the_prototype(courses):
    """5 ug/m2/day: IL-6 peak at most half of 849 pg/mL, which was twofold too high."""
    peaks = [courses[f"release, {form}"].peak("il6") for form in ("corrected", "prototype")]
    assert peaks[0] <= 849.0 / 2.0, f"corrected {peaks[0]:.0f} pg/mL"
    assert peaks[1] > 849.0 / 2.0, f"prototype {peaks[1]:.0f} pg/mL"


def test_half_of_the_melanocytes_survive_tebentafusp(relaxed):
    """20/30/68/68 ug: over half of the melanocytes always alive; less in the prototype."""
    surviving = []
    for form in ("corrected", "prototype"):
        cells = relaxed[f"melanocytes, {form}"].state.model.targets.viable[:, NORMAL, SKIN]
        surviving.append(cells.min() / cells[0])
    assert surviving[1] < 0.5, f"prototype {surviving[1]:.2f}"
    assert surviving[0] > 0.5, f"corrected {surviving[0]:.2f}"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "activation is proportional to few bridges, no longer to their 1.8th power: "
        "ratio 1.4 against 0.88"
    ),
)
def test_soluble_target_shifts_il6_to_the_second_dose(courses):
    """Teclistamab-like: IL-6 of dose 2 over dose 1 at least twice that without soluble BCMA."""
    runs = [courses[f"soluble, {form}"] for form in ("corrected", "prototype")]
    second_over_first = [run.peak("il6", 2) / run.peak("il6", 1) for run in runs]
    assert second_over_first[0] >= 2.0 * second_over_first[1], second_over_first


def test_competitor_for_the_target_lowers_release(courses):
    """With 500 nmol/L obinutuzumab in plasma, first-dose IL-6 of 2.5 mg is at most half."""
    peaks = [courses[f"competitor, {form}"].peak("il6") for form in ("corrected", "prototype")]
    assert peaks[0] <= 0.5 * peaks[1], peaks


def test_second_target_arm_forms_bridges_at_lower_drug():
    """2:1 against 1:1 with the same arms: more than twice the bridges far below the affinity."""
    model = jax.tree.map(jnp.asarray, mosunetuzumab().patient().model)
    s = model.synapse

    def bridges(valency):
        arms = (jnp.asarray(valency), jnp.asarray(0.1))
        b = eqx.tree_at(lambda b: (b.valency, b.chi), model.binding, arms)
        in_gap = contact_gap(jnp.full(4, 0.01), jnp.zeros(()), b)
        return float(Equilibrium(refinements=8).bridges(None, in_gap, b, s)[MALIGNANT, TUMOR])

    assert bridges(2.0) > 2.2 * bridges(1.0)


def recruited(course, tissue=BLOOD):
    """Share of the T cells of a tissue that are activated or post-activated, over time."""
    cells = course.state.model.t_cells
    return ((cells.activated + cells.post_activated) / cells.total)[:, tissue]


def test_adaptation_recruits_once_under_constant_drug(relaxed, mass_action):
    """Constant drug and targets recruit few further cells in week 2; mass action recruits more.

    Killing and division are off because they change the stimulation and the recruited share.
    """
    ratios = []
    for courses in (relaxed, mass_action):
        course = courses["steady"]
        share = recruited(course)
        ratios.append(course.at(share, 14) / course.at(share, 7))
    assert ratios[0] < 1.0, f"adaptation {ratios[0]:.2f}"
    assert ratios[1] > 1.0, f"mass action {ratios[1]:.2f}"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="few cells are recruited in either week at the tuned rates",
)
def test_mass_action_recruits_again_under_constant_drug(mass_action):
    """Mass action: the recruited share rises by over 30 % in week 2."""
    course = mass_action["steady"]
    share = recruited(course)
    ratio = course.at(share, 14) / course.at(share, 7)
    assert ratio > 1.3, f"ratio {ratio:.2f}"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="the release of cytokines rises with the dose under mass action too",
)
def test_mass_action_hardly_releases_more_after_a_step(mass_action):
    """A threefold rate in week 2: less than 1.5 times the IL-6 of a repeat."""
    gain = mass_action["step"].peak("il6", 2) / mass_action["repeat"].peak("il6", 2)
    assert gain < 1.5, f"gain {gain:.2f}"


def test_adaptation_releases_more_after_a_step_than_after_a_repeated_dose(relaxed, mass_action):
    """A threefold rate in week 2 gives 1.5 times the IL-6 of a repeat, above mass action."""
    gain = [
        courses["step"].peak("il6", 2) / courses["repeat"].peak("il6", 2)
        for courses in (relaxed, mass_action)
    ]
    assert gain[0] >= 1.5, f"adaptation {gain[0]:.2f}"
    assert gain[0] > gain[1], f"mass action {gain[1]:.2f}"
