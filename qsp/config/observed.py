"""Observations of a config: from the rows of its dose table, or from a file of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qsp.config.observation_tables import Observations as Table
from qsp.errors import ConfigError, suggest
from qsp.observations import (
    ObservationFormat,
    Observations,
    ObservedQuantity,
    check_doses,
    column_names,
    observations_of_rows,
    read_observations,
)
from qsp.problems import Problems
from qsp.trial.dose_rows import DoseRows
from qsp.trial.regimen import MOLECULE_KINDS, Arm, Regimen


def columns_to_read(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of a dose table that hold observations; none without [observations].

    Args:
        data: Tables of a config, which are not checked yet.
    """
    table = data.get("observations")
    if not isinstance(table, dict) or table.get("file") is not None:
        return ()
    columns = table.get("columns")
    named = columns.items() if isinstance(columns, dict) else ()
    return column_names({role: name for role, name in named if isinstance(name, str)})


def observations_of(
    table: Table, rows: DoseRows | None, time_unit: str | None, folder: Path
) -> Observations:
    """Return the observations of a config.

    Args:
        table: Table [observations].
        rows: Rows of the dose table, if there is one; they take the errors of its observations.
        time_unit: Unit of TIME in the dose table.
        folder: Folder of the config.

    Raises:
        ConfigError: If the table, or a file of observations, breaks a rule.
    """
    form = ObservationFormat(
        quantities={
            key: ObservedQuantity(
                each.quantity, each.unit or "", each.form, each.lloq or "", each.grading or ""
            )
            for key, each in table.quantities.items()
        },
        columns={str(role): name for role, name in table.columns.items()},
        time_unit=table.time_unit or time_unit or "day",
    )
    if table.file is not None:
        if table.time_unit is None:
            form = ObservationFormat(form.quantities, form.columns)
        return read_observations(folder / table.file, form)
    if rows is None:
        todo = 'Write file = "observed.csv" in [observations]'
        rule = "the value must be given, unless there is a dose_table"
        raise ConfigError("observations.file", rule, "missing", todo)
    if table.time_unit is not None and table.time_unit != time_unit:
        todo = "Remove it: the dose table has one unit of TIME"
        rule = f"the value must be {time_unit}, the time_unit of dose_table"
        raise ConfigError("observations.time_unit", rule, repr(table.time_unit), todo)
    return observations_of_rows(rows, form)


def in_trial(found: Observations, arms: Sequence[Arm], days: float) -> Observations:
    """Return observations with their arms, checked against the doses of a trial.

    Args:
        found: Observations.
        arms: Arms of the trial.
        days: Length of the trial [day].

    Raises:
        ConfigError: If an observation has no arm, or drug is observed before the first dose.
    """
    names = [arm.name for arm in arms]
    if len(names) == 1 and not np.any(found.arm != ""):
        found = found.in_arm(names[0])
    _check_arms(found, names)
    if any(arm.reaction is not None for arm in arms):  # doses follow from the simulation
        return found
    by_name = {arm.name: _Doses(arm) for arm in arms}
    notes = check_doses(found, lambda arm, patient: by_name[arm].times(patient), days=days)
    return found.with_notes(notes)


def _check_arms(found: Observations, names: Sequence[str]) -> None:
    problems = Problems(found.file)

    def error(n: int) -> ConfigError:
        name = str(found.arm[n])
        todo = f"{suggest(name, names)} Arms: {', '.join(names)}".strip()
        rule = "ARM must be an arm of the trial"
        return ConfigError(f"{found.file}: line {found.line[n]}", rule, name or "missing", todo)

    problems.add_rows(~np.isin(found.arm.astype(str), names), found.line, error)
    problems.raise_if_any()


class _Doses:
    """Times of the doses of the molecule of an arm [day]."""

    def __init__(self, arm: Arm) -> None:
        self._shared = None if arm.is_individual else _times(arm.regimens[0])
        pairs = zip(arm.patients, arm.regimens, strict=False) if arm.is_individual else ()
        self._own = dict(pairs)

    def times(self, patient: int) -> np.ndarray | None:
        """Return the times of a patient; None for a patient who is not in the run."""
        if self._shared is not None:
            return self._shared
        regimen = self._own.get(patient)
        return None if regimen is None else _times(regimen)


def _times(regimen: Regimen) -> np.ndarray:
    doses = (dose for dose in regimen.administrations if dose.kind in MOLECULE_KINDS)
    return np.array(sorted(dose.time for dose in doses))
