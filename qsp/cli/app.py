"""The command line: each command is a thin call of one public function.

Exit codes: 0 done (with a counted warning where patients failed), 1 the run failed, 2 input is
wrong (found before anything is compiled or written), 130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qsp import process
from qsp.cli import cluster as cluster_cli
from qsp.errors import ConfigError, QSPError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="In-silico trials of T-cell engagers. For research, not for clinical decisions.",
)
app.add_typer(cluster_cli.app)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

ConfigArg = Annotated[Path, typer.Argument(help="Config of a trial (TOML).")]
FolderArg = Annotated[Path, typer.Argument(help="Folder of a run.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the config.")
]
Patients = Annotated[int | None, typer.Option(help="Number of virtual patients.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the population.")]
Own = Annotated[Path | None, typer.Option(help="TOML file of your own parameter values.")]
OwnCovariates = Annotated[Path | None, typer.Option(help="CSV file of your own patients.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]


@app.command()
def run(
    config: ConfigArg,
    patients: Patients = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; runs/NAME by default.")] = None,
    changes: Changes = None,
    force: Force = False,
    quiet: Quiet = False,
    solver: Annotated[
        str | None, typer.Option(help="ROCK4 (default), ROCK2, RKC2, or a diffrax solver.")
    ] = None,
    rtol: Annotated[float | None, typer.Option(help="Relative tolerance.")] = None,
    typical: Annotated[
        bool, typer.Option("--typical", help="The one patient without variability.")
    ] = False,
    parameters: Own = None,
    covariates: OwnCovariates = None,
    allow_failures: Annotated[
        bool, typer.Option("--allow-failures", help="Accept more than 5 % failed patients.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep compiled programs between runs.")
    ] = True,
) -> None:
    """Simulate a trial; write results.nc, report.html and summary.csv."""
    from qsp import run as runs
    from qsp.cli.preview import print_notes
    from qsp.run import folder

    options = {"patients": patients, "seed": seed, "method.solver": solver, "method.rtol": rtol}
    overrides = _overrides(changes, options)
    prepared = runs.prepare(
        runs.Request(config, overrides, parameters, covariates, typical=typical, out=out)
    )
    out = out or Path("runs") / prepared.config.name
    folder.check(out, force=force)
    if not quiet:
        print_notes(prepared, console)
    from qsp.engine.cache import jax_cache_dir

    # Without a cache of its own, a run still uses one that JAX was configured to use.
    cache_dir = _cache_compiled_programs() if cache else jax_cache_dir()
    from qsp.cli.tables import Bar, NoProgress, print_results

    with NoProgress() if quiet else Bar(console) as progress:
        results = runs.run_into(out, prepared, force=force, progress=progress, cache_dir=cache_dir)
    with results:  # of several blocks a file, that is closed
        failed = runs.check_failures(results, allow=allow_failures)
        if not quiet:
            print_results(results, console)
            console.print(f"Report: {out / folder.REPORT}")
        if failed:
            total = results["outcome"].size
            errors.print(f"Warning: {round(failed * total)} of {total} simulated patients failed.")


@app.command()
def check(
    config: ConfigArg,
    changes: Changes = None,
    parameters: Own = None,
    covariates: OwnCovariates = None,
) -> None:
    """Validate a config and print what is given when; simulate nothing."""
    from qsp import run as runs
    from qsp.cli.preview import print_plan

    request = runs.Request(config, tuple(changes or ()), parameters, covariates)
    print_plan(runs.prepare(request), console)


@app.command()
def report(out: FolderArg) -> None:
    """Write report.html and summary.csv of a run again."""
    from qsp import run as runs
    from qsp.results.zarr_store import INCOMPLETE

    with runs.read(out) as results:
        for path in runs.write_report(results, out):
            console.print(str(path))
        for line in str(results.attrs.get("notes", "")).splitlines():
            if line.startswith(INCOMPLETE):
                errors.print(f"Warning: {line}", markup=False, soft_wrap=True)


@app.command()
def export(
    out: FolderArg,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV; the one format, so far.")] = True,  # noqa: ARG001
    tables: Annotated[
        str | None, typer.Option(help="Names of the tables, with commas: patients,periods.")
    ] = None,
    single: Annotated[
        bool, typer.Option("--trajectories/--no-trajectories", help="Single patients over time.")
    ] = True,
) -> None:
    """Write the results of a run as CSV tables beside it."""
    from qsp import run as runs
    from qsp.report.export import chosen_tables, export_csv
    from qsp.results import trajectories

    names = chosen_tables(tables, trajectories=single)
    with runs.read(out) as results:
        apart, whole = trajectories(results), results.to_dataset()
        for path in export_csv(whole, out / "csv", trajectories=apart, tables=names):
            console.print(str(path))


@app.command()
def replay(out: FolderArg) -> None:
    """Give again, on schedule, what a run with rules gave, and compare."""
    from qsp import run as runs
    from qsp.cli.tables import print_replay

    _cache_compiled_programs()
    with runs.read(out) as results:
        shown = runs.replay(results)
    print_replay(shown, console)
    if not shown.agrees:
        raise typer.Exit(1)


@app.command()
def escalate(  # noqa: PLR0913
    out: FolderArg,
    design: Annotated[str, typer.Option(help="boin or 3+3.")] = "boin",
    target: Annotated[
        float | None,
        typer.Option(
            help="Wanted DLT rate, such as 0.25 (boin).", show_default="none, boin needs it"
        ),
    ] = None,
    largest: Annotated[
        int | None, typer.Option(help="Most patients of a trial (boin).", show_default="30")
    ] = None,
    cohort: Annotated[
        int | None, typer.Option(help="Patients of a cohort (boin).", show_default="3")
    ] = None,
    stop_at: Annotated[
        int | None,
        typer.Option(help="Patients at a level that end a trial (boin).", show_default="no limit"),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            help="Arms from the lowest, with commas.", show_default="all, as in the config"
        ),
    ] = None,
    at_least: Annotated[int, typer.Option(help="Lowest CRS grade that limits the dose.")] = 3,
    window: Annotated[
        float | None,
        typer.Option(help="Days in which its start counts.", show_default="whole trial"),
    ] = None,
    replicates: Annotated[int, typer.Option(help="Trials.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 1,
) -> None:
    """Run dose-escalation trials on the virtual patients of a run; its arms are the levels."""
    from qsp import designs
    from qsp import run as runs
    from qsp.cli.tables import Bar, print_escalation

    options = {"target": target, "largest": largest, "cohort_size": cohort, "stop_at": stop_at}
    chosen = designs.named(design, **options)
    names = levels.split(",") if levels else None
    with runs.read(out) as results, Bar(console, "trials", "reading") as progress:
        ds = results.to_dataset()
        toxic = designs.dose_limiting(ds, levels=names, at_least=at_least, window=window)
        found = designs.operating_characteristics(
            toxic, chosen, replicates=replicates, seed=seed, progress=progress
        )
    print_escalation(found, console)


@app.command()
def molecules() -> None:
    """List the molecules that come with the package."""
    from qsp.cli.tables import print_molecules

    print_molecules(console)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A parameter, a state, or a mechanism.")],
) -> None:
    """Say what a name of the model means: unit, meaning, values, sources."""
    from qsp.explain import explain as lines

    for line in lines(name):
        console.print(line, markup=False, soft_wrap=True)


@app.command()
def new(
    molecule: Annotated[str, typer.Argument(help="Name of the molecule.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(),
) -> None:
    """Write the file of a new molecule, to be filled in."""
    from qsp.molecules.template import write_template

    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        todo = "Name a folder"
        raise ConfigError(str(out), "--out must be a folder", "a file", todo) from None
    console.print(f"Fill in {write_template(molecule, out)}")


@app.command()
def validate(
    patients: Annotated[int, typer.Option(help="Virtual patients per comparison.")] = 400,
    curves: Annotated[Path | None, typer.Option(help="Folder of digitised curves.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the population.")] = 1,
    populations: Annotated[Path, typer.Option(help="Folder of populations.")] = Path("populations"),
) -> None:
    """Print simulated beside published figures, one row a fact; what misses stands first."""
    from qsp.cli.tables import print_validation
    from qsp.validation import validate as compare

    _cache_compiled_programs()
    rows = compare(patients=patients, seed=seed, curves=curves, populations=populations)
    print_validation(rows, console)


@app.command()
def compare(
    configs: Annotated[Path, typer.Option(help="Folder of the regimens.")] = Path(
        "configs/approved"
    ),
    patients: Annotated[int, typer.Option(help="Virtual patients of each regimen.")] = 400,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(help="Folder of the figure.")] = Path("runs/approved"),
) -> None:
    """Simulate the approved regimens; CRS by dose of all molecules beside what is published."""
    from qsp import plots
    from qsp.cli.tables import print_approved
    from qsp.validation import approved

    _cache_compiled_programs()
    rows = approved.compare(configs, patients=patients, seed=seed)
    print_approved(rows, console)
    out.mkdir(parents=True, exist_ok=True)
    figure = out / "crs_by_dose.png"
    plots.crs_of_molecules(rows).savefig(figure, dpi=130)
    console.print(f"Figure: {figure}")


def main() -> None:
    """Run the command line and turn errors into one line and an exit code."""
    process.start()
    try:
        code = app(standalone_mode=False)
    except ConfigError as error:
        sys.exit(_say(error, 2))
    except (QSPError, OSError) as error:
        sys.exit(_say(error, 1))
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except RuntimeError as error:  # of a library: memory, a full disk under netCDF
        sys.exit(_say(f"the run failed: {str(error).splitlines()[0]}", 1))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_say("interrupted; nothing was written", 130))
    except Exception as error:
        shown = getattr(error, "format_message", None)  # click tells what is wrong with the call
        if shown is None:
            raise
        sys.exit(_say(shown(), 2))
    sys.exit(code or 0)


def _say(message: object, code: int) -> int:
    errors.print(f"qsp: {message}", markup=False, soft_wrap=True)
    return code


def _overrides(changes: list[str] | None, options: dict[str, object]) -> tuple[str, ...]:
    """Options as changes of the config, so that they pass the same checks and are recorded."""
    given = [f"{key}={value}" for key, value in options.items() if value is not None]
    return (*(changes or ()), *given)


def _cache_compiled_programs() -> Path | None:
    """Cache compiled programs, those of XLA too, in the folder that Python callers use by default.

    Nothing else is ever written outside the output folder.
    """
    from qsp.engine.cache import default_cache_dir
    from qsp.run.compile_cache import enable_compile_cache

    folder = default_cache_dir()
    if folder is not None:
        enable_compile_cache(folder)
    return folder
