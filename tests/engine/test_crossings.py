"""Events against thresholds: when they start, how long they last, and to which dose they belong.

The signal is one or more Gaussian bumps h*exp(-((t - c)/w)^2 / 2); it passes a level at
c -+ w*sqrt(2 ln(h/level)).
"""

import numpy as np
import pytest

from tests.engine.toy import run, sim, sim_of

TOLERANCE = 2e-3  # day: the crossings are those of a parabola within a step


def passes(level, height, center, width):
    """Times at which one bump passes a level up and down."""
    half = width * np.sqrt(2.0 * np.log(height / level))
    return center - half, center + half


def dose(time, period):
    return (time, 0, 1.0, 0.0, period)


def crossing(*doses, **kwargs):
    """Rows of the dose periods, and the owner of the event that ran as each began."""
    periods = sim_of(run(sim(*doses, **kwargs)), 0).periods
    return periods.reductions.crossing, periods.earlier_owner


def days(value):
    return pytest.approx(value, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("height", "grade"), [(0.9, 0), (1.2, 1), (2.5, 2), (3.01, 3), (3.99, 3), (9.0, 4)]
)
def test_grade_is_the_number_of_thresholds_passed(height, grade):
    rows, _ = crossing(dose(0, 1), height=(height, 0, 0), center=(2, 9, 9), width=(0.5,) * 3)
    assert float(rows.grade[1]) == grade
    if grade:
        up, down = passes(1.0, height, 2.0, 0.5)
        assert float(rows.onset[1]) == days(up)
        assert float(rows.own_time[1]) == days(down - up)
    else:
        assert np.isnan(rows.onset[1])
        assert float(rows.own_time[1]) == 0.0


def test_resolved_event_and_a_second_one_in_the_same_period():
    """The onset is that of the first, the grade the worst, the duration that of both."""
    shape = {"height": (1.5, 3.5, 0.0), "center": (1.5, 4.0, 9.0), "width": (0.3, 0.3, 1.0)}
    rows, _ = crossing(dose(0, 1), **shape)
    first, second = passes(1.0, 1.5, 1.5, 0.3), passes(1.0, 3.5, 4.0, 0.3)
    assert float(rows.grade[1]) == 3
    assert float(rows.onset[1]) == days(first[0])
    assert float(rows.own_time[1]) == days(first[1] - first[0] + second[1] - second[0])


def test_each_dose_has_its_own_event():
    shape = {"height": (1.5, 2.5, 0.0), "center": (1.5, 4.0, 9.0), "width": (0.3, 0.3, 1.0)}
    rows, owners = crossing(dose(0, 1), dose(2.75, 2), **shape)
    for period, (height, center) in ((1, (1.5, 1.5)), (2, (2.5, 4.0))):
        up, down = passes(1.0, height, center, 0.3)
        assert float(rows.grade[period]) == int(height)
        assert float(rows.onset[period]) == days(up)
        assert float(rows.own_time[period]) == days(down - up)
        assert float(rows.earlier_time[period]) == 0.0
    assert list(owners[:3]) == [0, 0, 0]


def test_event_that_runs_into_the_next_period_belongs_to_the_first():
    shape = {"height": (1.8, 0, 0), "center": (2.0, 9, 9), "width": (0.6,) * 3}
    up, down = passes(1.0, 1.8, 2.0, 0.6)
    rows, owners = crossing(dose(0, 1), dose(2.2, 2), **shape)
    assert float(rows.onset[1]) == days(up)
    assert float(rows.own_time[1]) == days(2.2 - up)
    assert float(rows.grade[2]) == 0
    assert np.isnan(rows.onset[2])
    assert float(rows.own_time[2]) == 0.0
    assert float(rows.earlier_time[2]) == days(down - 2.2)
    assert owners[2] == 1


def test_running_event_counts_again_only_once_its_grade_rises():
    """Grade 1 at the second dose, grade 3 after it: both dose periods have an event."""
    shape = {"height": (3.5, 0, 0), "center": (3.0, 9, 9), "width": (0.8,) * 3}
    up, down = passes(1.0, 3.5, 3.0, 0.8)
    rises, _ = passes(2.0, 3.5, 3.0, 0.8)
    second = (up + rises) / 2
    rows, owners = crossing(dose(0, 1), dose(second, 2), **shape)
    assert [float(grade) for grade in rows.grade[1:3]] == [1, 3]
    assert float(rows.onset[1]) == days(up)
    assert float(rows.own_time[1]) == days(second - up)
    assert float(rows.onset[2]) == days(rises)
    both = float(rows.own_time[2] + rows.earlier_time[2])
    assert both == days(down - second)
    assert owners[2] == 1


def test_time_of_a_risen_event_starts_where_its_grade_rises():
    shape = {"height": (3.5, 0, 0), "center": (3.0, 9, 9), "width": (0.8,) * 3}
    _, down = passes(1.0, 3.5, 3.0, 0.8)
    rises, _ = passes(2.0, 3.5, 3.0, 0.8)
    rows, _ = crossing(dose(0, 1), dose(rises - 0.1, 2), **shape)
    assert float(rows.own_time[2]) == days(down - rises)
    assert float(rows.earlier_time[2]) == days(0.1)


def test_running_event_that_keeps_its_grade_does_not_count_again():
    """Grade 2 at the second dose, grade 2 after it, although the signal rises."""
    shape = {"height": (2.9, 0, 0), "center": (3.0, 9, 9), "width": (0.8,) * 3}
    second = passes(2.2, 2.9, 3.0, 0.8)[0]
    rows, _ = crossing(dose(0, 1), dose(second, 2), **shape)
    assert [float(grade) for grade in rows.grade[1:3]] == [2, 0]


def test_running_event_that_resolves_lets_a_new_one_count():
    shape = {"height": (2.5, 1.5, 0.0), "center": (1.5, 4.0, 9.0), "width": (0.4, 0.3, 1.0)}
    rows, owners = crossing(dose(0, 1), dose(1.6, 2), **shape)
    up, down = passes(1.0, 1.5, 4.0, 0.3)
    assert float(rows.grade[2]) == 1
    assert float(rows.onset[2]) == days(up)
    assert float(rows.own_time[2]) == days(down - up)
    assert float(rows.earlier_time[2]) == days(passes(1.0, 2.5, 1.5, 0.4)[1] - 1.6)
    assert owners[2] == 1


def test_event_keeps_its_owner_through_periods_in_which_it_does_not_rise():
    shape = {"height": (1.8, 0, 0), "center": (2.0, 9, 9), "width": (0.9,) * 3}
    rows, owners = crossing(dose(0, 1), dose(2.2, 2), dose(2.5, 3), **shape)
    assert [float(grade) for grade in rows.grade[1:4]] == [1, 0, 0]
    assert list(owners[:4]) == [0, 0, 1, 1]
    _, down = passes(1.0, 1.8, 2.0, 0.9)
    assert float(rows.earlier_time[3]) == days(down - 2.5)


def test_event_that_rises_after_a_dose_is_owned_by_that_dose_from_then_on():
    shape = {"height": (2.5, 0, 0), "center": (2.0, 9, 9), "width": (0.9,) * 3}
    second = passes(1.5, 2.5, 2.0, 0.9)[0]
    rows, owners = crossing(dose(0, 1), dose(second, 2), dose(2.3, 3), **shape)
    assert [float(grade) for grade in rows.grade[1:4]] == [1, 2, 0]
    assert list(owners[:4]) == [0, 0, 1, 2]


def test_each_dose_has_its_own_thresholds():
    shape = {"height": (1.5, 1.5, 0.0), "center": (1.5, 4.0, 9.0), "width": (0.3, 0.3, 1.0)}
    levels = np.array([[2.0, 3, 4, 5], [0.5, 1.2, 2, 3], [9, 9, 9, 9], [9, 9, 9, 9]])
    rows, _ = crossing(dose(0, 1), dose(2.75, 2), thresholds=levels, **shape)
    assert [float(grade) for grade in rows.grade[1:3]] == [0, 2]
    assert float(rows.onset[2]) == days(passes(0.5, 1.5, 4.0, 0.3)[0])


def test_no_upward_crossing_no_event():
    """Above the threshold of the second dose since before it, and only falling."""
    shape = {"height": (1.5, 0, 0), "center": (1.5, 9, 9), "width": (0.5,) * 3}
    levels = np.array([[2.0, 3, 4, 5], [0.5, 1.6, 2, 3], [9, 9, 9, 9], [9, 9, 9, 9]])
    rows, owners = crossing(dose(0, 1), dose(1.6, 2), thresholds=levels, **shape)
    assert [float(grade) for grade in rows.grade[1:3]] == [0, 0]
    assert owners[2] == 0


def falls_after_a_second_dose_with(first):
    """The second dose meets a falling signal of 1.7 with another first threshold than 1."""
    shape = {"height": (1.8, 0, 0), "center": (2.0, 9, 9), "width": (0.6,) * 3}
    levels = np.array([[1.0, 2, 3, 4], [first, 2, 3, 4], [9, 9, 9, 9], [9, 9, 9, 9]])
    rows, owners = crossing(dose(0, 1), dose(2.2, 2), thresholds=levels, **shape)
    # Under either threshold the event of the first dose ends by the threshold it started by.
    assert float(rows.earlier_time[2]) == days(passes(1.0, 1.8, 2.0, 0.6)[1] - 2.2)
    assert owners[2] == 1
    return rows


def test_running_event_ends_at_the_threshold_it_started_by():
    """The signal only falls after the second dose: nothing starts there."""
    rows = falls_after_a_second_dose_with(first=1.4)
    assert [float(grade) for grade in rows.grade[1:3]] == [1, 0]
    assert float(rows.own_time[2]) == 0.0


def test_running_event_that_ends_above_a_lower_threshold_does_not_count_again():
    """The signal only falls after the second dose, from above its lower threshold."""
    rows = falls_after_a_second_dose_with(first=0.6)
    assert [float(grade) for grade in rows.grade[1:3]] == [1, 0]
    assert float(rows.own_time[2]) == 0.0


@pytest.mark.parametrize("second", [1.2, 1.5, 1.65])
def test_lower_thresholds_at_a_dose_start_no_event(second):
    """The signal rises through the second dose, above its first threshold already."""
    shape = {"height": (1.5, 0, 0), "center": (1.7, 9, 9), "width": (0.5,) * 3}
    levels = np.array([[2.0, 3, 4, 5], [0.5, 1.2, 2, 3], [9, 9, 9, 9], [9, 9, 9, 9]])
    rows, owners = crossing(dose(0, 1), dose(second, 2), thresholds=levels, **shape)
    assert [float(grade) for grade in rows.grade[1:3]] == [0, 0]
    assert owners[2] == 0


def test_nothing_counts_before_the_first_dose():
    shape = {"height": (3.5, 0, 0), "center": (1.5, 9, 9), "width": (0.3,) * 3}
    rows, owners = crossing((0.0, 1, 1.0, 0.0, 0), dose(4.0, 1), **shape)
    assert [float(grade) for grade in rows.grade[:2]] == [0, 0]
    assert owners[1] == 0


@pytest.mark.parametrize(("second", "owner"), [(9.0, 1), (2.0, 2), (5.5, 2), (5.8, 1)])
def test_event_running_at_the_end_lasts_to_the_end(second, owner):
    """It starts at 5.32 and rises to grade 2 at 5.67, before or after a second dose."""
    shape = {"height": (2.5, 0, 0), "center": (6.0, 9, 9), "width": (0.5,) * 3}
    up, rises = (passes(level, 2.5, 6.0, 0.5)[0] for level in (1.0, 2.0))
    result = sim_of(run(sim(dose(0, 1), dose(second, 2), **shape)), 0)
    rows = result.periods.reductions.crossing
    assert result.running == owner
    assert float((rows.own_time + rows.earlier_time).sum()) == days(6.0 - up)
    begins = rises if second == 5.5 else up
    assert float(rows.own_time[owner]) == days(min(6.0, second + 6.0 * (owner > 1)) - begins)


def test_no_event_is_running_at_an_end_without_one():
    shape = {"height": (2.5, 0, 0), "center": (3.0, 9, 9), "width": (0.5,) * 3}
    assert run(sim(dose(0, 1), **shape)).running.tolist() == [0]


def test_dose_during_an_event_without_a_period_changes_nothing():
    """A supportive drug in the middle of an event neither ends nor restarts it."""
    shape = {"height": (2.5, 0, 0), "center": (2.0, 9, 9), "width": (0.5,) * 3}
    up, down = passes(1.0, 2.5, 2.0, 0.5)
    rows, _ = crossing(dose(0, 1), (2.05, 1, 8.0, 0.1, 0), **shape)
    assert float(rows.grade[1]) == 2
    assert float(rows.onset[1]) == days(up)
    assert float(rows.own_time[1]) == days(down - up)
