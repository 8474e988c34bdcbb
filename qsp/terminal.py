"""What the command line prints: progress, tables of results, the plan of a trial."""

from __future__ import annotations

from typing import Any

import xarray as xr
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from qsp import molecules
from qsp.report import Table, crs_table, response_table
from qsp.run import Prepared
from qsp.run.listing import dose_rows

# Patients times arms times days that one core simulates in a second, to an order of magnitude.
LANE_DAYS_PER_SECOND = 8000.0
COMPILE_SECONDS = 15.0
_LEFT_TO_THE_REPORT = ("n", "failed", "not evaluable")


class Nothing:
    """Progress that shows nothing."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def start(self, lanes: int) -> None:
        """Nothing."""

    def compiled(self, seconds: float) -> None:
        """Nothing."""

    def advance(self, lanes: int) -> None:
        """Nothing."""


class Bar:
    """A bar of patients done, moved once per chunk."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("compiling", total=None)

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def compiled(self, seconds: float) -> None:
        """Compilation is done."""
        self._bar.console.print(f"Compiled in {seconds:.1f} s")

    def start(self, lanes: int) -> None:
        """Simulation begins."""
        self._bar.update(self._task, description="patients x arms", total=lanes, completed=0)

    def advance(self, lanes: int) -> None:
        """A chunk is done."""
        self._bar.advance(self._task, lanes)


def print_results(results: xr.DataTree, console: Console) -> None:
    """CRS by dose, and response; the report adds the intervals of a trial and the rest."""
    ds = results.to_dataset()
    crs = crs_table(ds)
    for arm in crs.split():
        console.print(_narrow(arm))
    console.print(_narrow(response_table(ds)))


def _narrow(table: Table) -> RichTable:
    """Rates with their Monte Carlo interval in one cell, without the intervals of a trial."""
    title = f"{table.title}  (95 % Monte Carlo)"
    shown = RichTable(title=title, title_justify="left", box=SIMPLE)
    rates = [n for n, column in enumerate(table.columns) if column.title == "rate"]
    apart = {m for n in rates for m in (n + 1, n + 2)}  # both intervals follow their rate
    apart |= {n for n, column in enumerate(table.columns) if column.title in _LEFT_TO_THE_REPORT}
    keep = [n for n in range(len(table.columns)) if n not in apart]
    for n in keep:
        column = table.columns[n]
        named = column.group if n in rates or "median" in column.title else column.title
        shown.add_column(named, min_width=17 if n in rates else None)
    for row in (row for group in table.groups for row in group.rows):
        shown.add_row(*(f"{row[n]} ({row[n + 1]})" if n in rates else row[n] for n in keep))
    return shown


def print_plan(prepared: Prepared, console: Console) -> None:
    """What is given when, and about how long the run takes."""
    trial = prepared.trial
    rows = dose_rows(trial)
    for arm in trial.arms:
        name = arm.title or arm.name
        table = RichTable(title=name, title_justify="left", box=SIMPLE)
        for column in rows[0]:
            if column != "arm":
                table.add_column(column)
        for row in rows:
            if row["arm"] == name:
                table.add_row(*(value for key, value in row.items() if key != "arm"))
        console.print(table)
    people, arms = len(prepared.cohort.people.ids), len(trial.arms)
    seconds = COMPILE_SECONDS + people * arms * trial.days / LANE_DAYS_PER_SECOND
    console.print(
        f"{people} patients x {arms} arms x {trial.days:g} days, {prepared.table.molecule.name} in "
        f"{prepared.table.cohort.name}: about {seconds:.0f} s. The config is valid."
    )


def print_molecules(console: Console) -> None:
    """The molecules that come with the package."""
    table = RichTable()
    for column in ("name", "target", "format", "routes", "clearance", "bridges"):
        table.add_column(column)
    for name in molecules.names():
        m = molecules.load(name)
        table.add_row(name, m.target, m.format, ", ".join(m.routes), m.clearance, m.synapse)
    console.print(table)


def print_validation(rows: list[Any], console: Console) -> None:
    """Simulated beside published; sources stand with the tables of the package."""
    from qsp.validation import COLUMNS

    table = RichTable(title="Simulated beside published; misses first", box=SIMPLE)
    shown = [n for n, title in enumerate(COLUMNS) if title != "source"]
    for n in shown:
        table.add_column(COLUMNS[n])
    for row in rows:
        cells = row.cells()
        table.add_row(*(cells[n] for n in shown))
    console.print(table)
