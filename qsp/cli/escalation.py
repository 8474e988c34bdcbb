"""The command that simulates dose-escalation trials in the patients of a run."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.output import Listing, chosen
from qsp.cli.text_table import TextTable

app = typer.Typer()
console = Console(highlight=False)

_BY_LEVEL = ("selected", "patients", "dlts")
_BY_TRIAL = ("trial_size", "stopped_early", "stopped_for_toxicity")
_RATE = ("dlt_rate", "dlt_rate_lower", "dlt_rate_upper")
COLUMNS = (
    *("level", *_RATE),
    *(f"{name}{ending}" for name in (*_BY_LEVEL, *_BY_TRIAL) for ending in ("", "_se")),
)
"""Values of a record: those of a level, and those of all trials, which are in each record."""


@app.command()
def escalate(  # noqa: PLR0913
    out: opt.FolderArg,
    design: Annotated[str, typer.Option(help="Design: boin or 3+3.")] = "boin",
    target: Annotated[
        float | None,
        typer.Option(help="Target DLT rate, such as 0.25.", show_default="none; boin needs one"),
    ] = None,
    largest: Annotated[
        int | None,
        typer.Option(help="Largest number of patients in a trial (boin).", show_default="30"),
    ] = None,
    cohort: Annotated[
        int | None, typer.Option(help="Patients in a cohort (boin).", show_default="3")
    ] = None,
    stop_at: Annotated[
        int | None,
        typer.Option(
            help="End a trial that stays at a level with this many patients (boin).",
            show_default="no limit",
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            help="Arms from the lowest level up, such as low,high.",
            show_default="all, as in the config",
        ),
    ] = None,
    at_least: Annotated[int, typer.Option(help="Lowest CRS grade that counts as DLT.")] = 3,
    window: Annotated[
        float | None,
        typer.Option(
            help="Days after the first dose within which a DLT must start.",
            show_default="whole trial",
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(help="Number of simulated trials.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed for sampling patients.")] = 1,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Simulate dose-escalation trials that enroll patients of a run; its arms are dose levels."""
    from qsp import designs
    from qsp import run as runs
    from qsp.run.progress_bar import ProgressBar

    output = chosen(as_csv, as_json, to)
    options = {"target": target, "largest": largest, "cohort_size": cohort, "stop_at": stop_at}
    named = designs.named(design, **options)
    names = levels.split(",") if levels else None
    bar = ProgressBar(output.console(console), "trials", "reading")
    with runs.read(out) as results, bar as progress:
        ds = results.to_dataset()
        toxic = designs.dose_limiting(ds, levels=names, at_least=at_least, window=window)
        characteristics = designs.operating_characteristics(
            toxic, named, replicates=replicates, seed=seed, progress=progress
        )
    output.show(listing(characteristics), console)


def listing(ds: Any) -> Listing:
    """Return selected levels, patients and DLTs of a design, and the notes of the results.

    Args:
        ds: Operating characteristics, from `qsp.designs`.
    """

    def cell(name: str, at: dict[str, int], *, percent: bool = False) -> str:
        value, error = (float(ds[key].isel(at)) for key in (name, f"{name}_se"))
        scale, form = (100, ".1f") if percent else (1, ".2f")
        return f"{scale * value:{form}} ± {scale * error:{form}}"

    rows = [
        [
            str(name),
            _rate(ds, n),
            cell("selected", {"level": n}, percent=True),
            cell("patients", {"level": n}),
            cell("dlts", {"level": n}),
        ]
        for n, name in enumerate(ds["level"].values)
    ]
    rows.append(["none", "", cell("none_selected", {}, percent=True), "", ""])
    headers = ["level", "DLT rate (%)", "selected (%)", "patients", "DLTs"]
    trials = f"{ds.attrs['replicates']:,} trials (± Monte Carlo standard error)"
    table = TextTable(f"{ds.attrs['design_title']}: {trials}", headers, rows)
    early, toxic = (cell(f"stopped_{n}", {}, percent=True) for n in ("early", "for_toxicity"))
    size = cell("trial_size", {})
    sizes = f"Patients per trial: {size}; stopped early: {early} %, for toxicity: {toxic} %"
    notes = [f"Note: {note}." for note in str(ds.attrs["notes"]).splitlines()]
    return Listing([table, sizes, *notes], lambda: _records(ds), COLUMNS)


def _rate(ds: Any, level: int) -> str:
    rate, lower, upper = (100 * float(ds[name][level]) for name in _RATE)
    return f"{rate:.1f}" if lower == upper else f"{rate:.1f} ({lower:.1f}–{upper:.1f})"


def _records(ds: Any) -> list[dict[str, Any]]:
    """Return a record for each level, and one for the trials that select none."""
    empty = dict.fromkeys(COLUMNS)
    of_trials = {name: float(ds[name]) for name in COLUMNS if name.startswith(_BY_TRIAL)}
    by_level = [name for name in COLUMNS[1:] if name not in of_trials]
    records = [
        empty | of_trials | {"level": str(level)} | {n: float(ds[n][place]) for n in by_level}
        for place, level in enumerate(ds["level"].values)
    ]
    none = {"selected": float(ds["none_selected"]), "selected_se": float(ds["none_selected_se"])}
    return [*records, empty | of_trials | none]
