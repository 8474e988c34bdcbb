"""Plans of arms that react, as padded arrays: doses in their order, visits, rules and limits.

In such an arm no dose has a time of its own until it is given. What the arm would give if no rule
ever acted is its regimen; here it is taken apart into doses of the molecule, with what goes ahead
of each, and into what is given at times of its own, which stays in the event table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from qsp.trial.events import PER, bucketed, in_patients, sizes
from qsp.trial.regimen import KINDS, MOLECULE_KINDS, Administration, Amount, Arm, Regimen
from qsp.trial.rules import Reaction, RuleTable, rule_table, widest

STEP_BUCKET, VISIT_BUCKET, RULE_BUCKET, DRUG_BUCKET, AHEAD_BUCKET = 16, 32, 8, 2, 2
ROW_BUCKET = 32
SAME_TIME = 1e-9
ForAll: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Gives an array that all patients share a leading axis of patients."""


@dataclasses.dataclass(frozen=True)
class StepTable:
    """Planned doses; see `qsp.engine.adaptive.state.Steps`. Amounts are in nmol and mg."""

    kind: np.ndarray
    amount: np.ndarray
    duration: np.ndarray
    interval: np.ndarray
    day: np.ndarray
    next_day: np.ndarray
    next_min_interval: np.ndarray
    same_period: np.ndarray
    count: np.ndarray
    ahead_kind: np.ndarray
    ahead_amount: np.ndarray
    ahead_duration: np.ndarray
    ahead_lead: np.ndarray


@dataclasses.dataclass(frozen=True)
class RescueTable:
    """Supportive drugs of rules; see `qsp.engine.adaptive.state.Rescues`."""

    kind: np.ndarray
    amount: np.ndarray
    duration: np.ndarray
    per_event: np.ndarray
    per_window: np.ndarray
    window: np.ndarray
    min_interval: np.ndarray
    max_times: np.ndarray


@dataclasses.dataclass(frozen=True)
class PlanTable:
    """Plans of all patients of an arm; every array has a leading patient axis."""

    visit: np.ndarray
    decided: np.ndarray
    steps: StepTable
    rules: RuleTable
    rescues: RescueTable
    capacity: np.ndarray


@dataclasses.dataclass(frozen=True)
class Widths:
    """Lengths of the arrays of a plan, the same for all arms of a trial.

    Args:
        steps: Planned doses.
        ahead: Drugs ahead of one dose.
        visits: Of the calendar.
        rules: Of an arm.
        drugs: That rules give.
        rows: What a patient can be given by plan and rules.
    """

    steps: int
    ahead: int
    visits: int
    rules: int
    drugs: int
    rows: int


def planned_doses(regimen: Regimen) -> tuple[Administration, ...]:
    """Doses of the molecule, in their order."""
    return tuple(given for given in regimen.administrations if given.kind in MOLECULE_KINDS)


def ahead_of(regimen: Regimen, dose: Administration) -> tuple[Administration, ...]:
    """What goes ahead of a dose, in the order of time."""
    return tuple(
        given
        for given in regimen.administrations
        if given.lead > 0.0 and abs(given.time + given.lead - dose.time) <= SAME_TIME
    )


def plan_widths(arms: Sequence[Arm]) -> Widths | None:
    """Lengths for which every arm has room; None where no arm reacts."""
    reacting = [(arm, arm.reaction) for arm in arms if arm.reaction is not None]
    if not reacting:
        return None
    ahead, rows = 0, 0
    for arm, reaction in reacting:
        planned = planned_doses(arm.regimens[0])
        most_ahead = max((len(ahead_of(arm.regimens[0], dose)) for dose in planned), default=0)
        most = reaction.most_doses(len(planned))
        ahead = max(ahead, most_ahead)
        rescues = sum(drug.max_times for drug in reaction.rescues)
        rows = max(rows, most * (1 + most_ahead) + rescues)
    reactions = [reaction for _, reaction in reacting]
    return Widths(
        steps=bucketed(max(len(planned_doses(a.regimens[0])) for a, _ in reacting), STEP_BUCKET),
        ahead=bucketed(ahead, AHEAD_BUCKET),
        visits=bucketed(max(len(reaction.calendar) for reaction in reactions), VISIT_BUCKET),
        rules=bucketed(max(widest(reactions), 1), RULE_BUCKET),
        drugs=bucketed(max(1, *(len(r.rescues) for r in reactions)), DRUG_BUCKET),
        rows=bucketed(rows, ROW_BUCKET),
    )


def plan_table(
    arm: Arm, widths: Widths, body_weight: np.ndarray, body_surface: np.ndarray
) -> PlanTable:
    """The plan of every patient of an arm; of one that does not react, a plan of nothing.

    Args:
        arm: With one regimen for all.
        widths: Of the trial.
        body_weight: (patient,): [kg].
        body_surface: (patient,): [m^2].

    Raises:
        PopulationError: If an amount needs the size of a patient that has none.
    """
    reaction = arm.reaction or Reaction(calendar=())
    amounts = (*_amounts(arm), *(drug.amount for drug in reaction.rescues))
    size = sizes({PER.index(amount.per) for amount in amounts}, body_weight, body_surface)
    visit = _padded(reaction.calendar, widths.visits, np.inf)
    patients = len(body_weight)

    def for_all(table: np.ndarray) -> np.ndarray:
        return np.broadcast_to(table, (patients, *table.shape))

    rules = rule_table(reaction, widths.rules)
    return PlanTable(
        visit=for_all(visit),
        decided=for_all(visit - arm.lead),
        steps=_steps(arm, widths, size, for_all),
        rules=RuleTable(*(for_all(getattr(rules, f.name)) for f in dataclasses.fields(rules))),
        rescues=_rescues(reaction, widths, size, for_all),
        capacity=for_all(np.zeros(widths.rows)),
    )


def _amounts(arm: Arm) -> tuple[Amount, ...]:
    return tuple(given.amount for given in arm.administrations) if arm.reaction else ()


def _padded(values: Sequence[float], width: int, fill: float) -> np.ndarray:
    return np.array([*values, *[fill] * (width - len(values))], float)


def _steps(arm: Arm, widths: Widths, size: np.ndarray, for_all: ForAll) -> StepTable:
    doses = planned_doses(arm.regimens[0]) if arm.reaction else ()
    times = [dose.time for dose in doses]
    periods = [dose.period for dose in doses]
    shape = (widths.steps, widths.ahead)
    kind, ahead_lead, duration = np.full(shape, -1, np.int32), np.zeros(shape), np.zeros(shape)
    amount = np.zeros((len(size), *shape))
    for row, dose in enumerate(doses):
        for column, drug in enumerate(ahead_of(arm.regimens[0], dose)):
            kind[row, column] = KINDS.index(drug.kind)
            ahead_lead[row, column], duration[row, column] = drug.lead, drug.duration
            amount[:, row, column] = in_patients(drug.amount, size)
    given = np.zeros((len(size), widths.steps))
    for row, dose in enumerate(doses):
        given[:, row] = in_patients(dose.amount, size)
    kinds = [KINDS.index(dose.kind) for dose in doses]
    goes_on = [n > 0 and period == periods[n - 1] for n, period in enumerate(periods)]
    gaps = [-1.0 if dose.min_interval is None else dose.min_interval for dose in doses]
    return StepTable(
        kind=for_all(_padded(kinds, widths.steps, -1).astype(np.int32)),
        amount=given,
        duration=for_all(_padded([dose.duration for dose in doses], widths.steps, 0.0)),
        interval=for_all(_padded(np.diff(times).tolist() if times else (), widths.steps, np.inf)),
        day=for_all(_padded(times, widths.steps, 0.0)),
        next_day=for_all(_padded(times[1:], widths.steps, 0.0)),
        next_min_interval=for_all(_padded(gaps[1:], widths.steps, -1.0)),
        same_period=for_all(_padded(goes_on, widths.steps, 0.0).astype(bool)),
        count=for_all(np.array(len(doses), np.int32)),
        ahead_kind=for_all(kind),
        ahead_amount=amount,
        ahead_duration=for_all(duration),
        ahead_lead=for_all(ahead_lead),
    )


def _rescues(reaction: Reaction, widths: Widths, size: np.ndarray, for_all: ForAll) -> RescueTable:
    drugs, width = reaction.rescues, widths.drugs
    amount = np.zeros((len(size), width))
    for column, drug in enumerate(drugs):
        amount[:, column] = in_patients(drug.amount, size)

    def numbers(name: str) -> np.ndarray:
        return for_all(_padded([getattr(drug, name) for drug in drugs], width, 0.0))

    kinds = [KINDS.index(drug.kind) for drug in drugs]
    return RescueTable(
        kind=for_all(_padded(kinds, width, -1).astype(np.int32)),
        amount=amount,
        **{name: numbers(name) for name in _LIMITS},
    )


_LIMITS = ("duration", "per_event", "per_window", "window", "min_interval", "max_times")
