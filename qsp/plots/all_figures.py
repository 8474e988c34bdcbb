"""The figures of one run, in the order of the report, and those that only some runs have."""

from __future__ import annotations

from qsp.plots.benefit import benefit_risk
from qsp.plots.crs import crs_by_dose, cumulative_crs
from qsp.plots.decisions import swimmer
from qsp.plots.responders import response_swimmer
from qsp.plots.survival import duration_of_response, progression_free
from qsp.plots.time_course import cytokine_bands, cytokine_overview, drug_concentration
from qsp.plots.tumor import spider, waterfall

FIGURES = (
    crs_by_dose,
    cumulative_crs,
    cytokine_bands,
    cytokine_overview,
    drug_concentration,
    waterfall,
    spider,
    swimmer,
    benefit_risk,
)
"""Figures of every run."""
LESION_FIGURES = (progression_free, duration_of_response, response_swimmer)
"""Figures of runs whose response follows the rule of the disease, with times of progression."""
