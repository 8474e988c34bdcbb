"""Check that a cohort belongs to the model, the disease and the parameters of a run."""

from __future__ import annotations

from qsp.errors import ConfigError
from qsp.model import MODEL_VERSION
from qsp.populations import CohortFile, ParameterTable
from qsp.populations.parameter_digest import described, differences
from qsp.results.model_version import major

MOST_NAMED = 2
"""Changed parameters that a message names."""


def check_cohort(cohort: CohortFile, table: ParameterTable, *, where: str) -> None:
    """Refuse a cohort of another disease, model or parameters, whose patients would be others.

    Args:
        cohort: The cohort.
        table: Parameters of the run.
        where: File and key, for error messages.

    Raises:
        ConfigError: At the first difference.
    """
    again = "populate again with this config"
    disease, version = cohort.attributes["disease"], cohort.attributes["model_version"]
    if disease != table.cohort.disease:
        rule = f"the cohort must be of the disease of the population ({table.cohort.disease})"
        todo = f"Name a cohort of {table.cohort.disease}, or {again}"
        raise ConfigError(where, rule, f"of {disease}", todo)
    if major(version) != major(MODEL_VERSION):
        rule = f"the cohort must be of model {major(MODEL_VERSION)}, the model of this version"
        got = f"of model {version}"
        todo = f"Install qsp {cohort.attributes['qsp_version']}, or {again}"
        raise ConfigError(where, rule, got, todo)
    current = described(table)
    if changed := differences(cohort.parameters, current):
        more = len(changed) - MOST_NAMED
        got = "; ".join(changed[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        rule = "the parameters of the cohort must be the parameters of the config"
        todo = f"Restore them, give changes of a regimen in arms.NAME.parameters, or {again}"
        raise ConfigError(where, rule, f"not: {got}", todo)
