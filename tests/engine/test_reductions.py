"""Peaks, areas and ends of dose periods, taken while the solver steps, against formulas."""

import numpy as np
import pytest
from scipy.special import erf

from tests.engine.toy import amounts, bumps, run, sim, sim_of

CENTER, WIDTH = np.array([1.0, 2.0, 3.5]), np.array([0.3, 0.2, 0.5])
SHAPES = {
    "one bump": (2.0, 0.0, 0.0),
    "narrow next to wide": (1.0, 3.0, 2.0),
    "falling": (3.0, 2.0, 1.0),
    "a dip": (1.0, -2.0, 1.0),
}
PERIODS = [(0.0, 0, 1.0, 0.0, 1), (1.1, 0, 2.0, 0.0, 2), (2.6, 0, 3.0, 1.0, 3)]
EDGES = (0.0, 1.1, 2.6, 6.0)


def shaped(*given, height, **kwargs):
    return sim(*given, height=height, center=tuple(CENTER), width=tuple(WIDTH), **kwargs)


def areas(low, high, height):
    root = np.sqrt(2.0)
    at = lambda t: (erf((t - CENTER) / WIDTH / root) * height * WIDTH).sum() * np.sqrt(np.pi / 2)  # noqa: E731
    return at(high) - at(low)


@pytest.fixture(scope="module")
def results(strict_types):
    return run(*(shaped(*PERIODS, height=height) for height in SHAPES.values()))


@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_peak_and_its_time_in_each_period(name, period, results):
    low, high = EDGES[period - 1], EDGES[period]
    time = np.linspace(low, high, 200_001)
    signal = bumps(time, SHAPES[name], CENTER, WIDTH)
    reductions = sim_of(results, list(SHAPES).index(name)).periods.reductions
    peak = float(reductions.peak.signal[period])
    assert peak == pytest.approx(signal.max(), rel=1e-4, abs=1e-6)
    when = float(reductions.peak_time.signal[period])
    assert low <= when <= high
    assert bumps(when, SHAPES[name], CENTER, WIDTH) == pytest.approx(peak, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_area_of_each_period(name, period, results):
    expected = areas(EDGES[period - 1], EDGES[period], np.array(SHAPES[name]))
    got = sim_of(results, list(SHAPES).index(name)).periods.reductions.area
    assert float(got.signal[period]) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_areas_of_a_drug_whose_dosing_changes_within_a_period(results):
    """An infusion stops within the dose period; the area includes the kink."""
    time = np.unique(np.concatenate([np.linspace(2.6, 3.6, 20_001), np.linspace(3.6, 6.0, 40_001)]))
    curve = amounts(time, *PERIODS)[:, 0]
    expected = np.trapezoid(curve, time)
    got = sim_of(results, 0).periods.reductions.area.amount[3, 0]
    assert float(got) == pytest.approx(expected, rel=1e-6)


def test_peak_of_a_bolus_is_its_first_moment_and_trough_its_last(results):
    periods = sim_of(results, 0).periods
    for period in (1, 2):
        start, end = EDGES[period - 1], EDGES[period]
        after = amounts([start], *PERIODS[:period])[0, 0]
        before_next = amounts([end], *PERIODS[:period])[0, 0]
        assert float(periods.reductions.peak.amount[period, 0]) == pytest.approx(after, rel=1e-7)
        assert float(periods.reductions.peak_time.amount[period, 0]) == start
        assert float(periods.last.amount[period, 0]) == pytest.approx(before_next, rel=1e-6)


def test_row_zero_is_the_time_before_the_first_dose_of_a_period():
    premedication = (-1.0, 1, 4.0, 0.0, 0)
    first = shaped(premedication, (1.5, 0, 1.0, 0.0, 1), height=(2.0, 0.0, 5.0), begin=-1.0)
    periods = sim_of(run(first), 0).periods
    assert float(periods.reductions.peak.signal[0]) == pytest.approx(2.0, rel=1e-4)
    assert float(periods.reductions.peak_time.signal[0]) == pytest.approx(1.0, abs=0.01)
    assert float(periods.reductions.peak.signal[1]) == pytest.approx(5.0, rel=1e-4)
    assert float(periods.last.amount[0, 1]) == pytest.approx(4.0 * np.exp(-2.5), rel=1e-6)


def test_supportive_doses_and_split_doses_start_no_period():
    """A period is a named step and includes all doses until the next one."""
    given = (
        (0.0, 0, 1.0, 0.0, 1),
        (1.2, 1, 5.0, 0.0, 0),
        (1.4, 0, 2.0, 0.0, 1),
        (3.0, 0, 1.0, 0.0, 2),
    )
    periods = sim_of(run(shaped(*given, height=(2.0, 0.0, 0.0))), 0).periods
    assert float(periods.reductions.peak.signal[1]) == pytest.approx(2.0, rel=1e-4)
    assert float(periods.reductions.peak_time.signal[1]) == pytest.approx(1.0, abs=0.01)
    peak = float(periods.reductions.peak.amount[1, 0])
    assert peak == pytest.approx(np.exp(-0.5 * 1.4) + 2.0, rel=1e-6)
    assert float(periods.reductions.peak_time.amount[1, 0]) == pytest.approx(1.4)
    assert float(periods.reductions.peak.amount[1, 1]) == pytest.approx(5.0, rel=1e-6)


def test_periods_without_a_dose_stay_empty(results):
    rows = sim_of(results, 0).periods.reductions
    assert float(rows.steps[3]) > 0
    assert float(rows.steps[4]) == 0
    assert not np.any(rows.peak.amount[4])


def test_steps_are_counted_over_all_periods(results):
    one = sim_of(results, 1)
    steps = one.periods.reductions.steps
    assert np.all(np.diff(steps[:4]) > 0)
    assert float(one.steps) == float(steps[3])


def test_extremes_are_taken_at_the_ends_of_steps():
    """An infusion is highest where it stops, and a stop is the end of a step."""
    given = (0.5, 0, 8.0, 1.5, 1)
    reductions = sim_of(run(sim(given)), 0).periods.reductions
    highest = amounts([2.0], given)[0, 0]
    assert float(reductions.extreme[1, 0]) == pytest.approx(highest, rel=1e-6)
    whole = amounts(np.linspace(0.5, 6.0, 100_001), given)[:, 0]
    expected = np.trapezoid(whole, np.linspace(0.5, 6.0, 100_001))
    assert float(reductions.flow_area[1, 0]) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("period", [2, 0], ids=["of the next period", "of the same period"])
def test_extremes_include_the_state_right_after_a_bolus(period):
    """The amount is highest right after the bolus, which is not the end of a step."""
    given = (0.5, 2, 8.0, 0.0, 1), (2.0, 2, 8.0, 0.0, period)
    reductions = sim_of(run(sim(*given)), 0).periods.reductions
    first, both = 8.0, 8.0 * (1.0 + np.exp(-3.0))
    extremes = [first, both] if period else [both]
    areas = [4.0 * (1.0 - np.exp(-3.0)), both / 2.0] if period else [8.0]
    rows = slice(1, 1 + len(extremes))
    assert reductions.extreme[rows, 2] == pytest.approx(extremes, rel=1e-6)
    assert reductions.flow_area[rows, 2] == pytest.approx(areas, rel=2e-3)
