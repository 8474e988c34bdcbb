"""Rules that react to a patient: what is observed at a visit, what follows, and how often.

At each visit of the calendar of a trial the rules of an arm are gone through in their order. The
first one that matches decides on the dose that is due; a rule that gives a supportive drug decides
for that drug alone. Without a match the dose is given as planned::

    observe (grade, IL-6, tumor ...) ──▶ first rule that matches ──▶ act (hold, repeat ...)

A dose that is not given stays due, and later doses keep their distance to it. Which rules are
refused, and why, stands in `qsp.trial.rule_checks`; how they are written, in
`qsp.trial.rule_text`; how they are carried out, in `qsp.engine.adaptive.decisions`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from qsp.trial.regimen import Amount


@dataclasses.dataclass(frozen=True)
class Observable:
    """What a rule can look at.

    Args:
        name: In a rule.
        unit: Of its value.
        meaning: In words.
        least: Smallest value it can have.
        most: Largest one.
        lasting: Comparisons, by their first sign, that go on to hold while no dose is given: a rule
            that holds the dose for nothing else holds it for ever.
    """

    name: str
    unit: str
    meaning: str
    least: float = 0.0
    most: float = float("inf")
    lasting: str = ""

    @property
    def written(self) -> str:
        """Unit as a rule writes it; empty where it writes a bare number."""
        return _WRITTEN.get(self.name, "" if self.unit == "1" else self.unit)

    def text(self, level: float) -> str:
        """A value as a rule writes it, such as "-50 %"."""
        return f"{level * (100.0 if self.written == PERCENT else 1.0):g} {self.written}".rstrip()

    @property
    def limits(self) -> str:
        """The values it can have, in words."""
        least, most = self.text(self.least), self.text(self.most)
        return f"from {least} to {most}" if np.isfinite(self.most) else f"{least} or more"


PERCENT = "%"
_WRITTEN = {
    "tumor_change": PERCENT,
    "t_cells": "cell/uL",  # as much as 1 Mcell/L
    "b_cells": "cell/uL",
    "temperature": "degC",
}
OBSERVABLES = (
    Observable("il6", "pg/mL", "IL-6 in blood", lasting="<"),
    Observable("tumor_change", "1", "Tumor volume over that at the start, less 1", -1.0),
    Observable("t_cells", "Mcell/L", "T cells in blood (1 Mcell/L is 1 cell/uL)", lasting=">"),
    Observable("b_cells", "Mcell/L", "Normal target cells in blood", lasting=">"),
    Observable("temperature", "1", "Temperature by the severity index [degC]", lasting="<"),
    Observable("day", "day", "Time of the visit since the first dose", lasting=">"),
    Observable("crs_grade", "1", "Grade of CRS at the visit", 0.0, 4.0, lasting="<"),
    Observable("worst_grade", "1", "Worst grade of the dose period", 0.0, 4.0, lasting="<>"),
    Observable("worst_grade_ever", "1", "Worst grade of all", 0.0, 4.0, lasting="<>"),
    Observable("days_since_crs", "day", "Since CRS; a million before the first", lasting=">"),
    Observable("doses_given", "1", "Doses of the molecule, and parts of them", lasting="<>"),
    Observable("step", "1", "Ordinal of the planned dose that comes next", 1.0, lasting="<>"),
    Observable("days_since_dose", "day", "Since the last dose; 0 before the first", lasting=">"),
    Observable("days_overdue", "day", "Since the next dose was due", -np.inf, lasting=">"),
)
MEASURED = 5
"""The first observables, which a measurement or an assay gives."""
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
"""What a rule may make of a dose."""
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
"""Acts as the engine knows them: repeat, drop_back and restart all go back some doses."""
ALL_THE_WAY = 1_000_000
"""Doses to go back to the first one, whatever came before."""
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
"""What came of a visit, in the order of the acts; nobody came to the last."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """One comparison: an observable with a level in its unit."""

    observable: str
    comparison: Comparison
    level: float

    def __str__(self) -> str:
        level = OBSERVABLES[NAMES.index(self.observable)].text(self.level)
        return f"{self.observable} {self.comparison} {level}"


@dataclasses.dataclass(frozen=True)
class Rule:
    """What to do where all its conditions hold.

    Args:
        name: Unique in the arm.
        when: Conditions that must all hold.
        act: What to do.
        days: Of a delay, between the parts of a split dose, or the new interval [day].
        doses: How many doses to drop back.
        parts: Of a split dose.
        drug: Name of the supportive drug to give.
        consecutive_visits: Visits in a row at which the conditions must hold.
        max_times: Times the rule may act in a patient; without limit if None.
        where: Where it was written, for messages.
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
    where: str = dataclasses.field(default="rule", compare=False)

    @property
    def gives(self) -> bool:
        """Whether it is about a supportive drug and not about the dose."""
        return self.act == "give"

    @property
    def back(self) -> int:
        """Doses it goes back from the last one given; 0 gives that one again."""
        return {"repeat": 0, "drop_back": self.doses, "restart": ALL_THE_WAY}.get(self.act, 0)


@dataclasses.dataclass(frozen=True)
class Rescue:
    """A supportive drug that rules may give, and its limits.

    Args:
        name: In the rules.
        kind: One of `KINDS`.
        amount: Each time [mg].
        duration: Of the infusion [day].
        per_event: Doses within one event of CRS.
        per_window: Doses within any `window`.
        window: [day].
        min_interval: Least time from one dose to the next [day].
        max_times: Doses within the trial.
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
    """How an arm reacts to its patients.

    Args:
        calendar: Visits at which a dose may be given, increasing [day].
        rules: In their order.
        rescues: Supportive drugs that the rules name.
        missed: Share of visits that a patient misses, from 0 to 1.
        dropout: Share of patients that leave treatment by the end, from 0 to 1.
        errors: Coefficient of variation of each of the `MEASURED` observables.
    """

    calendar: tuple[float, ...]
    rules: tuple[Rule, ...] = ()
    rescues: tuple[Rescue, ...] = ()
    missed: float = 0.0
    dropout: float = 0.0
    errors: tuple[float, ...] = (0.0,) * MEASURED

    @property
    def certain(self) -> Reaction:
        """The same where everybody comes and measurements are exact."""
        exact = (0.0,) * MEASURED
        return dataclasses.replace(self, missed=0.0, dropout=0.0, errors=exact)

    def rescue(self, name: str) -> int:
        """Index of a drug."""
        return [drug.name for drug in self.rescues].index(name)

    def most_doses(self, planned: int) -> int:
        """Doses of the molecule, parts of a split one counted, that a patient can be given.

        Args:
            planned: Doses of the plan.
        """
        again = sum(
            _times(rule) * min(rule.back + 1, planned) for rule in self.rules if rule.act in _BACK
        )
        whole = planned + again
        # What is given again may be split again.
        parts = sum(
            min(_times(rule), whole) * (rule.parts - 1)
            for rule in self.rules
            if rule.act == "split"
        )
        return int(min(whole + parts, len(self.calendar)))


def _times(rule: Rule) -> float:
    return float("inf") if rule.max_times is None else float(rule.max_times)


@dataclasses.dataclass(frozen=True)
class RuleTable:
    """Rules as numbers, in rows; a row without an act is empty.

    Args:
        observable: (rule, condition): Index into `OBSERVABLES`.
        sign: (rule, condition): 1 where the value must be above the level, -1 below, 0 where there
            is no condition.
        level: (rule, condition): In the unit of the observable.
        strict: (rule, condition): Whether the level itself does not count.
        act: (rule,): Index into `ACTS`.
        days: (rule,): Of the act [day].
        count: (rule,): Doses to go back, parts of a dose, or the index of the drug.
        consecutive_visits: (rule,): Visits in a row.
        max_times: (rule,): Times in a patient; inf without limit.
    """

    observable: np.ndarray
    sign: np.ndarray
    level: np.ndarray
    strict: np.ndarray
    act: np.ndarray
    days: np.ndarray
    count: np.ndarray
    consecutive_visits: np.ndarray
    max_times: np.ndarray


_BACK = ("repeat", "drop_back", "restart")
CONDITIONS = 4
"""Conditions of a rule for which there is room."""


def rule_table(reaction: Reaction, width: int) -> RuleTable:
    """The rules of an arm as numbers.

    Args:
        reaction: Of the arm; its rules have at most `CONDITIONS` conditions each.
        width: Rows of the table.
    """
    shape = (width, CONDITIONS)
    table = RuleTable(
        observable=np.zeros(shape, np.int32),
        sign=np.zeros(shape),
        level=np.zeros(shape),
        strict=np.zeros(shape, bool),
        act=np.zeros(width, np.int32),
        days=np.zeros(width),
        count=np.zeros(width, np.int32),
        consecutive_visits=np.ones(width, np.int32),
        max_times=np.full(width, np.inf),
    )
    for row, rule in enumerate(reaction.rules):
        for column, one in enumerate(rule.when):
            table.observable[row, column] = NAMES.index(one.observable)
            table.sign[row, column] = 1.0 if one.comparison.startswith(">") else -1.0
            table.level[row, column] = one.level
            table.strict[row, column] = not one.comparison.endswith("=")
        table.act[row] = ACTS.index("back" if rule.act in _BACK else rule.act)
        table.days[row] = rule.days
        table.count[row] = _count(rule, reaction)
        table.consecutive_visits[row] = rule.consecutive_visits
        table.max_times[row] = np.inf if rule.max_times is None else rule.max_times
    return table


def _count(rule: Rule, reaction: Reaction) -> int:
    if rule.gives:
        return reaction.rescue(rule.drug)
    return rule.parts if rule.act == "split" else rule.back


def widest(reactions: Sequence[Reaction]) -> int:
    """Rules of the arm with most."""
    return max((len(reaction.rules) for reaction in reactions), default=0)
