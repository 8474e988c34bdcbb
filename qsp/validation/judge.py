"""How a simulated figure is held against a published one.

A rate is judged by its distance in points, everything else by the ratio of simulated to published.
The bounds are those the project set itself (12 points, 3-fold), or wide enough for a figure read
off a plot (30 %).
"""

from __future__ import annotations

import dataclasses
import enum
import re

from qsp.errors import ConfigError


class Verdict(enum.IntEnum):
    """In the order in which rows are listed."""

    MISSES = 0
    WITHIN = 1
    SHOWN = 2
    SKIPPED = 3


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a figure must meet.

    Args:
        text: In words: the tolerance, or why the figure is shown without a verdict.
        low: Least difference [points] or ratio [1].
        high: Largest.
        points: Whether the difference counts, not the ratio.
        judged: Whether there is a verdict at all.
    """

    text: str
    low: float = 0.0
    high: float = 0.0
    points: bool = False
    judged: bool = True

    def difference(self, simulated: float, published: float) -> float:
        """Simulated less published [points], or simulated over published [1]."""
        return simulated - published if self.points else simulated / published

    def verdict(self, simulated: float, published: float) -> Verdict:
        """Whether the bounds are met, both included; a figure that is NaN misses."""
        if not self.judged:
            return Verdict.SHOWN
        inside = self.low <= self.difference(simulated, published) <= self.high
        return Verdict.WITHIN if inside else Verdict.MISSES


_WITHIN = re.compile(r"^within ([0-9.]+)( points|-fold| %)$")
_SHOWN = re.compile(r"^shown: (.+)$")


def rule(text: str, *, points: bool, where: str) -> Rule:
    """A rule from the column ``judged`` of a table.

    Args:
        text: ``within 12 points``, ``within 3-fold``, ``within 30 %`` or ``shown: REASON``.
        points: Whether the figure is a rate in percent.
        where: Table and row, for the message.

    Raises:
        ConfigError: If the text is none of these, or speaks of points where there is no rate.
    """
    if shown := _SHOWN.match(text):
        return Rule(shown[1], points=points, judged=False)
    match = _WITHIN.match(text)
    if match is None or (match[2] == " points") != points:
        must = "judged must be a number of points for a rate, of fold or % for others, or shown"
        raise ConfigError(where, must, repr(text), 'Write "within 3-fold", for example')
    size = float(match[1])
    if points:
        return Rule(f"{size:g} points", -size, size, points=True)
    if match[2] == "-fold":
        return Rule(f"{size:g}-fold", 1.0 / size, size)
    return ratio(1.0 - size / 100.0, 1.0 + size / 100.0, f"{size:g} %")


def ratio(low: float, high: float, text: str = "") -> Rule:
    """Simulated over published between two bounds."""
    return Rule(text or f"{low:g} to {high:g}", low, high)
