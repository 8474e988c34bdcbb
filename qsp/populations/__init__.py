"""Virtual patients: parameters of a molecule in a cohort, and patients sampled from them.

::

    physiology.toml --+
    molecule        --+- nominal --> ParameterTable --- sample, typical --> Population
    cohort          --+
    user files      --+
"""

from qsp.populations.adherence import Adherence, adherence, applied_rules, visit_names
from qsp.populations.cohort import Cohort, read_cohort
from qsp.populations.cohort_file import CohortFile, read_cohort_file, write_cohort
from qsp.populations.covariate_file import (
    CovariateTable,
    covariates_of_lines,
    read_covariates,
)
from qsp.populations.parameter_table import ParameterRow, ParameterTable, to_parameters
from qsp.populations.patients import Population
from qsp.populations.sampling import at_draws, check_draw_names, sample, typical
from qsp.populations.table_from_files import nominal, physiology, user_file

__all__ = [
    "Adherence",
    "Cohort",
    "CohortFile",
    "CovariateTable",
    "ParameterRow",
    "ParameterTable",
    "Population",
    "adherence",
    "applied_rules",
    "at_draws",
    "check_draw_names",
    "covariates_of_lines",
    "nominal",
    "physiology",
    "read_cohort",
    "read_cohort_file",
    "read_covariates",
    "sample",
    "to_parameters",
    "typical",
    "user_file",
    "visit_names",
    "write_cohort",
]
