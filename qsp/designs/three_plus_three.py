"""The 3+3 design: cohorts of three; up after 0 of 3 or at most 1 of 6 toxicities, down after 2.

It has no target rate and no fixed size. It de-escalates from a level that is too toxic, and never
returns to one.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from qsp.designs.design import COMPLETE, GO, TOXIC, Decision, Levels, Table

COHORT = 3


@dataclasses.dataclass(frozen=True)
class ThreePlusThree:
    """The 3+3 design.

    A level is passed with 0 of 3 or at most 1 of 6 toxicities, receives three more patients with 1
    of 3, and is too toxic with 2 or more. The trial escalates from a passed level if no patient was
    treated at the next level, and de-escalates from a level that is too toxic. It recommends the
    highest passed level below all levels that are too toxic.

    Args:
        six: Whether the recommended level needs six patients. If true, a level with three patients
            receives three more, and the trial de-escalates again if 2 or more of six have a
            toxicity. If false, three patients suffice.

    Source: Storer 1989, Biometrics 45:925, design A, for the rule going up; Korn et al. 1994, Stat
        Med 13:1799, for six patients at the recommended level.
    """

    six: bool = True

    source: ClassVar[str] = "Storer 1989, Biometrics 45:925; Korn et al. 1994, Stat Med 13:1799"

    @property
    def target(self) -> None:
        """No target rate."""

    @property
    def title(self) -> str:
        """Name of the design with the number of patients at the recommended level."""
        return f"3+3, {'six' if self.six else 'three'} patients at the recommended level"

    @property
    def cohort_size(self) -> int:
        """Patients treated between two decisions: three."""
        return COHORT

    def most_patients(self, levels: int) -> int:
        """Return the largest possible number of patients: six at every level."""
        return 2 * COHORT * levels

    def decide(self, table: Table) -> Decision:
        """Escalate from a passed level, de-escalate from a toxic one, or treat three more.

        Args:
            table: Patients and toxicities of trials with three or six patients at their level.

        Returns:
            The decisions; a trial ends below the lowest level, or at a level that needs no further
            cohort, which it then recommends.
        """
        treated, dlts = table.at_level
        toxic = dlts >= 2
        passed = (dlts == 0) | ((dlts == 1) & (treated == 2 * COHORT))
        level = table.level + (passed & _untried_above(table)) - toxic
        inside = np.maximum(level, 0)
        is_complete = np.take_along_axis(table.treated, inside[:, None], axis=1)[:, 0] >= 2 * COHORT
        if not self.six:
            # Three patients suffice below a toxic level, and at a passed level that is not left.
            is_complete |= toxic | (passed & (level == table.level))
        stop = np.where(level < 0, TOXIC, np.where(is_complete, COMPLETE, GO))
        return Decision(level, stop.astype(np.int8))

    def select(self, table: Table) -> Levels:
        """Select the level at which a trial ended; `NONE` below the lowest.

        Args:
            table: Patients and toxicities of ended trials.

        Returns:
            (trial,): Index of the selected level.
        """
        return table.level


def _untried_above(table: Table) -> np.ndarray:
    """Return whether a trial has a level above the current one, without patients (trial,)."""
    top = table.treated.shape[1] - 1
    above = np.minimum(table.level + 1, top)
    treated = np.take_along_axis(table.treated, above[:, None], axis=1)[:, 0]
    return (table.level < top) & (treated == 0)
