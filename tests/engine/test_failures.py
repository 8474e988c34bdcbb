"""A simulation that cannot be solved is flagged, alone, and soon."""

import time

import numpy as np
import pytest

from qsp.engine.method import Method
from tests.engine.toy import amounts, run, same_bits, sim, sim_of

GIVEN = (0.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 2)
SOUND = sim(*GIVEN, height=(2.0, 3.0, 1.0))


@pytest.fixture(scope="module")
def alone(strict_types):
    return sim_of(run(SOUND), 0)


@pytest.mark.parametrize(
    "sick",
    [
        sim(*GIVEN, k=(np.nan, 1.0, 1.0)),
        sim(*GIVEN, height=(np.inf, 0.0, 0.0)),
        sim(*GIVEN, blow_up=0.3),
        sim((0.0, 0, np.nan, 0.0, 1)),
    ],
    ids=["parameter nan", "parameter inf", "infinite after 3.3 days", "dose nan"],
)
def test_a_failed_simulation_is_flagged_and_others_keep_every_bit(sick, alone):
    result = run(SOUND, sick, SOUND)
    assert list(result.failed) == [False, True, False]
    assert same_bits(sim_of(result, 0), alone)
    assert same_bits(sim_of(result, 2), alone)


def test_a_runaway_quantity_is_correct_until_the_failure():
    result = sim_of(run(sim(*GIVEN, blow_up=0.3)), 0)
    times = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    assert result.saved[0].runaway[1:7] == pytest.approx(1.0 / (1.0 - 0.3 * times), rel=1e-5)


def test_too_many_steps_between_two_doses_is_a_failure():
    stiff = sim(*GIVEN, k=(300.0, 1.0, 2.0))
    assert list(run(SOUND, stiff, method=Method("Tsit5", 1e-8, max_steps=100)).failed) == [
        False,
        True,
    ]


def test_a_step_below_the_smallest_is_a_failure():
    """At 1e-12 these bumps need steps of minutes; the smallest allowed is more than an hour."""
    method = Method(rtol=1e-12, first_step=0.05, smallest_step=0.05, max_steps=2000)
    assert list(run(SOUND, method=method).failed) == [True]


def test_a_failed_simulation_ends_soon():
    """If no step succeeds, the solver does not try the largest number of steps."""
    sick, patient = sim(*GIVEN, k=(np.nan, 1.0, 1.0)), Method(rtol=1e-8, max_steps=20_000)

    def seconds(*sims):
        began = time.perf_counter()
        failed = run(*sims, method=patient).failed
        return time.perf_counter() - began, failed[-1]

    seconds(SOUND)  # compiles
    sound = min(seconds(SOUND, SOUND) for _ in range(3))
    broken = min(seconds(SOUND, sick) for _ in range(3))
    assert (sound[1], broken[1]) == (False, True)
    assert broken[0] < 15.0 * sound[0]


def test_a_step_to_nan_is_repeated_with_a_smaller_one():
    """The first step of 0.01 day ends below zero, where the rate is NaN."""
    result = sim_of(run(sim(brittle=1000.0)), 0)
    assert not result.failed
    times = np.array([0.5, 1.0, 2.0])
    assert result.saved[0].brittle[[1, 2, 4]] == pytest.approx((1 + 500 * times) ** -2, abs=1e-8)


def test_a_failure_after_some_doses_keeps_the_earlier_periods(alone):
    sick = sim(*GIVEN, (4.0, 0, 1.0, 0.0, 3), height=(2.0, 3.0, 1.0), blow_up=0.3)
    result = sim_of(run(sick), 0)
    assert result.failed
    first = result.periods.reductions.peak.signal[1]
    assert float(first) == pytest.approx(float(alone.periods.reductions.peak.signal[1]), rel=1e-6)


def test_stiff_and_other_simulations_share_a_chunk():
    stiff = sim(*GIVEN, k=(300.0, 1.0, 2.0))
    result = run(stiff, SOUND)
    assert not result.failed.any()
    left = amounts([0.0, 0.5, 6.0], *GIVEN, k=(300.0, 1.0, 2.0))
    assert result.saved[0].amount[0][[0, 1, 11]] == pytest.approx(left, rel=1e-5, abs=1e-6)
