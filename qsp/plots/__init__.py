"""Figures of a results Dataset: each function returns one matplotlib figure.

Figures are created without pyplot and need no GUI backend; a notebook displays the returned figure.
Names are imported on first use, so that tables use the names and doses of figures without loading
matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qsp.plots.all_figures import FIGURES, LESION_FIGURES
    from qsp.plots.approved import crs_of_molecules
    from qsp.plots.benefit import benefit_risk
    from qsp.plots.crs import crs_by_dose, cumulative_crs
    from qsp.plots.curves import observed_curves
    from qsp.plots.decisions import MOST_ROWS, decision_flow, swimmer
    from qsp.plots.figure import Figure
    from qsp.plots.predictive_check import vpc
    from qsp.plots.published import Pair, agreement
    from qsp.plots.responders import MOST_RESPONDERS, response_swimmer
    from qsp.plots.survival import duration_of_response, progression_free
    from qsp.plots.time_course import cytokine_bands, cytokine_overview, drug_concentration
    from qsp.plots.tumor import HIGHEST, MOST_BARS, spider, waterfall

_MODULES = {
    "all_figures": ("FIGURES", "LESION_FIGURES"),
    "approved": ("crs_of_molecules",),
    "benefit": ("benefit_risk",),
    "crs": ("crs_by_dose", "cumulative_crs"),
    "curves": ("observed_curves",),
    "decisions": ("MOST_ROWS", "decision_flow", "swimmer"),
    "figure": ("Figure",),
    "predictive_check": ("vpc",),
    "published": ("Pair", "agreement"),
    "responders": ("MOST_RESPONDERS", "response_swimmer"),
    "survival": ("duration_of_response", "progression_free"),
    "time_course": ("cytokine_bands", "cytokine_overview", "drug_concentration"),
    "tumor": ("HIGHEST", "MOST_BARS", "spider", "waterfall"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "FIGURES",
    "HIGHEST",
    "LESION_FIGURES",
    "MOST_BARS",
    "MOST_RESPONDERS",
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
    "duration_of_response",
    "observed_curves",
    "progression_free",
    "response_swimmer",
    "spider",
    "swimmer",
    "vpc",
    "waterfall",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
