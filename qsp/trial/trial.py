"""A trial: its arms, length, visits and the times at which trajectories are saved.

A trial holds no patients; `qsp.simulation` combines the two. All times are days since the first
dose of the molecule. A protocol counts the day of the first dose as day 1, and so do reports and
messages (`protocol_day`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from qsp.errors import ConfigError, LengthError
from qsp.trial.regimen import MOLECULE_KINDS, Arm
from qsp.trial.steady import arms_before, check_steady

HOUR = 1.0 / 24.0
# Cytokines rise and fall within two days of a dose; afterwards changes are slow.
AFTER_DOSE = np.array([1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 30, 36, 48]) * HOUR
BACKGROUND_HOURS = (6, 12, 24)
MAX_SAVE_TIMES = 1024
SAVE_BUCKET = 64


@dataclasses.dataclass(frozen=True)
class Trial:
    """Treatments and assessments of a trial.

    Args:
        name: Name of the trial.
        arms: At least one arm, with unique names; every patient is simulated in every arm.
        days: Length, from the first dose of the molecule [day].
        visits: Times at which the tumor is measured, increasing [day].
        patients: Number of patients.
        molecule: Name of the molecule.
        molecular_weight_kda: Molecular weight of the molecule [kDa].
        save_times: Times at which trajectories are saved [day]; if empty, those of
            `trajectory_times`.
        lesions_alone_after: Time of a dose from which only lesions are computed, by a map
            (`qsp.trial.steady`) [day]; None if everything is computed to the end.

    Raises:
        ConfigError: If a value breaks one of these rules.
    """

    name: str
    arms: tuple[Arm, ...]
    days: float
    visits: tuple[float, ...]
    patients: int
    molecule: str
    molecular_weight_kda: float
    save_times: tuple[float, ...] = ()
    lesions_alone_after: float | None = None

    def __post_init__(self) -> None:
        check_schedule(self.days, self.visits)
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) < len(names):
            raise ConfigError("trial", "arms must have unique names", names, "Rename or add an arm")
        for arm in self.arms:
            if arm.is_individual and len(arm.regimens) != self.patients:
                regimens = f"regimens in arm {arm.name!r} ({len(arm.regimens)})"
                rule = f"patients must be the number of {regimens}"
                raise ConfigError("trial", rule, self.patients, "Give one regimen to each patient")
        if self.lesions_alone_after is not None:
            check_steady(self.arms, self.days, self.lesions_alone_after)
        if not self.save_times:
            times = trajectory_times(self.arms, self.solved_days, self.visits)
            object.__setattr__(self, "save_times", tuple(times.tolist()))

    @property
    def start(self) -> float:
        """Start of the simulation [day], 0 or earlier.

        The simulation starts with the first administration of any drug or, in an arm with rules,
        with the decision on the first dose.
        """
        decided = [-arm.lead for arm in self.arms if arm.reaction is not None]
        return min([*_starts(self.arms, molecule_only=False).tolist(), *decided, 0.0])

    @property
    def solved_days(self) -> float:
        """Time up to which the equations are solved [day]."""
        return self.days if self.lesions_alone_after is None else self.lesions_alone_after

    @property
    def solved(self) -> Trial:
        """The part of the trial for which the equations are solved."""
        time = self.lesions_alone_after
        if time is None:
            return self
        return dataclasses.replace(
            self,
            arms=arms_before(self.arms, time),
            days=time,
            visits=tuple(visit for visit in self.visits if visit <= time),
            save_times=tuple(at for at in self.save_times if at <= time),
            lesions_alone_after=None,
        )

    @property
    def longest_regimen(self) -> int:
        """Largest number of administrations of a patient in any arm."""
        return max(len(regimen.administrations) for arm in self.arms for regimen in arm.regimens)


def check_schedule(days: float, visits: Sequence[float]) -> None:
    """Check that the trial has a length and that visits are in order and within the trial.

    Raises:
        ConfigError: If they break a rule; the message names the key (`days`, `visits.0` ...).
    """
    if not (math.isfinite(days) and days > 0):
        raise ConfigError("trial", "days must be above 0", days, "Write days = 84, for example")
    before = 0.0
    for n, visit in enumerate(visits):
        got = f"day {visit:.6g}"
        if visit > days:
            rule = f"visits.{n} must be within the trial (day {days:.6g})"
            raise LengthError("trial", rule, got, "Move the visit or lengthen the trial with days")
        if visit <= before:
            rule = f"visits.{n} must be after " + ("the visit before it" if n else "the first dose")
            raise ConfigError(
                "trial", rule, got, "List the visits in order of time, each once, after time 0"
            )
        before = visit


def trajectory_times(arms: Sequence[Arm], days: float, visits: Sequence[float] = ()) -> np.ndarray:
    """Return the default times at which trajectories are saved.

    Trajectories are saved every 6 hours from the start of the simulation to the end; 1, 2, 3, 4, 6,
    8, 10, 12, 16, 20, 24, 30, 36 and 48 hours after each distinct start of a dose of the molecule;
    at visits; and at both ends. If this is more than 1,024 times (a long trial, or patients with
    individual times), the interval becomes 12 hours, then 24; if this is not enough, times other
    than visits are thinned evenly. The number is rounded up to a multiple of 64 by halving the
    widest gaps, so that regimens of similar length share one compiled program.

    Returns:
        (time,): Increasing [day], at most 1,024.
    """
    start = min([0.0, *_starts(arms, molecule_only=False).tolist()])
    doses = _starts(arms, molecule_only=True)
    near_doses = np.concatenate([doses, (doses[:, None] + AFTER_DOSE).ravel()])
    required = np.array([start, 0.0, days, *visits])
    times = required
    for hours in BACKGROUND_HOURS:
        steps = np.arange(math.ceil(start * 24 / hours), math.floor(days * 24 / hours) + 1) * (
            hours * HOUR
        )
        times = _distinct(np.concatenate([required, steps, near_doses]), start, days)
        if len(times) <= MAX_SAVE_TIMES:
            return _filled(times)
    others = MAX_SAVE_TIMES - len(required)
    chosen = np.unique(np.linspace(0, len(times) - 1, others).round().astype(int))
    return _filled(_distinct(np.concatenate([required, times[chosen]]), start, days))


def protocol_day(time: float) -> str:
    """Return the protocol day of a time: the first dose is on "day 1", which follows "day -1"."""
    day = math.floor(round(time, 6))
    return f"day {day + 1 if day >= 0 else day}"


def _starts(arms: Sequence[Arm], *, molecule_only: bool) -> np.ndarray:
    times = {
        dose.time
        for arm in arms
        for regimen in arm.regimens
        for dose in regimen.administrations
        if not molecule_only or dose.kind in MOLECULE_KINDS
    }
    return np.array(sorted(times))


def _distinct(times: np.ndarray, start: float, days: float) -> np.ndarray:
    """Return sorted times within the trial, without duplicates that differ only by rounding.

    Of such duplicates the first remains, but at the end of the trial the end itself.
    """
    inside = np.sort(times[(times >= start) & (times <= days)])
    distinct = inside[np.concatenate([[True], np.diff(inside) > 1e-6])]
    distinct[-1] = inside[-1]
    return distinct


def _filled(times: np.ndarray) -> np.ndarray:
    """Return the times with the widest gaps halved, up to a multiple of `SAVE_BUCKET`."""
    target = -(-len(times) // SAVE_BUCKET) * SAVE_BUCKET
    while len(times) < target:
        # Rounding makes equal gaps equal in floating point, so that the earliest is halved first.
        widest = int(np.argmax(np.diff(times).round(6)))
        times = np.insert(times, widest + 1, (times[widest] + times[widest + 1]) / 2)
    return times
