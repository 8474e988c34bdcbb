"""The trial: its visits, its start, and the times at which trajectories are saved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.errors import ConfigError
from qsp.trial import Amount, Arm, Dose, Trial, prescribe, protocol_day, trajectory_times
from qsp.trial.trial import AFTER_DOSE, MAX_SAVE_TIMES


def arm(name="a", times=(0.0, 7.0), before=None, days=84.0, patients=1):
    doses = [Dose("drug_iv", t, Amount(1.0), 0.0, f"P{n}") for n, t in enumerate(times)]
    if before is not None:
        doses.append(Dose("dexamethasone", before, Amount(20.0)))
    one = prescribe(doses, molecular_weight_kda=150.0, days=days, where=name)
    return Arm(name, (one,) * patients)


def trial(*arms, days=84.0, visits=(42.0, 84.0), patients=10, **options):
    return Trial("t", arms or (arm(),), days, visits, patients, "molecule", 150.0, **options)


def test_trial_starts_with_the_first_administration_of_any_arm():
    assert trial(arm("a"), arm("b", before=-0.5)).start == -0.5
    assert trial(arm("a"), arm("b", before=3.0)).start == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"days": 0.0, "visits": ()}, "days must be above 0"),
        ({"visits": (42.0, 85.0)}, "visits.1 must be within the trial"),
        ({"visits": (42.0, 42.0)}, "visits.1 must be after the visit before it"),
        ({"visits": (0.0,)}, "visits.0 must be after the first dose"),
    ],
)
def test_impossible_schedules_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        trial(**change)


def test_names_of_arms_are_unique():
    with pytest.raises(ConfigError, match="unique names"):
        trial(arm("a"), arm("a"))


def test_individual_regimens_must_match_the_number_of_patients():
    assert trial(arm(patients=10)).arms[0].is_individual
    with pytest.raises(ConfigError, match="patients must be the number of regimens"):
        trial(arm(patients=9))


def test_save_times_are_dense_after_doses_and_include_visits_and_ends():
    times = trajectory_times([arm(before=-1 / 24)], 84.0, (42.0, 83.9))
    assert times[0] == pytest.approx(-1 / 24)
    assert times[-1] == 84.0
    for dose in (0.0, 7.0):
        for time in (dose, *(dose + AFTER_DOSE)):
            assert np.abs(times - time).min() < 1e-9
    assert {42.0, 83.9} <= set(times.tolist())
    assert np.diff(times).max() <= 0.25 + 1e-9
    assert np.diff(times).min() > 1e-6
    assert len(times) % 64 == 0


@given(
    gaps=st.lists(st.floats(0.001, 30.0), max_size=60),
    rest=st.floats(0.1, 2000.0),
    before=st.one_of(st.none(), st.floats(-30.0, 0.0)),
)
def test_save_times_are_increasing_and_at_most_1024(gaps, rest, before):
    doses = np.concatenate([[0.0], np.cumsum(gaps)]).tolist()
    days = doses[-1] + rest
    times = trajectory_times([arm(times=doses, before=before, days=days)], days, (days / 2,))
    assert np.all(np.diff(times) > 0)
    assert times[0] == min(0.0, before or 0.0)
    assert times[-1] == days
    assert np.abs(times - days / 2).min() < 1e-6
    assert len(times) <= MAX_SAVE_TIMES
    assert len(times) % 64 == 0


def test_explicit_save_times_are_used():
    assert trial(save_times=(0.0, 1.0)).save_times == (0.0, 1.0)


@pytest.mark.parametrize(
    ("time", "day"),
    [(0.0, "day 1"), (0.99, "day 1"), (7.0, "day 8"), (-1 / 24, "day -1"), (-7.0, "day -7")],
)
def test_first_dose_is_on_protocol_day_1(time, day):
    assert protocol_day(time) == day


def test_protocol_day_is_robust_to_rounding():
    assert protocol_day(0.1 * 3 * 10 - 1e-12) == "day 4"
