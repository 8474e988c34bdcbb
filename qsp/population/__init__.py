"""Who is treated: parameters of a molecule in a cohort, and patients drawn around them.

::

    physiology.toml -+
    molecule       --+- nominal --> ParameterTable --- sample, typical --> Population
    cohort         --+
    user's files   --+
"""

from qsp.population.adherence import Adherence, adherence
from qsp.population.assembly import nominal, physiology, user_file
from qsp.population.cohort import Cohort, read_cohort
from qsp.population.covariate_file import CovariateTable, read_covariates
from qsp.population.patients import Population
from qsp.population.sampling import sample, typical
from qsp.population.table import ParameterTable, ReportRow, Row, to_parameters

__all__ = [
    "Adherence",
    "Cohort",
    "CovariateTable",
    "ParameterTable",
    "Population",
    "ReportRow",
    "Row",
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
