"""Tables of planned doses for the report and the terminal: protocol days, amounts, durations."""

import math
from collections.abc import Sequence

from qsp.config.patients import shown
from qsp.results.record import (
    HOURS_PER_DAY,
    ArmRecord,
    DoseRecord,
    RegimenRecord,
    RunRecord,
    amount_text,
)

_COLUMNS = ("arm", "day", "period", "drug", "route", "amount", "over")
_SIZES = ("patient", "kg", "m2")


def dose_rows(record: RunRecord) -> list[dict[str, str]]:
    """Return one row for each administration of each recorded regimen, arm by arm."""
    rows = []
    for arm in record.arms:
        for regimen in arm.regimens:
            rows += regimen_rows(arm, regimen)
        if arm.regimens_left_out:
            row = {"arm": arm.title or arm.name, "day": f"{arm.regimens_left_out} more regimens"}
            rows.append(dict.fromkeys(_COLUMNS, "") | row)
    return rows


def regimen_title(arm: ArmRecord, regimen: RegimenRecord) -> str:
    """Return the title of the arm, with the patients where regimens differ between patients."""
    title, ids = arm.title or arm.name, regimen.patients
    if not ids:
        return title
    return f"{title}, {'patient' if len(ids) == 1 else 'patients'} {shown(ids)}"


def regimen_rows(arm: ArmRecord, regimen: RegimenRecord) -> list[dict[str, str]]:
    """Return one row for each administration of a regimen; one that says so if it has none."""
    title = regimen_title(arm, regimen)
    if not regimen.doses:
        return [dict.fromkeys(_COLUMNS, "") | {"arm": title, "day": "no dose"}]
    molecule = [dose for dose in regimen.doses if dose.is_molecule]
    return [_dose_row(title, dose, protocol_time(dose, molecule)) for dose in regimen.doses]


def protocol_time(dose: DoseRecord, molecule: Sequence[DoseRecord]) -> str:
    """Return the time of a dose as a protocol writes it: "day 8", "day 1, -1 h" or "day 3, 12 h".

    Args:
        dose: The dose.
        molecule: Doses of the molecule. A supportive drug up to a day before one of them is
            written by the day of that dose, with the hours before it.

    Returns:
        Other times are written with their hour of the protocol day, unless it is 0.
    """
    if not dose.is_molecule:
        ahead = [other for other in molecule if 0 < round(other.time - dose.time, 6) < 1]
        if ahead:
            nearest = min(ahead, key=lambda other: other.time)
            hours = (nearest.time - dose.time) * HOURS_PER_DAY
            return f"day {nearest.day}, -{hours:.4g} h"
    return f"day {dose.day}" + (f", {dose.hour:.4g} h" if round(dose.hour, 4) else "")


def _dose_row(title: str, dose: DoseRecord, time: str) -> dict[str, str]:
    cells = (
        title,
        time,
        dose.period,
        dose.drug,
        dose.route,
        dose.amount,
        dose.over,
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def periods(regimen: RegimenRecord) -> str:
    """Return the dose periods in a line: total amount and number of doses of each."""
    labels = dict.fromkeys(dose.period for dose in regimen.doses if dose.is_molecule)
    parts = []
    for label in labels:
        doses = [dose for dose in regimen.doses if dose.is_molecule and dose.period == label]
        alike = [
            [dose for dose in doses if dose.per == per and (dose.cap_mg is not None) == is_capped]
            for per in _SIZES
            for is_capped in (False, True)
        ]
        totals = [_total(some) for some in alike if some]
        count = "1 dose" if len(doses) == 1 else f"{len(doses)} doses"
        parts.append(f"{label} {' + '.join(totals)} in {count}")
    return "; ".join(parts)


def _total(doses: Sequence[DoseRecord]) -> str:
    """Return the total of doses that are all per patient, per kg or per m^2."""
    amount = math.fsum(dose.amount_mg for dose in doses)
    cap = math.fsum(math.inf if dose.cap_mg is None else dose.cap_mg for dose in doses)
    return amount_text(amount, doses[0].per, cap)
