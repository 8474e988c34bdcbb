"""A row of the validation: a published value, its simulated counterpart, and the verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

from qsp.validation.judge import Rule, Scale, Verdict
from qsp.validation.selected import NotComputed, Simulated
from qsp.validation.study import Study

Measure = Callable[[Study], Simulated]
_MONTH, _NOT_REACHED = "month", "not reached"  # a median time, with fewer events than half
RECALLED = "own-knowledge"
"""Certainty of values that were not read in their source."""
COLUMNS = (
    "molecule",
    "quantity",
    "dose or time",
    "published",
    "recalled",
    "simulated",
    "difference",
    "verdict",
    "certainty",
    "source",
)
"""Titles of the cells of a row."""
RECORD = (
    *("molecule", "quantity", "when", "units"),
    *("published", "published_low", "published_high"),
    *("simulated", "simulated_lower", "simulated_upper"),
    *("difference", "difference_units", "verdict", "criterion", "certainty", "source"),
)
"""Names of the values of a record, for programs."""


UNITS: Mapping[Scale, str] = {
    Scale.POINTS: "percentage points",
    Scale.ODDS: "odds ratio",
    Scale.DIFFERENCE: "difference",
    Scale.RATIO: "ratio",
}
"""Unit of the difference on each scale."""
VERDICTS: Mapping[Verdict, str] = {
    Verdict.MISSES: "outside",
    Verdict.WITHIN: "within",
    Verdict.SHOWN: "shown",
    Verdict.SKIPPED: "skipped",
}
"""Verdicts in words."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published number.

    Args:
        value: Value in `unit`; NaN if only a range is published.
        unit: Unit, such as ``%`` or ``pg/mL``.
        low: Lower end of the range of patients or of sources; NaN if there is none.
        high: Upper end of the range; NaN if there is none.
    """

    value: float
    unit: str
    low: float = math.nan
    high: float = math.nan

    @property
    def text(self) -> str:
        """Value, unit and range as text, such as ``44.8 pg/mL (18 to 221)``."""
        span = "" if math.isnan(self.low) else f"{number(self.low)} to {number(self.high)}"
        if math.isnan(self.value):
            return f"{span} {self.unit}"
        return quantity(self.value, self.unit) + (f" ({span})" if span else "")


@dataclasses.dataclass(frozen=True)
class Fact:
    """A published value with its simulated counterpart and acceptance criterion.

    Args:
        molecule: Name of the molecule.
        study: Name of the study that simulates it, one of `qsp.validation.study.studies`.
        what: Quantity.
        when: Dose, dose period or time.
        published: Published value.
        measure: Function of the study that returns the simulated value.
        rule: Acceptance criterion.
        certainty: ``label``, ``paper`` or ``own-knowledge``.
        source: Source of the published value.
        time: Time at which a trajectory is evaluated [day]; None if none is.
        order: Place of the quantity in the order of the estimands.
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
    order: int = 0

    def compared(self, study: Study) -> Row:
        """Return the row that compares the published value with a simulated study."""
        try:
            simulated = self.measure(study)
        except NotComputed as reason:
            rule = dataclasses.replace(self.rule, text=str(reason), judged=False)
            return Row(dataclasses.replace(self, rule=rule), None, Verdict.SKIPPED)
        verdict = self.rule.verdict(simulated.value, self.published.value)
        return Row(self, simulated, verdict)


@dataclasses.dataclass(frozen=True)
class Row:
    """A fact with its simulated value and verdict.

    Args:
        fact: Published value and acceptance criterion.
        simulated: Simulated value; None if skipped.
        verdict: Result of the comparison.
    """

    fact: Fact
    simulated: Simulated | None
    verdict: Verdict

    @property
    def difference(self) -> float:
        """Difference or ratio of simulated and published, on the scale of the rule."""
        if self.simulated is None:
            return math.nan
        return self.fact.rule.difference(self.simulated.value, self.fact.published.value)

    @property
    def place(self) -> tuple[int, int, float]:
        """Place of the row: by verdict, then by estimand, the largest deviation first."""
        distance = self.fact.rule.scale.distance(self.difference)
        return self.verdict, self.fact.order, 0.0 if math.isnan(distance) else -distance

    def cells(self) -> tuple[str, ...]:
        """Return the text of each of `COLUMNS`."""
        fact = self.fact
        recalled = fact.certainty == RECALLED
        return (
            fact.molecule,
            fact.what,
            fact.when,
            "" if recalled else fact.published.text,
            fact.published.text if recalled else "",
            self._simulated(),
            self._difference(),
            self._verdict(),
            fact.certainty,
            fact.source,
        )

    def record(self) -> dict[str, str | float | None]:
        """Return the value of each of `RECORD`; None or NaN if missing."""
        fact, published, found = self.fact, self.fact.published, self.simulated
        unit = UNITS[fact.rule.scale]
        values = (
            *(fact.molecule, fact.what, fact.when, published.unit),
            *(published.value, published.low, published.high),
            *((None,) * 3 if found is None else (found.value, found.lower, found.upper)),
            None if found is None else self.difference,
            None if found is None else unit,
            *(VERDICTS[self.verdict], fact.rule.text, fact.certainty, fact.source),
        )
        return dict(zip(RECORD, values, strict=True))

    def _simulated(self) -> str:
        if self.simulated is None:
            return ""
        s, unit = self.simulated, self.fact.published.unit
        if math.isnan(s.value):
            return _NOT_REACHED if unit == _MONTH else "no evaluable patient"
        span = "" if math.isnan(s.lower) else f" ({number(s.lower)} to {number(s.upper)})"
        return f"{quantity(s.value, unit)}{span}"

    def _difference(self) -> str:
        if math.isnan(self.difference):
            return ""
        form = {
            Scale.POINTS: "{:+.1f} points",
            Scale.DIFFERENCE: "{:+.2f}",
            Scale.ODDS: "odds x {:.2f}",
            Scale.RATIO: "x {:.2f}",
        }[self.fact.rule.scale]
        return form.format(self.difference)

    def _verdict(self) -> str:
        text, verdict = self.fact.rule.text, VERDICTS[self.verdict]
        is_judged = self.verdict in (Verdict.MISSES, Verdict.WITHIN)
        return f"{verdict} {text}" if is_judged else f"{verdict}: {text}"


def quantity(value: float, unit: str) -> str:
    """Return a number with its unit; a unit of 1 is left out."""
    return number(value) if unit == "1" else f"{number(value)} {unit}"


def number(value: float) -> str:
    """Return a number with three significant digits, without an exponent below a million."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
