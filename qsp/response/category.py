"""Categories of response, ordered by depth."""

from __future__ import annotations

from enum import IntEnum


class Category(IntEnum):
    """Category of response at a visit, or the best one of a patient; deeper responses are larger.

    `INCOMPLETE_RECOVERY` is a complete remission of leukemia with incomplete recovery of blood
    counts (CRh or CRi). `VERY_GOOD_PARTIAL` exists in myeloma only.
    """

    NOT_EVALUABLE = 0
    PROGRESSIVE = 1
    STABLE = 2
    PARTIAL = 3
    VERY_GOOD_PARTIAL = 4
    INCOMPLETE_RECOVERY = 5
    COMPLETE = 6


RESPONSES = tuple(category for category in Category if category >= Category.PARTIAL)
"""Categories that are an objective response, from the smallest to the deepest."""
