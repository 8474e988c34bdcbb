"""Schedules and dose periods that follow from the administered doses of arms with rules."""

from __future__ import annotations

import numpy as np

from qsp.trial.events import PeriodTable
from qsp.trial.plans import planned_doses
from qsp.trial.schedule import AdministeredDoses, Events
from qsp.trial.trial import Trial

NO_STEP = -1


def fixed_schedule(
    events: Events[np.ndarray], administered: AdministeredDoses[np.ndarray]
) -> Events[np.ndarray]:
    """Return scheduled events and administered doses as one fixed schedule.

    Args:
        events: Events of the trial at fixed times, (arm, patient, event).
        administered: Administrations decided by plan and rules, (arm, patient, row).

    Returns:
        Events of both, (arm, patient, event + row), sorted by time.
    """
    present, padding = administered.present, (np.inf, -1, 0.0, 0.0, 0.0, 0)
    both = Events(
        *(
            np.concatenate([fixed, np.where(present, rows, fill).astype(fixed.dtype)], axis=-1)
            for fixed, rows, fill in zip(events, administered.events, padding, strict=True)
        )
    )
    order = np.argsort(both.time, axis=-1, kind="stable")
    return Events(*(np.take_along_axis(values, order, axis=-1) for values in both))


def administered_periods(
    periods: PeriodTable, administered: AdministeredDoses[np.ndarray], trial: Trial
) -> PeriodTable:
    """Return the dose periods of a trial; those of arms with rules follow the administered doses.

    Args:
        periods: Planned dose periods, from `period_table`.
        administered: Administrations, (arm, patient, row).
        trial: Trial with the arms.
    """
    label, time, amount = (np.array(a) for a in (periods.label, periods.time, periods.amount))
    mg = trial.molecular_weight_kda / 1000.0
    for n, arm in enumerate(trial.arms):
        if arm.reaction is None:
            continue
        regimen = arm.regimens[0]
        names = np.array([*(regimen.labels[d.period - 1] for d in planned_doses(regimen)), ""])
        for k in range(label.shape[-1]):
            within = administered.is_molecule[n] & (administered.period[n] == k + 1)
            first = within.argmax(-1)[:, None]
            has = within.any(-1)
            step = np.take_along_axis(administered.step[n], first, -1)[:, 0]
            began = np.take_along_axis(administered.time[n], first, -1)[:, 0]
            label[n, :, k] = names[np.where(has, step, NO_STEP)]
            time[n, :, k] = np.where(has, began, np.nan)
            total = np.where(within, administered.amount[n], 0.0).sum(-1) * mg
            amount[n, :, k] = np.where(has, total, np.nan)
    return PeriodTable(label, time, amount)
