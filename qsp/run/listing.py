"""The input of a run in a report: doses in protocol days, and parameters with their sources."""

import dataclasses
import math
from collections.abc import Sequence

from qsp.config.patients import shown
from qsp.drugs import DRUGS
from qsp.population import ParameterTable
from qsp.trial import Arm, Trial, protocol_day
from qsp.trial.regimen import MOLECULE_KINDS, Administration, Amount, Regimen

HOURS_PER_DAY = 24.0
MOST_REGIMENS = 10
"""Regimens of an arm that are listed where patients have doses of their own."""
SMALLEST_MG = 0.1
_COLUMNS = ("arm", "day", "hour", "period", "drug", "route", "amount", "over")
_SIZES = {"patient": "", "kg": "/kg", "m2": "/m^2"}
_WRITTEN = {"iv": "IV", "sc": "SC", "oral": "oral"}
_ROUTES = {
    "drug_iv": "IV",
    "drug_sc": "SC",
    **{drug.name: _WRITTEN[drug.routes[0]] for drug in DRUGS},
}


@dataclasses.dataclass(frozen=True)
class Given:
    """A regimen and who is given it.

    Args:
        who: The arm, and the patients where not all of it are given the same.
        regimen: What they are given.
    """

    who: str
    regimen: Regimen


def given(arm: Arm) -> list[Given]:
    """The distinct regimens of an arm, in the order of the patients."""
    name = arm.title or arm.name
    patients = arm.patients or tuple(range(len(arm.regimens)))
    groups: dict[Regimen, list[int]] = {}
    for number, regimen in zip(patients, arm.regimens, strict=False):
        groups.setdefault(regimen, []).append(number)
    if len(groups) == 1:
        return [Given(name, arm.regimens[0])]
    return [
        Given(f"{name}, {'patient' if len(ids) == 1 else 'patients'} {shown(ids)}", regimen)
        for regimen, ids in groups.items()
    ]


def dose_rows(trial: Trial) -> list[dict[str, str]]:
    """One row per administration of each regimen; of the first ten where patients differ."""
    rows = []
    for arm in trial.arms:
        regimens = given(arm)
        for each in regimens[:MOST_REGIMENS]:
            rows += regimen_rows(each, trial)
        if len(regimens) > MOST_REGIMENS:
            left_out = f"{len(regimens) - MOST_REGIMENS} more regimens"
            rows.append(
                dict.fromkeys(_COLUMNS, "") | {"arm": arm.title or arm.name, "day": left_out}
            )
    return rows


def regimen_rows(each: Given, trial: Trial) -> list[dict[str, str]]:
    """One row per administration of a regimen."""
    return [_dose_row(each, dose, trial) for dose in each.regimen.administrations]


def periods(regimen: Regimen, molecular_weight_kda: float) -> str:
    """The dose periods in a line: the amount of each, and in how many doses it is given."""
    parts = []
    for ordinal, label in enumerate(regimen.labels, start=1):
        doses = [dose.amount for dose in regimen.administrations if dose.period == ordinal]
        alike = [
            [dose for dose in doses if dose.per == per and math.isfinite(dose.cap) == is_capped]
            for per in _SIZES
            for is_capped in (False, True)
        ]
        mg = [_total(some, molecular_weight_kda / 1000.0) for some in alike if some]
        count = "1 dose" if len(doses) == 1 else f"{len(doses)} doses"
        parts.append(f"{label} {' + '.join(mg)} in {count}")
    return "; ".join(parts)


def _total(doses: Sequence[Amount], mg: float) -> str:
    """Doses of one size together; `mg` to the nmol."""
    value, cap = (math.fsum(getattr(dose, name) for dose in doses) for name in ("value", "cap"))
    return amount_text(value * mg, doses[0].per, cap * mg)


def amount_text(mg: float, per: str, cap: float = math.inf, *, unit: str = "") -> str:
    """An amount [mg] for the patient, kg or m^2; in ug below 0.1 mg.

    Args:
        mg: The amount.
        per: What it is counted for.
        cap: The most that a patient is given [mg].
        unit: What follows that of the amount, such as "/day".
    """
    value, name = (mg * 1000.0, "ug") if 0 < mg < SMALLEST_MG else (mg, "mg")
    text = f"{value:.4g} {name}{_SIZES[per]}{unit}"
    is_capped = math.isfinite(cap)
    return f"{text}, at most {amount_text(cap, 'patient', unit=unit)}" if is_capped else text


def _given(amount: Amount, duration: float) -> tuple[str, str]:
    """Amount [mg] and duration; a long infusion by its rate, as protocols write it."""
    if duration >= 1.0:
        rate, cap = amount.value / duration, amount.cap / duration
        return amount_text(rate, amount.per, cap, unit="/day"), f"{duration:.4g} day"
    over = f"{duration * HOURS_PER_DAY:.4g} h" if duration else "bolus"
    return amount_text(amount.value, amount.per, amount.cap), over


def _dose_row(each: Given, dose: Administration, trial: Trial) -> dict[str, str]:
    is_molecule = dose.kind in MOLECULE_KINDS
    mg = dose.amount.scaled(trial.molecular_weight_kda / 1000.0 if is_molecule else 1.0)
    time = round(dose.time, 6)  # as `protocol_day` does
    hour = (time - time // 1) * HOURS_PER_DAY
    cells = (
        each.who,
        protocol_day(dose.time),
        f"{hour:.4g}",
        each.regimen.labels[dose.period - 1] if dose.period else "",
        trial.molecule if is_molecule else dose.kind.replace("_", " "),
        _ROUTES[dose.kind],
        *_given(mg, dose.duration),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def parameter_rows(table: ParameterTable) -> list[dict[str, str]]:
    """One row per value, with unit, spread, status and source."""
    return [dataclasses.asdict(row) for row in table.report()]


def limits(card: str) -> list[str]:
    """What a run is not valid for: of the population, and of the model."""
    return [" ".join(part.split()) for part in card.strip().split("\n\n")] + list(LIMITS)


LIMITS: Sequence[str] = (
    "For research, not for clinical decisions. It says nothing about a single patient.",
    "Shared parameters were fitted in sample to published CRS rates of nine molecules, and some "
    "were tuned here; most are held by priors.",
    "Grades follow from an index of three cytokines against thresholds. No cytokine threshold for "
    "CRS is validated; the logistic and hazard links beside it are not validated either.",
    "Heights of cytokine peaks are known only as the product of production and loss: the half-life "
    "of IL-6 in man is published between 20 minutes and 17 hours.",
    "Tumor response is illustrative: T-cell entry, heterogeneity and resistance are coarse.",
    "Monte Carlo intervals speak of the number of virtual patients only. What is unknown about the "
    "model is larger.",
)
