"""The command that compares two runs of the same patients."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.output import chosen
from qsp.errors import ConfigError

app = typer.Typer()
console = Console(highlight=False)


@app.command()
def diff(  # noqa: PLR0913
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="Folder of a run.")],
    run_b: Annotated[
        Path, typer.Argument(metavar="RUN_B", help="Folder of the run that is the reference.")
    ],
    arm: Annotated[
        str | None,
        typer.Option(help="Arm of RUN_A.", show_default="each arm that both runs have"),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Arm of RUN_B, with --arm.", show_default="the same")
    ] = None,
    trial_size: Annotated[
        int | None,
        typer.Option(
            help="Patients in each arm of the trial that is predicted.",
            show_default="that of the published trial, or 100",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Print every dose period, ratio and prediction.")
    ] = False,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Compare two runs of the same patients: RUN_A minus RUN_B."""
    from qsp import run as runs
    from qsp.cli.comparison import of_differences
    from qsp.endpoints import differences, utility
    from qsp.endpoints.statistics.paired import Sampling
    from qsp.results.model_version import OtherModelWarning

    if reference is not None and arm is None:
        todo = "Add --arm with an arm of RUN_A"
        raise ConfigError("--reference", "it needs --arm", repr(reference), todo)
    output = chosen(as_csv, as_json, to)
    arms = None if arm is None else (arm, reference or arm)
    sampling = None if trial_size is None else Sampling(trial_size)
    with runs.read(run_a) as first, runs.read(run_b) as second:
        options = {"names": _names(run_a, run_b), "arms": arms, "sampling": sampling}
        with warnings.catch_warnings():  # the listing begins with it
            warnings.simplefilter("ignore", OtherModelWarning)
            frame = differences.between(first, second, **options)
            preferences = utility.between(first, second, **options)
    output.show(of_differences(frame, preferences, every=every), console)


def _names(run_a: Path, run_b: Path) -> tuple[str, str]:
    """Names of the folders; their paths if the names are the same."""
    first, second = run_a.resolve(), run_b.resolve()
    if first.name != second.name:
        return first.name, second.name
    return str(run_a), str(run_b)
