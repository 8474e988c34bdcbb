"""Probability of each grade of CRS: analytic cases, the event rule of the engine, and trials."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

from qsp.calibration.courses import courses_of, dose_starts
from qsp.calibration.crs_studies import _short_arm
from qsp.calibration.events_by_shift import Course
from qsp.calibration.grade_probability import GradeThresholds, grade_probability
from qsp.engine.observers import Crossing, _add_events, continue_event
from qsp.simulation import simulate
from qsp.validation.study import of_arms, prepare

THRESHOLDS = GradeThresholds(np.array([0.11, 0.17, 0.27, 0.40]), sd_patient=0.16, sd_event=0.13)
SD = np.hypot(0.16, 0.13)


def course(time, fever, leak):
    """Course of one patient."""
    return Course(*(np.array(time, float), np.array([fever], float), np.array([leak], float)))


def cdf(value, level):
    """Probability that the threshold of an event is below a value."""
    return ndtr(np.log(value / level) / SD)


def test_triangle_of_fever_gives_the_normal_distribution():
    """Leak peaks with fever; the threshold of grade 4 is higher than fever lets it count."""
    found = grade_probability([course([0, 1, 3], [0, 0.15, 0], [0, 0.12, 0])], THRESHOLDS)
    expected = [cdf(0.15, 0.11), *(cdf(0.12, level) for level in (0.17, 0.27, 0.40))]
    assert found.by_dose[:, 0, 0] == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert found.over_all[:, 0] == pytest.approx(found.by_dose[:, 0, 0])


def test_high_leak_has_no_grade_without_an_event():
    found = grade_probability([course([0, 1, 3], [0, 0.10, 0], [0, 9.0, 0])], THRESHOLDS)
    assert found.by_dose[:, 0, 0] == pytest.approx([cdf(0.10, 0.11)] * 4, rel=1e-5)


def test_leak_counts_until_the_event_ends():
    """Leak 0.1 t rises on; an event of shift u ends at 3 - 2 * 0.11 exp(u) / 0.15."""
    found = grade_probability([course([0, 1, 3], [0, 0.15, 0], [0, 0.10, 0.30])], THRESHOLDS)
    assert found.by_dose[1, 0, 0] == pytest.approx(
        ndtr(np.log(0.3 / (0.17 + 0.2 * 0.11 / 0.15)) / SD), rel=1e-4
    )


def test_falling_leak_does_not_count():
    found = grade_probability([course([0, 1, 3], [0, 0.15, 0], [0.9, 0.8, 0.7])], THRESHOLDS)
    assert found.by_dose[0, 0, 0] > 0.5
    assert found.by_dose[1:, 0, 0] == pytest.approx(np.zeros(3), abs=1e-12)


def test_fever_above_the_threshold_since_the_dose_starts_no_event():
    """Fever falls from 0.2 to 0.05 and rises to 0.12: only thresholds in between are crossed."""
    found = grade_probability([course([0, 1, 2], [0.2, 0.05, 0.12], [0, 0, 0])], THRESHOLDS)
    assert found.by_dose[0, 0, 0] == pytest.approx(cdf(0.12, 0.11) - cdf(0.05, 0.11), rel=1e-5)


def test_running_event_lets_no_other_start():
    """Fever stays high over the second dose, so an event there needs a higher threshold."""
    high = grade_probability(
        [course([0, 1], [0, 0.2], [0, 0]), course([1, 2, 3], [0.2, 0.1999, 0.21], [0, 0, 0])],
        dataclasses.replace(THRESHOLDS, sd_patient=0.0),
    )
    sd = THRESHOLDS.sd_event
    first = ndtr(np.log(0.2 / 0.11) / sd)
    between = ndtr(np.log(0.21 / 0.11) / sd) - ndtr(np.log(0.2 / 0.11) / sd)
    falls = ndtr(np.log(0.2 / 0.11) / sd) - ndtr(np.log(0.1999 / 0.11) / sd)
    rises = ndtr(np.log(0.21 / 0.11) / sd) - ndtr(np.log(0.1999 / 0.11) / sd)
    assert high.by_dose[0, 0] == pytest.approx(
        [first, (1 - first + falls) * rises - falls * 0.5 * falls], rel=1e-3
    )
    assert between < rises


def test_missing_courses_are_missing_values():
    nan = course([0, 1, 3], [0, np.nan, 0], [0, 0, 0])
    found = grade_probability([nan], THRESHOLDS)
    assert np.isnan(found.by_dose).all()
    assert np.isnan(found.over_all).all()


@pytest.mark.parametrize(
    "change", [{"sd_event": 0.0}, {"sd_patient": -0.1}, {"level": np.zeros(4)}]
)
def test_thresholds_are_positive(change):
    with pytest.raises(ValueError, match="above 0"):
        dataclasses.replace(THRESHOLDS, **change)


# === the event rule of the engine
# ===============================================================================================

STOPS = (0, 9, 18, 27, 36)
"""Indices of the doses, and of the end."""


def irregular(patients):
    """Fever and leak (patient, time) with several rises, of which some last over a dose."""
    rng = np.random.default_rng(0)
    time = np.linspace(0.0, 12.0, STOPS[-1] + 1)
    phase = rng.uniform(0, 6, (3, patients, 1))
    size = np.exp(rng.normal(0, 0.4, (2, patients, 1)))
    waves = size * np.sin(time * np.array([0.9, 1.9])[:, None, None] + phase[:2])
    fever = 0.11 * np.exp(0.35 * waves.sum(axis=0))
    leak = 0.22 * np.exp(0.4 * np.sin(0.9 * time + phase[2]) + 0.3 * waves[1])
    fever[:, 0] = leak[:, 0] = 0.0
    return time, fever, leak


@jax.jit
def engine_grades(time, fever, leak, thresholds):
    """Grades (dose_period,) of one course by the rule of the engine; thresholds by period."""
    zero = jnp.zeros(())
    none = Crossing(
        levels=thresholds[0],
        on=jnp.asarray(False),
        on_grade=zero,
        on_own=jnp.asarray(False),
        grade=zero,
        onset=zero,
        own_time=zero,
        earlier_time=zero,
    )
    ends = jnp.stack([fever, leak, leak, leak], axis=-1)
    period = jnp.asarray(np.repeat(np.arange(len(STOPS) - 1), np.diff(STOPS)))

    def step(now, k):
        levels = thresholds[period[k]]
        begun = continue_event(dataclasses.replace(none, levels=levels), now)
        begins = (k == 0) | (period[k] != period[k - 1])
        now = jax.tree.map(lambda a, b: jnp.where(begins, a, b), begun, now)
        signals = [ends[k], 0.5 * (ends[k] + ends[k + 1]), ends[k + 1]]
        now = _add_events(now, time[k], time[k + 1] - time[k], signals, levels)
        return now, now.grade

    _, grades = jax.lax.scan(step, none, jnp.arange(STOPS[-1]))
    return grades[np.array(STOPS[1:]) - 1]


def test_probabilities_are_the_frequencies_of_the_event_rule_of_the_engine():
    """Courses of many patients, with a sample of thresholds each."""
    patients, count = 200, 500
    time, fever, leak = irregular(patients)
    rng = np.random.default_rng(1)
    xi = THRESHOLDS.sd_patient * rng.standard_normal((patients, count, 1))
    xi = xi + THRESHOLDS.sd_event * rng.standard_normal((patients, count, len(STOPS) - 1))
    thresholds = THRESHOLDS.level * np.exp(xi)[..., None]
    of_patient = jax.vmap(engine_grades, (None, None, None, 0))
    grades = np.asarray(jax.vmap(of_patient, (None, 0, 0, 0))(time, fever, leak, thresholds))
    parts = [slice(a, b + 1) for a, b in zip(STOPS[:-1], STOPS[1:], strict=True)]
    found = grade_probability([Course(time[s], fever[:, s], leak[:, s]) for s in parts], THRESHOLDS)
    assert (grades[:, :, 1:] > 0).mean() > 0.2
    for grade in (1, 2, 3, 4):
        reached = grades >= grade
        assert_close(found.by_dose[grade - 1], reached.mean(axis=1), count)
        assert_close(found.over_all[grade - 1], reached.any(axis=2).mean(axis=1), count)


def assert_close(expected, frequency, count):
    """Means over the patients (patient, ...) differ by less than 3 standard errors."""
    error = np.sqrt((expected * (1.0 - expected)).sum(axis=0) / count) / len(expected)
    difference = np.abs((expected - frequency).mean(axis=0))
    assert np.all(difference <= 3.0 * error), (difference / error, expected.mean(axis=0))


# === sampled grades of a trial without rules
# ===============================================================================================


@dataclasses.dataclass(frozen=True)
class Grades:
    """Probabilities and sampled grades.

    Args:
        expected: (grade, dose_period): Probability; over all doses in the last column.
        variance: (grade, dose_period): Variance of the frequency.
        frequency: (grade, dose_period).
    """

    expected: np.ndarray
    variance: np.ndarray
    frequency: np.ndarray


def sampled_grades(config, patients, days, seed):
    """Grades of a config in its arm without rescue, until a day."""
    prepared = of_arms(prepare(config, patients=patients, seed=seed), ("without_rescue",))
    arm = _short_arm(prepared.trial.arms[0], days)
    after = (*np.arange(0.0, 3.0, 1 / 8), *np.arange(3.0, 7.0, 1 / 4))
    times = {round(start + each, 6) for start in dose_starts(arm) for each in after} | {days}
    trial = dataclasses.replace(
        prepared.trial,
        arms=(arm,),
        days=days,
        visits=(days,),
        save_times=tuple(sorted(each for each in times if each <= days)),
    )
    found = simulate(trial, prepared.cohort, system=prepared.system, method=prepared.method)
    results = found.to_dataset()
    severity = prepared.cohort.people.parameters.model.severity
    p = grade_probability(courses_of(results, results, arm), GradeThresholds.of(severity))
    doses = len(arm.labels)
    grade = results["crs_grade"].isel(arm=0).transpose("patient", "dose_period").values[:, :doses]
    expected = np.concatenate([p.by_dose, p.over_all[..., None]], axis=2)
    known = ~np.isnan(expected[0, :, 0])
    assert known.mean() > 0.99
    reached = grade >= np.arange(1, 5)[:, None, None]
    sampled = np.concatenate([reached, reached.any(axis=2, keepdims=True)], axis=2)
    of = expected[:, known]
    variance = (of * (1.0 - of)).sum(axis=1) / known.sum() ** 2
    return Grades(of.mean(axis=1), variance, sampled[:, known].mean(axis=1))


def check(found, patients):
    """Each grade and dose within 3 standard errors, or one patient where it is rare."""
    allowed = np.maximum(3.0 * np.sqrt(found.variance), 1.5 / patients)
    difference = np.abs(found.expected - found.frequency)
    assert np.all(difference[:3] <= allowed[:3]), (difference / allowed, found.expected)


@pytest.mark.slow
def test_sampled_grades_of_2000_patients():
    """Steps of 3 days, so that events run on at the next dose."""
    found = sampled_grades("teclistamab", 2000, 9.0, seed=5)
    assert found.expected[0, 0] > 0.1
    check(found, 2000)


@pytest.mark.long
@pytest.mark.parametrize("config", ["teclistamab", "mosunetuzumab_iv"])
def test_sampled_grades_of_20000_patients(config):
    parts = [sampled_grades(config, 2000, 21.0, seed=100 + n) for n in range(10)]
    whole = Grades(
        np.mean([each.expected for each in parts], axis=0),
        np.sum([each.variance for each in parts], axis=0) / 100.0,
        np.mean([each.frequency for each in parts], axis=0),
    )
    check(whole, 20_000)
