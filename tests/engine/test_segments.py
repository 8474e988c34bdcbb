"""Ends of segments: a simulation stops at each change of dosing and at each visit exactly once."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qsp.engine.segments import max_segments, next_stop
from qsp.engine.snapshots import FEW, SAVE_WINDOW, is_long
from qsp.trial.schedule import Events
from tests.engine.toy import EVERY, amounts, run, sim, sim_of

BEGIN, END, ROWS = -1.0, 20.0, 6
SAME_TIME = 1e-9  # of double precision
TIMES = st.sampled_from([-1.0, 0.0, 0.5, 3.0, 7.0, 7.0 + 1e-12, 19.0, 20.0, 25.0])
DOSES = st.lists(st.tuples(TIMES, st.sampled_from([0.0, 0.5, 4.0])), max_size=ROWS)
VISITS = st.lists(TIMES, max_size=FEW, unique=True).map(sorted)


def table(doses):
    """Events of a simulation; only times and durations matter here."""
    rows = sorted(doses) + [(np.inf, 0.0)] * (ROWS - len(doses))
    time, duration = np.array(rows).T
    none = np.zeros(ROWS)
    return Events(time, none.astype(int), none, none, duration, none.astype(int))


def all_stops(events, grids):
    """All stops from the start to the end."""
    on_device = Events(*map(jnp.asarray, events))
    stops, time = [], BEGIN
    while time < END:
        time = float(
            next_stop(
                jnp.asarray(time), (on_device,), tuple(map(jnp.asarray, grids)), jnp.asarray(END)
            )
        )
        stops.append(time)
    return stops


@given(DOSES, VISITS)
def test_a_simulation_stops_at_dosing_events_and_at_visits(doses, visits):
    changes = [time + after for time, length in doses for after in (0.0, length)]
    expected = [at for at in (*changes, *visits) if BEGIN + SAME_TIME < at < END]
    stops = all_stops(table(doses), (np.array(visits, float),))
    assert all(min(abs(at - stop) for stop in stops) <= SAME_TIME for at in expected)
    assert len(stops) <= len(set(np.round(expected, 6))) + 1


@given(DOSES, VISITS)
def test_the_bound_holds_every_segment(doses, visits):
    events, grids = table(doses), (np.array(visits, float),)
    capacity = max_segments(events, np.array(BEGIN), np.array(END), grids)
    assert (
        len(all_stops(events, grids)) < capacity <= len({*map(float, visits)}) + 2 * len(doses) + 2
    )


def test_the_bound_is_that_of_the_simulation_with_most_segments():
    few, many = table([(0.0, 4.0)]), table([(0.0, 4.0), (7.0, 0.5), (10.0, 0.0)])
    both = Events(*map(np.stack, zip(few, many, strict=True)))
    begin, end = np.full(2, BEGIN), np.full(2, END)
    assert max_segments(both, begin, end, ()) == max_segments(
        many, np.array(BEGIN), np.array(END), ()
    )


def test_a_long_grid_cuts_segments_to_its_window():
    grid = np.linspace(0.0, 10.0, 100)
    stops = np.array([BEGIN, *all_stops(table([]), (grid,))])
    inside = [
        int(((grid >= a) & (grid <= b)).sum()) for a, b in zip(stops, stops[1:], strict=False)
    ]
    assert max(inside) <= SAVE_WINDOW
    assert len(stops) - 1 < max_segments(table([]), np.array(BEGIN), np.array(END), (grid,))


def test_short_and_long_grids_agree():
    """Including a bolus at a time of the grid, where the value after the dose counts."""
    doses = ((0.0, 0, 10.0, 0.0, 1), (1.0, 0, 6.0, 2.0, 2), (2.0, 1, 5.0, 0.0, 3))
    short = (0.0, 0.5, 2.0, 4.5, 6.0)
    assert is_long(EVERY)
    assert not is_long(short)
    result = sim_of(run(sim(*doses), grids=(EVERY, short)), 0)
    rows = [EVERY.index(time) for time in short]
    shown, true = result.saved[1].amount, amounts(short, *doses)
    np.testing.assert_allclose(shown, true, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(shown, result.saved[0].amount[rows], rtol=1e-6, atol=1e-6)


SLOW = (0.02, 1.0, 50.0)
"""Losses with which steps last days, except after a dose of the third kind."""


def test_a_visit_costs_no_small_steps():
    """Steps continue with their length: a visit adds at most the step that it cuts in two."""
    watched = sim((0.0, 0, 10.0, 0.0, 1), end=80.0, k=SLOW)
    visits = np.arange(10.0, 80.0, 10.0)
    alone, seen = (run(watched, grids=(grid,)).steps[0] for grid in ((80.0,), visits))
    assert not is_long(visits)
    assert seen <= alone + len(visits)


def test_after_a_dose_steps_are_small_again():
    """The long steps before the dose do not resolve the fast kinetics after it."""
    doses = ((0.0, 0, 10.0, 0.0, 1), (40.0, 2, 1e3, 0.0, 2))
    after = (40.0, 40.01, 40.05, 40.1, 41.0, 60.0)
    result = sim_of(run(sim(*doses, end=80.0, k=SLOW), grids=(after,)), 0)
    true = amounts(after, *doses, k=SLOW)
    np.testing.assert_allclose(result.saved[0].amount, true, rtol=1e-6, atol=1e-5)
