"""Interface of an escalation design, and the simulation of many trials of one design.

A trial treats cohorts. After each cohort the design decides, from the patients and toxicities so
far, at which level the next cohort is treated, or that the trial ends::

    treat a cohort at the level ──▶ decide (up, stay, down, stop) ──▶ ... ──▶ select a level

Levels are indices from 0, the lowest level, at which every trial starts. Designs have no state:
decisions depend only on patients and toxicities by level, and on the current level.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

GO, COMPLETE, TOXIC, LEVEL_FULL = range(4)
"""State of a trial: ongoing, or ended as planned, because the lowest level is too toxic, or because
one level has the number of patients that ends the trial."""
NONE = -1
"""The level of a trial that selects none."""

Levels = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Table:
    """Patients and toxicities of trials so far.

    Args:
        treated (trial, level): Number of patients.
        dlts (trial, level): Number of patients with a dose-limiting toxicity.
        level (trial,): Level of the last cohort; after the end, the level of the next one.
    """

    treated: Levels
    dlts: Levels
    level: Levels

    @property
    def at_level(self) -> tuple[Levels, Levels]:
        """Patients and toxicities (trial,) at the current level of each trial."""
        own = (np.arange(self.level.size), self.level)
        return self.treated[own], self.dlts[own]

    def part(self, trials: NDArray[np.integer]) -> Table:
        """Return the rows of some trials, by their indices."""
        return Table(self.treated[trials], self.dlts[trials], self.level[trials])


class Decision(NamedTuple):
    """Decisions after a cohort.

    Args:
        level (trial,): Level of the next cohort.
        stop (trial,): `GO`, or the reason for which the trial ends.
    """

    level: Levels
    stop: NDArray[np.int8]


class Trials(NamedTuple):
    """Ended trials.

    Args:
        table: Patients and toxicities.
        stop (trial,): Reason for which a trial ended: `COMPLETE`, `TOXIC` or `LEVEL_FULL`.
        selected (trial,): Index of the recommended level; `NONE` if no level is recommended.
    """

    table: Table
    stop: NDArray[np.int8]
    selected: Levels


class Design(Protocol):
    """A rule for escalation and de-escalation; `source` is its reference in the literature."""

    source: ClassVar[str]

    @property
    def title(self) -> str:
        """Name of the design with its parameters, for headings."""
        ...

    @property
    def target(self) -> float | None:
        """Target rate of dose-limiting toxicity [1]; None for a design without one."""
        ...

    @property
    def cohort_size(self) -> int:
        """Patients treated between two decisions."""
        ...

    def most_patients(self, levels: int) -> int:
        """Return the largest possible number of patients in a trial over `levels` levels."""
        ...

    def decide(self, table: Table) -> Decision:
        """Decide the next level of each trial after a cohort, or its end."""
        ...

    def select(self, table: Table) -> Levels:
        """Select the level (trial,) that each ended trial recommends, or `NONE`."""
        ...


def conduct(potential: NDArray[np.bool_], design: Design) -> Trials:
    """Simulate trials of a design, all trials at once, cohort by cohort.

    Args:
        potential (trial, patient, level): Whether a patient would have a dose-limiting toxicity at
            a level. Each trial enrolls its patients in this order.
        design: The design.

    Returns:
        The ended trials. A trial that runs out of patients is `COMPLETE`; its last cohort may be
        smaller than the others.
    """
    trials, patients, levels = potential.shape
    empty = np.zeros((trials, levels), np.int64)
    table = Table(empty, empty.copy(), np.zeros(trials, np.int64))
    stop = np.full(trials, GO, np.int8)
    ongoing = np.arange(trials)
    while ongoing.size:
        _treat(table, ongoing, potential, design.cohort_size)
        now = table.part(ongoing)
        level, reason = design.decide(now)
        full = now.treated.sum(axis=1) >= patients
        table.level[ongoing] = level
        stop[ongoing] = np.where(full & (reason == GO), COMPLETE, reason)
        ongoing = ongoing[stop[ongoing] == GO]
    return Trials(table, stop, design.select(table))


def _treat(
    table: Table, ongoing: NDArray[np.integer], potential: NDArray[np.bool_], cohort: int
) -> None:
    """Treat a cohort of each ongoing trial at its level."""
    first = table.treated[ongoing].sum(axis=1)
    patient = first[:, None] + np.arange(cohort)
    exists = patient < potential.shape[1]
    level = table.level[ongoing]
    toxic = potential[ongoing[:, None], np.where(exists, patient, 0), level[:, None]] & exists
    table.treated[ongoing, level] += exists.sum(axis=1)
    table.dlts[ongoing, level] += toxic.sum(axis=1)
