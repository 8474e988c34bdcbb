"""Event tables: the trial as padded arrays, one row of events for each patient of each arm.

Here, and only here, amounts by body weight and body surface meet the patients. The engine reads
nothing else of a regimen, so no two patients need share a time, an amount or even a number of
doses. A regimen shared by all patients is one row broadcast.

Numbers of events and periods are rounded up to a bucket: regimens of like length share one compiled
program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from qsp.errors import PopulationError
from qsp.trial.regimen import KINDS, MOLECULE_KINDS, Amount, Arm, Regimen
from qsp.trial.trial import Trial

EVENT_BUCKET = 16
PERIOD_BUCKET = 4

PER = ("patient", "kg", "m2")
_EVENT = np.dtype(
    [
        ("time", np.float64),
        ("kind", np.int32),
        ("value", np.float64),
        ("cap", np.float64),
        ("per", np.int32),
        ("duration", np.float64),
        ("period", np.int32),
    ]
)
_PADDING = np.array((np.inf, -1, 0.0, np.inf, 0, 0.0, 0), dtype=_EVENT)


@dataclasses.dataclass(frozen=True)
class EventTable:
    """Everything that is given, sorted by time along the last axis; arrays may be read-only views.

    Args:
        time: (arm, patient, event): Start since the first dose of the molecule [day]; inf where
            padded.
        kind: (arm, patient, event): int32 index into `KINDS`; -1 where padded.
        amount: (arm, patient, event): Amount [nmol of the molecule, mg of a supportive drug].
        rate: (arm, patient, event): Amount over duration [nmol/day or mg/day]; 0 for a bolus.
        duration: (arm, patient, event): Of the infusion [day]; 0 for a bolus.
        period: (arm, patient, event): int32 ordinal of the dose period; 0 for supportive drugs and
            padding.
    """

    time: np.ndarray
    kind: np.ndarray
    amount: np.ndarray
    rate: np.ndarray
    duration: np.ndarray
    period: np.ndarray


@dataclasses.dataclass(frozen=True)
class PeriodTable:
    """The dose periods 1..K; K is padded, and a patient may have fewer than another.

    Args:
        label: (arm, patient, dose_period): Name of the period; "" where absent.
        time: (arm, patient, dose_period): Start of its first dose [day]; NaN where absent.
        amount: (arm, patient, dose_period): Of the molecule within the period [mg]; NaN where
            absent.
    """

    label: np.ndarray
    time: np.ndarray
    amount: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(arm, patient, dose_period): Whether the patient has the period."""
        return np.isfinite(self.time)


def event_table(
    trial: Trial, body_weight: np.ndarray, body_surface: np.ndarray, *, bucket: int = EVENT_BUCKET
) -> EventTable:
    """The events of every patient in every arm.

    Args:
        trial: Arms and their regimens.
        body_weight: (patient,): Body weight [kg].
        body_surface: (patient,): Body surface [m^2].
        bucket: The number of events is padded up to a multiple of this.

    Raises:
        PopulationError: If an amount needs the size of a patient and that size is not above 0, or
            an arm holds regimens for another number of patients.
    """
    patients = len(body_weight)
    longest = max(len(r.administrations) for arm in trial.arms for r in arm.on_schedule)
    width = bucketed(max(longest, 1), bucket)
    given = _per_patient([_events(arm.on_schedule, width) for arm in trial.arms], patients)
    size = sizes(np.unique(given["per"]), body_weight, body_surface)
    amount = given["value"] * size[np.arange(patients)[:, None], given["per"]]
    amount = np.minimum(amount, given["cap"])
    duration = given["duration"]
    return EventTable(
        time=given["time"],
        kind=given["kind"],
        amount=amount,
        rate=np.divide(amount, duration, out=np.zeros_like(amount), where=duration > 0),
        duration=duration,
        period=given["period"],
    )


def period_table(trial: Trial, events: EventTable, *, bucket: int = PERIOD_BUCKET) -> PeriodTable:
    """The dose periods of every patient in every arm.

    Args:
        trial: The trial the events were made from.
        events: Its events.
        bucket: The number of periods is padded up to a multiple of this.
    """
    width = most_periods(trial, bucket=bucket)
    label = _per_patient([_labels(arm.regimens, width) for arm in trial.arms], events.time.shape[1])
    mg = trial.molecular_weight_kda / 1000.0
    times, amounts = [], []
    for ordinal in range(1, width + 1):
        within = events.period == ordinal
        times.append(np.where(within, events.time, np.inf).min(axis=-1))
        amounts.append(np.where(within, events.amount, 0.0).sum(axis=-1) * mg)
    present = label != ""
    return PeriodTable(
        label=label,
        time=np.where(present, np.stack(times, axis=-1), np.nan),
        amount=np.where(present, np.stack(amounts, axis=-1), np.nan),
    )


def most_periods(trial: Trial, *, bucket: int = PERIOD_BUCKET) -> int:
    """Largest number of dose periods of a patient, rounded up to a multiple of `bucket`."""
    planned = (len(r.labels) for arm in trial.arms for r in arm.regimens)
    return bucketed(max(*planned, *map(_most_doses, trial.arms)), bucket)


def _most_doses(arm: Arm) -> int:
    """Of an arm that reacts: each dose may begin a period."""
    if arm.reaction is None:
        return 0
    planned = sum(given.kind in MOLECULE_KINDS for given in arm.administrations)
    return arm.reaction.most_doses(planned)


def bucketed(count: int, bucket: int) -> int:
    """A number rounded up to a multiple of a bucket."""
    return -(-count // bucket) * bucket


def _events(regimens: Sequence[Regimen], width: int) -> np.ndarray:
    """(regimen, event): Padded rows; the amounts are still per patient, kg or m^2."""
    table = np.full((len(regimens), width), _PADDING)
    for row, regimen in zip(table, regimens, strict=True):
        for n, given in enumerate(regimen.administrations):
            amount = given.amount
            row[n] = (
                given.time,
                KINDS.index(given.kind),
                amount.value,
                amount.cap,
                PER.index(amount.per),
                given.duration,
                given.period,
            )
    return table


def _labels(regimens: Sequence[Regimen], width: int) -> np.ndarray:
    rows = [list(regimen.labels) + [""] * (width - len(regimen.labels)) for regimen in regimens]
    return np.array(rows, dtype=np.str_)


def _per_patient(arms: Sequence[np.ndarray], patients: int) -> np.ndarray:
    """(arm, patient, ...): Rows of the arms, each one for all patients or one for each."""
    for rows in arms:
        if len(rows) not in (1, patients):
            rule = (
                f"the number of patients must be the number of regimens in the trial ({len(rows)})"
            )
            raise PopulationError("population", rule, patients, "Give each patient one regimen")
    common = max(len(rows) for rows in arms)
    stacked = np.stack([np.broadcast_to(rows, (common, *rows.shape[1:])) for rows in arms])
    return np.broadcast_to(stacked, (len(arms), patients, *stacked.shape[2:]))


def sizes(per: Collection[int], body_weight: np.ndarray, body_surface: np.ndarray) -> np.ndarray:
    """(patient, per): What an amount is multiplied by, in the order of `PER`.

    Args:
        per: Indices into `PER` that are needed.
        body_weight: (patient,): Body weight [kg].
        body_surface: (patient,): Body surface [m^2].

    Raises:
        PopulationError: If a size that is needed is not above 0 in a patient.
    """
    covariates = {"kg": ("body_weight", body_weight), "m2": ("body_surface", body_surface)}
    size = np.ones((len(body_weight), len(PER)))
    for unit, (name, values) in covariates.items():
        size[:, PER.index(unit)] = values
        if PER.index(unit) in per and not np.all(values > 0):
            worst = int(np.argmin(np.where(np.isnan(values), -np.inf, values)))
            rule = f"{name} must be above 0, for amounts per {unit.replace('m2', 'm^2')}"
            todo = "Give every patient this covariate or dose by mg"
            raise PopulationError("population", rule, f"{values[worst]} for patient {worst}", todo)
    return size


def in_patients(amount: Amount, size: np.ndarray) -> np.ndarray:
    """(patient,): An amount in each patient.

    Args:
        amount: In nmol or mg.
        size: From `sizes`.
    """
    return np.minimum(amount.value * size[:, PER.index(amount.per)], amount.cap)
