"""NONMEM-style dose tables, an alternative to arms: each patient has individual doses and times.

Required columns are ID, TIME, AMT and CMT; optional ones are EVID, RATE, II, ADDL, ARM and PERIOD
(or LABEL)::

    ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,PERIOD
    1,-0.0417,20,0,0,0,1,dexamethasone,
    1,0,1,6,0,0,1,central,SUD1
    1,7,60,360,7,2,1,central,FD

* ID is the id of a patient. The lines of a patient are together, as in NONMEM, where an ID that
  comes back is another individual. All arms must have the same IDs, because every patient is
  simulated in every arm; an arm with a single ID applies to all patients. A patient without a dose
  is simulated untreated. TIME is in days (or hours) since the first dose of the molecule.
* AMT is in mg for supportive drugs, and in mg or the unit of the format for the molecule.
* RATE above 0 is an infusion over AMT / RATE; ADDL further doses follow at intervals of II. The
  rates of infusions that overlap add up.
* EVID 1 (or 101) is a dose; observations (0, or missing) and other events (2) have no effect, and
  no amount. Resets (EVID 3 and 4) are errors, and so is a nonzero SS: CRS depends on the first
  dose, which a steady state does not have. Without the column, lines with an AMT are doses.
* CMT is central, depot or the name of a supportive drug; numbers are mapped to these by
  ``compartments``. Doses without CMT, or with 0, are into ``default_compartment`` if it is given.
* PERIOD names the dose period of all doses of the row. For a patient without any PERIOD, each dose
  of the molecule is a period: D1, D2, ... (doses at one time are one period).

An empty cell, a dot or NA is a missing value. Lines with C in the column C, and lines that begin
with #, are skipped. All errors of a table are reported together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp.csv_table import MISSING
from qsp.drugs import MOLECULE_KINDS
from qsp.errors import ConfigError
from qsp.trial.dose_checks import check_doses
from qsp.trial.dose_format import DoseTableFormat, Units
from qsp.trial.dose_rows import DoseRows, read_dose_rows
from qsp.trial.protocol import Dose, prescribe, repeated
from qsp.trial.regimen import KINDS, Amount, Arm, Regimen

# Name of the only arm of a table without an ARM column.
SINGLE_ARM = "dose_table"


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
        ConfigError: With all errors of the table; each names the line and the column.
    """
    rows = read_dose_rows(path, form.ignore, default_compartment=form.default_compartment)
    return arms_of_rows(rows, form, molecular_weight_kda=molecular_weight_kda, days=days)


def arms_of_rows(
    rows: DoseRows, form: DoseTableFormat, *, molecular_weight_kda: float, days: float
) -> tuple[Arm, ...]:
    """Return the arms of the rows of a dose table; see `read_dose_table`.

    Args:
        rows: Rows, from `read_dose_rows`.
        form: Units and names of the table.
        molecular_weight_kda: Molecular weight of the molecule [kDa].
        days: Length of the trial [day].

    Raises:
        ConfigError: With all errors of the table.
    """
    rows = rows.copy()  # with its own list of errors
    doses = _Doses(rows, form, days)
    arms = _records(rows)
    rows.problems.raise_if_any()
    _check_patients(arms, rows.name)
    regimens: dict[bytes, Regimen] = {}

    def regimen(places: np.ndarray, *, located: bool) -> Regimen:
        """Return the regimen of a patient; equal regimens are one object."""
        key = doses.key(places)
        if key not in regimens:
            regimens[key] = prescribe(
                _in_periods(doses.at(places, located=located)),
                molecular_weight_kda=molecular_weight_kda,
                days=days,
                where=rows.name,
                of_table=True,
            )
        return regimens[key]

    found = []
    for name, patients in arms.items():
        ids, each = sorted(patients), []
        for patient in ids:
            try:
                each.append(regimen(patients[patient], located=False))
            except ConfigError:
                _locate(regimen, rows, patients[patient])
        found.append(Arm(name, tuple(each), patients=tuple(ids)))
    rows.problems.raise_if_any()
    return tuple(found)


def _locate(regimen: Callable[..., Regimen], rows: DoseRows, places: np.ndarray) -> None:
    """Add the error of the regimen of a patient, with its line, to the errors of the table."""
    try:
        regimen(places, located=True)
    except ConfigError as error:
        rows.problems.add(error, int(rows.line[places[0]]))


def _records(rows: DoseRows) -> dict[str, dict[int, np.ndarray]]:
    """Return the rows of the doses of each patient of each arm, in the order of the file.

    An arm has the patients of all its rows; a patient whose rows name no arm is in every arm.
    """
    names = rows.text["ARM"].texts if "ARM" in rows.text else ("",)
    code = rows.text["ARM"].codes if "ARM" in rows.text else np.zeros(len(rows.line), int)
    is_named = np.array([name not in MISSING for name in names], bool)[code]
    arms: dict[str, dict[int, np.ndarray]] = {}
    for number_of_arm in dict.fromkeys(code[is_named | rows.is_dose].tolist()):
        name = "" if names[number_of_arm] in MISSING else names[number_of_arm]
        places = np.flatnonzero(code == number_of_arm)
        arms.setdefault(name or SINGLE_ARM, {}).update(_by_patient(rows, places))
    others = set(rows.patients).difference(*arms.values()) if arms else ()
    for patients in arms.values():
        patients.update(dict.fromkeys(others, np.zeros(0, int)))
    return arms


def _by_patient(rows: DoseRows, places: np.ndarray) -> dict[int, np.ndarray]:
    """Return the rows of the doses of each patient of an arm, whose rows must be together."""
    patient = rows.patient[places]
    if not len(places):
        return {}
    begins = np.flatnonzero(np.concatenate([[True], np.diff(patient) != 0]))
    ids = patient[begins]
    _, first = np.unique(ids, return_index=True)
    comes_back = np.zeros(len(rows.line), bool)
    again = np.ones(len(ids), bool)
    again[first] = False
    comes_back[places[begins[again & (ids >= 0)]]] = True
    rule = "the lines of an ID must be together"
    todo = "NONMEM reads an ID that comes back as another patient: sort by ID, or give another ID"
    rows.refuse(comes_back, rule, "ID", todo)
    parts = np.split(places, begins[1:])
    return {int(number): part[rows.is_dose[part]] for number, part in zip(ids, parts, strict=True)}


def _check_patients(arms: Mapping[str, Mapping[int, np.ndarray]], name: str) -> None:
    if not any(len(places) for patients in arms.values() for places in patients.values()):
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


class _Doses:
    """Doses of a table in days and mg, checked row by row.

    Args:
        rows: Rows of the table; errors are added to its problems.
        form: Units and names of the table.
        days: Length of the trial [day].
    """

    def __init__(self, rows: DoseRows, form: DoseTableFormat, days: float) -> None:
        units = Units(form)
        self._rows, self._unit = rows, units.amount
        self._kind = np.full(len(rows.line), units.kind(""))
        if "CMT" in rows.text:
            self._kind = rows.text["CMT"].mapped(units.kind, int)
        self._is_molecule = np.isin(self._kind, [KINDS.index(kind) for kind in MOLECULE_KINDS])
        check_doses(rows, form, self._kind, self._is_molecule, days)
        amount, rate = rows.values("AMT"), rows.values("RATE")
        self._time = rows.values("TIME") * units.days
        self._amount = amount
        has_rate = (rate > 0) & np.isfinite(rate)
        self._duration = np.where(has_rate, amount / np.where(has_rate, rate, 1.0), 0.0)
        self._duration = self._duration * units.days
        self._every, self._times = rows.values("II") * units.days, rows.values("ADDL")
        self._period = self._periods()
        columns = (
            *(self._time, self._kind, self._amount, self._duration, self._every, self._times),
            self._period,
        )
        self._amounts: dict[tuple[float, bool], Amount] = {}
        self._table = np.column_stack([np.asarray(column, float) for column in columns])

    def key(self, places: np.ndarray) -> bytes:
        """Return a key of the doses of some rows: equal keys mean equal doses."""
        return self._table[places].tobytes()

    def at(self, places: np.ndarray, *, located: bool) -> list[Dose]:
        """Return the doses of some rows: each dose and its additional doses.

        Args:
            places: The rows.
            located: Whether the doses name their lines; this takes time and memory.
        """
        doses: list[Dose] = []
        for n in places.tolist():
            is_molecule = bool(self._is_molecule[n])
            dose = Dose(
                KINDS[self._kind[n]],
                float(self._time[n]),
                self._amount_of(float(self._amount[n]), is_molecule=is_molecule),
                float(self._duration[n]),
                self._labels[self._period[n]] if is_molecule else "",
                self._rows.where(n) if located else "",
            )
            times = int(self._times[n]) + 1
            doses += (dose,) if times == 1 else repeated(dose, float(self._every[n]), times)
        return doses

    def _amount_of(self, value: float, *, is_molecule: bool) -> Amount:
        """Return an amount; equal amounts are one object."""
        key = value, is_molecule
        if key not in self._amounts:
            self._amounts[key] = self._unit.scaled(value) if is_molecule else Amount(value)
        return self._amounts[key]

    def _periods(self) -> np.ndarray:
        """(row,): Index of the name of the period, from PERIOD or, if it is missing, LABEL."""
        labels: dict[str, int] = {"": 0}
        codes = np.zeros(len(self._rows.line), int)
        for name in ("LABEL", "PERIOD"):
            if name in self._rows.text:
                found = self._rows.text[name].mapped(
                    lambda text: 0 if text in MISSING else labels.setdefault(text, len(labels)),
                    int,
                )
                codes = np.where(found > 0, found, codes)
        self._labels = tuple(labels)
        return codes


def _in_periods(doses: Sequence[Dose]) -> tuple[Dose, ...]:
    """Return the doses of one patient, with a period for each dose of the molecule."""
    molecule = sorted((dose for dose in doses if dose.is_molecule), key=lambda dose: dose.time)
    if not any(dose.period for dose in molecule):
        molecule = _numbered(molecule)
    for dose in molecule:
        if not dose.period:
            todo = "Name the period of every dose of the molecule of a patient, or of none"
            raise ConfigError(dose.where, "PERIOD must be given", "missing", todo)
    return (*(dose for dose in doses if not dose.is_molecule), *molecule)


def _numbered(molecule: Sequence[Dose]) -> list[Dose]:
    """Return doses in order of time with the periods D1, D2, ...; those at one time share one."""
    numbered: list[Dose] = []
    number, before = 0, -math.inf
    for dose in molecule:
        number += dose.time > before
        before = dose.time
        # `dataclasses.replace` would take half of the time of reading a large table.
        numbered.append(
            Dose(dose.kind, dose.time, dose.amount, dose.duration, f"D{number}", dose.where)
        )
    return numbered
