"""What arms that react gave, and to which dose periods that amounts."""

from __future__ import annotations

import dataclasses

import numpy as np

from qsp.trial.events import EventTable, PeriodTable
from qsp.trial.plans import planned_doses
from qsp.trial.regimen import KINDS, MOLECULE_KINDS
from qsp.trial.trial import Trial

NO_STEP = -1


@dataclasses.dataclass(frozen=True)
class AdministeredDoses:
    """Administrations that were decided, in the order of time; arrays (arm, patient, row).

    Args:
        time: Start [day]; inf where there is none.
        kind: Index into `KINDS`; -1 where there is none.
        amount: [nmol of the molecule, mg of a supportive drug].
        duration: [day].
        period: Ordinal of the dose period; 0 for a supportive drug.
        visit: Index of the visit at which it was decided.
        step: Index of the planned dose that it is, or goes ahead of; -1 for a rescue.
    """

    time: np.ndarray
    kind: np.ndarray
    amount: np.ndarray
    duration: np.ndarray
    period: np.ndarray
    visit: np.ndarray
    step: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(arm, patient, row): Whether something was given."""
        return self.kind >= 0

    @property
    def is_molecule(self) -> np.ndarray:
        """(arm, patient, row): Whether it was a dose of the molecule."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in MOLECULE_KINDS])


def frozen(events: EventTable, given: AdministeredDoses) -> EventTable:
    """Events with what was given among them: the schedule that a reactive run came to.

    Args:
        events: What the trial gives on schedule.
        given: What was decided.
    """
    there = given.present
    rate = np.divide(
        given.amount, given.duration, out=np.zeros_like(given.amount), where=given.duration > 0
    )
    decided = {
        "time": np.where(there, given.time, np.inf),
        "kind": given.kind,
        "amount": np.where(there, given.amount, 0.0),
        "rate": np.where(there, rate, 0.0),
        "duration": np.where(there, given.duration, 0.0),
        "period": np.where(there, given.period, 0),
    }
    both = {
        name: np.concatenate(
            [getattr(events, name), values.astype(getattr(events, name).dtype)], -1
        )
        for name, values in decided.items()
    }
    order = np.argsort(both["time"], axis=-1, kind="stable")
    return EventTable(**{n: np.take_along_axis(a, order, -1) for n, a in both.items()})


def with_administered(periods: PeriodTable, given: AdministeredDoses, trial: Trial) -> PeriodTable:
    """Dose periods of a trial, in arms that react as they came about.

    Args:
        periods: From `period_table`.
        given: What was given.
        trial: Its arms.
    """
    label, time, amount = (np.array(a) for a in (periods.label, periods.time, periods.amount))
    mg = trial.molecular_weight_kda / 1000.0
    for n, arm in enumerate(trial.arms):
        if arm.reaction is None:
            continue
        regimen = arm.regimens[0]
        names = np.array([*(regimen.labels[d.period - 1] for d in planned_doses(regimen)), ""])
        for k in range(label.shape[-1]):
            within = given.is_molecule[n] & (given.period[n] == k + 1)
            first = within.argmax(-1)[:, None]
            has = within.any(-1)
            step = np.take_along_axis(given.step[n], first, -1)[:, 0]
            began = np.take_along_axis(given.time[n], first, -1)[:, 0]
            label[n, :, k] = names[np.where(has, step, NO_STEP)]
            time[n, :, k] = np.where(has, began, np.nan)
            total = np.where(within, given.amount[n], 0.0).sum(-1) * mg
            amount[n, :, k] = np.where(has, total, np.nan)
    return PeriodTable(label, time, amount)
