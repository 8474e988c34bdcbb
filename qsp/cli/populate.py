"""The command that draws, screens and stores virtual patients."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.compiled import cache_compiled_programs
from qsp.cli.output import Listing, chosen
from qsp.cli.text_table import TextTable

if TYPE_CHECKING:
    from qsp.patients import Screening

app = typer.Typer()
console = Console(highlight=False)

COLUMNS = ("reason", "candidates", "share", "meaning")


@app.command()
def populate(
    config: opt.ConfigArg,
    n: Annotated[int, typer.Option("--n", help="Number of candidates; best a power of 2.")],
    out: Annotated[Path, typer.Option(help="Folder for the cohort.")],
    seed: Annotated[
        int | None, typer.Option(help="Seed of the candidates.", show_default="that of the config")
    ] = None,
    days: Annotated[
        float, typer.Option(help="Days that candidates are simulated without treatment.")
    ] = 84.0,
    ranges: Annotated[
        Path | None,
        typer.Option(help="CSV file of ranges before treatment.", show_default="shipped"),
    ] = None,
    changes: opt.Changes = None,
    parameters: opt.ParameterFile = None,
    quiet: opt.Quiet = False,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Draw candidate patients, screen them without treatment, write the accepted ones."""
    from qsp import patients
    from qsp.run.progress_bar import ProgressBar

    output = chosen(as_csv, as_json, to)
    notes = output.console(console)
    cache_dir = cache_compiled_programs()
    with contextlib.nullcontext() if quiet else ProgressBar(notes, "candidates") as progress:
        found = patients.populate(
            config,
            n,
            out=out,
            seed=seed,
            days=days,
            ranges=ranges,
            parameters=parameters,
            changes=changes or (),
            progress=progress,
            cache_dir=cache_dir,
        )
    shown = listing(found)
    output.show(shown.without_text() if quiet else shown, console)
    if not quiet:
        notes.print(f"Cohort: {out}", markup=False, soft_wrap=True)


def listing(found: Screening) -> Listing:
    """Return the numbers of accepted and rejected candidates by reason.

    Args:
        found: Screen, from `qsp.patients.populate`.
    """
    from qsp.patients.populating import ACCEPTED, summary

    rows: list[dict[str, Any]] = [dict(zip(COLUMNS, row, strict=True)) for row in summary(found)]
    total = len(found.rejected_for)
    known = [row for row in rows if row["candidates"]]
    lines = [[row["reason"], str(row["candidates"]), f"{100 * row['share']:.1f}"] for row in known]
    title = f"{total} candidate{'' if total == 1 else 's'}"
    table = TextTable(title, ["reason", "candidates", "share (%)"], lines)
    meanings = [f"{row['reason']}: {row['meaning']}." for row in known if row["reason"] != ACCEPTED]
    return Listing([table, *meanings], lambda: rows, COLUMNS)
