"""NONMEM-style dose tables, an alternative to arms: each patient has individual doses and times.

Required columns are ID, TIME, AMT, EVID and CMT; optional ones are RATE, II, ADDL, ARM and PERIOD
(or LABEL)::

    ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,PERIOD
    1,-0.0417,20,0,0,0,1,dexamethasone,
    1,0,1,6,0,0,1,central,SUD1
    1,7,60,360,7,2,1,central,FD

* ID is the id of a patient. All arms must have the same IDs, because every patient is simulated in
  every arm; an arm with a single ID applies to all patients. TIME is in days (or hours) since the
  first dose of the molecule.
* AMT is in mg for supportive drugs, and in mg or the unit of the format for the molecule.
* RATE above 0 is an infusion over AMT / RATE; ADDL further doses follow at intervals of II.
* EVID 1 is a dose; 0, an observation, is ignored. Other records (EVID 2 to 4) are errors, and so is
  a nonzero SS: CRS depends on the first dose, which a steady state does not have.
* CMT is central, depot or the name of a supportive drug; numbers are mapped to these by
  ``compartments``.
* PERIOD names the dose period of all doses of the row. For a patient without any PERIOD, each dose
  of the molecule is a period: D1, D2, ...

An empty cell or a dot is a missing value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from qsp.drugs import DRUGS, MOLECULE_KINDS
from qsp.errors import ConfigError, LengthError, suggest
from qsp.trial.dose_rows import Row, dose_rows
from qsp.trial.protocol import Dose, prescribe, repeated
from qsp.trial.regimen import Amount, Arm, Regimen, parse_amount
from qsp.units import parse

COMPARTMENTS: Mapping[str, str] = {
    "central": "drug_iv",
    "depot": "drug_sc",
    **{drug.name: drug.name for drug in DRUGS},
}
INFUSED = ("drug_iv", *(drug.name for drug in DRUGS if drug.is_infused))
# Name of the only arm of a table without an ARM column.
SINGLE_ARM = "dose_table"
MAX_ADDITIONAL = 1000


@dataclasses.dataclass(frozen=True)
class DoseTableFormat:
    """Units and names of a dose table.

    Args:
        time_unit: Unit of TIME and II, and of the time in RATE: "day" or "hour".
        amount_unit: Unit of AMT, and of the amount in RATE, for the molecule, such as "mg/kg".
        compartments: Compartment or drug for each CMT, such as {"1": "depot", "2": "central"}.
        ignore: Columns to ignore.
    """

    time_unit: str = "day"
    amount_unit: str = "mg"
    compartments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignore: Sequence[str] = ()


def read_dose_table(
    path: Path, form: DoseTableFormat, *, molecular_weight_kda: float, days: float
) -> tuple[Arm, ...]:
    """Read the arms of a trial, in the order of the file; the regimens of an arm are sorted by ID.

    Args:
        path: CSV file.
        form: Units and names of the table.
        molecular_weight_kda: Molecular weight of the molecule [kDa].
        days: Length of the trial [day].

    Raises:
        ConfigError: At the first error; the message names the line and the column.
    """
    units = _Units(form)
    arms: dict[str, dict[int, list[tuple[Dose, ...]]]] = {}
    for row in dose_rows(path, form.ignore):
        patients = arms.setdefault(row.text("ARM") or SINGLE_ARM, {})
        records = patients.setdefault(row.patient(), [])
        doses = _repeated(row, units)
        _check_within(doses[0], row, form, days)
        if records and doses[0].time < records[-1][0].time:
            todo = "Sort the lines of each patient by TIME"
            raise ConfigError(row.where, "TIME must not decrease", row.text("TIME"), todo)
        records.append(doses)
    _check_patients(arms, path.name)

    def of_patient(number: int, records: Sequence[tuple[Dose, ...]]) -> Regimen:
        where = f"{path.name}: patient {number}"
        doses = _in_periods([dose for record in records for dose in record])
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
    """Check that a dose is within the trial; a common error is to give hours as days."""
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
        raise ConfigError(name, "the table must hold a dose (EVID 1)", "without one", todo)
    largest = max(arms, key=lambda arm: len(arms[arm]))
    every_id = arms[largest].keys()
    for arm, patients in arms.items():
        if patients.keys() != every_id and not (len(patients) == 1 and patients.keys() <= every_id):
            one = min(patients.keys() ^ every_id)
            has, lacks = (arm, largest) if one in patients else (largest, arm)
            todo = "Give each ID doses in every arm, or run each arm alone"
            got = f"{one} in arm {has!r} and not in arm {lacks!r}"
            raise ConfigError(name, "ID must name the same patients in each arm", got, todo)


class _Units:
    """Conversion of the numbers and names of a table to days, mg and kinds of dose."""

    def __init__(self, form: DoseTableFormat) -> None:
        self.days = parse(f"1 {form.time_unit}", "day", where="dose_table.time_unit")
        self.amount = parse_amount(f"1 {form.amount_unit}", where="dose_table.amount_unit")
        if self.amount.is_rate:
            rule, todo = "the value must be an amount, not a rate", "Give rates in the RATE column"
            raise ConfigError("dose_table.amount_unit", rule, repr(form.amount_unit), todo)
        self.kinds = dict(COMPARTMENTS)
        for written, meaning in form.compartments.items():
            if meaning not in COMPARTMENTS:
                rule = f"the value must be one of {', '.join(COMPARTMENTS)}"
                todo = f"{suggest(meaning, COMPARTMENTS)} Name one of them".strip()
                raise ConfigError(f"dose_table.compartments.{written}", rule, repr(meaning), todo)
            self.kinds[written.lower()] = COMPARTMENTS[meaning]


def _repeated(row: Row, units: _Units) -> tuple[Dose, ...]:
    """Return the doses of a line: the dose itself, and the additional doses (ADDL)."""
    return repeated(_dose(row, units), *_repeats(row, units))


def _dose(row: Row, units: _Units) -> Dose:
    """Return the first dose of a line."""
    kind = _kind(row, units)
    is_molecule = kind in MOLECULE_KINDS
    amount = row.number("AMT")
    if amount <= 0:
        todo = "Correct it or remove the line"
        raise ConfigError(row.where, "AMT must be above 0", row.text("AMT"), todo)
    if row.number("SS", 0.0) != 0:
        todo = "Write out all doses from the first one"
        raise ConfigError(row.where, "SS must be 0", row.text("SS"), todo)
    time = row.number("TIME") * units.days
    if is_molecule and time < 0:
        rule = "TIME must not be negative for a dose of the molecule"
        todo = "Count TIME from the first dose of the molecule"
        raise ConfigError(row.where, rule, row.text("TIME"), todo)
    rate = row.at_least_0("RATE")
    if rate and kind not in INFUSED:
        todo = "Only intravenous doses are infused"
        rule = f"RATE must be 0 for {row.text('CMT')}"
        raise ConfigError(row.where, rule, row.text("RATE"), todo)
    return Dose(
        kind,
        time,
        units.amount.scaled(amount) if is_molecule else Amount(amount),
        amount / rate * units.days if rate else 0.0,
        (row.text("PERIOD") or row.text("LABEL")) if is_molecule else "",
        row.where,
    )


def _kind(row: Row, units: _Units) -> str:
    name = row.text("CMT")
    if name.lower() not in units.kinds:
        todo = f"{suggest(name.lower(), units.kinds)} Name one of them".strip()
        if name.isdigit():
            todo = f'Define it with dose_table.compartments = {{ {name} = "central" }}'
        rule = f"CMT must be one of {', '.join(units.kinds)}"
        raise ConfigError(row.where, rule, repr(name), todo)
    return units.kinds[name.lower()]


def _repeats(row: Row, units: _Units) -> tuple[float, int]:
    """Return the interval [day] and the number of the doses of a line."""
    every, additional = row.at_least_0("II"), row.at_least_0("ADDL")
    if additional != int(additional) or additional > MAX_ADDITIONAL:
        rule = f"ADDL must be a whole number of at most {MAX_ADDITIONAL}"
        raise ConfigError(row.where, rule, row.text("ADDL"), "Give the number of further doses")
    if additional and not every:
        got, todo = row.text("II") or "missing", "Give the interval from dose to dose"
        raise ConfigError(row.where, "II must be above 0 if ADDL is", got, todo)
    if every and not additional:
        got, todo = row.text("ADDL") or "missing", "Give the number of further doses or II = 0"
        raise ConfigError(row.where, "ADDL must be above 0 if II is", got, todo)
    return every * units.days, int(additional) + 1


def _in_periods(doses: Sequence[Dose]) -> tuple[Dose, ...]:
    """Return the doses of one patient, with a period for each dose of the molecule."""
    molecule = sorted((dose for dose in doses if dose.is_molecule), key=lambda dose: dose.time)
    if not any(dose.period for dose in molecule):
        molecule = [
            dataclasses.replace(dose, period=f"D{n}") for n, dose in enumerate(molecule, start=1)
        ]
    for dose in molecule:
        if not dose.period:
            todo = "Name the period of every dose of the molecule of a patient, or of none"
            raise ConfigError(dose.where, "PERIOD must be given", "missing", todo)
    return (*(dose for dose in doses if not dose.is_molecule), *molecule)
