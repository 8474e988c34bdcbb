"""Which patients a run has: those of a file of covariates, of a dose table, or 0, 1, 2 ...

A patient is known by his id everywhere: in the files of the user, in the draws and in the results.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qsp.errors import ConfigError
from qsp.trial.regimen import Arm

MOST_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Roster:
    """Patients that a file names.

    Args:
        ids: In increasing order.
        file: Name of the file, for messages.
    """

    ids: tuple[int, ...]
    file: str


def patient_ids(count: int, table: Roster | None, given: Roster | None) -> Sequence[int]:
    """Ids of the patients of a run, in increasing order; a range where no file names them.

    Args:
        count: Number of patients the config asks for.
        table: Patients of the dose table, if there is one; doses of a single ID are for everyone.
        given: Patients of a file of covariates, if there is one; they are the patients of the run.

    Raises:
        ConfigError: If a patient has covariates and no doses, or `count` is more than have doses.
    """
    if given is not None:
        if table is not None and len(table.ids) > 1:
            _check_doses(given, table)
        return given.ids
    own = () if table is None else table.ids
    if len(own) <= 1:
        return range(count)
    if count <= len(own):
        return own[:count]
    rule = f"patients must be at most the number in the dose table ({len(own)})"
    raise ConfigError("trial", rule, count, "Lower it or leave it out")


def notes(
    asked: int | None, ids: Sequence[int], table: Roster | None, given: Roster | None
) -> tuple[str, ...]:
    """What a modeler should know about who is in the run and who is not.

    Args:
        asked: Number of patients that was asked for; None where nobody said.
        ids: Of the run.
        table: Patients of the dose table.
        given: Patients of a file of covariates.
    """
    said = []
    if given is not None and asked not in (None, len(ids)):
        who = _counted(len(ids))
        said.append(f"The run has the {who} of {given.file}, not the {asked} of the config.")
    if table is not None and 1 < len(table.ids) != len(ids):
        of_whom = f" of {given.file}" if given else ""
        said.append(
            f"{table.file} has doses for {len(table.ids)} patients; the run has "
            f"{len(ids)}{of_whom}: {shown(ids)}."
        )
    return tuple(said)


def of_patients(arm: Arm, ids: Sequence[int]) -> Arm:
    """An arm of a dose table, with the regimens of these patients."""
    if not arm.is_individual:
        return arm
    regimens = dict(zip(arm.patients, arm.regimens, strict=True))
    chosen = tuple(regimens[number] for number in ids)
    return dataclasses.replace(arm, regimens=chosen, patients=tuple(ids))


def shown(ids: Sequence[int]) -> str:
    """Ids in words: the first few, or the range where there is no gap."""
    if len(ids) > 2 and list(ids) == list(range(ids[0], ids[0] + len(ids))):
        return f"{ids[0]} to {ids[-1]}"
    more = f" and {len(ids) - MOST_SHOWN} more" if len(ids) > MOST_SHOWN else ""
    return ", ".join(str(number) for number in ids[:MOST_SHOWN]) + more


def _check_doses(given: Roster, table: Roster) -> None:
    strangers = sorted(set(given.ids) - set(table.ids))
    if strangers:
        rule = f"every id must have doses in {table.file}"
        got = f"id {strangers[0]} without"
        todo = f"IDs of {table.file}: {shown(table.ids)}"
        raise ConfigError(given.file, rule, got, todo)


def _counted(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"
