"""Commands that compare simulated with published results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.compiled import cache_compiled_programs
from qsp.cli.output import Listing, Output, Record, chosen
from qsp.cli.text_table import TextTable
from qsp.errors import ConfigError

if TYPE_CHECKING:
    from qsp.validation.approved import Compared

app = typer.Typer()
console = Console(highlight=False)

_APPROVED = (
    *("molecule", "config", "dose", "simulated_percent", "lower_percent", "upper_percent"),
    *("published_percent", "is_verified", "miss_points", "order_is_right"),
)
_ORDER = {True: "right", False: "wrong", None: "–"}
Molecule = Annotated[
    str | None, typer.Argument(metavar="[MOLECULE]", help="Only this molecule.", show_default="all")
]


@app.command()
def validate(  # noqa: PLR0913
    molecule: Molecule = None,
    requirements: Annotated[
        bool, typer.Option("--table", help="Print the table of requirements on the model.")
    ] = False,
    patients: Annotated[
        int | None,
        typer.Option(help="Virtual patients per study.", show_default="400; with --table 1000"),
    ] = None,
    curves: Annotated[
        Path | None, typer.Option(help="Folder of observed curves, as CSV files with a header.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Output folder of the comparison with --curves.")
    ] = Path("runs/validate"),
    seed: Annotated[int, typer.Option(help="Seed of the population.")] = 1,
    populations: Annotated[
        Path | None, typer.Option(help="Folder of populations.", show_default="shipped ones")
    ] = None,
    write: Annotated[
        bool, typer.Option(help="Also write the tables that reports read, into the package.")
    ] = False,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Compare simulated with published results, one row per fact; misses come first."""
    from qsp.validation import acceptance, acceptance_rows, curve_bands, standing
    from qsp.validation import validate as compare

    output = chosen(as_csv, as_json, to)
    if requirements:
        check_of_all(molecule, curves=curves, write=write)
        cache_compiled_programs()
        count = acceptance.PATIENTS if patients is None else patients
        runs = acceptance.simulate(patients=count, seed=seed, populations=populations)
        output.show(acceptance_table(acceptance.table(runs, acceptance_rows.ROWS)), console)
        return
    if write and molecule is not None:
        rule, todo = "the tables must hold every molecule", "Leave the molecule out"
        raise ConfigError("--write", rule, f"combined with {molecule}", todo)
    # Read the user's files before anything is simulated.
    observed = curve_bands.curves_of(curves) if curves is not None else ()
    cache_compiled_programs()
    count = 400 if patients is None else patients
    options: dict[str, Any] = {"patients": count, "seed": seed, "populations": populations}
    compared = curve_bands.compare_curves(observed, **options)
    rows = compare(molecule=molecule, curves=curves, **options)
    notes = output.console(console)
    output.show(validation(rows), console)
    if compared:
        if output.format == "text":
            Output().show(observed_curves(compared), console)  # a file has the published values
        for path in curve_bands.write_curves(compared, out):
            notes.print(f"Written: {path}", markup=False, soft_wrap=True)
    if write:
        for path in standing.write(rows, populations):
            notes.print(f"Written: {path}", markup=False, soft_wrap=True)


@app.command()
def compare(  # noqa: PLR0913
    molecule: Molecule = None,
    configs: Annotated[
        Path | None, typer.Option(help="Folder of configs.", show_default="the approved regimens")
    ] = None,
    patients: Annotated[int, typer.Option(help="Virtual patients per regimen.")] = 400,
    seed: opt.Seed = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/approved"),
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Simulate the approved regimens and compare CRS by dose with published rates."""
    from qsp import plots
    from qsp.validation import approved

    output = chosen(as_csv, as_json, to)
    cache_compiled_programs()
    rows = approved.compare(configs, molecule=molecule, patients=patients, seed=seed)
    output.show(approved_regimens(rows), console)
    out.mkdir(parents=True, exist_ok=True)
    figure = out / "crs_by_dose.png"
    plots.crs_of_molecules(rows).savefig(figure, dpi=130)
    output.console(console).print(f"Figure: {figure}", markup=False, soft_wrap=True)


def check_of_all(molecule: str | None, *, curves: Path | None, write: bool) -> None:
    """Refuse options that `--table` does not use.

    Raises:
        ConfigError: If one is given.
    """
    used = {"MOLECULE": molecule is not None, "--curves": curves is not None, "--write": write}
    for name, given in used.items():
        if given:
            rule, todo = f"{name} must not be given with --table", "Leave one of the two out"
            raise ConfigError("qsp validate", rule, None, todo)


def acceptance_table(lines: Sequence[Any]) -> Listing:
    """Return the table of requirements on the model.

    Args:
        lines: Lines, from `qsp.validation.acceptance.table`.
    """
    from qsp.validation.acceptance import COLUMNS, RECORD

    table = TextTable("Requirements on the model", COLUMNS, [line.cells() for line in lines])
    judged = [line for line in lines if line.meets_least is not None]
    met = sum(line.meets_least is True for line in judged)
    aims = sum(line.verdict == "aim" for line in judged)
    note = (
        f"{met} of {len(judged)} rows meet the bound, {aims} the aim. A figure outside the bound "
        "is marked with !."
    )
    return Listing(
        [table, note],
        lambda: [dict(zip(RECORD, line.cells(), strict=True)) for line in lines],
        RECORD,
    )


def validation(rows: Sequence[Any]) -> Listing:
    """Return simulated and published results; the data files in the package name the sources.

    Args:
        rows: Rows, from `qsp.validation.validate`.
    """
    from qsp.validation import COLUMNS
    from qsp.validation.row import RECORD

    shown = [n for n, title in enumerate(COLUMNS) if title != "source"]
    texts = [[cells[n] for n in shown] for cells in (row.cells() for row in rows)]
    title = "Simulated and published results, misses first"
    table = TextTable(title, [COLUMNS[n] for n in shown], texts)
    return Listing([table], lambda: [row.record() for row in rows], RECORD)


def observed_curves(compared: Sequence[Any]) -> Listing:
    """Return observed curves against the simulated bands of their arms.

    Args:
        compared: Curves, from `qsp.validation.curve_bands.compare_curves`.
    """
    from qsp.validation.curve_bands import COLUMNS

    title = "Observed curves and the 5th to 95th percentile of simulated patients"
    cells = [each.cells() for each in compared]
    note = (
        "Simulated / observed is the geometric mean over the points: the simulated median, or the "
        "mean where means were observed. The band is that of single patients: individual values "
        "should be within it in 90 % of cases, and medians and means near its center."
    )
    records: list[Record] = [dict(zip(COLUMNS, row, strict=True)) for row in cells]
    return Listing([TextTable(title, COLUMNS, cells), note], lambda: records, COLUMNS)


def approved_regimens(rows: Sequence[Compared]) -> Listing:
    """Return simulated and published CRS by dose of every molecule, and the largest miss.

    Args:
        rows: Rows, from `qsp.validation.approved.compare`.
    """
    from qsp.validation import approved

    headers = ["regimen", "CRS, simulated (published) [%]", "order"]
    cells = [(row.published.config, _rates(row), _ORDER[row.order_is_right]) for row in rows]
    parts: list[TextTable | str] = [TextTable("CRS of any grade by dose", headers, cells)]
    known = [row for row in rows if row.published.rates]
    if known:
        molecule, dose, miss = approved.worst(known)
        judged = [row for row in known if row.order_is_right is not None]
        right = sum(row.order_is_right is True for row in judged)
        parts.append(
            f"Mean miss per dose {approved.mean_miss(known):.1f} percentage points; largest "
            f"{miss:+.0f} ({molecule}, {dose}). The order of doses is right for {right} of "
            f"{len(judged)} regimens with published rates of several doses. The shared parameter "
            "values were fitted to these rates."
        )
    for row in known:
        if row.order_is_right is False:
            published, simulated = (" > ".join(order) for order in row.orders())
            parts.append(
                f"Wrong order: {row.published.config}: published {published}, simulated "
                f"{simulated}."
            )
    return Listing(parts, lambda: [record for row in rows for record in _records(row)], _APPROVED)


def _rates(row: Compared) -> str:
    known = row.published.rates
    return ", ".join(
        f"{dose} {row.rates[dose]:.0f}" + (f" ({known[dose]:.0f})" if dose in known else "")
        for dose in row.rates
        if not known or dose in known
    )


def _records(row: Compared) -> list[dict[str, Any]]:
    """Return a record for each dose, and one for all doses."""
    published = row.published
    return [
        dict(
            zip(
                _APPROVED,
                (
                    *(published.molecule, published.config, dose),
                    *(row.rates[dose], row.lower[dose], row.upper[dose]),
                    *(published.rates.get(dose), dose in published.read, row.misses.get(dose)),
                    row.order_is_right,
                ),
                strict=True,
            )
        )
        for dose in row.rates
    ]
