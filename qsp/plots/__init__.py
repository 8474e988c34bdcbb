"""Figures of a results Dataset: each function returns one matplotlib figure.

Figures are created without pyplot and need no GUI backend; a notebook displays the returned figure.
"""

from __future__ import annotations

from qsp.plots.agreement import Pair, agreement
from qsp.plots.approved import crs_of_molecules
from qsp.plots.benefit_risk import benefit_risk
from qsp.plots.crs import crs_by_dose, cumulative_crs
from qsp.plots.curves import observed_curves
from qsp.plots.decisions import MOST_ROWS, decision_flow, swimmer
from qsp.plots.figure import Figure
from qsp.plots.time_course import cytokine_bands, cytokine_overview, drug_concentration
from qsp.plots.tumor import HIGHEST, MOST_BARS, spider, waterfall
from qsp.plots.vpc import vpc

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

__all__ = [
    "FIGURES",
    "HIGHEST",
    "MOST_BARS",
    "MOST_ROWS",
    "Figure",
    "Pair",
    "agreement",
    "benefit_risk",
    "crs_by_dose",
    "crs_of_molecules",
    "cumulative_crs",
    "cytokine_bands",
    "cytokine_overview",
    "decision_flow",
    "drug_concentration",
    "observed_curves",
    "spider",
    "swimmer",
    "vpc",
    "waterfall",
]
