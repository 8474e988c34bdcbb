"""Administrations, regimens and arms, in canonical units.

An `Administration` is one dose: start, kind, amount, duration and dose period. A `Regimen` is all
administrations of one patient, sorted by time. Amounts per kg or m^2 are resolved when the patients
are known (`qsp.trial.events`). `qsp.trial.protocol` makes regimens from the doses of a protocol.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from qsp.drugs import DOSE_KINDS, MOLECULE_KINDS
from qsp.errors import UnitError
from qsp.units import parse

if TYPE_CHECKING:
    from qsp.trial.rules import Reaction

KINDS = DOSE_KINDS

MOST_LETTERS = 32
"""Maximum length of the name of a dose period [byte]; result files store names at this width."""

Per = Literal["patient", "kg", "m2"]
_SIZES: Mapping[str, Per] = {"kg": "kg", "m^2": "m2", "m2": "m2", "m**2": "m2", "m²": "m2"}


@dataclasses.dataclass(frozen=True, slots=True)
class Amount:
    """Amount of a dose, per patient, per kg or per m^2.

    Args:
        value: Amount [mg; nmol in an administration of the molecule].
        per: Unit of size: the patient, kg of body weight or m^2 of body surface.
        is_rate: Whether the value is an amount per day.
        in_nmol: Whether the protocol gives the amount of the molecule in moles [nmol].
        cap: Largest amount per patient of a dose per kg or m^2 [unit of `value`].
    """

    value: float
    per: Per = "patient"
    is_rate: bool = False
    in_nmol: bool = False
    cap: float = math.inf

    def over(self, duration: float) -> Amount:
        """Return the amount that this rate gives within a duration [day]."""
        return dataclasses.replace(self.scaled(duration), is_rate=False)

    def of_molecule(self, molecular_weight_kda: float) -> Amount:
        """Return an amount of the molecule, in mg or nmol, converted to nmol."""
        factor = 1.0 if self.in_nmol else 1000.0 / molecular_weight_kda
        cap = self.cap * factor if math.isfinite(self.cap) else self.cap
        return Amount(self.value * factor, self.per, self.is_rate, cap=cap)

    def scaled(self, factor: float) -> Amount:
        """Return the amount with value and cap multiplied by a factor."""
        cap = self.cap * factor if math.isfinite(self.cap) else self.cap
        return Amount(self.value * factor, self.per, self.is_rate, self.in_nmol, cap)


def parse_amount(text: str, *, where: str) -> Amount:
    """Read an amount, such as "1 mg", "0.06 mg/kg", "9 ug/day" or "60 ug/m^2/day".

    Amounts in moles, such as "7 nmol" or "0.4 nmol/kg", are read in nmol, all others in mg.

    Raises:
        UnitError: If the unit is missing or is not a unit of amount.
    """
    head, *rest = [part.strip() for part in text.split("/")]
    sizes = [part for part in rest if part in _SIZES]
    times = [part for part in rest if part not in _SIZES]
    if len(sizes) > 1:
        todo = 'Write one size, as in "0.06 mg/kg"'
        raise UnitError(where, "the value must be per kg or per m^2, not both", repr(text), todo)
    in_nmol = head.endswith("mol")
    unit = "nmol" if in_nmol else "mg"
    try:
        value = parse("/".join([head, *times]), f"{unit}/day" if times else unit, where=where)
    except UnitError as error:
        if times and not _is_time(times[0]):
            rule = "the value must be a mass or moles, optionally per kg, per m^2 or per time"
            raise UnitError(where, rule, repr(text), 'Write "60 mg" or "9 ug/day"') from None
        # The size was split off, so `parse` cannot quote the text from the config.
        raise UnitError(where, error.rule, repr(text), error.todo) from None
    if value < 0:
        raise UnitError(where, "the value must not be negative", repr(text), "Write 0 or more")
    return Amount(value, _SIZES[sizes[0]] if sizes else "patient", bool(times), in_nmol)


def _is_time(unit: str) -> bool:
    try:
        parse(f"1 {unit}", "day", where="unit")
    except UnitError:
        return False
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Administration:
    """One administration in canonical units.

    Args:
        time: Start, since the first dose of the molecule [day].
        kind: One of `KINDS`.
        amount: Amount [nmol of the molecule, mg of a supportive drug], per patient, kg or m^2.
        duration: Duration of the infusion; 0 for a bolus or an injection [day].
        period: Ordinal 1..K of the dose period; 0 for a supportive drug.
        lead: Time from a supportive drug to the dose of the molecule that it precedes; 0 if it is
            given at a fixed time [day].
        min_interval: For an arm with rules. With a value, the dose stays on its planned day after a
            delay of the previous dose, but at least this long after it; with None, the planned
            interval between the two doses is kept [day].
    """

    time: float
    kind: str
    amount: Amount
    duration: float = 0.0
    period: int = 0
    lead: float = 0.0
    min_interval: float | None = None


@dataclasses.dataclass(frozen=True)
class Regimen:
    """Administrations of one patient, sorted by time, and the labels of dose periods 1..K."""

    administrations: tuple[Administration, ...]
    labels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Arm:
    """One arm of a trial.

    Args:
        name: Unique within the trial.
        regimens: One regimen for all patients, or one per patient in the order of the patients.
        parameters: Values of model parameters in this arm: path to text with unit.
        title: Title in tables and figures; the name is used if it is empty.
        patients: Ids of the patients of the regimens; empty if the regimens name none.
        reaction: Calendar and rules, or None for a fixed schedule. With rules there is one regimen
            for all patients: the doses that are given if no rule applies.
    """

    name: str
    regimens: tuple[Regimen, ...]
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    title: str = ""
    patients: tuple[int, ...] = ()
    reaction: Reaction | None = None

    @property
    def is_individual(self) -> bool:
        """Whether patients have individual regimens."""
        return len(self.regimens) > 1

    @property
    def administrations(self) -> tuple[Administration, ...]:
        """Administrations of the first patient, or of all patients if they share a regimen."""
        return self.regimens[0].administrations

    @property
    def lead(self) -> float:
        """Time from a decision to the visit it is for: the longest lead of a drug [day]."""
        return max((dose.lead for dose in self.administrations), default=0.0)

    @property
    def on_schedule(self) -> tuple[Regimen, ...]:
        """Regimens without the administrations that depend on rules.

        In an arm with rules these are the supportive drugs at fixed times.
        """
        if self.reaction is None:
            return self.regimens
        return tuple(
            dataclasses.replace(
                regimen,
                administrations=tuple(
                    dose
                    for dose in regimen.administrations
                    if dose.kind not in MOLECULE_KINDS and dose.lead == 0.0
                ),
            )
            for regimen in self.regimens
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Dose periods of the first patient, or of all patients if they share a regimen."""
        return self.regimens[0].labels
