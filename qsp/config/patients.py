"""Patients of a run: those of a file of covariates, those of a dose table, or 0, 1, 2 ...

The same id identifies a patient in user files, in the random draws and in the results.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qsp.errors import ConfigError
from qsp.trial.regimen import Arm

MOST_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Roster:
    """Patients of a file.

    Args:
        ids: Ids of the patients, in increasing order.
        file: Name of the file, for messages.
    """

    ids: tuple[int, ...]
    file: str


def patient_ids(count: int, table: Roster | None, covariates: Roster | None) -> Sequence[int]:
    """Return the ids of the patients of a run, in increasing order; a range if no file lists them.

    Args:
        count: Number of patients in the config.
        table: Patients of the dose table, if any; the doses of a single ID apply to all patients.
        covariates: Patients of a file of covariates, if any; they are the patients of the run.

    Raises:
        ConfigError: If a patient has covariates but no doses, or if `count` is larger than the
            number of patients with doses.
    """
    if covariates is not None:
        if table is not None and len(table.ids) > 1:
            _check_doses(covariates, table)
        return covariates.ids
    own = () if table is None else table.ids
    if len(own) <= 1:
        return range(count)
    if count <= len(own):
        return own[:count]
    rule = f"patients must be at most the number in the dose table ({len(own)})"
    raise ConfigError("trial", rule, count, "Lower it or leave it out")


def notes(
    asked: int | None, ids: Sequence[int], table: Roster | None, covariates: Roster | None
) -> tuple[str, ...]:
    """Return sentences about differences between the patients of the run and those of its input.

    Args:
        asked: Number of patients in the config, or None if it has none.
        ids: Ids of the patients of the run.
        table: Patients of the dose table, if any.
        covariates: Patients of a file of covariates, if any.
    """
    sentences = []
    if covariates is not None and asked not in (None, len(ids)):
        patients = _counted(len(ids))
        sentences.append(
            f"The run has the {patients} of {covariates.file}, not the {asked} of the config."
        )
    if table is not None and 1 < len(table.ids) != len(ids):
        origin = f" of {covariates.file}" if covariates else ""
        sentences.append(
            f"{table.file} has doses for {len(table.ids)} patients; the run has "
            f"{len(ids)}{origin}: {shown(ids)}."
        )
    return tuple(sentences)


def of_patients(arm: Arm, ids: Sequence[int]) -> Arm:
    """Return an arm of a dose table with the regimens of these patients only."""
    if not arm.is_individual:
        return arm
    regimens = dict(zip(arm.patients, arm.regimens, strict=True))
    chosen = tuple(regimens[number] for number in ids)
    return dataclasses.replace(arm, regimens=chosen, patients=tuple(ids))


def shown(ids: Sequence[int]) -> str:
    """Format ids: a range if they are consecutive, else the first few."""
    if len(ids) > 2 and list(ids) == list(range(ids[0], ids[0] + len(ids))):
        return f"{ids[0]} to {ids[-1]}"
    more = f" and {len(ids) - MOST_SHOWN} more" if len(ids) > MOST_SHOWN else ""
    return ", ".join(str(number) for number in ids[:MOST_SHOWN]) + more


def _check_doses(covariates: Roster, table: Roster) -> None:
    without_doses = sorted(set(covariates.ids) - set(table.ids))
    if without_doses:
        rule = f"every id must have doses in {table.file}"
        got = f"{without_doses[0]}, which has none"
        todo = f"IDs of {table.file}: {shown(table.ids)}"
        raise ConfigError(covariates.file, rule, got, todo)


def _counted(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"
