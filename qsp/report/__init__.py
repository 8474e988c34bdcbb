"""Reports of a run: an HTML page, a summary in CSV, results as CSV tables, and tables as text.

Names are imported on first use, so that `qsp.report.drawing` starts a process without loading all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qsp.report.cells import Column, Group, Table
    from qsp.report.differences import difference_table, preference_table
    from qsp.report.export import export_csv, write_summary
    from qsp.report.facts import Supplement
    from qsp.report.page import render, write
    from qsp.report.tables import (
        crs_table,
        cytokine_table,
        exposure_table,
        headline_table,
        ratio_table,
        response_table,
        worst_grade_table,
    )

_MODULES = {
    "cells": ("Column", "Group", "Table"),
    "differences": ("difference_table", "preference_table"),
    "export": ("export_csv", "write_summary"),
    "facts": ("Supplement",),
    "page": ("render", "write"),
    "tables": (
        "crs_table",
        "cytokine_table",
        "exposure_table",
        "headline_table",
        "ratio_table",
        "response_table",
        "worst_grade_table",
    ),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Column",
    "Group",
    "Supplement",
    "Table",
    "crs_table",
    "cytokine_table",
    "difference_table",
    "export_csv",
    "exposure_table",
    "headline_table",
    "preference_table",
    "ratio_table",
    "render",
    "response_table",
    "worst_grade_table",
    "write",
    "write_summary",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
