"""Patients of a run: those of a file of covariates, those of the config, or of a dose table.

The same id identifies a patient in user files, in the random draws and in the results.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator

from qsp.config.messages import MOST_SHOWN, dotted
from qsp.config.tables import Rule
from qsp.errors import ConfigError
from qsp.trial.regimen import Arm

TYPICAL = "typical"
LARGEST_ID = 2**32 - 1


def _asked(value: Any) -> Any:
    """Check the key `patients`: a number of patients, their ids, or "typical"."""
    if value == TYPICAL or (_is_whole(value) and value >= 1):
        return value
    if not isinstance(value, list | tuple) or not value or not all(map(_is_id, value)):
        raise ValueError
    if any(after <= before for before, after in zip(value, value[1:], strict=False)):
        raise ValueError
    return tuple(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id(value: Any) -> bool:
    return _is_whole(value) and 0 <= value <= LARGEST_ID


def _listed(value: Any) -> Any:
    """Value as TOML and JSON have it."""
    return list(value) if isinstance(value, tuple) else value


def _draws(value: Any) -> tuple[float, ...]:
    """Check the draws of one name: a number for all patients, or a number for each."""
    numbers = value if isinstance(value, list | tuple) else [value]
    for number in numbers:
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise ValueError
        if not math.isfinite(number):
            raise ValueError
    if not numbers:
        raise ValueError
    return tuple(float(number) for number in numbers)


Asked = Annotated[
    int | Literal["typical"] | tuple[int, ...],
    PlainValidator(_asked),
    PlainSerializer(_listed, return_type=Any),
    Rule(
        'be a whole number of at least 1, a list of ids in increasing order, or "typical"',
        "Write patients = 200, for example",
    ),
]
"""Value of the key `patients`."""

Draws = Annotated[
    tuple[float, ...],
    PlainValidator(_draws),
    PlainSerializer(_listed, return_type=Any),
    Rule(
        "be a finite number, or a list of one for each patient",
        'Write "t_cells.k_act" = [-1.0, 0.0, 1.0] below [draws], for example',
    ),
]
"""Standard normal draws (patient,) of one name, or one for all patients."""


@dataclasses.dataclass(frozen=True)
class Roster:
    """Patients of a file.

    Args:
        ids: Ids of the patients, in increasing order.
        file: Name of the file, for messages.
        is_described: Whether the file has covariates of its patients, so that not even the doses of
            a single patient apply to others.
        is_cohort: Whether the file is a cohort, and no dose table.
    """

    ids: tuple[int, ...]
    file: str
    is_described: bool = False
    is_cohort: bool = False

    @property
    def kind(self) -> str:
        """Kind of the list of patients, for messages."""
        return "cohort" if self.is_cohort else "dose table"


def patient_ids(
    asked: int | str | Sequence[int], table: Roster | None, covariates: Roster | None
) -> Sequence[int]:
    """Return the ids of the patients of a run, in increasing order; a range if none are listed.

    Args:
        asked: Number of patients in the config, their ids, or "typical".
        table: Patients of the dose table or the cohort, if any; the doses of a single ID apply to
            all patients.
        covariates: Patients of a file of covariates, if any; they are the patients of the run.

    Raises:
        ConfigError: If a patient has no doses, or there are fewer patients with doses than asked.
    """
    if covariates is not None:
        if table is not None and len(table.ids) > 1:
            _check_doses(covariates, table)
        return covariates.ids
    own = () if table is None else table.ids
    are_listed = len(own) > 1 or bool(table and table.is_described and own)
    if asked == TYPICAL and are_listed:
        rule, todo = (
            "the value must be patients of the dose table",
            f"IDs of the table: {shown(own)}",
        )
        raise ConfigError("patients", rule, repr(TYPICAL), todo)
    ids = (0,) if asked == TYPICAL else asked
    if table is None or not are_listed:
        return range(ids) if isinstance(ids, int) else tuple(map(int, ids))
    if not isinstance(ids, int):
        return _listed_ids(ids, table)
    if ids <= len(own):
        return own[:ids]
    rule = f"patients must be at most the number in the {table.kind} ({len(own)})"
    raise ConfigError("trial", rule, ids, "Lower it or leave it out")


def check_draws(draws: Mapping[str, Sequence[float]], count: int) -> None:
    """Check that each name has one draw, or one for each patient.

    Raises:
        ConfigError: If a name has another number of draws.
    """
    for name, numbers in draws.items():
        if len(numbers) not in (1, count):
            rule = f"the value must have 1 draw, or one for each patient ({count})"
            todo = "Set patients to the number of draws"
            raise ConfigError(dotted(("draws", name)), rule, f"{len(numbers)} draws", todo)


def notes(
    asked: Any, ids: Sequence[int], table: Roster | None, covariates: Roster | None
) -> tuple[str, ...]:
    """Return sentences about differences between the patients of the run and those of its input.

    Args:
        asked: Key `patients` of the config, or None if it has none.
        ids: Ids of the patients of the run.
        table: Patients of the dose table, if any.
        covariates: Patients of a file of covariates, if any.
    """
    sentences = []
    if covariates is not None and asked not in (None, len(ids)):
        patients = _counted(len(ids))
        others = f"the {asked}" if isinstance(asked, int) else "those"
        sentences.append(
            f"The run has the {patients} of {covariates.file}, not {others} of the config."
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


def without_molecule(arm: Arm, ids: Sequence[int]) -> Sequence[int]:
    """Return the ids of the patients of an arm who get no dose of the molecule.

    Args:
        arm: Arm with the regimens of these patients, or one regimen for all.
        ids: Ids of the patients of the run.
    """
    if not arm.is_individual:
        return () if arm.regimens[0].labels else ids
    pairs = zip(arm.patients, arm.regimens, strict=True)
    return [number for number, regimen in pairs if not regimen.labels]


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


def _listed_ids(ids: Sequence[Any], table: Roster) -> tuple[int, ...]:
    """Ids of a config, all of which must be in the dose table or the cohort."""
    own = set(table.ids)
    for number in ids:
        if number not in own:
            rule = f"the value must be ids of the {table.kind}"
            got = (
                f"{number}, which is not in it"
                if table.is_cohort
                else (f"{number}, which has no doses")
            )
            kind = "cohort" if table.is_cohort else "table"
            raise ConfigError("patients", rule, got, f"IDs of the {kind}: {shown(table.ids)}")
    return tuple(map(int, ids))


def _counted(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"
