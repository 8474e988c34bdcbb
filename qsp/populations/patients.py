"""Populations: parameters with a leading patient axis, covariates and random effects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from qsp import system
from qsp.molecules import Entry, ParameterFile
from qsp.populations.covariates import REPORTED
from qsp.populations.derived import Values
from qsp.populations.distributions import at_median
from qsp.populations.parameter_table import ParameterTable, to_parameters
from qsp.populations.plausible import plausible
from qsp.populations.table_from_files import nominal


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
        draws: Standard normal draws (patient,) by name, with correlations.
        individual: Covariates (patient,) by name that were given instead of sampled.
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
    draws: Mapping[str, np.ndarray]
    individual: Mapping[str, np.ndarray]

    @classmethod
    def at(
        cls,
        table: ParameterTable,
        ids: np.ndarray,
        draws: Mapping[str, np.ndarray],
        *,
        individual: Mapping[str, np.ndarray],
        xi_dose: np.ndarray,
    ) -> Population:
        """Return the patients with these draws.

        Args:
            table: Parameter table of a molecule in a cohort.
            ids: Patient numbers (patient,).
            draws: Standard normal draws (patient,) by name, with correlations.
            individual: Covariates (patient,) by name that are given instead of sampled.
            xi_dose: Random effect of each dose (patient, dose period).
        """
        covariates = table.covariates.at(draws, individual)
        sampled = _values(table, draws, covariates)
        values = table.complete(sampled)
        return cls(
            ids=ids,
            parameters=to_parameters(values),
            covariates={name: covariates[name] for name in REPORTED},
            xi_patient=draws["xi_patient"],
            xi_dose=xi_dose,
            prevalence_weight=np.ones(len(ids)),
            plausible=plausible(values),
            table=table,
            sampled=sampled,
            draws=draws,
            individual=individual,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def first_with(self, medians: Mapping[str, Any]) -> system.Parameters:
        """Return the parameters of the first patient with other medians, which JAX may trace.

        The patient keeps the deviations from the medians, as in `changed`.

        Args:
            medians: Values in canonical units by path; their entries replace those of the files.

        Returns:
            Parameters without a patient axis; leaves that depend on a median are JAX arrays.
        """
        values = {path: value[:1] for path, value in self.sampled.items()}
        covariates = self.table.covariates.at(self.draws, self.individual)
        for path, median in medians.items():
            row = self.table.rows[path]
            z = self.draws[path][:1] if path in self.draws else np.zeros(1)
            value = at_median(row.law, median, z, is_relative=bool(row.entry.cv))
            for model in row.covariates:
                value = value * model.effect(covariates)[:1]
            values[path] = value * row.entry.scale
        parameters = to_parameters(self.table.complete(values))
        return jax.tree.map(lambda leaf: leaf[0], parameters)

    def changed(self, changes: Mapping[str, str], *, where: str) -> Population:
        """Return the same patients with other values of some parameters.

        A change does what a user file with these values does: it replaces the median. A
        patient keeps the draw, so that a log-normal value becomes new median * (old value / old
        median); a normal value keeps its distance from the median in standard deviations, and a
        logit-normal value the distance on the scale of the logit. A value without spread between
        patients, and an amount of 0, become the same in all patients. Parameters derived from these
        values are derived again.

        Args:
            changes: Value with unit by path, such as ``{"disposition.V1": "5 L"}``.
            where: File and arm, for error messages.

        Raises:
            ConfigError: If a path is unknown or a value has the wrong unit.
        """
        if not changes:
            return self
        entries = {path: Entry(path, text, where, "user") for path, text in changes.items()}
        return self.overridden(ParameterFile(where, entries))

    def overridden(self, *files: ParameterFile) -> Population:
        """Return the same patients, at the same draws, with further user files.

        Args:
            files: Files whose values override all earlier ones.

        Raises:
            ConfigError: If a path is unknown or a value breaks a rule.
        """
        table = nominal(self.table.molecule, self.table.cohort, (*self.table.overrides, *files))
        changed = Population.at(
            table, self.ids, self.draws, individual=self.individual, xi_dose=self.xi_dose
        )
        return dataclasses.replace(changed, prevalence_weight=self.prevalence_weight)


def _values(
    table: ParameterTable, draws: Mapping[str, np.ndarray], covariates: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Values (patient,) by path: distribution, then mixtures, covariate models and scale."""
    zero = np.zeros_like(draws["xi_patient"])
    values = {}
    for path, row in table.rows.items():
        values[path] = row.law.at(draws.get(path, zero))
    for mixture in table.mixtures:
        if mixture.draw in draws:
            values |= mixture.at(draws)
    for path, row in table.rows.items():
        for model in row.covariates:
            values[path] = values[path] * model.effect(covariates)
        if row.entry.scale != 1.0:
            values[path] = values[path] * row.entry.scale
    return values
