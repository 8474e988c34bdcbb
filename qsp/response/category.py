"""Categories of response, ordered by depth, and their codes in the results."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


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

CODES: Mapping[Category, int] = MappingProxyType(
    {
        Category.NOT_EVALUABLE: 0,
        Category.COMPLETE: 1,
        Category.PARTIAL: 2,
        Category.STABLE: 3,
        Category.PROGRESSIVE: 4,
        Category.VERY_GOOD_PARTIAL: 5,
        Category.INCOMPLETE_RECOVERY: 6,
    }
)
"""Code of each category in the results, in the order of the codes. The first five are those of a
tumor that is one pool of cells."""

MEANINGS = (
    "not_evaluable",
    "complete_response",
    "partial_response",
    "stable_disease",
    "progressive_disease",
    "very_good_partial_response",
    "complete_remission_incomplete_recovery",
)
"""Meaning of each code of `CODES`."""
