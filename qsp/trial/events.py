"""Event tables: regimens as padded arrays, with one row of events for each patient of each arm.

Amounts per kg or m^2 are converted to amounts per patient here and nowhere else. The engine reads
only these arrays, so patients may differ in the times, amounts and number of their doses. A regimen
shared by all patients is one row, broadcast.

Numbers of events and of dose periods are rounded up to a multiple of a bucket, so that regimens of
similar length share one compiled program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from qsp.errors import PopulationError
from qsp.trial.regimen import KINDS, MOLECULE_KINDS, Amount, Arm, Regimen
from qsp.trial.schedule import Events, infusion_rate
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
class PeriodTable:
    """The dose periods 1..K; K is padded, and patients may have different numbers of periods.

    Args:
        label: (arm, patient, dose_period): Name of the period; "" where absent.
        time: (arm, patient, dose_period): Start of its first dose [day]; NaN where absent.
        amount: (arm, patient, dose_period): Amount of the molecule within the period [mg]; NaN
            where absent.
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
) -> Events[np.ndarray]:
    """Return the scheduled events of every patient in every arm.

    Doses of an arm with rules have no fixed times and are not among them; see `qsp.trial.plans`.

    Args:
        trial: Arms and their regimens.
        body_weight: (patient,): Body weight [kg].
        body_surface: (patient,): Body surface [m^2].
        bucket: The number of events is padded up to a multiple of this.

    Returns:
        Events (arm, patient, event); arrays may be read-only views.

    Raises:
        PopulationError: If an amount depends on the size of a patient and that size is not above 0,
            or the number of regimens of an arm is neither 1 nor the number of patients.
    """
    patients = len(body_weight)
    longest = max(len(r.administrations) for arm in trial.arms for r in arm.on_schedule)
    width = round_up(max(longest, 1), bucket)
    rows = _per_patient([_event_rows(arm.on_schedule, width) for arm in trial.arms], patients)
    size = sizes(np.unique(rows["per"]), body_weight, body_surface)
    amount = rows["value"] * size[np.arange(patients)[:, None], rows["per"]]
    amount = np.minimum(amount, rows["cap"])
    return Events(
        time=rows["time"],
        kind=rows["kind"],
        amount=amount,
        rate=infusion_rate(amount, rows["duration"]),
        duration=rows["duration"],
        period=rows["period"],
    )


def period_table(
    trial: Trial, events: Events[np.ndarray], *, bucket: int = PERIOD_BUCKET
) -> PeriodTable:
    """Return the planned dose periods of every patient in every arm.

    Args:
        trial: Trial of the events.
        events: Events from `event_table`.
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
    """Return the largest number of dose periods of a patient, rounded up to a multiple of `bucket`.

    Args:
        trial: Trial with the arms.
        bucket: Multiple to round up to.
    """
    planned = (len(r.labels) for arm in trial.arms for r in arm.regimens)
    return round_up(max(*planned, *map(_most_doses, trial.arms)), bucket)


def _most_doses(arm: Arm) -> int:
    """Maximum number of dose periods of arms with rules, one per dose; 0 without rules."""
    if arm.reaction is None:
        return 0
    planned = sum(dose.kind in MOLECULE_KINDS for dose in arm.administrations)
    return arm.reaction.most_doses(planned)


def round_up(count: int, bucket: int) -> int:
    """Round a number up to a multiple of a bucket."""
    return -(-count // bucket) * bucket


def _event_rows(regimens: Sequence[Regimen], width: int) -> np.ndarray:
    """(regimen, event): Padded rows; amounts are still per patient, kg or m^2."""
    table = np.full((len(regimens), width), _PADDING)
    for row, regimen in zip(table, regimens, strict=True):
        for n, dose in enumerate(regimen.administrations):
            amount = dose.amount
            row[n] = (
                dose.time,
                KINDS.index(dose.kind),
                amount.value,
                amount.cap,
                PER.index(amount.per),
                dose.duration,
                dose.period,
            )
    return table


def _labels(regimens: Sequence[Regimen], width: int) -> np.ndarray:
    rows = [list(regimen.labels) + [""] * (width - len(regimen.labels)) for regimen in regimens]
    return np.array(rows, dtype=np.str_)


def _per_patient(arms: Sequence[np.ndarray], patients: int) -> np.ndarray:
    """(arm, patient, ...): Rows of the arms, each with one row or one for each patient."""
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
    """(patient, per): Factor from a written amount to the amount of a patient, in order of `PER`.

    Args:
        per: Indices into `PER` that the amounts use.
        body_weight: (patient,): Body weight [kg].
        body_surface: (patient,): Body surface [m^2].

    Raises:
        PopulationError: If a size that the amounts use is not above 0 in a patient.
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


def amount_per_patient(amount: Amount, size: np.ndarray) -> np.ndarray:
    """(patient,): The amount in each patient, capped where the amount has a cap.

    Args:
        amount: Amount per patient, kg or m^2 [nmol or mg].
        size: (patient, per): Factors from `sizes`.
    """
    return np.minimum(amount.value * size[:, PER.index(amount.per)], amount.cap)
