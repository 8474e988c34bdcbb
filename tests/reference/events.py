"""Events of cytokine release syndrome on a dense trajectory, from the rule in words.

An event starts when the signal of grade 1 rises through its threshold of the dose period. It keeps
the thresholds of this period, and ends when the signal falls below the first. Its grade is one,
plus the number of higher grades whose signal rises at or above its threshold. The event belongs to
the period in which it started, and to a later one once its grade rises there.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Period:
    """Events of a dose period: worst grade, time of the first onset, and duration."""

    grade: int = 0
    onset: float = np.nan
    duration: float = 0.0


@dataclasses.dataclass
class _Event:
    levels: np.ndarray
    owner: int
    grade: int = 0


def events(
    time: np.ndarray, signals: np.ndarray, starts: np.ndarray, thresholds: np.ndarray
) -> tuple[list[Period], int]:
    """Return the events of each dose period, and the period of the event running at the end.

    Args:
        time: (time,): Dense times.
        signals: (time, grade): Signals.
        starts: (dose_period,): Start of each period.
        thresholds: (dose_period, grade): Thresholds of each period.

    Returns:
        Events by period, and the ordinal of a period from 1; 0 if no event is running.
    """
    periods, event = [Period() for _ in starts], None
    current = np.searchsorted(starts, time[:-1], side="right")
    for now, then, before, after, period in zip(
        time[:-1], time[1:], signals[:-1], signals[1:], current, strict=True
    ):
        levels = thresholds[period - 1]
        if event is None and period > 0 and before[0] < levels[0] <= after[0]:
            event = _Event(levels, period)
        if event is None:
            continue
        rising = (after > before) & (after >= event.levels)
        grade = 1 + int(rising[1:].sum())
        if grade > event.grade:
            event.grade, event.owner, here = grade, period, periods[period - 1]
            here.onset = now if here.grade == 0 else here.onset
            here.grade = max(grade, here.grade)
        if after[0] < event.levels[0]:
            event = None
        else:
            periods[event.owner - 1].duration += then - now
    return periods, 0 if event is None else event.owner
