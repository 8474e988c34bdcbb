"""What a report lists of a run's input.

Doses in protocol days, and parameters with their sources.
"""

import dataclasses
from collections.abc import Sequence

from qsp.population import ParameterTable
from qsp.trial import Arm, Trial, protocol_day
from qsp.trial.regimen import MOLECULE_KINDS, Administration

HOURS_PER_DAY = 24.0
_SIZES = {"patient": "mg", "kg": "mg/kg", "m2": "mg/m^2"}
_ROUTES = {"drug_sc": "SC", "jak_inhibitor": "oral"}


def dose_rows(trial: Trial) -> list[dict[str, str]]:
    """One row per administration of each arm; of the first patient where they differ."""
    rows = []
    for arm in trial.arms:
        rows += [_dose_row(arm, given, trial) for given in arm.administrations]
    return rows


def _dose_row(arm: Arm, given: Administration, trial: Trial) -> dict[str, str]:
    is_molecule = given.kind in MOLECULE_KINDS
    mg = given.amount.value * (trial.molecular_weight_kda / 1000.0 if is_molecule else 1.0)
    labels = arm.regimens[0].labels
    time = round(given.time, 6)  # as `protocol_day` does
    hour = (time - time // 1) * HOURS_PER_DAY
    return {
        "arm": arm.title or arm.name,
        "day": protocol_day(given.time),
        "hour": f"{hour:.4g}",
        "period": labels[given.period - 1] if given.period else "",
        "drug": trial.molecule if is_molecule else given.kind.replace("_", " "),
        "route": _ROUTES.get(given.kind, "IV"),
        "amount": f"{mg:.4g} {_SIZES[given.amount.per]}",
        "over": f"{given.duration * HOURS_PER_DAY:.4g} h" if given.duration else "bolus",
    }


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
