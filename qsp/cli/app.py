"""The command line: each command calls one public function and prints its result.

Exit codes: 0 success (with a warning if some patients failed), 1 the run failed, 2 invalid input
(found before anything is compiled or written), 130 interrupted. Heavy packages are imported inside
the commands, so that `qsp --help` is fast.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qsp import process
from qsp.cli import cluster, diff, escalation, new, populate, published, vpc, weigh
from qsp.cli import options as opt
from qsp.cli.compiled import cache_compiled_programs
from qsp.cli.messages import errors, fail, warnings_as_lines, write_plainly
from qsp.cli.output import Listing, chosen
from qsp.errors import ConfigError, QSPError
from qsp.version import __version__

if TYPE_CHECKING:
    from xarray import DataTree

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="In-silico trials of T-cell engagers. For research, not for clinical decisions.",
)
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
    uncertainty: opt.Uncertainty = None,
    allow_failures: Annotated[
        bool, typer.Option("--allow-failures", help="Accept more than 5 % of failed patients.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse compiled programs between runs.")
    ] = True,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Simulate a trial; write results.nc, report.html and summary.csv."""
    from qsp.report.drawing import in_second_process

    output = chosen(as_csv, as_json, to)
    notes = output.console(console)
    options = {"patients": patients, "seed": seed, "method.solver": solver, "method.rtol": rtol}
    overrides = _overrides(changes, options)
    with in_second_process() as draw:  # it starts while this process imports the engine
        from qsp import run as runs
        from qsp.cli import tables
        from qsp.cli.preview import announced, print_notes
        from qsp.engine.cache import jax_cache_dir
        from qsp.run import folder
        from qsp.run.progress_bar import ProgressBar
        from qsp.stages import unmeasured
        from qsp.uncertainty import members, with_uncertainty

        prepared = runs.prepare(
            runs.Request(config, overrides, parameters, covariates, typical=typical, out=out)
        )
        found = None if uncertainty is None else members(prepared, uncertainty)
        out = out or Path("runs") / prepared.config.name
        folder.check(out, force=force)
        if not quiet:
            print_notes(prepared, notes)
        # With --no-cache, a run still uses a cache that JAX was configured to use.
        cache_dir = cache_compiled_programs() if cache else jax_cache_dir()
        stage = unmeasured if quiet else announced(prepared, notes)
        listings: list[Listing] = []

        def list_results(tree: DataTree) -> None:
            if not quiet or output.is_asked_for:
                listing = tables.results(tree)
                listings.append(listing.without_text() if quiet else listing)

        with contextlib.nullcontext() if quiet else ProgressBar(notes) as progress:

            def with_members(tree: DataTree) -> DataTree:
                if found is None:
                    return tree
                return with_uncertainty(tree, found, progress=progress, cache_dir=cache_dir)

            results = runs.run_into(
                out,
                prepared,
                force=force,
                progress=progress,
                cache_dir=cache_dir,
                stage=stage,
                draw=draw,
                more=with_members,
                on_results=list_results,
            )
    with results:  # closes the file that holds a run of several blocks
        failed = runs.check_failures(results, allow=allow_failures)
        for listing in listings:
            output.show(listing, console)
        if not quiet:
            notes.print(f"Report: {out / folder.REPORT}", markup=False, soft_wrap=True)
        if failed:
            total = results["outcome"].size
            errors.print(f"Warning: {round(failed * total)} of {total} simulated patients failed.")


@app.command()
def check(
    config: opt.ConfigArg,
    changes: opt.Changes = None,
    parameters: opt.ParameterFile = None,
    covariates: opt.CovariateFile = None,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Validate a config and print its dosing schedule, without simulating."""
    from qsp import run as runs
    from qsp.cli.preview import print_plan

    output = chosen(as_csv, as_json, to)
    request = runs.Request(config, tuple(changes or ()), parameters, covariates)
    print_plan(runs.prepare(request), console, output)


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
def replay(
    out: opt.FolderArg,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Re-run the recorded doses of a run with rules as a fixed schedule, and compare results."""
    from qsp import run as runs
    from qsp.cli import tables

    output = chosen(as_csv, as_json, to)
    cache_compiled_programs()
    with runs.read(out) as results:
        replayed = runs.replay(results)
    output.show(tables.of_replay(replayed), console)
    if not replayed.agrees:
        raise typer.Exit(1)


@app.command()
def molecules(
    as_csv: opt.AsCsv = False, as_json: opt.AsJson = False, to: opt.TableFile = None
) -> None:
    """List the molecules that come with the package."""
    from qsp.cli import tables

    chosen(as_csv, as_json, to).show(tables.shipped_molecules(), console)


@app.command()
def explain(
    words: Annotated[
        list[str], typer.Argument(help="Name of the model, and TOML files of your own.")
    ],
    molecule: Annotated[Path | None, typer.Option(help="Your own molecule.")] = None,
    population: Annotated[Path | None, typer.Option(help="Your own population.")] = None,
) -> None:
    """Explain a name of the model: meaning, unit, values, sources, equations."""
    from rich.text import Text

    from qsp.cli.text_table import print_indented
    from qsp.explain import explain as lines

    own = [Path(each) for each in words if each.endswith(".toml")]
    own += [path for path in (molecule, population) if path is not None]
    name = " ".join(each for each in words if not each.endswith(".toml"))
    for line in lines(name, own=own):
        if console.is_terminal:  # a pipe gets each line whole
            print_indented(Text(line.lstrip()), console, len(line) - len(line.lstrip()))
        else:
            console.print(line, markup=False, soft_wrap=True)


for commands in (escalation, new, published, diff, vpc, populate, weigh, cluster):
    app.add_typer(commands.app)


def main() -> None:
    """Run the command line; print an error or a warning as one line and set the exit code."""
    process.start()
    if sys.argv[1:2] == ["run"]:
        process.without("dask")  # xarray would import it, for a second, and a run needs none
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
