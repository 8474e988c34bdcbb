"""Checks of the doses of a dose table, row by row; each adds its errors to those of the table."""

from __future__ import annotations

import numpy as np

from qsp.errors import ConfigError, LengthError, suggest
from qsp.trial.dose_format import INFUSED, DoseTableFormat, Units
from qsp.trial.dose_rows import DoseRows
from qsp.trial.regimen import KINDS

MAX_ADDITIONAL = 1000


def check_doses(
    rows: DoseRows, form: DoseTableFormat, kind: np.ndarray, is_molecule: np.ndarray, days: float
) -> None:
    """Check the doses of a table row by row.

    Args:
        rows: Rows of the table; errors are added to its problems.
        form: Units and names of the table.
        kind: (row,): Index into `KINDS` of the compartment; -1 if it is unknown.
        is_molecule: (row,): Whether the compartment is one of the molecule.
        days: Length of the trial [day].
    """
    units = Units(form)
    _check_kinds(rows, kind, units)
    _check_amounts(rows, kind, form)
    _check_times(rows, form, units, days, is_molecule)
    _check_repeats(rows)


def _check_kinds(rows: DoseRows, kind: np.ndarray, units: Units) -> None:
    def error(n: int) -> ConfigError:
        name = rows.cell("CMT", n)
        todo = f"{suggest(name.lower(), units.kinds)} Name one of them".strip()
        if name in ("", "0"):
            todo = 'Name one of them, or write default_compartment = "central" in [dose_table]'
        elif name.isdigit():
            todo = f'Define it with dose_table.compartments = {{ {name} = "central" }}'
        rule = f"CMT must be one of {', '.join(units.kinds)}"
        return ConfigError(rows.where(n), rule, repr(name), todo)

    is_wrong = rows.is_dose & rows.is_valid & (kind < 0)
    rows.problems.add_rows(is_wrong, rows.line, error)
    rows.is_valid[is_wrong] = False


def _check_amounts(rows: DoseRows, kind: np.ndarray, form: DoseTableFormat) -> None:
    doses = rows.is_dose
    is_missing = np.isnan(rows.number["AMT"])
    rows.refuse(doses & rows.is_valid & is_missing, "AMT must be given", "AMT", "Write a number")
    amount, rule = rows.values("AMT"), "AMT must be above 0"
    todo = "Correct it or remove the line"
    rows.refuse(doses & rows.is_valid & (amount < 0), rule, "AMT", todo)
    todo = (
        "Correct it, or write EVID 2: NONMEM takes no dose of 0, and a patient without a dose is "
        "simulated untreated"
    )
    rows.refuse(doses & rows.is_valid & (amount == 0), rule, "AMT", todo)
    todo = "Write out all doses from the first one"
    rows.refuse(doses & rows.is_valid & (rows.values("SS") != 0), "SS must be 0", "SS", todo)
    rate = rows.values("RATE")
    todo = (
        "The codes -1 and -2 of NONMEM, a modeled rate or duration, have no meaning here: give the "
        "rate of the infusion"
    )
    is_code = np.isin(rate, (-1.0, -2.0))
    rows.refuse(doses & rows.is_valid & is_code, "RATE must not be negative", "RATE", todo)
    todo = "Give the rate of the infusion"
    rows.refuse(doses & rows.is_valid & (rate < 0), "RATE must not be negative", "RATE", todo)
    is_bolus = ~np.isin(kind, [KINDS.index(name) for name in INFUSED])
    for place in np.unique(kind[doses & rows.is_valid & is_bolus & (rate > 0)]):
        these = doses & rows.is_valid & (kind == place) & (rate > 0)
        name = rows.cell("CMT", int(np.argmax(these))) or form.default_compartment
        todo = "Only intravenous doses are infused"
        rows.refuse(these, f"RATE must be 0 for {name}", "RATE", todo)


def _check_times(
    rows: DoseRows, form: DoseTableFormat, units: Units, days: float, molecule: np.ndarray
) -> None:
    """Check that doses are within the trial, from the first on, and in order of time."""
    doses, time = rows.is_dose, rows.values("TIME")
    is_missing = np.isnan(rows.number["TIME"])
    rows.refuse(doses & rows.is_valid & is_missing, "TIME must be given", "TIME", "Write a number")
    rule = "TIME must not be negative for a dose of the molecule"
    todo = "Count TIME from the first dose of the molecule"
    rows.refuse(doses & rows.is_valid & molecule & (time < 0), rule, "TIME", todo)
    _check_end(rows, form, units, days)
    # As in NONMEM, this includes observations: a time that begins again is another occasion.
    places = np.flatnonzero(rows.is_valid & ~is_missing)
    arm = rows.text["ARM"].codes if "ARM" in rows.text else np.zeros(len(rows.line), int)
    # Sorting by patient and arm is stable, and keeps the order of the lines of each.
    ordered = places[np.lexsort((places, arm[places], rows.patient[places]))]
    is_same = (np.diff(rows.patient[ordered]) == 0) & (np.diff(arm[ordered]) == 0)
    decreases = np.zeros(len(rows.line), bool)
    decreases[ordered[1:][is_same & (np.diff(time[ordered]) < 0)]] = True
    todo = "Sort the lines of each patient by TIME, and count it from the first dose throughout"
    rows.refuse(decreases, "TIME must not decrease", "TIME", todo)


def _check_end(rows: DoseRows, form: DoseTableFormat, units: Units, days: float) -> None:
    """Check that doses are within the trial; a common error is to give hours as days."""
    todo = "Lengthen the trial with days"
    if form.time_unit == "day":
        todo += ', or write time_unit = "hour" in [dose_table] if TIME is in hours'
    rule = f"TIME must be before the end of the trial (day {days:.6g})"

    def error(n: int) -> ConfigError:
        return LengthError(rows.where(n), rule, f"{rows.cell('TIME', n)} {form.time_unit}", todo)

    is_late = rows.is_dose & rows.is_valid & (rows.values("TIME") * units.days >= days)
    rows.problems.add_rows(is_late, rows.line, error)
    rows.is_valid[is_late] = False


def _check_repeats(rows: DoseRows) -> None:
    doses = rows.is_dose
    every, additional = rows.values("II"), rows.values("ADDL")
    for name, values in (("II", every), ("ADDL", additional)):
        todo = {
            "II": "Give the interval from dose to dose",
            "ADDL": "Give the number of further doses",
        }
        is_negative = doses & rows.is_valid & (values < 0)
        rows.refuse(is_negative, f"{name} must not be negative", name, todo[name])
    is_wrong = (additional != np.floor(additional)) | (additional > MAX_ADDITIONAL)
    rule = f"ADDL must be a whole number of at most {MAX_ADDITIONAL}"
    todo = "Give the number of further doses"
    rows.refuse(doses & rows.is_valid & is_wrong, rule, "ADDL", todo)
    lacks_every = doses & rows.is_valid & (additional > 0) & (every == 0)
    todo = "Give the interval from dose to dose"
    rows.refuse(lacks_every, "II must be above 0 if ADDL is", "II", todo)
    lacks_number = doses & rows.is_valid & (every > 0) & (additional == 0)
    todo = "Give the number of further doses or II = 0"
    rows.refuse(lacks_number, "ADDL must be above 0 if II is", "ADDL", todo)
