"""Clinical questions answered from a results Dataset: xarray in, xarray out, with units.

Each function of `ENDPOINTS` states what it needs, its unit and its definition (`endpoint.Meaning`).
Rates come with a Monte Carlo interval and, apart, the prediction interval of a trial of n patients
(`interval`); failed patients are counted beside every number.

Adding one: a function under `@endpoint` in the file of its question, and its name here.
"""

from __future__ import annotations

from qsp.endpoints import crs, cytokines, exposure, response, tumor
from qsp.endpoints.response import CRITERIA, add_best_response, best_response
from qsp.endpoints.statistics.bands import bands, has_trajectory
from qsp.endpoints.steps import Step, labels, steps
from qsp.endpoints.summary import COLUMNS, Row, summary

ENDPOINTS = (
    crs.incidence,
    crs.worst_grade,
    crs.alternatives,
    crs.onset,
    crs.duration,
    crs.cumulative_incidence,
    cytokines.peaks,
    cytokines.fold_changes,
    cytokines.peak_times,
    cytokines.peak_ratio,
    cytokines.source_shares,
    exposure.metrics,
    response.objective_response,
    response.complete_response,
    response.best_responses,
    tumor.change,
    tumor.best_change,
    tumor.change_at_visits,
)

__all__ = [
    "COLUMNS",
    "CRITERIA",
    "ENDPOINTS",
    "Row",
    "Step",
    "add_best_response",
    "bands",
    "best_response",
    "has_trajectory",
    "labels",
    "steps",
    "summary",
]
