"""One row of the validation: a fact, what was simulated, and how they compare."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from qsp.validation.judge import Rule, Verdict
from qsp.validation.measure import Simulated
from qsp.validation.study import Study

Measure = Callable[[Study], Simulated]
COLUMNS = (
    "molecule",
    "what",
    "when",
    "published",
    "simulated",
    "difference",
    "verdict",
    "certainty",
    "source",
)
"""Titles of the cells of a row."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published number.

    Args:
        value: In `unit`; NaN where only a range is known.
        unit: ``%``, ``pg/mL`` ...
        low: Of the range of patients or of sources, where one is given.
        high: As `low`.
    """

    value: float
    unit: str
    low: float = math.nan
    high: float = math.nan

    @property
    def text(self) -> str:
        """Such as ``44.8 pg/mL (18 to 221)``."""
        span = "" if math.isnan(self.low) else f"{number(self.low)} to {number(self.high)}"
        if math.isnan(self.value):
            return f"{span} {self.unit}"
        return f"{number(self.value)} {self.unit}" + (f" ({span})" if span else "")


@dataclasses.dataclass(frozen=True)
class Fact:
    """A published figure, and how it is simulated and judged.

    Args:
        molecule: Name of the molecule.
        study: Name of the study that simulates it, one of `qsp.validation.study.STUDIES`.
        what: Which quantity.
        when: Dose, period or time.
        published: The figure.
        measure: The same from the study.
        rule: How both compare.
        certainty: ``label``, ``paper`` or ``own-knowledge``.
        source: Where it was published.
        time: The time a trajectory is looked at [day]; None where it is not.
    """

    molecule: str
    study: str
    what: str
    when: str
    published: Figure
    measure: Measure
    rule: Rule
    certainty: str
    source: str
    time: float | None = None

    def compared(self, study: Study) -> Row:
        """The row of this fact."""
        simulated = self.measure(study)
        verdict = self.rule.verdict(simulated.value, self.published.value)
        return Row(self, simulated, verdict)


@dataclasses.dataclass(frozen=True)
class Row:
    """A fact beside its simulation.

    Args:
        fact: The fact.
        simulated: What was simulated; None where nothing was.
        verdict: How they compare.
    """

    fact: Fact
    simulated: Simulated | None
    verdict: Verdict

    def cells(self) -> tuple[str, ...]:
        """A text for each of `COLUMNS`."""
        fact = self.fact
        return (
            fact.molecule,
            fact.what,
            fact.when,
            fact.published.text,
            self._simulated(),
            self._difference(),
            self._verdict(),
            fact.certainty,
            fact.source,
        )

    def _simulated(self) -> str:
        if self.simulated is None:
            return ""
        s, unit = self.simulated, self.fact.published.unit
        if math.isnan(s.value):
            return "no patient"
        span = "" if math.isnan(s.lower) else f" ({number(s.lower)} to {number(s.upper)})"
        return f"{number(s.value)} {unit}{span}"

    def _difference(self) -> str:
        if self.simulated is None:
            return ""
        difference = self.fact.rule.difference(self.simulated.value, self.fact.published.value)
        if math.isnan(difference):
            return ""
        return f"{difference:+.1f} points" if self.fact.rule.points else f"x {difference:.2f}"

    def _verdict(self) -> str:
        text = self.fact.rule.text
        return {
            Verdict.MISSES: f"misses {text}",
            Verdict.WITHIN: f"within {text}",
            Verdict.SHOWN: f"shown: {text}",
            Verdict.SKIPPED: f"skipped: {text}",
        }[self.verdict]


def number(value: float) -> str:
    """Three digits, without an exponent up to a million."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
