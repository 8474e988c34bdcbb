"""Figures: one function, one figure, from a results Dataset. Only here is matplotlib known."""

from __future__ import annotations

from qsp.plots.crs import crs_by_dose, cumulative_crs
from qsp.plots.time_course import cytokine_bands, cytokine_overview, drug_concentration
from qsp.plots.tumor import HIGHEST, spider, waterfall

FIGURES = (
    crs_by_dose,
    cumulative_crs,
    cytokine_bands,
    cytokine_overview,
    drug_concentration,
    waterfall,
    spider,
)

__all__ = [
    "FIGURES",
    "HIGHEST",
    "crs_by_dose",
    "cumulative_crs",
    "cytokine_bands",
    "cytokine_overview",
    "drug_concentration",
    "spider",
    "waterfall",
]
