"""What an escalation design is, and how trials of one are conducted, many at a time.

A trial treats cohorts. After each one the design looks at the numbers so far and says at which
level the next cohort is treated, or that the trial ends::

    treat a cohort at the level ──▶ decide (up, stay, down, stop) ──▶ ... ──▶ select a level

Levels are ordinals from 0, the lowest, and every trial starts there. A design needs no memory: the
patients and toxicities at each level, and the level it is at, are all that it decides on.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

GO, COMPLETE, TOXIC, ENOUGH = range(4)
"""Why a trial ended: not yet; as planned; the lowest level is too toxic; enough at one level."""
NONE = -1
"""The level of a trial that selects none."""

Levels = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Table:
    """What trials have seen so far.

    Args:
        treated (trial, level): Patients.
        dlts (trial, level): Those of them with a dose-limiting toxicity.
        level (trial,): Where the last cohort was treated; after the end, where the next would be.
    """

    treated: Levels
    dlts: Levels
    level: Levels

    @property
    def here(self) -> tuple[Levels, Levels]:
        """Patients and toxicities (trial,) at the level of each trial."""
        own = (np.arange(self.level.size), self.level)
        return self.treated[own], self.dlts[own]

    def part(self, trials: NDArray[np.integer]) -> Table:
        """The same of some of the trials."""
        return Table(self.treated[trials], self.dlts[trials], self.level[trials])


class Decision(NamedTuple):
    """Where trials go on.

    Args:
        level (trial,): Of the next cohort.
        stop (trial,): `GO`, or why the trial ends.
    """

    level: Levels
    stop: NDArray[np.int8]


class Trials(NamedTuple):
    """Trials at their end.

    Args:
        table: What each of them saw.
        stop (trial,): Why it ended: `COMPLETE`, `TOXIC` or `ENOUGH`.
        selected (trial,): Level it recommends; `NONE` where it recommends none.
    """

    table: Table
    stop: NDArray[np.int8]
    selected: Levels


class Design(Protocol):
    """A rule by which trials go up and down the levels; `source` is the reference of it."""

    source: ClassVar[str]

    @property
    def title(self) -> str:
        """The design with its numbers, for a heading."""
        ...

    @property
    def cohort_size(self) -> int:
        """Patients treated between two decisions."""
        ...

    def most_patients(self, levels: int) -> int:
        """Patients with whom a trial over so many levels ends at the latest."""
        ...

    def decide(self, table: Table) -> Decision:
        """Where each trial goes on, after a cohort."""
        ...

    def select(self, table: Table) -> Levels:
        """Level (trial,) that each trial recommends at its end, or `NONE`."""
        ...


def conduct(potential: NDArray[np.bool_], design: Design) -> Trials:
    """Trials of a design, all of them side by side, cohort by cohort.

    Args:
        potential (trial, patient, level): Whether a patient would have a dose-limiting toxicity at
            a level; each trial takes its patients in their order, each once.
        design: The rule.

    Returns:
        The trials at their end. One that is out of patients is `COMPLETE`; its last cohort may be
        smaller than the others.
    """
    trials, patients, levels = potential.shape
    empty = np.zeros((trials, levels), np.int64)
    table = Table(empty, empty.copy(), np.zeros(trials, np.int64))
    stop = np.full(trials, GO, np.int8)
    going = np.arange(trials)
    while going.size:
        _treat(table, going, potential, design.cohort_size)
        now = table.part(going)
        level, reason = design.decide(now)
        full = now.treated.sum(axis=1) >= patients
        table.level[going] = level
        stop[going] = np.where(full & (reason == GO), COMPLETE, reason)
        going = going[stop[going] == GO]
    return Trials(table, stop, design.select(table))


def _treat(
    table: Table, going: NDArray[np.integer], potential: NDArray[np.bool_], cohort: int
) -> None:
    """Add a cohort to the trials that go on, each at its level."""
    first = table.treated[going].sum(axis=1)
    place = first[:, None] + np.arange(cohort)
    room = place < potential.shape[1]
    level = table.level[going]
    seen = potential[going[:, None], np.where(room, place, 0), level[:, None]] & room
    table.treated[going, level] += room.sum(axis=1)
    table.dlts[going, level] += seen.sum(axis=1)
