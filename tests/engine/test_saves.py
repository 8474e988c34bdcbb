"""Snapshots are taken exactly at their times, whatever the dosing."""

import numpy as np
import pytest

from tests.engine.toy import amounts, bumps, run, sim, sim_of

GIVEN = (
    (0.0, 0, 10.0, 0.0, 1),
    (1.0, 1, 6.0, 0.5, 1),
    (1.5, 0, 5.0, 0.0, 2),
    (1.5 + 1e-6, 2, 5.0, 0.0, 2),
    (4.0, 0, 3.0, 1.0, 3),
)
HEIGHT = (2.0, 3.0, 1.0)
DENSE, COARSE = np.linspace(0.0, 6.0, 121), np.array([1.5, 4.0, 6.0])


EARLY, LATE = (0.25, 0, 10.0, 0.0, 1), (5.25, 0, 10.0, 2.0, 1)


@pytest.fixture(scope="module")
def results(strict_types):
    return run(sim(*GIVEN, height=HEIGHT), sim(EARLY), sim(LATE), grids=(DENSE, COARSE, ()))


@pytest.fixture
def saved(results):
    return sim_of(results, 0).saved


@pytest.mark.parametrize("which", [0, 1])
def test_each_grid_holds_the_state_at_its_times(which, saved):
    grid = (DENSE, COARSE)[which]
    assert saved[which].amount == pytest.approx(amounts(grid, *GIVEN), rel=1e-6, abs=1e-6)
    signal = bumps(grid, HEIGHT, (1.0, 2.0, 3.0), 0.3)
    assert saved[which].signal == pytest.approx(signal, rel=1e-5, abs=1e-5)


def test_times_of_two_grids_agree_with_each_other(saved):
    index = np.searchsorted(DENSE, COARSE)
    assert saved[0].amount[index] == pytest.approx(saved[1].amount, rel=1e-9)


def test_a_grid_without_times_is_empty(saved):
    assert saved[2].amount.shape == (0, 3)
    assert saved[2].signal.shape == (0,)


def test_a_snapshot_at_the_time_of_a_dose_includes_the_dose(saved):
    """The states before and after a bolus have the same time; the one after it is saved."""
    at = {time: saved[1].amount[n] for n, time in enumerate(COARSE)}
    before = amounts([1.5], *GIVEN[:2])[0, 0]
    assert at[1.5][0] == pytest.approx(before + 5.0, rel=1e-7)
    assert at[1.5][2] == 0.0  # given a tenth of a second later


def test_times_before_the_start_are_empty():
    grid = np.arange(-2.0, 4.0, 0.5)
    given = (0.0, 0, 10.0, 0.0, 1)
    saved = sim_of(run(sim(given, begin=-1.0), grids=(grid,)), 0).saved[0]
    assert np.all(np.isnan(saved.amount[grid < -1.0]))
    expected = amounts(grid, given)[grid >= -1.0]
    assert saved.amount[grid >= -1.0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("n", "given"), [(1, EARLY), (2, LATE)])
def test_simulations_with_different_dosing_share_one_grid(n, given, results):
    expected = amounts(DENSE, given)
    assert sim_of(results, n).saved[0].amount == pytest.approx(expected, rel=1e-6, abs=1e-6)
