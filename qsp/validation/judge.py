"""Acceptance criteria for simulated against published values.

Rates are compared by their difference in percentage points, rare events (below 5 %) by the ratio of
their odds, fractions by their difference, and all other quantities by the ratio of simulated to
published value. The limits are those set by the project (12 points, 3-fold), or allow for the error
of values read from a plot (30 %).
"""

from __future__ import annotations

import dataclasses
import enum
import math
import re

from qsp.errors import ConfigError

RARE = 5.0
"""Rates below this are rare events, which are compared by their odds [%]."""
LEAST_RATE = 0.1
"""Lowest rate in an odds ratio, which has no value at a rate of 0 [%]."""


class Verdict(enum.IntEnum):
    """Result of a comparison, in the order in which rows are listed."""

    MISSES = 0
    WITHIN = 1
    SHOWN = 2
    SKIPPED = 3


class Scale(enum.Enum):
    """Comparison of a simulated with a published value."""

    POINTS = "points"
    ODDS = "odds"
    DIFFERENCE = "difference"
    RATIO = "ratio"

    def difference(self, simulated: float, published: float) -> float:
        """Return the difference [points or the unit of the values], or a ratio [1]."""
        if self is Scale.ODDS:
            return odds(simulated) / odds(published)
        if self is Scale.RATIO:
            return simulated / published if published else math.nan
        return simulated - published

    def distance(self, difference: float) -> float:
        """Return the size of a difference, by which rows are ordered, with 0 for agreement [1]."""
        if self in (Scale.POINTS, Scale.DIFFERENCE):
            return abs(difference) / (12.0 if self is Scale.POINTS else 0.25)
        if not difference > 0:
            return math.inf if difference == 0 else math.nan
        return abs(math.log(difference)) / math.log(3.0)


@dataclasses.dataclass(frozen=True)
class Rule:
    """Acceptance criterion of a comparison.

    Args:
        text: Tolerance as text, or the reason why the value has no verdict.
        low: Lower limit of the difference or ratio.
        high: Upper limit of the difference or ratio.
        scale: Scale of the limits.
        judged: Whether there is a verdict.
    """

    text: str
    low: float = 0.0
    high: float = 0.0
    scale: Scale = Scale.RATIO
    judged: bool = True

    def difference(self, simulated: float, published: float) -> float:
        """Return the difference or ratio of simulated and published, on the scale of the rule."""
        return self.scale.difference(simulated, published)

    def verdict(self, simulated: float, published: float) -> Verdict:
        """Return whether the limits, inclusive, are met; NaN does not meet them."""
        if not self.judged:
            return Verdict.SHOWN
        inside = self.low <= self.difference(simulated, published) <= self.high
        return Verdict.WITHIN if inside else Verdict.MISSES


def odds(rate: float) -> float:
    """Return the odds of a rate [%]; rates below `LEAST_RATE` count as that."""
    bounded = min(max(rate, LEAST_RATE), 100.0 - LEAST_RATE)
    return bounded / (100.0 - bounded)


_WITHIN = re.compile(r"^within ([0-9.]+)( points|-fold odds|-fold| %|)$")
_SHOWN = re.compile(r"^shown: (.+)$")
_SCALES = {
    "%": {" points": Scale.POINTS, "-fold odds": Scale.ODDS},
    "1": {"": Scale.DIFFERENCE, "-fold": Scale.RATIO},
    "": {"-fold": Scale.RATIO, " %": Scale.RATIO},
}
"""Scale of each form of a limit, for rates, fractions, and all other units."""


def rule(text: str, *, unit: str, published: float, where: str) -> Rule:
    """Parse an acceptance criterion from the column ``judged`` of the table.

    Args:
        text: ``within 12 points`` or ``within 3-fold odds`` for a rate, ``within 0.25`` for a
            fraction, ``within 3-fold`` or ``within 30 %`` otherwise, or ``shown: REASON``.
        unit: Unit of the published value.
        published: Published value, which decides the scale of a value without limits.
        where: Table and row, for error messages.

    Raises:
        ConfigError: If the text has another form, or the form belongs to another unit.
    """
    scales = _SCALES.get(unit, _SCALES[""])
    if shown := _SHOWN.match(text):
        forms = list(scales.values())
        is_rare = unit == "%" and published < RARE
        return Rule(shown[1], scale=forms[1] if is_rare else forms[0], judged=False)
    match = _WITHIN.match(text)
    if match is None or match[2] not in scales:
        must = (
            "judged must be in points or fold odds for a rate, in units for a fraction, in fold or "
            "% otherwise, or shown"
        )
        raise ConfigError(where, must, repr(text), 'Write, for example, "within 3-fold"')
    size, scale = float(match[1]), scales[match[2]]
    named = text.removeprefix("within ")
    if scale in (Scale.POINTS, Scale.DIFFERENCE):
        return Rule(named, -size, size, scale)
    if match[2] == " %":
        return ratio(1.0 - size / 100.0, 1.0 + size / 100.0, named)
    return Rule(named, 1.0 / size, size, scale)


def ratio(low: float, high: float, text: str = "") -> Rule:
    """Return the criterion that the ratio of simulated to published is within two limits."""
    return Rule(text or f"{low:g} to {high:g}", low, high)
