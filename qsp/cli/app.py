"""The command line: each command calls one public function and prints its result.

Exit codes: 0 success (with a warning if some patients failed), 1 the run failed, 2 invalid input
(found before anything is compiled or written), 130 interrupted. Heavy packages are imported inside
the commands, so that `qsp --help` is fast.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qsp import process
from qsp.cli import cluster as cluster_cli
from qsp.cli import diff as diff_cli
from qsp.cli import options as opt
from qsp.cli.messages import errors, fail, warnings_as_lines, write_plainly
from qsp.errors import ConfigError, QSPError
from qsp.version import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="In-silico trials of T-cell engagers. For research, not for clinical decisions.",
)
app.add_typer(cluster_cli.app)
app.add_typer(diff_cli.app)
console = Console(highlight=False)


def _print_version(wanted: bool) -> None:
    """Print the versions that a bug report needs, and exit."""
    if not wanted:
        return
    import platform
    from importlib.metadata import version

    parts = [f"{name} {version(name)}" for name in ("jax", "diffrax", "llvmlite")]
    python = f"Python {platform.python_version()} ({platform.system()} {platform.machine()})"
    console.print(", ".join([f"qsp {__version__}", *parts, python]), soft_wrap=True)
    raise typer.Exit


@app.callback()
def options_of_all_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print versions and exit."
        ),
    ] = False,
) -> None:
    """Accept options before the name of a command."""


@app.command()
def run(
    config: opt.ConfigArg,
    patients: opt.Patients = None,
    seed: opt.Seed = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/NAME")
    ] = None,
    changes: opt.Changes = None,
    force: opt.Force = False,
    quiet: opt.Quiet = False,
    solver: Annotated[
        str | None, typer.Option(help="ROCK4 (default), ROCK2, RKC2, or a solver of diffrax.")
    ] = None,
    rtol: Annotated[float | None, typer.Option(help="Relative tolerance of the solver.")] = None,
    typical: Annotated[
        bool, typer.Option("--typical", help="Simulate only the typical patient.")
    ] = False,
    parameters: opt.ParameterFile = None,
    covariates: opt.CovariateFile = None,
    allow_failures: Annotated[
        bool, typer.Option("--allow-failures", help="Accept more than 5 % of failed patients.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse compiled programs between runs.")
    ] = True,
) -> None:
    """Simulate a trial; write results.nc, report.html and summary.csv."""
    from qsp import run as runs
    from qsp.cli.preview import announced, print_notes
    from qsp.run import folder
    from qsp.stages import unmeasured

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

    # With --no-cache, a run still uses a cache that JAX was configured to use.
    cache_dir = _cache_compiled_programs() if cache else jax_cache_dir()
    from qsp.cli.tables import print_results
    from qsp.run.progress_bar import ProgressBar

    stage = unmeasured if quiet else announced(prepared, console)
    with contextlib.nullcontext() if quiet else ProgressBar(console) as progress:
        results = runs.run_into(
            out, prepared, force=force, progress=progress, cache_dir=cache_dir, stage=stage
        )
    with results:  # closes the file that holds a run of several blocks
        failed = runs.check_failures(results, allow=allow_failures)
        if not quiet:
            print_results(results, console)
            console.print(f"Report: {out / folder.REPORT}", markup=False, soft_wrap=True)
        if failed:
            total = results["outcome"].size
            errors.print(f"Warning: {round(failed * total)} of {total} simulated patients failed.")


@app.command()
def check(
    config: opt.ConfigArg,
    changes: opt.Changes = None,
    parameters: opt.ParameterFile = None,
    covariates: opt.CovariateFile = None,
) -> None:
    """Validate a config and print its dosing schedule, without simulating."""
    from qsp import run as runs
    from qsp.cli.preview import print_plan

    request = runs.Request(config, tuple(changes or ()), parameters, covariates)
    print_plan(runs.prepare(request), console)


@app.command()
def report(out: opt.FolderArg) -> None:
    """Write report.html and summary.csv of a run again."""
    from qsp import run as runs
    from qsp.results.zarr_store import INCOMPLETE

    with runs.read(out) as results:
        for path in runs.write_report(results, out):
            console.print(str(path), markup=False, soft_wrap=True)
        for line in str(results.attrs.get("notes", "")).splitlines():
            if line.startswith(INCOMPLETE):
                errors.print(f"Warning: {line}", markup=False, soft_wrap=True)


@app.command()
def export(
    out: opt.FolderArg,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write CSV files, the only format so far.")
    ] = True,  # noqa: ARG001
    tables: Annotated[
        str | None,
        typer.Option(help="Tables to write, such as patients,periods.", show_default="all"),
    ] = None,
    single: Annotated[
        bool,
        typer.Option(
            "--trajectories/--no-trajectories", help="Write time courses of single patients."
        ),
    ] = True,
) -> None:
    """Write the results of a run as CSV tables into its folder csv."""
    from qsp import run as runs
    from qsp.report.export import chosen_tables, export_csv
    from qsp.results import trajectories

    names = chosen_tables(tables, trajectories=single)
    with runs.read(out) as results:
        ds, single_patients = results.to_dataset(), trajectories(results)
        for path in export_csv(ds, out / "csv", trajectories=single_patients, tables=names):
            console.print(str(path), markup=False, soft_wrap=True)


@app.command()
def replay(out: opt.FolderArg) -> None:
    """Re-run the recorded doses of a run with rules as a fixed schedule, and compare results."""
    from qsp import run as runs
    from qsp.cli.tables import print_replay

    _cache_compiled_programs()
    with runs.read(out) as results:
        replayed = runs.replay(results)
    print_replay(replayed, console)
    if not replayed.agrees:
        raise typer.Exit(1)


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
) -> None:
    """Simulate dose-escalation trials that enroll patients of a run; its arms are dose levels."""
    from qsp import designs
    from qsp import run as runs
    from qsp.cli.tables import print_escalation
    from qsp.run.progress_bar import ProgressBar

    options = {"target": target, "largest": largest, "cohort_size": cohort, "stop_at": stop_at}
    chosen = designs.named(design, **options)
    names = levels.split(",") if levels else None
    with runs.read(out) as results, ProgressBar(console, "trials", "reading") as progress:
        ds = results.to_dataset()
        toxic = designs.dose_limiting(ds, levels=names, at_least=at_least, window=window)
        characteristics = designs.operating_characteristics(
            toxic, chosen, replicates=replicates, seed=seed, progress=progress
        )
    print_escalation(characteristics, console)


@app.command()
def molecules() -> None:
    """List the molecules that come with the package."""
    from qsp.cli.tables import print_molecules

    print_molecules(console)


@app.command()
def explain(
    words: Annotated[
        list[str], typer.Argument(help="Name of the model, and TOML files of your own.")
    ],
    molecule: Annotated[Path | None, typer.Option(help="Your own molecule.")] = None,
    population: Annotated[Path | None, typer.Option(help="Your own population.")] = None,
) -> None:
    """Explain a name of the model: meaning, unit, values, sources, equations."""
    from qsp.explain import explain as lines

    own = [Path(each) for each in words if each.endswith(".toml")]
    own += [path for path in (molecule, population) if path is not None]
    name = " ".join(each for each in words if not each.endswith(".toml"))
    for line in lines(name, own=own):
        console.print(line, markup=False, soft_wrap=True)


@app.command()
def new(
    molecule: Annotated[str, typer.Argument(help="Name of the molecule.")],
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path(),
) -> None:
    """Write a template for a new molecule."""
    from qsp.molecules.template import write_template

    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        todo = "Name a folder"
        raise ConfigError(str(out), "--out must be a folder", "a file", todo) from None
    console.print(f"Fill in {write_template(molecule, out)}", markup=False, soft_wrap=True)


@app.command()
def validate(
    patients: Annotated[int, typer.Option(help="Virtual patients per comparison.")] = 400,
    curves: Annotated[Path | None, typer.Option(help="Folder of digitized curves.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the population.")] = 1,
    populations: Annotated[
        Path | None, typer.Option(help="Folder of populations.", show_default="shipped ones")
    ] = None,
    write: Annotated[
        bool, typer.Option(help="Also write the tables that reports read, into the package.")
    ] = False,
) -> None:
    """Compare simulated with published results, one row per fact; misses come first."""
    from qsp.cli.tables import print_validation
    from qsp.validation import standing
    from qsp.validation import validate as compare

    _cache_compiled_programs()
    rows = compare(patients=patients, seed=seed, curves=curves, populations=populations)
    print_validation(rows, console)
    if write:
        for path in standing.write(rows, populations):
            console.print(f"Written: {path}")


@app.command()
def compare(
    configs: Annotated[
        Path | None, typer.Option(help="Folder of configs.", show_default="the approved regimens")
    ] = None,
    patients: Annotated[int, typer.Option(help="Virtual patients per regimen.")] = 400,
    seed: opt.Seed = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/approved"),
) -> None:
    """Simulate the approved regimens and compare CRS by dose with published rates."""
    from qsp import plots
    from qsp.cli.tables import print_approved
    from qsp.validation import approved

    _cache_compiled_programs()
    rows = approved.compare(configs, patients=patients, seed=seed)
    print_approved(rows, console)
    out.mkdir(parents=True, exist_ok=True)
    figure = out / "crs_by_dose.png"
    plots.crs_of_molecules(rows).savefig(figure, dpi=130)
    console.print(f"Figure: {figure}", markup=False, soft_wrap=True)


def main() -> None:
    """Run the command line; print an error or a warning as one line and set the exit code."""
    process.start()
    write_plainly()
    try:
        with warnings_as_lines():
            code = app(standalone_mode=False)
    except ConfigError as error:
        sys.exit(fail(error, 2))
    except (QSPError, OSError) as error:
        sys.exit(fail(error, 1))
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except RuntimeError as error:  # from a library: out of memory, disk full under netCDF
        sys.exit(fail(f"the run failed: {str(error).splitlines()[0]}", 1))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(fail("interrupted; nothing was written", 130))
    except Exception as error:
        message = getattr(error, "format_message", None)  # usage errors of click have one
        if message is None:
            raise
        sys.exit(fail(message(), 2))
    sys.exit(code or 0)


def _overrides(changes: list[str] | None, options: dict[str, object]) -> tuple[str, ...]:
    """Return options as overrides of the config, so that they are validated and recorded."""
    assigned = [f"{key}={value}" for key, value in options.items() if value is not None]
    return (*(changes or ()), *assigned)


def _cache_compiled_programs() -> Path | None:
    """Enable the default cache of compiled programs, which Python callers share.

    Nothing else is written outside the output folder.

    Returns:
        The folder of the cache; None if caching is disabled.
    """
    from qsp.engine.cache import default_cache_dir, enable_jax_cache

    folder = default_cache_dir()
    if folder is not None:
        enable_jax_cache(folder)
    return folder
