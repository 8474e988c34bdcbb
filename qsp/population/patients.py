"""A population: parameters with a leading patient axis, covariates and draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from qsp import system
from qsp.molecules import Entry
from qsp.population.assembly import check_clearance, row
from qsp.population.derived import Values
from qsp.population.plausible import plausible
from qsp.population.table import ParameterTable, to_parameters


@dataclasses.dataclass(frozen=True)
class Population:
    """Virtual patients of one molecule in one cohort.

    Args:
        ids: Patient numbers (patient,).
        parameters: Leaves of float64 with a leading patient axis.
        covariates: (patient,) by name: body_weight [kg], body_surface [m^2], age [year] and sex
            (0 male, 1 female).
        xi_patient: Standard normal draw of each patient's CRS threshold (patient,).
        xi_dose: Standard normal draws of his doses (patient, dose period).
        prevalence_weight: Weight of each patient in statistics (patient,).
        plausible: Whether the parameters are possible (patient,); others are not to be integrated.
        table: What the parameters were drawn from.
        drawn: The values drawn, by path, from which the parameters follow.
    """

    ids: np.ndarray
    parameters: system.Parameters
    covariates: Mapping[str, np.ndarray]
    xi_patient: np.ndarray
    xi_dose: np.ndarray
    prevalence_weight: np.ndarray
    plausible: np.ndarray
    table: ParameterTable
    drawn: Values

    def __len__(self) -> int:
        return len(self.ids)

    def changed(self, changes: Mapping[str, str], *, where: str) -> Population:
        """The same patients with some values set in all of them, such as targets taken out.

        Args:
            changes: Text with unit by path; what follows from a value follows from the new one.
            where: File and arm, for messages.

        Raises:
            ConfigError: If a path is unknown or a value has the wrong unit.
        """
        if not changes:
            return self
        rows = [row(Entry(path, text, where, "user")) for path, text in changes.items()]
        check_clearance(self.table.molecule, rows)
        drawn = dict(self.drawn) | {r.path: np.full(len(self), r.value) for r in rows}
        values = self.table.complete(drawn)
        return dataclasses.replace(
            self, parameters=to_parameters(values), plausible=plausible(values), drawn=drawn
        )
