"""Clinical endpoints computed from a results Dataset: xarray in, xarray out, with units.

Each function of `ENDPOINTS` declares the variables it reads, its unit and its definition
(`endpoint.Meaning`). Rates are reported with a Monte Carlo interval and, separately, with the
prediction interval of a trial of n patients (`statistics.interval`). The number of failed
simulations is reported with every endpoint. `differences` and `utility` compare arms in the same
patients.

To add an endpoint, decorate a function with `@endpoint` in the module of its topic and list it in
`ENDPOINTS`.
"""

from __future__ import annotations

from qsp.endpoints import (
    covariates,
    crs,
    crs_times,
    cytokines,
    decisions,
    differences,
    disease,
    exposure,
    exposure_response,
    observed,
    response,
    survival,
    tumor,
    utility,
    vpc,
)
from qsp.endpoints.response import CRITERIA, add_best_response, best_response
from qsp.endpoints.statistics.bands import bands, has_trajectory
from qsp.endpoints.steps import Step, labels, steps
from qsp.endpoints.summary import COLUMNS, Row, summary

ENDPOINTS = (
    crs.incidence,
    crs.worst_grade,
    crs.onset,
    crs.duration,
    crs.cumulative_incidence,
    crs_times.resolution,
    crs_times.late_onset,
    cytokines.peaks,
    cytokines.fold_changes,
    cytokines.peak_times,
    cytokines.peak_ratio,
    cytokines.source_shares,
    exposure.metrics,
    exposure_response.by_quartile,
    covariates.explained_variance,
    response.objective_response,
    response.complete_response,
    response.best_responses,
    disease.best_change_shares,
    disease.very_good_share,
    disease.antigen_loss,
    survival.progression_free_median,
    survival.progression_free_rate,
    survival.response_duration_median,
    survival.complete_response_rate_at,
    survival.time_to_response,
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
    "covariates",
    "decisions",
    "differences",
    "disease",
    "has_trajectory",
    "labels",
    "observed",
    "steps",
    "summary",
    "survival",
    "utility",
    "vpc",
]
