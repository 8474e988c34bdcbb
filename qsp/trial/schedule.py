"""Schedules as arrays: events, adaptive plans and administered doses.

All types are NamedTuples, and so pytrees: the trial fills them with NumPy arrays of any number of
patients, and the engine maps over the leading axes and traces them with JAX arrays. The axes named
below are the last ones; arms and patients come before them.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np

from qsp.trial.regimen import KINDS, MOLECULE_KINDS

A = TypeVar("A")
"""Type of the arrays: `numpy.ndarray` on the host, `jax.Array` in the engine."""


class Events(NamedTuple, Generic[A]):
    """Administrations at fixed times, sorted by time along the last axis.

    Args:
        time: (event,): Start since the first dose of the molecule [day]; inf in padding.
        kind: (event,): int32 index into `KINDS`; -1 in padding.
        amount: (event,): Amount [nmol of the molecule, mg of a supportive drug].
        rate: (event,): Infusion rate [nmol/day or mg/day]; 0 for a bolus.
        duration: (event,): Duration of the infusion [day]; 0 for a bolus.
        period: (event,): int32 ordinal of the dose period; 0 for supportive drugs and padding.
    """

    time: A
    kind: A
    amount: A
    rate: A
    duration: A
    period: A


class AdministeredDoses(NamedTuple, Generic[A]):
    """Administrations of an arm with rules, in the order in which they were decided.

    The first six fields are those of `Events`.

    Args:
        time: (row,): Start since the first dose of the molecule [day]; inf in padding.
        kind: (row,): int32 index into `KINDS`; -1 in padding.
        amount: (row,): Amount [nmol of the molecule, mg of a supportive drug].
        rate: (row,): Infusion rate [nmol/day or mg/day]; 0 for a bolus.
        duration: (row,): Duration of the infusion [day]; 0 for a bolus.
        period: (row,): int32 ordinal of the dose period; 0 for supportive drugs and padding.
        visit: (row,): int32 index of the visit at which the administration was decided.
        step: (row,): int32 index of the planned dose that was given, or that followed this
            premedication; -1 for a rescue drug.
    """

    time: A
    kind: A
    amount: A
    rate: A
    duration: A
    period: A
    visit: A
    step: A

    @property
    def events(self) -> Events[A]:
        """The administrations as events."""
        return Events(*self[:6])

    @property
    def present(self) -> np.ndarray:
        """(row,): Whether the row holds an administration."""
        return np.asarray(self.kind) >= 0

    @property
    def is_molecule(self) -> np.ndarray:
        """(row,): Whether the row holds a dose of the molecule."""
        return np.isin(np.asarray(self.kind), [KINDS.index(kind) for kind in MOLECULE_KINDS])


class Steps(NamedTuple, Generic[A]):
    """Planned doses of the molecule, in order, with their premedication.

    Args:
        kind: (step,): int32 index into `KINDS`; -1 in padding.
        amount: (step,): Amount [nmol].
        duration: (step,): Duration of the infusion [day]; 0 for an injection.
        interval: (step,): Planned time to the next dose [day]; inf after the last.
        day: (step,): Planned day [day].
        next_day: (step,): Planned day of the next dose [day].
        next_min_interval: (step,): Minimum time to the next dose if that dose keeps its planned
            day [day]; -1 where it keeps its distance to this dose instead.
        same_period: (step,): Whether the dose belongs to the dose period of the one before.
        planned: (): int32 number of planned doses.
        ahead_kind: (step, ahead): int32 index into `KINDS` of each drug given ahead of the dose;
            -1 in padding.
        ahead_amount: (step, ahead): Amount [mg].
        ahead_duration: (step, ahead): Duration of the infusion [day].
        ahead_lead: (step, ahead): Time from the drug to the dose [day].
    """

    kind: A
    amount: A
    duration: A
    interval: A
    day: A
    next_day: A
    next_min_interval: A
    same_period: A
    planned: A
    ahead_kind: A
    ahead_amount: A
    ahead_duration: A
    ahead_lead: A


class Rules(NamedTuple, Generic[A]):
    """Dosing rules as numbers, in the order in which they are tried; a row without act is empty.

    Args:
        observable: (rule, condition): int32 index into `qsp.trial.rules.OBSERVABLES`.
        sign: (rule, condition): 1 where the value must be above the level, -1 where below, 0 where
            there is no condition.
        level: (rule, condition): Level, in the unit of the observable.
        strict: (rule, condition): Whether a value equal to the level does not count.
        act: (rule,): int32 index into `qsp.trial.rules.ACTS`.
        days: (rule,): Delay, interval between parts, or new dosing interval [day].
        argument: (rule,): int32: Doses to go back, parts of a split dose, or index of the rescue
            drug, by the act.
        consecutive_visits: (rule,): int32 number of visits in a row at which the conditions must
            hold.
        max_times: (rule,): Maximum number of times the rule may act in a patient; inf: no limit.
    """

    observable: A
    sign: A
    level: A
    strict: A
    act: A
    days: A
    argument: A
    consecutive_visits: A
    max_times: A


class Rescues(NamedTuple, Generic[A]):
    """Supportive drugs that rules may give, with their limits.

    Args:
        kind: (drug,): int32 index into `KINDS`; -1 in padding.
        amount: (drug,): Amount of one administration [mg].
        duration: (drug,): Duration of the infusion [day].
        per_event: (drug,): Maximum number of administrations within one CRS event.
        per_window: (drug,): Maximum number of administrations within any `window`.
        window: (drug,): Length of the window [day].
        min_interval: (drug,): Minimum time between two administrations [day].
        max_times: (drug,): Maximum number of administrations within the trial.
    """

    kind: A
    amount: A
    duration: A
    per_event: A
    per_window: A
    window: A
    min_interval: A
    max_times: A


class AdaptivePlan(NamedTuple, Generic[A]):
    """Planned doses, rules and visits of an arm with rules.

    Args:
        visit: (visit,): Times at which a dose may be given, increasing [day]; inf in padding.
        decided: (visit,): Times at which the dose of the visit is decided, early enough for its
            premedication [day].
        attended: (visit,): Whether the patient comes to the visit.
        error: (visit, measured): Factor of the measurement error of each assay.
        applies: (event, rule): Whether the rule applies in each CRS event of the patient; row 0 is
            the time before the first event, and the last row holds for all later events.
        steps: Planned doses.
        rules: Dosing rules.
        rescues: Supportive drugs that rules may give.
        capacity: (row,): Zeros; as many as plan and rules can give administrations.
    """

    visit: A
    decided: A
    attended: A
    error: A
    applies: A
    steps: Steps[A]
    rules: Rules[A]
    rescues: Rescues[A]
    capacity: A


def infusion_rate(amount: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """Return the rate of an infusion [amount/day]; 0 where the duration is 0.

    Args:
        amount: Amount given over the duration.
        duration: Duration [day].
    """
    return np.divide(amount, duration, out=np.zeros_like(amount), where=duration > 0)
