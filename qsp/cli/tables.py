"""Results as listings: text tables for the terminal, and records for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import xarray as xr

from qsp import molecules
from qsp.cli.output import Listing
from qsp.cli.text_table import TextTable
from qsp.endpoints import COLUMNS, summary
from qsp.endpoints.observed import has_observations
from qsp.endpoints.response import surrogate_of
from qsp.plots.names import one_patient
from qsp.report import Table, crs_table, response_table
from qsp.report import differences as compared
from qsp.report import one_patient as single
from qsp.report.observed import observed_table
from qsp.report.uncertainty import uncertainty_table

_REPORT_ONLY = ("n", "failed", "not evaluable")
"""Columns of the report that the terminal leaves out."""
_MOLECULE = (
    *("name", "title", "target", "format", "routes", "clearance", "synapse"),
    "molecular_weight_kda",
)
_DIFFERENCE = ("variable", "median", "largest")


def results(tree: xr.DataTree) -> Listing:
    """Return CRS by dose and response; the records are those of `summary.csv`.

    Args:
        tree: Results of a run.
    """
    ds = tree.to_dataset()
    only_patient = one_patient(ds)
    if only_patient:
        crs, response = single.crs_table(ds), single.response_table(ds)
    else:
        crs, response = crs_table(ds), response_table(ds)
    parts: list[TextTable | str] = [single.notice(only_patient)] if only_patient else []
    parts += [_narrow(table) for table in (*crs.split(), response)]
    if has_observations(ds):
        table = observed_table(ds)
        parts += [_observed(table), table.note]
    if not only_patient:
        parts += compared.sentences(ds)
    if "uncertainty" in tree.children:
        table = uncertainty_table(tree["uncertainty"].to_dataset())
        parts += [*_uncertain(table), table.note]
    if surrogate := surrogate_of(ds):
        parts.append(f"Note: {surrogate}")
    if "backend" in ds.attrs:
        parts.append(f"Solver {ds.attrs['solver']}, backend {ds.attrs['backend']}")
    return Listing(parts, lambda: [dataclasses.asdict(row) for row in summary(ds)], COLUMNS)


def _observed(table: Table) -> TextTable:
    """Return the comparison with observations, the arm in each row if there are several."""
    several = len(table.groups) > 1
    headers = [*(["Arm"] if several else []), *(column.title for column in table.columns)]
    rows = [row if several else row[1:] for row in table.plain_rows()]
    return TextTable(table.title, headers, rows)


def _uncertain(table: Table) -> Iterator[TextTable]:
    """Yield a table for each arm and each difference, which fits the terminal."""
    headers = [column.title for column in table.columns]
    for group in table.groups:
        yield TextTable(f"{group.title}: {table.title}", headers, group.rows)


def _narrow(table: Table) -> TextTable:
    """Return rates and Monte Carlo intervals in one cell, without the intervals of a trial."""
    rates = [n for n, column in enumerate(table.columns) if column.title == "rate"]
    dropped = {m for n in rates for m in (n + 1, n + 2)}  # both intervals follow their rate
    dropped |= {n for n, column in enumerate(table.columns) if column.title in _REPORT_ONLY}
    keep = [n for n in range(len(table.columns)) if n not in dropped]
    columns = [table.columns[n] for n in keep]
    headers = [c.group if c.title == "rate" or "median" in c.title else c.title for c in columns]
    rows = [
        [f"{row[n]} ({row[n + 1]})" if n in rates else row[n] for n in keep]
        for group in table.groups
        for row in group.rows
    ]
    title = f"{table.title}  (95 % Monte Carlo intervals)" if rates else table.title
    return TextTable(title, headers, rows)


def shipped_molecules() -> Listing:
    """Return the molecules that come with the package."""
    found = [molecules.load(name) for name in molecules.names()]
    headers = ("name", "target", "format", "routes", "clearance", "bridges")
    rows = [
        (m.name, m.target, m.format, ", ".join(m.routes), m.clearance, m.synapse) for m in found
    ]
    records = [
        {name: getattr(m, name) for name in _MOLECULE[:-1]}
        | {"routes": ", ".join(m.routes), _MOLECULE[-1]: m.molecular_weight}
        for m in found
    ]
    return Listing([TextTable("Shipped molecules", headers, rows)], lambda: records, _MOLECULE)


def of_replay(replay: Any) -> Listing:
    """Return the differences between a run and its replay.

    Args:
        replay: Result of `qsp.run.replay`.
    """
    rows = [[each.name, f"{each.median:.1e}", f"{each.largest:.1e}"] for each in replay.differences]
    title = "Difference between replay and run, relative to each patient's largest value"
    verdict = "agrees" if replay.agrees else "does not agree"
    sentence = (
        f"{replay.patients} patients x arms; the CRS grade differs in {replay.grades} of "
        f"{replay.periods} dose periods. The replay {verdict} with the run (tolerance "
        f"{replay.allowed:g})."
    )

    def records() -> list[dict[str, Any]]:
        values = ((each.name, each.median, each.largest) for each in replay.differences)
        return [dict(zip(_DIFFERENCE, each, strict=True)) for each in values]

    return Listing([TextTable(title, _DIFFERENCE, rows), sentence], records, _DIFFERENCE)
