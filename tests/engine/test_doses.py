"""Doses are given once, at their times, and infusions stop: against sums of exponentials.

Each case is one simulation of a batch, compared at every time of the grid. At dose times the value
after the dose counts.
"""

import dataclasses

import numpy as np
import pytest

from qsp.trial.schedule import Events
from tests.engine.toy import EVERY, amounts, bumps, run, same_bits, sim, sim_of

# (time, kind, amount, duration, period)
CASES = {
    "bolus": [(0.0, 0, 10.0, 0.0, 1)],
    "infusion": [(0.5, 0, 10.0, 1.2, 1)],
    "bolus and infusion at one time": [(1.0, 0, 10.0, 0.0, 1), (1.0, 0, 6.0, 2.0, 1)],
    "two kinds at one time": [(1.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 0)],
    "the same bolus twice at one time": [(1.0, 2, 4.0, 0.0, 1), (1.0, 2, 4.0, 0.0, 1)],
    "overlapping infusions of one kind": [(0.5, 0, 6.0, 2.0, 1), (1.5, 0, 3.0, 3.0, 2)],
    "an infusion within another": [(0.5, 0, 6.0, 4.0, 1), (1.5, 0, 3.0, 0.5, 2)],
    "the same infusion twice": [(0.5, 1, 6.0, 1.0, 1), (0.5, 1, 6.0, 1.0, 1)],
    "one infusion starts as another stops": [(0.5, 0, 6.0, 1.0, 1), (1.5, 0, 9.0, 1.0, 2)],
    "bolus while an infusion runs": [(0.5, 0, 6.0, 3.0, 1), (2.0, 0, 5.0, 0.0, 2)],
    "bolus as an infusion stops": [(0.5, 0, 6.0, 1.5, 1), (2.0, 0, 5.0, 0.0, 2)],
    "an infusion past the end": [(5.0, 0, 6.0, 9.0, 1)],
    "a very short infusion": [(1.0, 0, 6.0, 1e-7, 1)],
    "a sliver between two infusions": [(0.1, 0, 6.0, 0.2, 1), (0.1 + 0.2 + 1e-13, 0, 6.0, 0.2, 2)],
    "a dose of nothing": [(1.0, 0, 0.0, 0.0, 1), (2.0, 0, 0.0, 1.0, 2)],
    "three kinds in turn": [(0.0, 0, 1.0, 0.5, 1), (0.25, 1, 2.0, 0.5, 1), (0.5, 2, 3.0, 0.5, 2)],
    "a full table": [(0.05 + 0.7 * n, n % 3, 1.0 + n, 0.4, min(n + 1, 4)) for n in range(8)],
    "a full table at one time": [(1.0, n % 3, 1.0 + n, 0.4 * (n % 2), 1) for n in range(8)],
}


@pytest.fixture(scope="module")
def results(strict_types):
    return run(*(sim(*given) for given in CASES.values()))


@pytest.fixture
def case(request, results):
    n = list(CASES).index(request.param)
    return CASES[request.param], sim_of(results, n)


def each(test):
    return pytest.mark.parametrize("case", CASES, indirect=True)(test)


@each
def test_amounts_follow_the_formula_at_every_time(case):
    given, result = case
    assert not result.failed
    assert result.saved[0].amount == pytest.approx(amounts(EVERY, *given), rel=1e-6, abs=1e-6)


@each
def test_everything_is_given_once(case):
    given, result = case
    due = np.zeros(3)
    for start, kind, amount, duration, _ in given:
        due[kind] += amount * (min((6.0 - start) / duration, 1.0) if duration else 1.0)
    assert result.final.received == pytest.approx(due, rel=1e-9, abs=1e-9)


@each
def test_areas_follow_the_formula(case):
    """Loss rate times area is the amount received minus the amount left."""
    given, result = case
    area = result.periods.reductions.area.amount.sum(0)
    lost = result.final.received - result.final.amount
    assert area * [0.5, 1.0, 2.0] == pytest.approx(lost, rel=1e-6, abs=1e-6)


def test_infusion_stops_exactly(results):
    """The amount received changes at no time after the stop."""
    received = sim_of(results, list(CASES).index("infusion")).saved[0].received[:, 0]
    after = received[np.array(EVERY) >= 0.5 + 1.2]
    assert after == pytest.approx(np.full(after.shape, 10.0), rel=1e-12)
    assert len(set(after)) == 1


def test_events_at_begin_and_before_the_first_dose():
    given = (-1.0, 1, 4.0, 0.0, 0), (-0.5, 2, 3.0, 0.25, 0), (0.0, 0, 10.0, 0.0, 1)
    result = sim_of(run(sim(*given, begin=-1.0)), 0)
    assert result.saved[0].amount == pytest.approx(amounts(EVERY, *given), rel=1e-6, abs=1e-6)
    assert result.final.received == pytest.approx([10.0, 4.0, 3.0], rel=1e-12)


def test_doses_after_the_end_are_not_given():
    early, late = (1.0, 0, 10.0, 0.0, 1), (4.0, 0, 10.0, 1.0, 2)
    both, one = run(sim(early, late, end=3.0), sim(early, end=3.0)).final.received[:, 0]
    assert both == one == 10.0


def test_padding_is_neutral():
    given, height = CASES["overlapping infusions of one kind"], (2.0, 1.0, 0.0)
    short = run(sim(*given, height=height))
    long = run(sim(*given, height=height, events=12))
    assert same_bits(short, long)


def test_padding_needs_no_particular_values():
    """A padded row has an infinite time; its other values are not read."""
    plain = sim(*CASES["bolus"])
    events = plain.events
    odd = np.arange(8) > 0
    noise = Events(
        events.time,
        events.kind,
        np.where(odd, 7.0, events.amount),
        np.where(odd, 7.0, events.rate),
        np.where(odd, 7.0, events.duration),
        np.where(odd, 3, events.period).astype(np.int32),
    )
    assert same_bits(run(plain), run(dataclasses.replace(plain, events=noise)))


def test_a_simulation_of_no_length_only_gives_the_bolus_at_its_start():
    idle = sim((0.0, 0, 10.0, 0.0, 1), (1.0, 0, 5.0, 0.0, 2), end=0.0, height=(2.0, 0.0, 0.0))
    result = sim_of(run(idle), 0)
    assert not result.failed
    assert result.steps == 0
    assert result.final.received[0] == 10.0
    assert result.final.signal == bumps(0.0, (2.0, 0.0, 0.0), (1.0, 2.0, 3.0), 0.3)
