"""The record of a trial: its arms with their planned doses and rules, as typed data."""

from qsp.drugs import DRUGS, MOLECULE_KINDS
from qsp.model import MODEL_VERSION
from qsp.results.record import ArmRecord, DoseRecord, RegimenRecord, RunRecord
from qsp.trial import Arm, Trial
from qsp.trial.plans import planned_doses
from qsp.trial.regimen import Administration, Regimen
from qsp.version import __version__

MOST_REGIMENS = 10
"""Regimens of an arm that are recorded where patients have individual doses."""

_PRINTED = {"iv": "IV", "sc": "SC", "oral": "oral"}
_ROUTES = {
    "drug_iv": "IV",
    "drug_sc": "SC",
    **{drug.name: _PRINTED[drug.routes[0]] for drug in DRUGS},
}


def trial_record(trial: Trial) -> RunRecord:
    """Return the record of a trial; the parts that come from a config are empty."""
    return RunRecord(
        qsp_version=__version__,
        model_version=MODEL_VERSION,
        name=trial.name,
        molecule=trial.molecule,
        molecular_weight_kda=float(trial.molecular_weight_kda),
        days=float(trial.days),
        visits=tuple(float(day) for day in trial.visits),
        arms=tuple(arm_record(arm, trial) for arm in trial.arms),
    )


def arm_record(arm: Arm, trial: Trial, most: int | None = MOST_REGIMENS) -> ArmRecord:
    """Return the record of an arm of a trial.

    Args:
        arm: The arm.
        trial: The trial.
        most: Largest number of regimens in the record; None for all.
    """
    groups = _groups(arm)
    shared = len(groups) == 1
    reaction = arm.reaction
    return ArmRecord(
        name=arm.name,
        title=arm.title,
        regimens=tuple(
            RegimenRecord(_doses(regimen, trial), () if shared else patients)
            for regimen, patients in list(groups.items())[:most]
        ),
        regimens_left_out=0 if most is None else max(0, len(groups) - most),
        parameters=dict(arm.parameters),
        rules=tuple(rule.name for rule in reaction.rules) if reaction else (),
        planned_doses=_planned(arm) if reaction else (),
    )


def _groups(arm: Arm) -> dict[Regimen, tuple[int, ...]]:
    """Distinct regimens of an arm in the order of the patients, with the ids of the patients."""
    patients = arm.patients or tuple(range(len(arm.regimens)))
    groups: dict[Regimen, list[int]] = {}
    for number, regimen in zip(patients, arm.regimens, strict=False):
        groups.setdefault(regimen, []).append(int(number))
    return {regimen: tuple(ids) for regimen, ids in groups.items()}


def _planned(arm: Arm) -> tuple[str, ...]:
    return tuple(arm.labels[dose.period - 1] for dose in planned_doses(arm.regimens[0]))


def _doses(regimen: Regimen, trial: Trial) -> tuple[DoseRecord, ...]:
    return tuple(_dose(dose, regimen, trial) for dose in regimen.administrations)


def _dose(dose: Administration, regimen: Regimen, trial: Trial) -> DoseRecord:
    is_molecule = dose.kind in MOLECULE_KINDS
    amount = dose.amount.scaled(trial.molecular_weight_kda / 1000.0 if is_molecule else 1.0)
    return DoseRecord(
        time=float(dose.time),
        drug=trial.molecule if is_molecule else dose.kind.replace("_", " "),
        kind=dose.kind,
        route=_ROUTES[dose.kind],
        amount_mg=float(amount.value),
        per=amount.per,
        cap_mg=float(amount.cap) if amount.cap < float("inf") else None,
        duration=float(dose.duration),
        period=regimen.labels[dose.period - 1] if dose.period else "",
    )
