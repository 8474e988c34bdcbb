"""Reports of a run: an HTML page, a summary in CSV, results as CSV tables, and tables as text."""

from __future__ import annotations

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
    link_table,
    ratio_table,
    response_table,
    worst_grade_table,
)

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
    "link_table",
    "preference_table",
    "ratio_table",
    "render",
    "response_table",
    "worst_grade_table",
    "write",
    "write_summary",
]
