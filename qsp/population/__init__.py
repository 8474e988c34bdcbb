"""Who is treated: parameters of a molecule in a cohort, and patients drawn around them.

::

    physiology.toml -+
    molecule       --+- nominal --> ParameterTable --- sample, typical --> Population
    cohort         --+
    user's files   --+
"""

from qsp.population.assembly import nominal, physiology, user_file
from qsp.population.attendance import Attendance, attendance
from qsp.population.cohort import Cohort, read_cohort
from qsp.population.given_covariates import GivenCovariates, read_covariates
from qsp.population.patients import Population
from qsp.population.sampling import sample, typical
from qsp.population.table import ParameterTable, ReportRow, Row, to_parameters

__all__ = [
    "Attendance",
    "Cohort",
    "GivenCovariates",
    "ParameterTable",
    "Population",
    "ReportRow",
    "Row",
    "attendance",
    "nominal",
    "physiology",
    "read_cohort",
    "read_covariates",
    "sample",
    "to_parameters",
    "typical",
    "user_file",
]
