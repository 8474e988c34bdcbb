"""Sample virtual patients: covariates first, then parameters given the covariates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from qsp.errors import ConfigError, suggest
from qsp.populations.correlations import correlated
from qsp.populations.covariate_file import CovariateTable
from qsp.populations.draws import check_ids, normals
from qsp.populations.parameter_table import ParameterTable
from qsp.populations.patients import Population


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
    names = [*sampled_names(table), *dose_names(periods)]
    z = np.ascontiguousarray(normals(seed, numbers, names).T)
    return Population.at(
        table,
        numbers,
        with_correlations(table, dict(zip(names, z, strict=True))),
        individual={} if covariates is None else covariates.values_for(numbers),
        xi_dose=z[len(names) - periods :].T.copy(),
    )


def sampled_names(table: ParameterTable) -> tuple[str, ...]:
    """Names of the draws of a patient: values that vary, covariates, mixtures and `xi_patient`."""
    components = (mixture.draw for mixture in table.mixtures)
    return (*_varying(table), *components, "xi_patient")


def dose_names(periods: int) -> tuple[str, ...]:
    """Names of the random effects of dose periods on the CRS thresholds."""
    return tuple(f"xi_dose.{period}" for period in range(1, periods + 1))


def with_correlations(
    table: ParameterTable, draws: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Impose the correlations of a table on independent draws.

    Args:
        table: Parameter table of a molecule in a cohort.
        draws: Independent standard normal draws (patient,) by name, with all `sampled_names`.

    Returns:
        Standard normal draws (patient,) by name.

    Raises:
        PopulationError: If a correlation matrix is not positive definite.
    """
    varying = {name: draws[name] for name in _varying(table)}
    return {**draws, **correlated(varying, table.correlations)}


def _varying(table: ParameterTable) -> list[str]:
    """Names of values and covariates that vary between patients."""
    own = [path for path, row in table.rows.items() if row.has_draw]
    in_mixtures = [path for mixture in table.mixtures for path in mixture.laws]
    return list(dict.fromkeys([*own, *in_mixtures, *table.covariates.names]))


def draw_names(table: ParameterTable) -> tuple[str, ...]:
    """Names of the draws that can be chosen: parameters with spread, covariates, `xi_patient`."""
    varying = (path for path, row in table.rows.items() if row.has_draw)
    return (*varying, *table.covariates.names, "xi_patient")


def check_draw_names(table: ParameterTable, names: Iterable[str], *, where: str) -> None:
    """Check the names of chosen draws.

    Args:
        table: Parameter table of a molecule in a cohort.
        names: Names of the draws.
        where: Argument or file, for error messages.

    Raises:
        ConfigError: If a name has no draw.
    """
    known = draw_names(table)
    for name in names:
        if name not in known:
            got = "without spread" if name in table.rows else "unknown"
            rule = f"{name} must be a parameter with spread, a covariate or xi_patient"
            raise ConfigError(where, rule, got, suggest(name, known))


def typical(table: ParameterTable, *, periods: int) -> Population:
    """Population of one typical patient: medians of covariates and values, no random effects.

    The sex is that of the majority. A parameter of a mixture has the value of its file, which may
    differ from that of every component.

    Args:
        table: Parameter table of a molecule in a cohort.
        periods: Number of dose periods.
    """
    return at_draws(table, {}, ids=np.zeros(1, np.int64), periods=periods)


def at_draws(
    table: ParameterTable, draws: Mapping[str, np.ndarray], *, ids: np.ndarray, periods: int
) -> Population:
    """Population of patients with chosen draws; draws that are not given are 0.

    Correlations are not imposed on the draws. The sex is that of the majority, and a parameter of a
    mixture has the distribution of its file, unless the draw is given.

    Args:
        table: Parameter table of a molecule in a cohort.
        draws: Standard normal draws (patient,) by name: path of a parameter, name of a covariate
            or of a mixture, or ``xi_patient``.
        ids: Patient numbers (patient,).
        periods: Number of dose periods.
    """
    count = len(ids)
    names = (*table.rows, *table.covariates.names, "xi_patient")
    every = {name: np.zeros(count) for name in names}
    every["covariates.sex"] = np.full(count, -np.inf if table.covariates.female > 0.5 else np.inf)
    return Population.at(
        table,
        ids,
        {**every, **draws},
        individual={},
        xi_dose=np.zeros((count, periods)),
    )
