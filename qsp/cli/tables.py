"""What the command line prints: progress, and results as tables of text."""

from __future__ import annotations

from typing import Any

import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qsp import molecules
from qsp.cli.text_table import print_table
from qsp.endpoints.response import surrogate_of
from qsp.plots.names import one_patient
from qsp.report import Table, crs_table, response_table
from qsp.report import one_patient as single

_LEFT_TO_THE_REPORT = ("n", "failed", "not evaluable")


class NoProgress:
    """Progress that shows nothing."""

    def __enter__(self) -> NoProgress:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def start(self, sims: int) -> None:
        """Nothing."""

    def compiled(self, seconds: float) -> None:
        """Nothing."""

    def advance(self, sims: int) -> None:
        """Nothing."""


class Bar:
    """A bar of what is done, moved once per chunk; only a terminal shows it.

    Args:
        console: Where to show it.
        what: Is counted.
        first: Is done before the count begins.
    """

    def __init__(
        self, console: Console, what: str = "patients x arms", first: str = "compiling"
    ) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task, self._what = self._bar.add_task(first, total=None), what

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def compiled(self, seconds: float) -> None:
        """Compilation is done."""
        self._bar.console.print(f"Compiled in {seconds:.1f} s")

    def start(self, sims: int) -> None:
        """Simulation begins."""
        self._bar.update(self._task, description=self._what, total=sims, completed=0)

    def advance(self, sims: int) -> None:
        """Some are done."""
        self._bar.advance(self._task, sims)


def print_results(results: xr.DataTree, console: Console) -> None:
    """CRS by dose, and response; the report adds the intervals of a trial and the rest."""
    ds = results.to_dataset()
    alone = one_patient(ds)
    if alone:
        console.print(single.notice(alone))
    made = (single.crs_table(ds), single.response_table(ds)) if alone else None
    crs, response = made or (crs_table(ds), response_table(ds))
    for table in (*crs.split(), response):
        _print_narrow(table, console)
    if surrogate := surrogate_of(ds):
        console.print(f"Note: {surrogate}", markup=False)
    if "backend" in ds.attrs:
        console.print(f"Solver {ds.attrs['solver']}, backend {ds.attrs['backend']}")


def _print_narrow(table: Table, console: Console) -> None:
    """Rates with their Monte Carlo interval in one cell, without the intervals of a trial."""
    rates = [n for n, column in enumerate(table.columns) if column.title == "rate"]
    apart = {m for n in rates for m in (n + 1, n + 2)}  # both intervals follow their rate
    apart |= {n for n, column in enumerate(table.columns) if column.title in _LEFT_TO_THE_REPORT}
    keep = [n for n in range(len(table.columns)) if n not in apart]
    columns = [table.columns[n] for n in keep]
    headers = [c.group if c.title == "rate" or "median" in c.title else c.title for c in columns]
    rows = [
        [f"{row[n]} ({row[n + 1]})" if n in rates else row[n] for n in keep]
        for group in table.groups
        for row in group.rows
    ]
    title = f"{table.title}  (95 % Monte Carlo)" if rates else table.title
    print_table(title, headers, rows, console)


def print_molecules(console: Console) -> None:
    """The molecules that come with the package."""
    columns = ("name", "target", "format", "routes", "clearance", "bridges")
    rows = []
    for name in molecules.names():
        m = molecules.load(name)
        rows.append((name, m.target, m.format, ", ".join(m.routes), m.clearance, m.synapse))
    print_table("Molecules of the package", columns, rows, console)


def print_validation(rows: list[Any], console: Console) -> None:
    """Simulated beside published; sources stand with the tables of the package."""
    from qsp.validation import COLUMNS

    shown = [n for n, title in enumerate(COLUMNS) if title != "source"]
    cells = [row.cells() for row in rows]
    words = [[cell[n] for n in shown] for cell in cells]
    headers = [COLUMNS[n] for n in shown]
    print_table("Simulated beside published; misses first", headers, words, console)


def print_replay(shown: Any, console: Console) -> None:
    """How far a replay is from its run."""
    rows = [[each.name, f"{each.median:.1e}", f"{each.largest:.1e}"] for each in shown.differences]
    headers = ["variable", "median difference", "largest"]
    print_table(
        "Replay against run, relative to each patient's largest value", headers, rows, console
    )
    verdict = "agrees" if shown.agrees else "does not agree"
    console.print(
        f"{shown.patients} patients times arms; another grade in {shown.grades} of {shown.periods} "
        f"dose periods. The replay {verdict}: {shown.allowed:g} is allowed."
    )


def print_escalation(ds: Any, console: Console) -> None:
    """Levels selected, patients and toxicities of a design, with what is unusual below."""

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
    console.print(f"Patients of a trial: {size}; stopped early: {early} %, for toxicity: {toxic} %")
    for note in str(ds.attrs["notes"]).splitlines():
        console.print(f"Note: {note}.", soft_wrap=True)


def print_approved(rows: Any, console: Console) -> None:
    """CRS by dose of every molecule, simulated and published, the worst named."""
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
        f"Mean miss {approved.mean_miss(known):.1f} points by dose; worst {molecule} {dose}, "
        f"{miss:+.0f}. Order over the doses right for {right} of {len(known)} molecules. The rates "
        "were in the fit of the shared values."
    )
