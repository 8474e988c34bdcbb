"""How long a trial must be for all that it holds: doses, infusions, visits.

In an arm with rules any dose may be as late as the last visit of the calendar, so the longest
infusion must have room after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qsp.trial.plans import planned_doses
from qsp.trial.regimen import Arm

SAME_TIME = 1e-9


def least_days(arms: Sequence[Arm], visits: Sequence[float] = ()) -> int:
    """Least whole number of days in which a trial has room for its arms and visits.

    Args:
        arms: With what they give, and their calendars.
        visits: Times at which the tumor is measured [day].
    """
    # A dose, or a visit that may give one, is before the end; an infusion may end with it.
    every = [dose for arm in arms for each in arm.regimens for dose in each.administrations]
    before = [dose.time for dose in every]
    by = [dose.time + dose.duration for dose in every]
    for arm in arms:
        if arm.reaction and arm.reaction.calendar:
            last = arm.reaction.calendar[-1]
            before.append(last)
            by.append(last + longest_infusion(arm))
    whole_days_after = math.floor(max(before, default=0.0) + SAME_TIME) + 1
    return max(whole_days_after, math.ceil(max([*by, *visits], default=0.0) - SAME_TIME))


def longest_infusion(arm: Arm) -> float:
    """Of the planned doses of the molecule [day]."""
    return max((dose.duration for dose in planned_doses(arm.regimens[0])), default=0.0)
