"""Drawing patients: covariates first, then the parameters around what the covariates say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qsp.population.correlations import correlated
from qsp.population.covariate_file import CovariateTable
from qsp.population.covariates import REPORTED
from qsp.population.distributions import Fixed
from qsp.population.draws import check_ids, normals
from qsp.population.patients import Population
from qsp.population.plausible import plausible
from qsp.population.table import ParameterTable, to_parameters


def sample(
    table: ParameterTable,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    periods: int,
    covariates: CovariateTable | None = None,
) -> Population:
    """Patients of a cohort.

    A patient depends on the seed and on his number, not on who else is drawn.

    Args:
        table: Of a molecule in a cohort.
        ids: Patient numbers, 0 or more.
        seed: Of the run.
        periods: Dose periods that get a draw of their own.
        covariates: The user's, which overrule drawn ones.

    Raises:
        ConfigError: If patient numbers or covariates break a rule.
        PopulationError: If correlations are not possible together.
    """
    numbers = check_ids(ids)
    varying = [path for path, row in table.rows.items() if not isinstance(row.law, Fixed)]
    in_mixtures = [path for mixture in table.mixtures for path in mixture.laws]
    names = list(dict.fromkeys([*varying, *in_mixtures, *table.covariates.names]))
    kinds = [mixture.draw for mixture in table.mixtures]
    of_doses = [f"xi_dose.{period}" for period in range(1, periods + 1)]
    asked = [*names, *kinds, "xi_patient", *of_doses]
    z = np.ascontiguousarray(normals(seed, numbers, asked).T)
    by_name = dict(zip(asked, z, strict=True))
    draws = by_name | correlated({name: by_name[name] for name in names}, table.correlations)
    return _population(
        table,
        numbers,
        draws,
        given={} if covariates is None else covariates.of(numbers),
        xi_dose=z[len(asked) - periods :].T.copy(),
    )


def typical(table: ParameterTable, *, periods: int) -> Population:
    """The patient without variability: medians of covariates and values, thresholds without draws.

    Where patients are a mixture he has the value as given, which need not be that of any component.

    Args:
        table: Of a molecule in a cohort.
        periods: Dose periods.
    """
    names = (*table.rows, *table.covariates.names, "xi_patient")
    draws = {name: np.zeros(1) for name in names}
    # The sex of the majority.
    draws["covariates.sex"] = np.full(1, -np.inf if table.covariates.female > 0.5 else np.inf)
    one = np.zeros(1, np.int64)
    return _population(table, one, draws, given={}, xi_dose=np.zeros((1, periods)))


def _population(
    table: ParameterTable,
    ids: np.ndarray,
    draws: Mapping[str, np.ndarray],
    *,
    given: Mapping[str, np.ndarray],
    xi_dose: np.ndarray,
) -> Population:
    covariates = table.covariates.at(draws, given)
    drawn = _values(table, draws, covariates)
    values = table.complete(drawn)
    return Population(
        ids=ids,
        parameters=to_parameters(values),
        covariates={name: covariates[name] for name in REPORTED},
        xi_patient=draws["xi_patient"],
        xi_dose=xi_dose,
        prevalence_weight=np.ones(len(ids)),
        plausible=plausible(values),
        table=table,
        drawn=drawn,
    )


def _values(
    table: ParameterTable, draws: Mapping[str, np.ndarray], covariates: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    still = np.zeros_like(draws["xi_patient"])
    values = {}
    for path, row in table.rows.items():
        values[path] = row.law.at(draws.get(path, still))
    for mixture in table.mixtures:
        if mixture.draw in draws:
            values |= mixture.at(draws)
    for path, row in table.rows.items():
        for model in row.covariates:
            values[path] = values[path] * model.effect(covariates)
    return values
