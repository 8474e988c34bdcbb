"""Effects of regimens in the nominal patient.

Mosunetuzumab in lymphoma, with 500 Mcell B cells in blood and 30,000 Mcell in lymphoid tissue.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.model.synapse import Equilibrium, contact_gap
from qsp.model.tissues import ANTIGEN_LOW, MALIGNANT, TUMOR
from tests.scenarios import HOUR, Scenario, Subject, mosunetuzumab, solve

WEEKS = (0, 7, 14, 21, 42, 63)
LENGTHS = (4, 4, 4, 2, 2, 2)
BELOW_HOOK = (0.2, 0.4, 0.8, 1.6, 2.8, 6.7, 20.0, 30.0)
INTERVALS = (7, 14, 21, 42)
NEGLIGIBLE = 1e-6
"""Tolerance of a state that is zero before treatment, in the unit of the state."""
NO_DIVISION_OR_DEATH = {
    **{f"t_cells.{rate}": 0.0 for rate in ("g_A", "g_X", "d_A", "d_X")},
    "t_cells.k_home.lymphoid": 0.0,
}


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl = mosunetuzumab()
    patient = nhl.patient()
    assert patient.model.targets.baseline[0, :2].tolist() == [500.0, 30_000.0]

    def twice(mg, days):
        return Scenario(patient, nhl.iv([0, days], [mg, mg]), days + 7)

    blinatumomab = Subject.of("blinatumomab", "nhl_blinatumomab")
    tebentafusp = Subject.of("tebentafusp", "uveal_melanoma")
    step_up = nhl.iv(WEEKS, (1, 2, 60, 60, 30, 30), LENGTHS)
    return solve(
        {
            "untreated mosunetuzumab": Scenario(patient, days=60),
            "untreated blinatumomab": Scenario(blinatumomab.patient(), days=60),
            "untreated tebentafusp": Scenario(tebentafusp.patient(), days=60),
            "flat": Scenario(patient, nhl.iv(WEEKS, (60, 60, 60, 60, 30, 30), LENGTHS)),
            "step_up": Scenario(patient, step_up),
            "closed": Scenario(nhl.patient(NO_DIVISION_OR_DEATH), step_up),
            "20 mg flat": Scenario(patient, nhl.iv([0, 7], [20, 20]), 14),
            "6.7 mg twice": Scenario(patient, nhl.iv([0, 7], [6.7, 6.7]), 14),
            "1.6 then 20 mg": Scenario(patient, nhl.iv([0, 7], [1.6, 20]), 14),
            **{f"{mg} mg twice": twice(mg, 7) for mg in (1, 60)},
            **{f"{mg} mg": Scenario(patient, nhl.iv([0], [mg]), 7) for mg in BELOW_HOOK},
            **{f"20 mg, {days} d apart": twice(20, days) for days in INTERVALS},
            "60 mg SC": Scenario(patient, nhl.sc([0], [60]), 28),
        }
    )


def logistic(time, first, growth, capacity):
    """Solution of dM/dt = g*M*(1 - M/cap)."""
    return capacity / (1.0 + (capacity / first - 1.0) * np.exp(-growth * time))


@pytest.mark.parametrize("molecule", ["mosunetuzumab", "blinatumomab", "tebentafusp"])
def test_untreated_patient_is_at_steady_state_except_for_logistic_tumor_growth(molecule, courses):
    """60 days without drug: every state within 1 %, the tumor on the logistic solution."""
    course = courses[f"untreated {molecule}"]
    tumor = course.state.model.targets.viable[:, MALIGNANT:, TUMOR].sum(1)
    p = course.scenario.parameters.model.targets
    growth, capacity = p.k_growth[MALIGNANT, TUMOR], p.capacity[TUMOR]
    assert growth == p.k_growth[ANTIGEN_LOW, TUMOR]
    assert tumor == pytest.approx(logistic(course.times, tumor[0], growth, capacity), rel=1e-6)

    others = course.state.model.targets.viable.copy()
    others[:, MALIGNANT:, TUMOR] = 0.0
    resting = eqx.tree_at(lambda x: x.model.targets.viable, course.state, others)
    for path, values in jax.tree_util.tree_leaves_with_path(resting):
        change = np.abs(values - values[0])
        assert np.all(change <= 0.01 * np.abs(values[0]) + NEGLIGIBLE), jax.tree_util.keystr(path)


def test_cytokines_of_a_first_dose_peak_in_order_and_decline(courses):
    """60 mg: TNF-alpha before IL-6, IFN-gamma before CXCL10, IL-6 at 4-16 h, below 20 % at 72 h."""
    course = courses["flat"]
    hours = {name: course.peak_hours(name) for name in ("tnf_alpha", "il6", "ifn_gamma", "cxcl10")}
    peaks = ", ".join(f"{name} at {hour:.1f} h" for name, hour in hours.items())
    assert hours["tnf_alpha"] < hours["il6"], peaks
    assert hours["ifn_gamma"] < hours["cxcl10"], peaks
    assert 4.0 <= hours["il6"] <= 16.0, peaks
    assert course.at(course.cytokine("il6"), 3.0) < 0.2 * course.peak("il6")


@pytest.mark.parametrize("regimen", ["1 mg twice", "20 mg flat", "60 mg twice"])
def test_the_same_dose_a_week_later_releases_at_most_half(regimen, courses):
    """IL-6 peak of the second dose is at most half of that of the first."""
    course = courses[regimen]
    assert course.peak("il6", 2) <= 0.5 * course.peak("il6", 1)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "the full dose after steps releases more than half of the IL-6 of the first full dose "
        "in the patient with median values, though not in the median of patients: ratio 1.9"
    ),
)
def test_flat_dosing_doubles_the_largest_il6(courses):
    """60 mg flat against 1/2/60 mg without steroid: largest IL-6 at least doubled."""
    ratio = courses["flat"].largest("il6") / courses["step_up"].largest("il6")
    assert ratio >= 2.0, f"ratio {ratio:.2f}"


def test_flat_and_step_up_dosing_have_similar_late_exposure(courses):
    """Exposure from day 42 within 25 %."""
    late = [courses[name].reductions.area.drug[4:6].sum() for name in ("flat", "step_up")]
    assert late[0] == pytest.approx(late[1], rel=0.25)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "few T cells of the tumor are recruited, and their division is slow: volumes 3.1 "
        "and 4.6 at day 84"
    ),
)
def test_flat_and_step_up_dosing_have_similar_late_response(courses):
    """Tumor volume at day 84 within 15 percentage points."""
    flat, step_up = (courses[name].at(courses[name].volume, 84) for name in ("flat", "step_up"))
    assert flat == pytest.approx(step_up, abs=0.15), f"volumes {flat:.2f} and {step_up:.2f}"


def test_fractionation_lowers_il6_and_step_up_dosing_lowers_it_more(courses):
    """Largest IL-6: 20 mg flat above 6.7 mg twice above 1.6 then 20 mg."""
    regimens = ("20 mg flat", "6.7 mg twice", "1.6 then 20 mg")
    largest = [courses[regimen].largest("il6") for regimen in regimens]
    assert largest[0] > largest[1] > largest[2], largest


def test_first_dose_il6_rises_with_the_dose_below_the_maximum_of_bridges(courses):
    """IL-6 peak of one dose rises from 0.2 mg as long as plasma is below sqrt(K3*KT)."""
    runs = [courses[f"{mg} mg"] for mg in BELOW_HOOK]
    b = runs[0].scenario.parameters.model.binding
    assert max(run.reductions.peak.drug[0] for run in runs) < np.sqrt(b.KD_CD3 * b.KD_target)
    assert np.all(np.diff([run.peak("il6") for run in runs]) > 0.0)


def test_bridges_are_highest_at_the_geometric_mean_of_the_affinities():
    """Bridges rise with the drug up to sqrt(K3*KT) and fall above."""
    p = jax.tree.map(jnp.asarray, mosunetuzumab().patient().model)
    top = float(np.sqrt(p.binding.KD_CD3 * p.binding.KD_target))
    drug = top * np.exp(np.linspace(-6.0, 6.0, 4 * 601 + 4).reshape(-1, 4))
    bridges = [
        Equilibrium().bridges(
            None, contact_gap(jnp.asarray(c), jnp.zeros(()), p.binding), p.binding, p.synapse
        )
        for c in drug
    ]
    bell = np.asarray(bridges)[:, MALIGNANT, TUMOR]
    drug = drug[:, TUMOR]
    highest = int(np.argmax(bell))
    assert abs(np.log(drug[highest] / top)) <= np.log(drug[1] / drug[0])
    assert np.all(np.diff(bell[: highest + 1]) > 0.0)
    assert np.all(np.diff(bell[highest:]) < 0.0)


def test_t_cells_leave_blood_and_return_within_a_week(courses):
    """A step dose: nadir at 6-36 h below 0.6 of baseline, above 0.8 by day 7."""
    course = courses["step_up"]
    first_week = course.between(course.t_cells, 0.0, 7.0)
    nadir = course.times[np.argmin(first_week)] / HOUR
    assert first_week.min() < 0.6
    assert 6.0 <= nadir <= 36.0, f"{nadir:.0f} h"
    assert course.at(course.t_cells, 7.0) > 0.8


def test_traffic_conserves_t_cells(courses):
    """Without division and death, the number of T cells in the body is constant."""
    course = courses["closed"]
    cells = course.state.model.t_cells.total
    assert np.ptp(cells[:, 0]) > 0.5 * cells[0, 0]  # T cells do leave blood
    assert cells.sum(1) == pytest.approx(np.full(len(cells), cells[0].sum()), rel=1e-6)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="activated T cells leave blood within hours, so that few kill there: 49 % at 24 h",
)
def test_b_cells_are_depleted_in_blood_within_a_day_of_a_full_dose(courses):
    """60 mg: below 20 % at 24 h."""
    left = courses["flat"].at(courses["flat"].b_cells, 1.0)
    assert left < 0.20, f"{100 * left:.0f} % of the B cells"


def test_b_cells_are_depleted_in_blood_within_two_days_of_a_full_dose(courses):
    """60 mg: below 10 % at 48 h."""
    assert courses["flat"].at(courses["flat"].b_cells, 2.0) < 0.10


def test_subcutaneous_peaks_are_lower_and_later(courses):
    """60 mg SC against IV: Cmax and IL-6 peak lower and later."""
    iv, sc = courses["flat"], courses["60 mg SC"]

    def cmax(course):
        reduced = course.reductions
        return reduced.peak.drug[0], reduced.peak_time.drug[0] - course.starts[0]

    assert cmax(sc)[0] < cmax(iv)[0]
    assert cmax(sc)[1] > cmax(iv)[1]
    assert sc.peak("il6") < iv.peak("il6")
    assert sc.peak_hours("il6") > iv.peak_hours("il6")


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "a dose after a week releases more than one after two; the cause was not traced: peaks "
        "of 9.5, 9.1, 9.6 and 21 pg/mL after 7, 14, 21 and 42 days"
    ),
)
def test_second_dose_releases_more_after_a_longer_interval(courses):
    """20 mg twice, 7, 14, 21 or 42 days apart: IL-6 peak of the second dose rises."""
    peaks = [courses[f"20 mg, {days} d apart"].peak("il6", 2) for days in INTERVALS]
    assert np.all(np.diff(peaks) > 0.0), peaks
