"""Covariates of the patients of a run: those of a file of covariates, or those of a dose table."""

import numpy as np

from qsp.config import Config
from qsp.errors import ConfigError
from qsp.populations import CovariateTable, covariates_of_lines
from qsp.run.record import Request


def covariates_of_run(
    covariates: CovariateTable | None, config: Config, request: Request
) -> CovariateTable | None:
    """Return the covariates of a file of covariates, or else those in a dose table.

    Args:
        covariates: Covariates of the file, if any.
        config: Config of the run.
        request: Request of the run.

    Raises:
        ConfigError: If both give covariates, or if only the typical patient is simulated.
    """
    rows = config.dose_rows
    if rows is None or not rows.covariates:
        return covariates
    names = ", ".join(rows.covariates)
    listed = ", ".join(f'"{name}"' for name in rows.covariates)
    todo = f"Write ignore = [{listed}] in [dose_table]"
    if covariates is not None:
        rule = f"covariates must be in one file, {rows.name} or {covariates.file}"
        raise ConfigError(rows.name, rule, f"{names} in the first", todo)
    if request.typical:
        rule = "the typical patient must have median covariates"
        raise ConfigError("--typical", rule, f"combined with {names} of {rows.name}", todo)
    columns = {name: rows.text[name] for name in rows.covariates}
    table = covariates_of_lines(rows.name, rows.line, rows.patient, columns)
    return table.subset(np.array(config.patient_ids))
