"""Results as text tables for the terminal."""

from __future__ import annotations

from typing import Any

import xarray as xr
from rich.console import Console

from qsp import molecules
from qsp.cli.text_table import print_table
from qsp.endpoints.response import surrogate_of
from qsp.plots.names import one_patient
from qsp.report import Table, crs_table, response_table
from qsp.report import differences as compared
from qsp.report import one_patient as single

_REPORT_ONLY = ("n", "failed", "not evaluable")
"""Columns of the report that the terminal leaves out."""


def print_results(results: xr.DataTree, console: Console) -> None:
    """Print CRS by dose and response; the report has all intervals and further tables."""
    ds = results.to_dataset()
    only_patient = one_patient(ds)
    if only_patient:
        console.print(single.notice(only_patient))
        crs, response = single.crs_table(ds), single.response_table(ds)
    else:
        crs, response = crs_table(ds), response_table(ds)
    for table in (*crs.split(), response):
        _print_narrow(table, console)
    if not only_patient:
        for sentence in compared.sentences(ds):
            console.print(sentence, markup=False, soft_wrap=False)
    if surrogate := surrogate_of(ds):
        console.print(f"Note: {surrogate}", markup=False)
    if "backend" in ds.attrs:
        console.print(f"Solver {ds.attrs['solver']}, backend {ds.attrs['backend']}")


def _print_narrow(table: Table, console: Console) -> None:
    """Print rates and Monte Carlo intervals in one cell, without the intervals of a trial."""
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
    print_table(title, headers, rows, console)


def print_differences(frame: Any, preferences: Any, console: Console) -> None:
    """Print the differences of two runs: a table per pair of arms, utilities, and the notes."""
    if not len(frame):
        console.print("The arms have no outcome in common.")
        return
    table = compared.difference_table(frame)
    console.print(table.title, markup=False, style="bold")
    for part in table.split():
        _print_all(part, console)
    console.print(table.note, markup=False)
    if len(preferences):
        utilities = compared.preference_table(preferences)
        _print_all(utilities, console)
        console.print(utilities.note, markup=False)


def _print_all(table: Table, console: Console) -> None:
    headers = [f"{c.title} ({c.group})" if c.group else c.title for c in table.columns]
    rows = [row for group in table.groups for row in group.rows]
    print_table(table.title, headers, rows, console)


def print_molecules(console: Console) -> None:
    """Print the molecules that come with the package."""
    columns = ("name", "target", "format", "routes", "clearance", "bridges")
    rows = []
    for name in molecules.names():
        m = molecules.load(name)
        rows.append((name, m.target, m.format, ", ".join(m.routes), m.clearance, m.synapse))
    print_table("Shipped molecules", columns, rows, console)


def print_validation(rows: list[Any], console: Console) -> None:
    """Print simulated and published results; the data files in the package name the sources."""
    from qsp.validation import COLUMNS

    shown = [n for n, title in enumerate(COLUMNS) if title != "source"]
    cells = [row.cells() for row in rows]
    texts = [[cell[n] for n in shown] for cell in cells]
    headers = [COLUMNS[n] for n in shown]
    print_table("Simulated and published results, misses first", headers, texts, console)


def print_replay(replay: Any, console: Console) -> None:
    """Print the differences between a run and its replay."""
    rows = [[each.name, f"{each.median:.1e}", f"{each.largest:.1e}"] for each in replay.differences]
    title = "Difference between replay and run, relative to each patient's largest value"
    print_table(title, ["variable", "median", "largest"], rows, console)
    verdict = "agrees" if replay.agrees else "does not agree"
    console.print(
        f"{replay.patients} patients x arms; the CRS grade differs in {replay.grades} of "
        f"{replay.periods} dose periods. The replay {verdict} with the run (tolerance "
        f"{replay.allowed:g})."
    )


def print_escalation(ds: Any, console: Console) -> None:
    """Print selected levels, patients and DLTs of a design, and the notes of the results."""

    def cell(name: str, at: dict[str, int], *, percent: bool = False) -> str:
        value, error = (float(ds[key].isel(at)) for key in (name, f"{name}_se"))
        scale, form = (100, ".1f") if percent else (1, ".2f")
        return f"{scale * value:{form}} ± {scale * error:{form}}"

    rows = [
        [
            str(name),
            f"{100 * float(ds['dlt_rate'][n]):.1f}",
            cell("selected", {"level": n}, percent=True),
            cell("patients", {"level": n}),
            cell("dlts", {"level": n}),
        ]
        for n, name in enumerate(ds["level"].values)
    ]
    rows.append(["none", "", cell("none_selected", {}, percent=True), "", ""])
    headers = ["level", "DLT rate (%)", "selected (%)", "patients", "DLTs"]
    trials = f"{ds.attrs['replicates']:,} trials (± Monte Carlo standard error)"
    title = f"{ds.attrs['design_title']}: {trials}"
    print_table(title, headers, rows, console)
    early, toxic = (cell(f"stopped_{n}", {}, percent=True) for n in ("early", "for_toxicity"))
    size = cell("trial_size", {})
    console.print(f"Patients per trial: {size}; stopped early: {early} %, for toxicity: {toxic} %")
    for note in str(ds.attrs["notes"]).splitlines():
        console.print(f"Note: {note}.", soft_wrap=True)


def print_approved(rows: Any, console: Console) -> None:
    """Print simulated and published CRS by dose of every molecule, and the largest miss."""
    from qsp.validation import approved

    cells = []
    for row in rows:
        known = row.published.rates
        shown = [
            f"{dose} {row.rates[dose]:.0f}" + (f" ({known[dose]:.0f})" if dose in known else "")
            for dose in row.rates
            if not known or dose in known
        ]
        order = {True: "right", False: "wrong", None: "–"}[row.order_is_right]
        cells.append([row.published.config, ", ".join(shown), order])
    headers = ["regimen", "CRS, simulated (published) [%]", "order"]
    print_table("CRS of any grade by dose", headers, cells, console)
    known = [row for row in rows if row.published.rates]
    molecule, dose, miss = approved.worst(known)
    right = sum(row.order_is_right is True for row in known)
    console.print(
        f"Mean miss per dose {approved.mean_miss(known):.1f} percentage points; largest "
        f"{miss:+.0f} ({molecule}, {dose}). The order of doses is right for {right} of "
        f"{len(known)} molecules. The shared parameter values were fitted to these rates."
    )
