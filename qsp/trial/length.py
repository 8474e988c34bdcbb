"""Minimum length of a trial for its doses, infusions and visits.

In an arm with rules any dose may be delayed to the last visit of the calendar, so the longest
infusion must fit after that visit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qsp.trial.plans import planned_doses
from qsp.trial.protocol import SAME_TIME
from qsp.trial.regimen import Arm


def minimum_days(arms: Sequence[Arm], visits: Sequence[float] = ()) -> int:
    """Return the minimum length of a trial with these arms and visits, in whole days.

    Args:
        arms: Arms with their regimens and calendars.
        visits: Times at which the tumor is measured [day].
    """
    # A dose, or a visit that may give one, must be before the end; an infusion may end with it.
    doses = [dose for arm in arms for each in arm.regimens for dose in each.administrations]
    before = [dose.time for dose in doses]
    by = [dose.time + dose.duration for dose in doses]
    for arm in arms:
        if arm.reaction and arm.reaction.calendar:
            last = arm.reaction.calendar[-1]
            before.append(last)
            by.append(last + longest_infusion(arm))
    whole_days_after = math.floor(max(before, default=0.0) + SAME_TIME) + 1
    return max(whole_days_after, math.ceil(max([*by, *visits], default=0.0) - SAME_TIME))


def longest_infusion(arm: Arm) -> float:
    """Return the longest duration of the planned doses of the molecule [day]."""
    return max((dose.duration for dose in planned_doses(arm.regimens[0])), default=0.0)
