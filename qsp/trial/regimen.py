"""What one patient is given, in canonical units, and the arm that gives it.

An `Administration` is one entry into the body: when, what, how much, over how long, and in which
dose period. A `Regimen` is all of them for one patient, sorted by time. Amounts by body weight or
body surface stay open until the patients are known (`qsp.trial.events`). How a protocol becomes a
regimen stands in `qsp.trial.protocol`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from qsp.errors import UnitError
from qsp.units import parse

if TYPE_CHECKING:
    from qsp.trial.rules import Reaction

KINDS = (
    *("drug_iv", "drug_sc", "tocilizumab", "dexamethasone", "jak_inhibitor", "anti_tnf"),
    *("siltuximab", "anakinra", "kinase_inhibitor", "obinutuzumab"),
)
MOLECULE_KINDS = ("drug_iv", "drug_sc")
# The compartment each supportive drug enters in the model leaves one route to each.
SUPPORTIVE_ROUTES: Mapping[str, str] = {
    "tocilizumab": "iv",
    "dexamethasone": "iv",
    "jak_inhibitor": "oral",
    "anti_tnf": "iv",
    "siltuximab": "iv",
    "anakinra": "sc",
    "kinase_inhibitor": "oral",
    "obinutuzumab": "iv",
}

MOST_LETTERS = 32
"""Bytes of the longest name of a dose period: files of results give each name that room."""

STEROIDS: Mapping[str, float] = {
    "methylprednisolone": 0.75 / 4.0,
    "prednisone": 0.75 / 5.0,
    "prednisolone": 0.75 / 5.0,
    "hydrocortisone": 0.75 / 20.0,
}
"""Dexamethasone of the same anti-inflammatory effect [mg/mg]; the usual table, assumed. They are
given as dexamethasone, with its time course."""

Per = Literal["patient", "kg", "m2"]
_SIZES: Mapping[str, Per] = {"kg": "kg", "m^2": "m2", "m2": "m2", "m**2": "m2", "m²": "m2"}


@dataclasses.dataclass(frozen=True)
class Amount:
    """How much is given, for the patient or for each kg or m^2 of the patient.

    Args:
        value: Amount [mg, or nmol once it is an administration of the molecule].
        per: What it is counted for: the patient, kg of body weight or m^2 of body surface.
        is_rate: Whether the value is an amount a day.
        in_nmol: Whether a protocol wrote it in moles [nmol].
        cap: The most that a patient is given, where it is for each kg or m^2 [as `value`].
    """

    value: float
    per: Per = "patient"
    is_rate: bool = False
    in_nmol: bool = False
    cap: float = math.inf

    def over(self, duration: float) -> Amount:
        """The amount that this rate gives within a duration [day]."""
        return dataclasses.replace(self.scaled(duration), is_rate=False)

    def of_molecule(self, molecular_weight_kda: float) -> Amount:
        """The amount of the molecule in nmol, whatever it was written in."""
        factor = 1.0 if self.in_nmol else 1000.0 / molecular_weight_kda
        return dataclasses.replace(self.scaled(factor), in_nmol=False)

    def scaled(self, factor: float) -> Amount:
        """The amount in another unit of `value`."""
        cap = self.cap * factor if math.isfinite(self.cap) else self.cap
        return dataclasses.replace(self, value=self.value * factor, cap=cap)


def parse_amount(text: str, *, where: str) -> Amount:
    """An amount from text, in mg: "1 mg", "0.06 mg/kg", "9 ug/day", "60 ug/m^2/day".

    Moles are accepted too, and stay nmol: "7 nmol", "0.4 nmol/kg".

    Raises:
        UnitError: If the text has no unit, or one that is no amount.
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
        # The size was split off, so the message of `parse` would quote a text nobody wrote.
        raise UnitError(where, error.rule, repr(text), error.todo) from None
    if value < 0:
        raise UnitError(where, "the value must not be negative", repr(text), "Write 0 or more")
    return Amount(value, _SIZES[sizes[0]] if sizes else "patient", bool(times), in_nmol)


@dataclasses.dataclass(frozen=True)
class Administration:
    """One administration in canonical units.

    Args:
        time: Start, since the first dose of the molecule [day].
        kind: One of `KINDS`.
        amount: Amount [nmol of the molecule, mg of a supportive drug], per patient, kg or m^2.
        duration: Of the infusion; 0 for a bolus or an injection [day].
        period: Ordinal 1..K of the dose period; 0 for a supportive drug.
        lead: How long ahead of a dose of the molecule a supportive drug is given; 0 where it has a
            time of its own [day].
        min_interval: Of a dose that stays on its day where an arm has rules: how long after the
            dose before it comes at least; None where it keeps its distance to that [day].
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
    """All that one patient is given, sorted by time, and the labels of dose periods 1..K."""

    administrations: tuple[Administration, ...]
    labels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Arm:
    """One arm of a trial.

    Args:
        name: Unique within the trial.
        regimens: One regimen for every patient, or one for each patient in the order of the
            patients.
        parameters: Values of model parameters in this arm: path to text with unit.
        title: For tables and figures; the name where it is empty.
        patients: Ids of the patients of the regimens; empty where the regimens name none.
        reaction: Calendar and rules; None where everything is given at its time. With it the
            regimen, one for all, is what is given if no rule acts.
    """

    name: str
    regimens: tuple[Regimen, ...]
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    title: str = ""
    patients: tuple[int, ...] = ()
    reaction: Reaction | None = None

    @property
    def is_individual(self) -> bool:
        """Whether patients have regimens of their own."""
        return len(self.regimens) > 1

    @property
    def administrations(self) -> tuple[Administration, ...]:
        """What the first patient is given: with one regimen for all, what everyone is given."""
        return self.regimens[0].administrations

    @property
    def lead(self) -> float:
        """How long ahead of a visit it is decided: the longest lead of a drug [day]."""
        return max((given.lead for given in self.administrations), default=0.0)

    @property
    def on_schedule(self) -> tuple[Regimen, ...]:
        """What is given whatever is decided: of an arm that reacts, what has a time of its own."""
        if self.reaction is None:
            return self.regimens
        return tuple(
            dataclasses.replace(
                regimen,
                administrations=tuple(
                    given
                    for given in regimen.administrations
                    if given.kind not in MOLECULE_KINDS and given.lead == 0.0
                ),
            )
            for regimen in self.regimens
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Dose periods of the first patient: with one regimen for all, of everyone."""
        return self.regimens[0].labels
