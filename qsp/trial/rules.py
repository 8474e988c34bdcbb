"""Dosing rules: the observables of a visit, the conditions on them, and the resulting acts.

At each visit of the calendar the rules of an arm are tried in order. The first rule that matches
decides on the dose that is due; a rule that gives a supportive drug decides on that drug alone. If
no rule matches, the dose is given as planned::

    observe (grade, IL-6, tumor ...) ──▶ first rule that matches ──▶ act (hold, repeat ...)

A dose that is not given stays due, and later doses keep their distance to it. Invalid rules are
refused by `qsp.trial.rule_checks`, rules as text are read by `qsp.trial.rule_text`, and rules are
applied by `qsp.engine.adaptive.decisions`.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from qsp.trial.regimen import Amount


@dataclasses.dataclass(frozen=True)
class Observable:
    """A quantity that a rule can compare with a level.

    Args:
        name: Name in a rule.
        unit: Unit of the value.
        meaning: Description.
        source: Field of `qsp.engine.adaptive.state.History` that holds the value; empty if the
            system measures it (`qsp.system.System.measured`).
        least: Smallest possible value.
        most: Largest possible value.
        lasting: Comparisons, by their first sign, that continue to hold while no dose is given. A
            rule that holds the dose for such a reason alone would hold it forever.
    """

    name: str
    unit: str
    meaning: str
    source: str = ""
    least: float = 0.0
    most: float = float("inf")
    lasting: str = ""

    @property
    def written(self) -> str:
        """Unit as written in a rule; empty for a bare number."""
        return _WRITTEN.get(self.name, "" if self.unit == "1" else self.unit)

    def text(self, level: float) -> str:
        """Format a value as written in a rule, such as "-50 %"."""
        return f"{level * (100.0 if self.written == PERCENT else 1.0):g} {self.written}".rstrip()

    @property
    def limits(self) -> str:
        """Range of possible values, in words."""
        least, most = self.text(self.least), self.text(self.most)
        return f"from {least} to {most}" if np.isfinite(self.most) else f"{least} or more"


PERCENT = "%"
_WRITTEN = {
    "tumor_change": PERCENT,
    "t_cells": "cell/uL",  # 1 cell/uL is 1 Mcell/L
    "b_cells": "cell/uL",
    "temperature": "degC",
}
OBSERVABLES = (
    Observable("il6", "pg/mL", "IL-6 in blood", lasting="<"),
    Observable(
        "tumor_change", "1", "Change of tumor volume since the start, as a fraction", least=-1.0
    ),
    Observable("t_cells", "Mcell/L", "T cells in blood (1 Mcell/L is 1 cell/uL)", lasting=">"),
    Observable("b_cells", "Mcell/L", "Normal target cells in blood", lasting=">"),
    Observable("temperature", "1", "Temperature by fever [degC]", lasting="<"),
    Observable("day", "day", "Time of the visit since the first dose", "day", lasting=">"),
    Observable("crs_grade", "1", "Grade of CRS at the visit", "grade", most=4.0, lasting="<"),
    Observable(
        "worst_grade",
        "1",
        "Worst grade of CRS in the dose period",
        "period_grade",
        most=4.0,
        lasting="<>",
    ),
    Observable(
        "worst_grade_ever",
        "1",
        "Worst grade of CRS so far",
        "highest_grade",
        most=4.0,
        lasting="<>",
    ),
    Observable(
        "days_since_crs",
        "day",
        "Time since CRS; a million days before the first",
        "days_since_event",
        lasting=">",
    ),
    Observable(
        "days_in_crs",
        "day",
        "Time since the first visit of the running CRS event; 0 without CRS",
        "days_in_event",
    ),
    Observable(
        "doses_given",
        "1",
        "Doses of the molecule so far, counting parts of split doses",
        "doses",
        lasting="<>",
    ),
    Observable(
        "step", "1", "Ordinal of the next planned dose", "next_step", least=1.0, lasting="<>"
    ),
    Observable(
        "days_since_dose",
        "day",
        "Time since the last dose; 0 before the first",
        "days_since_dose",
        lasting=">",
    ),
    Observable(
        "days_overdue",
        "day",
        "Time since the next dose was due",
        "days_overdue",
        least=-np.inf,
        lasting=">",
    ),
)
MEASURED = sum(not observable.source for observable in OBSERVABLES)
"""Number of observables that the system measures; they come first."""
NAMES = tuple(observable.name for observable in OBSERVABLES)

Comparison = Literal[">=", ">", "<=", "<"]
DoseAct = Literal[
    "proceed",
    "hold",
    "delay",
    "repeat",
    "drop_back",
    "restart",
    "split",
    "interval",
    "stop",
]
"""Acts of rules on the dose that is due."""
Act = DoseAct | Literal["give"]
ACTS = (
    "nothing",
    "proceed",
    "hold",
    "delay",
    "back",
    "split",
    "interval",
    "stop",
    "give",
)
"""Acts in the engine: repeat, drop_back and restart all go back by a number of doses."""
BACK = ("repeat", "drop_back", "restart")
"""Acts that give an earlier dose."""
CONDITIONS = 4
"""Maximum number of conditions in a rule."""
MOST_EVENTS = 16
"""Number of CRS events of a patient for which a rule with a probability draws again; all later
events share the last draw."""
ALL_THE_WAY = 1_000_000
"""Number of doses to go back in order to restart with the first."""
DECISIONS = (
    "none due",
    "as planned",
    "held",
    "delayed",
    "earlier dose",
    "split",
    "interval changed",
    "stopped",
    "missed visit",
)
"""Outcomes of a visit, in the order of the acts; the last means that the patient did not come."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """Comparison of an observable with a level in its unit."""

    observable: str
    comparison: Comparison
    level: float

    def __str__(self) -> str:
        level = OBSERVABLES[NAMES.index(self.observable)].text(self.level)
        return f"{self.observable} {self.comparison} {level}"


@dataclasses.dataclass(frozen=True)
class Rule:
    """Act to take if all conditions hold.

    Args:
        name: Name, unique within the arm.
        when: Conditions that must all hold.
        act: Act to take.
        days: Length of a delay, interval between parts, or new dosing interval [day].
        doses: Number of doses to drop back.
        parts: Number of parts of a split dose.
        drug: Name of the supportive drug to give.
        consecutive_visits: Number of visits in a row at which the conditions must hold.
        max_times: Maximum number of times the rule may act in a patient; None means no limit.
        probability: Probability that the rule applies in a CRS event of a patient, above 0 and at
            most 1. It applies throughout the event, up to the begin of the next, or not at all.
        where: Place in the config, for error messages.
    """

    name: str
    when: tuple[Condition, ...]
    act: Act
    days: float = 0.0
    doses: int = 1
    parts: int = 2
    drug: str = ""
    consecutive_visits: int = 1
    max_times: int | None = None
    probability: float = 1.0
    where: str = dataclasses.field(default="rule", compare=False)

    @property
    def gives(self) -> bool:
        """Whether the rule gives a supportive drug instead of deciding on the dose."""
        return self.act == "give"

    @property
    def back(self) -> int:
        """Number of doses to go back from the last one; 0 repeats the last one."""
        return {"repeat": 0, "drop_back": self.doses, "restart": ALL_THE_WAY}.get(self.act, 0)


@dataclasses.dataclass(frozen=True)
class Rescue:
    """A supportive drug that rules may give, and its limits.

    Args:
        name: Name in the rules.
        kind: Kind of dose, one of `KINDS`.
        amount: Amount of one administration [mg].
        duration: Duration of the infusion [day].
        per_event: Maximum number of administrations within one CRS event.
        per_window: Maximum number of administrations within any `window`.
        window: Length of the window [day].
        min_interval: Minimum time between two administrations [day].
        max_times: Maximum number of administrations within the trial.
    """

    name: str
    kind: str
    amount: Amount
    duration: float = 0.0
    per_event: int = 2
    per_window: int = 3
    window: float = 42.0
    min_interval: float = 1.0 / 3.0
    max_times: int = 6


@dataclasses.dataclass(frozen=True)
class Reaction:
    """Visits, rules and rescue drugs of an arm, and how patients adhere to the visits.

    Args:
        calendar: Visits at which a dose may be given, increasing [day].
        rules: Rules, in the order in which they are tried.
        rescues: Supportive drugs that the rules name.
        missed: Fraction of visits that a patient misses, from 0 to 1.
        dropout: Fraction of patients that leave treatment by the end, from 0 to 1.
        errors: Coefficient of variation of the measurement error of each observable that the
            system measures.
    """

    calendar: tuple[float, ...]
    rules: tuple[Rule, ...] = ()
    rescues: tuple[Rescue, ...] = ()
    missed: float = 0.0
    dropout: float = 0.0
    errors: tuple[float, ...] = (0.0,) * MEASURED

    @property
    def certain(self) -> Reaction:
        """The same reaction with full attendance, exact measurements and rules that all apply."""
        exact = (0.0,) * MEASURED
        rules = tuple(dataclasses.replace(rule, probability=1.0) for rule in self.rules)
        return dataclasses.replace(self, rules=rules, missed=0.0, dropout=0.0, errors=exact)

    def rescue(self, name: str) -> int:
        """Return the index of a rescue drug."""
        return [drug.name for drug in self.rescues].index(name)

    def most_doses(self, planned: int) -> int:
        """Return the maximum number of doses of the molecule in a patient, counting parts of doses.

        Args:
            planned: Number of planned doses.
        """
        repeats = sum(
            _times(rule) * min(rule.back + 1, planned) for rule in self.rules if rule.act in BACK
        )
        whole = planned + repeats
        # A repeated dose may be split again.
        parts = sum(
            min(_times(rule), whole) * (rule.parts - 1)
            for rule in self.rules
            if rule.act == "split"
        )
        return int(min(whole + parts, len(self.calendar)))


def _times(rule: Rule) -> float:
    return float("inf") if rule.max_times is None else float(rule.max_times)
