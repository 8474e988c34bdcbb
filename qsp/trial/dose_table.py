"""A NONMEM-style dose table in place of arms: each patient with doses and times of their own.

Columns are ID, TIME, AMT, EVID and CMT, and where they are needed RATE, II, ADDL, ARM and PERIOD
(or LABEL)::

    ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,PERIOD
    1,-0.0417,20,0,0,0,1,dexamethasone,
    1,0,1,6,0,0,1,central,SUD1
    1,7,60,360,7,2,1,central,FD

* ID is the id of a patient, the same in every arm, for every patient meets every arm; an arm with
  one ID is for every patient. TIME is in days (or hours) since the first dose of the molecule.
* AMT is in mg for supportive drugs, and for the molecule in mg or the unit the format names.
* RATE above 0 is an infusion of AMT / RATE; ADDL further doses follow at intervals of II.
* EVID 1 is a dose; 0, an observation, is passed over. Other records (resets, EVID 2 to 4) are
  refused, not guessed at. So is SS: a steady state has no first dose.
* CMT is central, depot or the name of a supportive drug; numbers need a key to say what they mean.
* PERIOD names the period of all doses of its row. Where a patient has none, each dose of the
  molecule is a period: D1, D2, ...

A dot or nothing in a cell is a missing value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from qsp.errors import ConfigError, LengthError, suggest
from qsp.trial.dose_rows import Row, dose_rows
from qsp.trial.protocol import Dose, prescribe, repeated
from qsp.trial.regimen import MOLECULE_KINDS, SUPPORTIVE_ROUTES, Amount, Arm, Regimen, parse_amount
from qsp.units import parse

COMPARTMENTS: Mapping[str, str] = {
    "central": "drug_iv",
    "depot": "drug_sc",
    **{drug: drug for drug in SUPPORTIVE_ROUTES},
}
INFUSED = ("drug_iv", *(drug for drug, route in SUPPORTIVE_ROUTES.items() if route == "iv"))
# Name of the arm where the table has no column ARM.
SINGLE_ARM = "dose_table"
MAX_ADDITIONAL = 1000


@dataclasses.dataclass(frozen=True)
class DoseTableFormat:
    """How a dose table is to be read.

    Args:
        time_unit: Of TIME and II, and of the time in RATE: "day" or "hour".
        amount_unit: Of AMT, and of the amount in RATE, for the molecule: "mg", "ug", "mg/kg" ...
        compartments: What a CMT of the table means, such as {"1": "depot", "2": "central"}.
        ignore: Columns to pass over.
    """

    time_unit: str = "day"
    amount_unit: str = "mg"
    compartments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignore: Sequence[str] = ()


def read_dose_table(
    path: Path, form: DoseTableFormat, *, molecular_weight_kda: float, days: float
) -> tuple[Arm, ...]:
    """Arms of a trial in the order of the file, each with one regimen for every ID, by ID.

    Args:
        path: The CSV file.
        form: Units and names in it.
        molecular_weight_kda: Of the molecule [kDa].
        days: Length of the trial [day].

    Raises:
        ConfigError: At the first line that breaks a rule, by line and column.
    """
    units = _Units(form)
    arms: dict[str, dict[int, list[_Record]]] = {}
    for row in dose_rows(path, form.ignore):
        patients = arms.setdefault(row.text("ARM") or SINGLE_ARM, {})
        records = patients.setdefault(row.patient(), [])
        record = _record(row, units)
        _check_within(record.dose, row, form, days)
        if records and record.dose.time < records[-1].dose.time:
            todo = "Sort the lines of each patient by TIME"
            raise ConfigError(row.where, "TIME must not go back", row.text("TIME"), todo)
        records.append(record)
    _check_patients(arms, path.name)

    def of_patient(number: int, records: Sequence[_Record]) -> Regimen:
        where = f"{path.name}: patient {number}"
        doses = _doses(records)
        return prescribe(doses, molecular_weight_kda=molecular_weight_kda, days=days, where=where)

    return tuple(
        Arm(
            name,
            tuple(of_patient(number, patients[number]) for number in sorted(patients)),
            patients=tuple(sorted(patients)),
        )
        for name, patients in arms.items()
    )


def _check_within(dose: Dose, row: Row, form: DoseTableFormat, days: float) -> None:
    """Hours read as days are the commonest reason of a dose after the end."""
    if dose.time >= days:
        rule = f"TIME must be before the end of the trial (day {days:.6g})"
        got = f"{row.text('TIME')} {form.time_unit}"
        todo = "Lengthen the trial with days"
        if form.time_unit == "day":
            todo += ', or write time_unit = "hour" in [dose_table] if TIME is in hours'
        raise LengthError(row.where, rule, got, todo)


def _check_patients(arms: Mapping[str, Mapping[int, object]], name: str) -> None:
    if not arms:
        todo = "Add a line for each dose"
        raise ConfigError(name, "the table must hold a dose (EVID 1)", "without", todo)
    whole = max(arms, key=lambda arm: len(arms[arm]))
    everyone = arms[whole].keys()
    for arm, patients in arms.items():
        if patients.keys() != everyone and not (len(patients) == 1 and patients.keys() <= everyone):
            one = min(patients.keys() ^ everyone)
            has, lacks = (arm, whole) if one in patients else (whole, arm)
            todo = (
                "Every patient meets every arm: give each ID doses in each, or run each arm alone"
            )
            got = f"{one} in arm {has!r} and not in arm {lacks!r}"
            raise ConfigError(name, "ID must name the same patients in each arm", got, todo)


class _Units:
    """What turns the numbers and names of a table into day, mg and kinds."""

    def __init__(self, form: DoseTableFormat) -> None:
        self.days = parse(f"1 {form.time_unit}", "day", where="dose_table.time_unit")
        self.amount = parse_amount(f"1 {form.amount_unit}", where="dose_table.amount_unit")
        if self.amount.is_rate:
            rule, todo = "the value must be an amount, not a rate", "Rates stand in the column RATE"
            raise ConfigError("dose_table.amount_unit", rule, repr(form.amount_unit), todo)
        self.kinds = dict(COMPARTMENTS)
        for written, meaning in form.compartments.items():
            if meaning not in COMPARTMENTS:
                rule = f"the value must be one of {', '.join(COMPARTMENTS)}"
                todo = f"{suggest(meaning, COMPARTMENTS)} Name what is meant".strip()
                raise ConfigError(f"dose_table.compartments.{written}", rule, repr(meaning), todo)
            self.kinds[written.lower()] = COMPARTMENTS[meaning]


@dataclasses.dataclass(frozen=True)
class _Record:
    """One dose record: the dose, and how it repeats."""

    dose: Dose
    every: float
    times: int


def _record(row: Row, units: _Units) -> _Record:
    kind = _kind(row, units)
    is_molecule = kind in MOLECULE_KINDS
    amount = row.number("AMT")
    if amount <= 0:
        todo = "Correct it or remove the line"
        raise ConfigError(row.where, "AMT must be above 0", row.text("AMT"), todo)
    if row.number("SS", 0.0) != 0:
        todo = "Write the doses out from the first one"
        raise ConfigError(row.where, "SS must be 0", row.text("SS"), todo)
    time = row.number("TIME") * units.days
    if is_molecule and time < 0:
        rule = "TIME must not be negative for a dose of the molecule"
        todo = "Count TIME from the first dose of the molecule"
        raise ConfigError(row.where, rule, row.text("TIME"), todo)
    rate = row.at_least_0("RATE")
    if rate and kind not in INFUSED:
        todo = "Only what goes into a vein is infused"
        rule = f"RATE must be 0 for {row.text('CMT')}"
        raise ConfigError(row.where, rule, row.text("RATE"), todo)
    dose = Dose(
        kind,
        time,
        units.amount.scaled(amount) if is_molecule else Amount(amount),
        amount / rate * units.days if rate else 0.0,
        (row.text("PERIOD") or row.text("LABEL")) if is_molecule else "",
        row.where,
    )
    return _Record(dose, *_repeats(row, units))


def _kind(row: Row, units: _Units) -> str:
    name = row.text("CMT")
    if name.lower() not in units.kinds:
        todo = f"{suggest(name.lower(), units.kinds)} Name what is meant".strip()
        if name.isdigit():
            todo = f'Say what it is with dose_table.compartments = {{ {name} = "central" }}'
        rule = f"CMT must be one of {', '.join(units.kinds)}"
        raise ConfigError(row.where, rule, repr(name), todo)
    return units.kinds[name.lower()]


def _repeats(row: Row, units: _Units) -> tuple[float, int]:
    """Interval [day] and number of the doses of a record."""
    every, additional = row.at_least_0("II"), row.at_least_0("ADDL")
    if additional != int(additional) or additional > MAX_ADDITIONAL:
        rule = f"ADDL must be a whole number of at most {MAX_ADDITIONAL}"
        raise ConfigError(row.where, rule, row.text("ADDL"), "Give the number of further doses")
    if additional and not every:
        got, todo = row.text("II") or "missing", "Give the interval from dose to dose"
        raise ConfigError(row.where, "II must be above 0 where ADDL is", got, todo)
    if every and not additional:
        got, todo = row.text("ADDL") or "missing", "Give the number of further doses or II = 0"
        raise ConfigError(row.where, "ADDL must be above 0 where II is", got, todo)
    return every * units.days, int(additional) + 1


def _doses(records: Sequence[_Record]) -> tuple[Dose, ...]:
    """All doses of one patient: ADDL written out, every dose of the molecule in a period."""
    doses = [
        dose for record in records for dose in repeated(record.dose, record.every, record.times)
    ]
    molecule = sorted((dose for dose in doses if dose.is_molecule), key=lambda dose: dose.time)
    if not any(dose.period for dose in molecule):
        molecule = [
            dataclasses.replace(dose, period=f"D{n}") for n, dose in enumerate(molecule, start=1)
        ]
    for dose in molecule:
        if not dose.period:
            todo = "Name the period in every dose of the molecule of a patient, or in none"
            raise ConfigError(dose.where, "PERIOD must be given", "missing", todo)
    return (*(dose for dose in doses if not dose.is_molecule), *molecule)
