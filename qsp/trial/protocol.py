"""Conversion of the doses of a protocol to the regimen of a patient.

A protocol is a list of `Dose` objects in mg and days since the first dose of the molecule; a dose
of the molecule names its period. `prescribe` checks the doses together and converts them::

    Dose(SUD1, 1 mg, day 0) ────────────┐
    Dose(SUD2, 2 mg, day 7) ────────────┼─ prescribe() ─▶ Regimen(administrations, labels)
    Dose(dexamethasone, 20 mg, day 0) ──┘

A period is a named step: doses with the same label (split doses, changes of the infusion bag) are
one period. It begins with its first dose and ends when the next period begins.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence

from qsp.drugs import DRUG_BY_NAME
from qsp.errors import ConfigError, LengthError
from qsp.trial.regimen import (
    KINDS,
    MOLECULE_KINDS,
    MOST_LETTERS,
    Administration,
    Amount,
    Regimen,
)

# Ends and starts of infusions are different sums of floats; 0.1 ms is not an overlap.
SAME_TIME = 1e-9
SECOND = 1.0 / 86400.0


@dataclasses.dataclass(frozen=True, slots=True)
class Dose:
    """One dose of a protocol, of the molecule or of a supportive drug.

    Args:
        kind: One of `KINDS`.
        time: Start, since the first dose of the molecule [day].
        amount: Total amount [mg, or nmol if `amount.in_nmol`].
        duration: Duration of the infusion; 0 for a bolus or an injection [day].
        period: Label of the period; empty for a supportive drug.
        where: File and key of the dose, for error messages.
        lead: As in `Administration` [day].
        min_interval: As in `Administration` [day].
    """

    kind: str
    time: float
    amount: Amount
    duration: float = 0.0
    period: str = ""
    where: str = dataclasses.field(default="dose", compare=False)
    lead: float = 0.0
    min_interval: float | None = None

    @property
    def is_molecule(self) -> bool:
        """Whether it is a dose of the molecule."""
        return self.kind in MOLECULE_KINDS

    @property
    def end(self) -> float:
        """End of the infusion [day]."""
        return self.time + self.duration


def repeated(dose: Dose, every: float, times: int, labels: Sequence[str] = ()) -> tuple[Dose, ...]:
    """Return a dose and its repeats.

    Args:
        dose: First dose.
        every: Interval from start to start [day].
        times: Number of doses, the first included.
        labels: Period of each dose; if empty, all belong to the period of `dose`.
    """
    periods = labels or [dose.period] * times
    return tuple(
        dataclasses.replace(dose, time=dose.time + n * every, period=periods[n])
        for n in range(times)
    )


def administered_before(
    drug: Dose,
    doses: Sequence[Dose],
    lead: float,
    window: tuple[float, float],
    periods: Collection[str],
) -> tuple[Dose, ...]:
    """Return the doses of a supportive drug that precede doses of the molecule.

    Args:
        drug: Dose of the supportive drug; its time is replaced.
        doses: Doses of the molecule.
        lead: Time from the start of the supportive drug to the start of the dose [day].
        window: Earliest and latest start of the doses that it precedes, both included [day].
        periods: Labels of periods. If there are any, the drug is given once per period, before its
            first dose, and the window is ignored.
    """
    if periods:
        starts = {
            d.period: d.time for d in sorted(doses, key=lambda d: -d.time) if d.period in periods
        }
        times = sorted(starts.values())
    else:
        times = sorted({d.time for d in doses if window[0] <= d.time <= window[1] + SAME_TIME})
    return tuple(dataclasses.replace(drug, time=time - lead, lead=lead) for time in times)


def prescribe(
    doses: Sequence[Dose],
    *,
    molecular_weight_kda: float,
    days: float,
    where: str,
    of_table: bool = False,
) -> Regimen:
    """Check the doses of one patient together and convert them to canonical units.

    Args:
        doses: Doses of the molecule and of supportive drugs, in any order.
        molecular_weight_kda: Molecular weight of the molecule [kDa].
        days: Length of the trial [day].
        where: Arm or patient, for error messages.
        of_table: Whether the doses are those of a patient of a dose table: there may be none, and
            the rates of infusions that overlap add up, as in NONMEM.

    Raises:
        ConfigError: If the first dose is not at time 0, periods interleave, infusions of the
            molecule overlap, or an infusion is too short or does not end within the trial.
    """
    # If two doses start together, the supportive drug is first: it acts when the molecule enters.
    ordered = sorted(doses, key=lambda d: (d.time, d.is_molecule, KINDS.index(d.kind)))
    molecule = [dose for dose in ordered if dose.is_molecule]
    if not molecule and not of_table:
        todo = "Give the first dose at time 0"
        raise ConfigError(where, "doses must hold a dose of the molecule", "empty", todo)
    _check_times(ordered, molecule[:1], days)
    labels = _period_labels(molecule)
    if not of_table:
        _check_infusions(molecule)
    _check_intervals(molecule)
    administrations = tuple(
        Administration(
            dose.time,
            dose.kind,
            dose.amount.of_molecule(molecular_weight_kda) if dose.is_molecule else dose.amount,
            dose.duration,
            labels.index(dose.period) + 1 if dose.is_molecule else 0,
            dose.lead,
            dose.min_interval,
        )
        for dose in ordered
    )
    return Regimen(administrations, labels)


def _check_times(ordered: Sequence[Dose], first: Sequence[Dose], days: float) -> None:
    """Check that doses count from the first of the molecule, if any, and lie within the trial."""
    for dose in first:
        if dose.time != 0.0:
            rule = "time must be 0 for the first dose of the molecule, from which all times count"
            todo = "Shift all times so that the first dose is at 0"
            raise ConfigError(dose.where, rule, _day(dose.time), todo)
    for dose in ordered:
        todo = "Give it earlier or lengthen the trial with days"
        if dose.time >= days:
            rule = f"time must be before the end of the trial ({_day(days)})"
            raise LengthError(dose.where, rule, _day(dose.time), todo)
        if not (dose.is_molecule or dose.duration or DRUG_BY_NAME[dose.kind].has_bolus):
            rule, todo = f"duration must be above 0 for {dose.kind}", 'Write "4 hour", for example'
            raise ConfigError(dose.where, rule, "a bolus", todo)
        if 0 < dose.duration < SECOND:
            rule = "duration must be 0 (a bolus) or at least a second"
            got = f"{dose.duration / SECOND:.3g} s"
            raise ConfigError(dose.where, rule, got, "Give a bolus or a longer infusion")
        if dose.end > days + SAME_TIME:
            rule = f"duration must end within the trial ({_day(days)})"
            raise LengthError(dose.where, rule, f"over at {_day(dose.end)}", todo)


def _period_labels(molecule: Sequence[Dose]) -> tuple[str, ...]:
    """Return the labels in the order of the periods, each an uninterrupted run of doses."""
    labels: list[str] = []
    began = -math.inf
    for dose in molecule:
        if labels and dose.period == labels[-1]:
            continue
        if len(dose.period.encode()) > MOST_LETTERS:
            rule = f"period must have a name of at most {MOST_LETTERS} letters"
            raise ConfigError(dose.where, rule, repr(dose.period))
        if dose.period in labels:
            rule = "period must not continue after another has begun"
            since = f"after {labels[-1]!r} began at {_day(began)}"
            got = f"{dose.period!r} again at {_day(dose.time)}, {since}"
            raise ConfigError(dose.where, rule, got, "Give this dose a new period")
        if dose.time == began:
            rule = "period must begin after the period before it"
            got = f"{dose.period!r} at {_day(dose.time)}, when {labels[-1]!r} begins too"
            todo = "Give both doses the same period, or another time"
            raise ConfigError(dose.where, rule, got, todo)
        labels.append(dose.period)
        began = dose.time
    return tuple(labels)


def _check_intervals(molecule: Sequence[Dose]) -> None:
    """Check that each `min_interval` fits between the dose before it and the planned interval."""
    for before, dose in zip((None, *molecule), molecule, strict=False):
        gap = math.inf if before is None else dose.time - before.time
        if dose.min_interval is None:
            continue
        if before and dose.min_interval < before.duration - SAME_TIME:
            rule = "min_interval must be as long as the infusion before it, or longer"
            got = f"{dose.min_interval:g} day after an infusion of {before.duration:g} day"
            raise ConfigError(dose.where, rule, got, "Lengthen it")
        if before and dose.min_interval <= gap + SAME_TIME:
            continue
        rule = "min_interval must not be longer than the time since the dose before it"
        got = "set on the first dose"
        if before:
            got = f"{dose.min_interval:g} day with {gap:g} day between the doses"
        raise ConfigError(dose.where, rule, got, "Shorten it or remove it")


def _check_infusions(molecule: Sequence[Dose]) -> None:
    """Check that infusions of the molecule do not overlap."""
    infusions = [dose for dose in molecule if dose.duration > 0]
    for one, after in zip(infusions, infusions[1:], strict=False):
        if one.end > after.time + SAME_TIME:
            rule = f"duration must end when the next infusion begins ({_day(after.time)})"
            todo = "Shorten it or move the next one"
            raise ConfigError(one.where, rule, f"over at {_day(one.end)}", todo)


def _day(time: float) -> str:
    return f"day {time:.6g}"
