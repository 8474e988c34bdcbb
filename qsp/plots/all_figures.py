"""The figures of one run, in the order of the report."""

from __future__ import annotations

from qsp.plots.benefit import benefit_risk
from qsp.plots.crs import crs_by_dose, cumulative_crs
from qsp.plots.decisions import swimmer
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
