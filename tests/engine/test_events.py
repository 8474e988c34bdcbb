"""Events by two random signals: the engine agrees with the rule on a dense trajectory."""

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from tests.engine.toy import KINDS, PERIODS, Toy, amounts, bumps, sim, sim_of, stacked
from tests.reference.events import events

SIMS = 60
TIME = np.linspace(0.0, 6.0, 6001)
MARGIN = 0.005
"""A grade that changes with thresholds this much higher or lower is not compared."""


class TwoSignals(Toy):
    """Bumps are the signal of grade 1, the amount of the second drug that of grades 2 to 4."""

    def signals(self, peaks):
        return jnp.stack([peaks.signal, *[peaks.amount[1]] * 3])


def random_case(rng):
    """Simulation with three dose periods and two infusions, its signals and its thresholds."""
    starts = TIME[np.sort(rng.choice(4500, 3, replace=False))]
    infusions = [(begin, 1, rng.uniform(1, 6), rng.uniform(0.5, 1.5), 0) for begin in starts[:2]]
    doses = [(begin, 0, 1.0, 0.0, period) for period, begin in enumerate(starts, 1)]
    shape = {
        "height": tuple(rng.uniform(0.5, 2.5, 3)),
        "center": tuple(rng.uniform(0.0, 6.5, 3)),
        "width": tuple(rng.uniform(0.2, 0.6, 3)),
    }
    levels = np.array([1.0, 1.0, 2.0, 3.0]) * np.exp(0.3 * rng.standard_normal((PERIODS, 1)))
    given = sorted([*infusions, *doses])
    case = sim(*given, thresholds=levels, k=(0.5, 1.0, 2.0), **shape)
    leak = amounts(TIME, *infusions)[:, 1]
    signals = np.stack([bumps(TIME, **shape), leak, leak, leak], axis=1)
    return case, signals, starts, levels


@pytest.fixture(scope="module")
def compared():
    """Results of the engine, and of the rule at thresholds a little lower, equal and higher."""
    rng = np.random.default_rng(11)
    cases = [random_case(rng) for _ in range(SIMS)]
    method = Method(rtol=1e-8, max_steps=2000)
    batch = Batch(stacked(*(case for case, *_ in cases)), ())
    result = simulate(batch, TwoSignals(), method, kinds=KINDS)[0]
    pairs = []
    for n, (_, signals, starts, levels) in enumerate(cases):
        near = [events(TIME, signals, starts, f * levels) for f in (1 - MARGIN, 1.0, 1 + MARGIN)]
        grades = {(running, *(one.grade for one in periods)) for periods, running in near}
        if len(grades) == 1:
            pairs.append((sim_of(result, n), *near[1]))
    return pairs


def test_most_cases_are_compared_and_all_kinds_occur(compared):
    assert len(compared) > 0.75 * SIMS
    grades = [one.grade for _, periods, _ in compared for one in periods]
    assert {0, 1, 2, 3, 4} == set(grades)
    assert {0, 3} <= {running for *_, running in compared}


def test_grades_and_the_event_at_the_end_are_those_of_the_rule(compared):
    for result, periods, running in compared:
        grades = result.periods.reductions.crossing.grade[1:4]
        assert grades.tolist() == [one.grade for one in periods]
        assert result.running == running


def test_onsets_and_durations_are_those_of_the_rule(compared):
    for result, periods, _ in compared:
        rows, owner = result.periods.reductions.crossing, result.periods.earlier_owner
        for n, one in enumerate(periods, 1):
            later = np.where(owner == n, rows.earlier_time, 0.0).sum()
            assert float(rows.onset[n]) == pytest.approx(one.onset, abs=5e-3, nan_ok=True)
            assert float(rows.own_time[n] + later) == pytest.approx(one.duration, abs=1e-2)
