"""Sample virtual patients: covariates first, then parameters given the covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qsp.populations.correlations import correlated
from qsp.populations.covariate_file import CovariateTable
from qsp.populations.covariates import REPORTED
from qsp.populations.distributions import Fixed
from qsp.populations.draws import check_ids, normals
from qsp.populations.parameter_table import ParameterTable, to_parameters
from qsp.populations.patients import Population
from qsp.populations.plausible import plausible


def sample(
    table: ParameterTable,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    periods: int,
    covariates: CovariateTable | None = None,
) -> Population:
    """Sample patients.

    A patient depends only on the seed and the patient number, not on the other patients.

    Args:
        table: Parameter table of a molecule in a cohort.
        ids: Patient numbers, 0 or more.
        seed: Seed of the run.
        periods: Number of dose periods, each with its own random effect on the CRS thresholds.
        covariates: Covariates of individual patients, in place of sampled ones.

    Raises:
        ConfigError: If patient numbers or covariates break a rule.
        PopulationError: If a correlation matrix is not positive definite.
    """
    numbers = check_ids(ids)
    varying = [path for path, row in table.rows.items() if not isinstance(row.law, Fixed)]
    in_mixtures = [path for mixture in table.mixtures for path in mixture.laws]
    names = list(dict.fromkeys([*varying, *in_mixtures, *table.covariates.names]))
    components = [mixture.draw for mixture in table.mixtures]
    doses = [f"xi_dose.{period}" for period in range(1, periods + 1)]
    all_names = [*names, *components, "xi_patient", *doses]
    z = np.ascontiguousarray(normals(seed, numbers, all_names).T)
    by_name = dict(zip(all_names, z, strict=True))
    draws = by_name | correlated({name: by_name[name] for name in names}, table.correlations)
    return _population(
        table,
        numbers,
        draws,
        individual={} if covariates is None else covariates.values_for(numbers),
        xi_dose=z[len(all_names) - periods :].T.copy(),
    )


def typical(table: ParameterTable, *, periods: int) -> Population:
    """Population of one typical patient: medians of covariates and values, no random effects.

    The sex is that of the majority. A parameter of a mixture has the value of its file, which may
    differ from that of every component.

    Args:
        table: Parameter table of a molecule in a cohort.
        periods: Number of dose periods.
    """
    names = (*table.rows, *table.covariates.names, "xi_patient")
    draws = {name: np.zeros(1) for name in names}
    draws["covariates.sex"] = np.full(1, -np.inf if table.covariates.female > 0.5 else np.inf)
    ids = np.zeros(1, np.int64)
    return _population(table, ids, draws, individual={}, xi_dose=np.zeros((1, periods)))


def _population(
    table: ParameterTable,
    ids: np.ndarray,
    draws: Mapping[str, np.ndarray],
    *,
    individual: Mapping[str, np.ndarray],
    xi_dose: np.ndarray,
) -> Population:
    covariates = table.covariates.at(draws, individual)
    sampled = _values(table, draws, covariates)
    values = table.complete(sampled)
    return Population(
        ids=ids,
        parameters=to_parameters(values),
        covariates={name: covariates[name] for name in REPORTED},
        xi_patient=draws["xi_patient"],
        xi_dose=xi_dose,
        prevalence_weight=np.ones(len(ids)),
        plausible=plausible(values),
        table=table,
        sampled=sampled,
    )


def _values(
    table: ParameterTable, draws: Mapping[str, np.ndarray], covariates: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Values (patient,) by path: distribution, then mixtures, then covariate models."""
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
    return values
