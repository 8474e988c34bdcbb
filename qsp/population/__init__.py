"""Virtual patients: parameters of a molecule in a cohort, and patients sampled from them.

::

    physiology.toml --+
    molecule        --+- nominal --> ParameterTable --- sample, typical --> Population
    cohort          --+
    user files      --+
"""

from qsp.population.adherence import Adherence, adherence
from qsp.population.cohort import Cohort, read_cohort
from qsp.population.covariate_file import CovariateTable, read_covariates
from qsp.population.parameter_table import ParameterRow, ParameterTable, ReportRow, to_parameters
from qsp.population.patients import Population
from qsp.population.sampling import sample, typical
from qsp.population.table_from_files import nominal, physiology, user_file

__all__ = [
    "Adherence",
    "Cohort",
    "CovariateTable",
    "ParameterRow",
    "ParameterTable",
    "Population",
    "ReportRow",
    "adherence",
    "nominal",
    "physiology",
    "read_cohort",
    "read_covariates",
    "sample",
    "to_parameters",
    "typical",
    "user_file",
]
