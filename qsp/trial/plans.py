"""Adaptive plans of arms with rules, as padded arrays: doses in order, visits, rules and limits.

A dose of such an arm has no fixed time until it is given. The regimen of the arm, which
applies if no rule acts, is split in two: doses of the molecule and their premedication become steps
of the plan, and drugs with fixed times stay in the event table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from qsp.trial.events import PER, amount_per_patient, round_up, sizes
from qsp.trial.regimen import KINDS, MOLECULE_KINDS, Administration, Amount, Arm, Regimen
from qsp.trial.rules import (
    ACTS,
    BACK,
    CONDITIONS,
    MEASURED,
    MOST_EVENTS,
    NAMES,
    Reaction,
    Rule,
)
from qsp.trial.schedule import AdaptivePlan, Rescues, Rules, Steps

STEP_BUCKET, VISIT_BUCKET, RULE_BUCKET, DRUG_BUCKET, AHEAD_BUCKET = 16, 32, 8, 2, 2
ROW_BUCKET = 32
SAME_TIME = 1e-9
Broadcast: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Adds a leading patient axis to an array that all patients share."""


@dataclasses.dataclass(frozen=True)
class Widths:
    """Lengths of the arrays of a plan, the same for all arms of a trial.

    Args:
        steps: Number of planned doses.
        ahead: Number of drugs given ahead of one dose.
        visits: Number of visits of the calendar.
        rules: Number of rules of an arm.
        drugs: Number of supportive drugs that rules may give.
        rows: Number of administrations that plan and rules can give to a patient.
    """

    steps: int
    ahead: int
    visits: int
    rules: int
    drugs: int
    rows: int


def planned_doses(regimen: Regimen) -> tuple[Administration, ...]:
    """Return the doses of the molecule, in order."""
    return tuple(dose for dose in regimen.administrations if dose.kind in MOLECULE_KINDS)


def premedication(regimen: Regimen, dose: Administration) -> tuple[Administration, ...]:
    """Return the drugs given ahead of a dose, in order of time."""
    return tuple(
        drug
        for drug in regimen.administrations
        if drug.lead > 0.0 and abs(drug.time + drug.lead - dose.time) <= SAME_TIME
    )


def plan_widths(arms: Sequence[Arm]) -> Widths | None:
    """Return array lengths that hold the plan of every arm; None if no arm has rules.

    Args:
        arms: Arms of the trial.
    """
    adaptive = [(arm, arm.reaction) for arm in arms if arm.reaction is not None]
    if not adaptive:
        return None
    ahead, rows = 0, 0
    for arm, reaction in adaptive:
        planned = planned_doses(arm.regimens[0])
        most_ahead = max((len(premedication(arm.regimens[0], dose)) for dose in planned), default=0)
        most = reaction.most_doses(len(planned))
        ahead = max(ahead, most_ahead)
        rescues = sum(drug.max_times for drug in reaction.rescues)
        rows = max(rows, most * (1 + most_ahead) + rescues)
    reactions = [reaction for _, reaction in adaptive]
    return Widths(
        steps=round_up(max(len(planned_doses(a.regimens[0])) for a, _ in adaptive), STEP_BUCKET),
        ahead=round_up(ahead, AHEAD_BUCKET),
        visits=round_up(max(len(reaction.calendar) for reaction in reactions), VISIT_BUCKET),
        rules=round_up(max(1, *(len(r.rules) for r in reactions)), RULE_BUCKET),
        drugs=round_up(max(1, *(len(r.rescues) for r in reactions)), DRUG_BUCKET),
        rows=round_up(rows, ROW_BUCKET),
    )


def plan_table(
    arm: Arm, widths: Widths, body_weight: np.ndarray, body_surface: np.ndarray
) -> AdaptivePlan[np.ndarray]:
    """Return the plans of all patients of an arm; an arm without rules has an empty plan.

    Every patient attends every visit, measurements are exact, and every rule applies.

    Args:
        arm: Arm with one regimen for all patients.
        widths: Array lengths of the trial.
        body_weight: (patient,): Body weight [kg].
        body_surface: (patient,): Body surface [m^2].

    Returns:
        Plan with a leading patient axis on every array.

    Raises:
        PopulationError: If an amount depends on the size of a patient and that size is not above 0.
    """
    reaction = arm.reaction or Reaction(calendar=())
    amounts = (*_planned_amounts(arm), *(drug.amount for drug in reaction.rescues))
    size = sizes({PER.index(amount.per) for amount in amounts}, body_weight, body_surface)
    visit = _padded(reaction.calendar, widths.visits, np.inf)
    patients = len(body_weight)

    def broadcast(table: np.ndarray) -> np.ndarray:
        return np.broadcast_to(table, (patients, *table.shape))

    return AdaptivePlan(
        visit=broadcast(visit),
        decided=broadcast(visit - arm.lead),
        attended=broadcast(np.ones(widths.visits, bool)),
        error=broadcast(np.ones((widths.visits, MEASURED))),
        applies=broadcast(np.ones((MOST_EVENTS + 1, widths.rules), bool)),
        steps=_steps(arm, widths, size, broadcast),
        rules=Rules(*map(broadcast, rule_table(reaction, widths.rules))),
        rescues=_rescues(reaction, widths, size, broadcast),
        capacity=broadcast(np.zeros(widths.rows)),
    )


def _planned_amounts(arm: Arm) -> tuple[Amount, ...]:
    return tuple(dose.amount for dose in arm.administrations) if arm.reaction else ()


def _padded(values: Sequence[float], width: int, fill: float) -> np.ndarray:
    return np.array([*values, *[fill] * (width - len(values))], float)


def _steps(arm: Arm, widths: Widths, size: np.ndarray, broadcast: Broadcast) -> Steps[np.ndarray]:
    doses = planned_doses(arm.regimens[0]) if arm.reaction else ()
    times = [dose.time for dose in doses]
    periods = [dose.period for dose in doses]
    shape = (widths.steps, widths.ahead)
    ahead_kind = np.full(shape, -1, np.int32)
    ahead_lead, ahead_duration = np.zeros(shape), np.zeros(shape)
    ahead_amount = np.zeros((len(size), *shape))
    amount = np.zeros((len(size), widths.steps))
    for row, dose in enumerate(doses):
        amount[:, row] = amount_per_patient(dose.amount, size)
        for column, drug in enumerate(premedication(arm.regimens[0], dose)):
            ahead_kind[row, column] = KINDS.index(drug.kind)
            ahead_lead[row, column], ahead_duration[row, column] = drug.lead, drug.duration
            ahead_amount[:, row, column] = amount_per_patient(drug.amount, size)

    def numbers(values: Sequence[float], fill: float) -> np.ndarray:
        return broadcast(_padded(values, widths.steps, fill))

    same_period = [n > 0 and period == periods[n - 1] for n, period in enumerate(periods)]
    gaps = [-1.0 if dose.min_interval is None else dose.min_interval for dose in doses]
    return Steps(
        kind=numbers([KINDS.index(dose.kind) for dose in doses], -1).astype(np.int32),
        amount=amount,
        duration=numbers([dose.duration for dose in doses], 0.0),
        interval=numbers(np.diff(times).tolist() if times else (), np.inf),
        day=numbers(times, 0.0),
        next_day=numbers(times[1:], 0.0),
        next_min_interval=numbers(gaps[1:], -1.0),
        same_period=numbers(same_period, 0.0).astype(bool),
        planned=broadcast(np.array(len(doses), np.int32)),
        ahead_kind=broadcast(ahead_kind),
        ahead_amount=ahead_amount,
        ahead_duration=broadcast(ahead_duration),
        ahead_lead=broadcast(ahead_lead),
    )


def rule_table(reaction: Reaction, width: int) -> Rules[np.ndarray]:
    """Return the rules of an arm as numbers.

    Args:
        reaction: Reaction of the arm; each rule has at most `CONDITIONS` conditions.
        width: Number of rows of the table.
    """
    shape = (width, CONDITIONS)
    table = Rules(
        observable=np.zeros(shape, np.int32),
        sign=np.zeros(shape),
        level=np.zeros(shape),
        strict=np.zeros(shape, bool),
        act=np.zeros(width, np.int32),
        days=np.zeros(width),
        argument=np.zeros(width, np.int32),
        consecutive_visits=np.ones(width, np.int32),
        max_times=np.full(width, np.inf),
    )
    for row, rule in enumerate(reaction.rules):
        for column, condition in enumerate(rule.when):
            table.observable[row, column] = NAMES.index(condition.observable)
            table.sign[row, column] = 1.0 if condition.comparison.startswith(">") else -1.0
            table.level[row, column] = condition.level
            table.strict[row, column] = not condition.comparison.endswith("=")
        table.act[row] = ACTS.index("back" if rule.act in BACK else rule.act)
        table.days[row] = rule.days
        table.argument[row] = _rule_argument(rule, reaction)
        table.consecutive_visits[row] = rule.consecutive_visits
        table.max_times[row] = np.inf if rule.max_times is None else rule.max_times
    return table


def _rule_argument(rule: Rule, reaction: Reaction) -> int:
    if rule.gives:
        return reaction.rescue(rule.drug)
    return rule.parts if rule.act == "split" else rule.back


def _rescues(
    reaction: Reaction, widths: Widths, size: np.ndarray, broadcast: Broadcast
) -> Rescues[np.ndarray]:
    drugs, width = reaction.rescues, widths.drugs
    amount = np.zeros((len(size), width))
    for column, drug in enumerate(drugs):
        amount[:, column] = amount_per_patient(drug.amount, size)

    def numbers(name: str) -> np.ndarray:
        return broadcast(_padded([getattr(drug, name) for drug in drugs], width, 0.0))

    kinds = [KINDS.index(drug.kind) for drug in drugs]
    return Rescues(
        kind=broadcast(_padded(kinds, width, -1).astype(np.int32)),
        amount=amount,
        duration=numbers("duration"),
        per_event=numbers("per_event"),
        per_window=numbers("per_window"),
        window=numbers("window"),
        min_interval=numbers("min_interval"),
        max_times=numbers("max_times"),
    )
