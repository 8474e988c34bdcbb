"""Acceptance criteria for simulated against published values.

Rates are compared by their difference in percentage points, all other quantities by the ratio of
simulated to published value. The limits are those set by the project (12 points, 3-fold), or allow
for the error of values read from a plot (30 %).
"""

from __future__ import annotations

import dataclasses
import enum
import re

from qsp.errors import ConfigError


class Verdict(enum.IntEnum):
    """Result of a comparison, in the order in which rows are listed."""

    MISSES = 0
    WITHIN = 1
    SHOWN = 2
    SKIPPED = 3


@dataclasses.dataclass(frozen=True)
class Rule:
    """Acceptance criterion of a comparison.

    Args:
        text: Tolerance as text, or the reason why the value has no verdict.
        low: Lower limit of the difference [points] or of the ratio [1].
        high: Upper limit of the difference [points] or of the ratio [1].
        points: Whether the criterion applies to the difference instead of the ratio.
        judged: Whether there is a verdict.
    """

    text: str
    low: float = 0.0
    high: float = 0.0
    points: bool = False
    judged: bool = True

    def difference(self, simulated: float, published: float) -> float:
        """Return simulated minus published [points], or simulated over published [1]."""
        return simulated - published if self.points else simulated / published

    def verdict(self, simulated: float, published: float) -> Verdict:
        """Return whether the limits, inclusive, are met; NaN does not meet them."""
        if not self.judged:
            return Verdict.SHOWN
        inside = self.low <= self.difference(simulated, published) <= self.high
        return Verdict.WITHIN if inside else Verdict.MISSES


_WITHIN = re.compile(r"^within ([0-9.]+)( points|-fold| %)$")
_SHOWN = re.compile(r"^shown: (.+)$")


def rule(text: str, *, points: bool, where: str) -> Rule:
    """Parse an acceptance criterion from the column ``judged`` of a table.

    Args:
        text: ``within 12 points``, ``within 3-fold``, ``within 30 %`` or ``shown: REASON``.
        points: Whether the quantity is a rate in percent.
        where: Table and row, for error messages.

    Raises:
        ConfigError: If the text has another form, or uses points for a quantity that is not a rate
            or the reverse.
    """
    if shown := _SHOWN.match(text):
        return Rule(shown[1], points=points, judged=False)
    match = _WITHIN.match(text)
    if match is None or (match[2] == " points") != points:
        must = "judged must be in points for a rate, in fold or % otherwise, or shown"
        raise ConfigError(where, must, repr(text), 'Write, for example, "within 3-fold"')
    size = float(match[1])
    if points:
        return Rule(f"{size:g} points", -size, size, points=True)
    if match[2] == "-fold":
        return Rule(f"{size:g}-fold", 1.0 / size, size)
    return ratio(1.0 - size / 100.0, 1.0 + size / 100.0, f"{size:g} %")


def ratio(low: float, high: float, text: str = "") -> Rule:
    """Return the criterion that the ratio of simulated to published is within two limits."""
    return Rule(text or f"{low:g} to {high:g}", low, high)
