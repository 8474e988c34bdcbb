"""Populations: parameters with a leading patient axis, covariates and random effects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from qsp import system
from qsp.molecules import Entry
from qsp.populations.derived import Values
from qsp.populations.parameter_table import ParameterTable, to_parameters
from qsp.populations.plausible import plausible
from qsp.populations.table_from_files import check_clearance, row


@dataclasses.dataclass(frozen=True)
class Population:
    """Virtual patients of a cohort, treated with one molecule.

    Args:
        ids: Patient numbers (patient,).
        parameters: Parameters of the system; leaves are float64 with a leading patient axis.
        covariates: Covariates (patient,) by name: body_weight [kg], body_surface [m^2], age [year]
            and sex (0 male, 1 female).
        xi_patient: Standard normal random effect of each patient on the CRS thresholds (patient,).
        xi_dose: Standard normal random effect of each dose on them (patient, dose period).
        prevalence_weight: Weight of each patient in statistics (patient,).
        plausible: Whether the parameters are possible (patient,); other patients are not simulated.
        table: Table from which the parameters were sampled.
        sampled: Sampled values (patient,) by path, from which the parameters are derived.
    """

    ids: np.ndarray
    parameters: system.Parameters
    covariates: Mapping[str, np.ndarray]
    xi_patient: np.ndarray
    xi_dose: np.ndarray
    prevalence_weight: np.ndarray
    plausible: np.ndarray
    table: ParameterTable
    sampled: Values

    def __len__(self) -> int:
        return len(self.ids)

    def changed(self, changes: Mapping[str, str], *, where: str) -> Population:
        """Return the same patients with some values set in all of them.

        Parameters derived from these values are derived again.

        Args:
            changes: Value with unit by path, such as ``{"disposition.V1": "5 L"}``.
            where: File and arm, for error messages.

        Raises:
            ConfigError: If a path is unknown or a value has the wrong unit.
        """
        if not changes:
            return self
        rows = [row(Entry(path, text, where, "user")) for path, text in changes.items()]
        check_clearance(self.table.molecule, rows)
        sampled = dict(self.sampled) | {r.path: np.full(len(self), r.value) for r in rows}
        values = self.table.complete(sampled)
        return dataclasses.replace(
            self, parameters=to_parameters(values), plausible=plausible(values), sampled=sampled
        )
