"""Figures: one function, one figure, from a results Dataset. Only here is matplotlib known."""

from __future__ import annotations

from qsp.plots.approved import crs_of_molecules
from qsp.plots.crs import crs_by_dose, cumulative_crs
from qsp.plots.decisions import MOST_ROWS, decision_flow, swimmer
from qsp.plots.time_course import cytokine_bands, cytokine_overview, drug_concentration
from qsp.plots.tumor import HIGHEST, MOST_BARS, spider, waterfall

FIGURES = (
    crs_by_dose,
    cumulative_crs,
    cytokine_bands,
    cytokine_overview,
    drug_concentration,
    waterfall,
    spider,
    swimmer,
)

__all__ = [
    "FIGURES",
    "HIGHEST",
    "MOST_BARS",
    "MOST_ROWS",
    "crs_by_dose",
    "crs_of_molecules",
    "cumulative_crs",
    "cytokine_bands",
    "cytokine_overview",
    "decision_flow",
    "drug_concentration",
    "spider",
    "swimmer",
    "waterfall",
]
