"""The 3+3 design: cohorts of three, up on 0 of 3 or at most 1 of 6, too toxic on 2.

It has no target rate and no fixed size. Below a level that was too toxic it comes down; it never
comes back to such a level.
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

    A level is passed with 0 of 3 or at most 1 of 6 toxicities, filled up to six with 1 of 3, and
    too toxic with 2 or more. From a passed level the trial goes up if the level above was not
    tried; from one that is too toxic it goes down. The level it recommends is the highest that was
    passed and is not above one that was too toxic.

    Args:
        six: Whether that level needs six patients: where it has three, three more are treated, and
            with 2 or more toxicities the trial goes down once more. Otherwise three are enough.

    Source: Storer 1989, Biometrics 45:925, design A, for the rule going up; Korn et al. 1994, Stat
        Med 13:1799, for six patients at the recommended level.
    """

    six: bool = True

    source: ClassVar[str] = "Storer 1989, Biometrics 45:925; Korn et al. 1994, Stat Med 13:1799"

    @property
    def title(self) -> str:
        """The design, with how many patients the recommended level needs."""
        return f"3+3, {'six' if self.six else 'three'} patients at the recommended level"

    @property
    def cohort_size(self) -> int:
        """Three."""
        return COHORT

    def most_patients(self, levels: int) -> int:
        """Six at every level."""
        return 2 * COHORT * levels

    def decide(self, table: Table) -> Decision:
        """Up from a level that was passed, down from one that is too toxic, else three more.

        Args:
            table: Of trials that have three or six patients at their level.

        Returns:
            The decisions; the trial ends below the lowest level, or where the next cohort would
            be one too many: there it recommends the level.
        """
        treated, dlts = table.here
        toxic = dlts >= 2
        passed = (dlts == 0) | ((dlts == 1) & (treated == 2 * COHORT))
        level = table.level + (passed & _untried_above(table)) - toxic
        inside = np.maximum(level, 0)
        stop_at = np.take_along_axis(table.treated, inside[:, None], axis=1)[:, 0] >= 2 * COHORT
        if not self.six:
            # Where it neither goes up nor has 1 of 3, what was passed counts as it is.
            stop_at |= toxic | (passed & (level == table.level))
        stop = np.where(level < 0, TOXIC, np.where(stop_at, COMPLETE, GO))
        return Decision(level, stop.astype(np.int8))

    def select(self, table: Table) -> Levels:
        """The level at which a trial ended; `NONE` below the lowest.

        Args:
            table: Of trials at their end.

        Returns:
            (trial,): Ordinal of the level.
        """
        return table.level


def _untried_above(table: Table) -> np.ndarray:
    """Whether there is a level above that of a trial, and nobody was treated at it."""
    top = table.treated.shape[1] - 1
    above = np.minimum(table.level + 1, top)
    treated = np.take_along_axis(table.treated, above[:, None], axis=1)[:, 0]
    return (table.level < top) & (treated == 0)
