"""The command that draws visual predictive checks of a run with observations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.output import Listing, Output, chosen
from qsp.cli.text_table import TextTable
from qsp.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr

app = typer.Typer()
console = Console(highlight=False)
Row = dict[str, Any]
COLUMNS = (
    *("quantity", "start_day", "end_day", "time_day", "n", "statistic"),
    *("unit", "observed", "simulated", "low", "high"),
)
"""Values of a row for programs; `unit` is that of the last four."""


@app.command()
def vpc(  # noqa: PLR0913
    out: opt.FolderArg,
    quantity: Annotated[
        list[str] | None,
        typer.Option(help="Observed quantity, such as il6.", show_default="each that is compared"),
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="Arm of the run.", show_default="all arms together")
    ] = None,
    bins: Annotated[
        str | None,
        typer.Option(help="Edges of the bins of time in days, such as 0,1,3,7."),
    ] = None,
    binning: Annotated[
        str, typer.Option(help="Choice of the bins: quantile or jenks.")
    ] = "quantile",
    corrected: Annotated[
        bool, typer.Option("--prediction-corrected", help="Correct values for the prediction.")
    ] = False,
    png: Annotated[bool, typer.Option("--png", help="Write PNG figures in place of SVG.")] = False,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Compare percentiles of observations with simulated trials; write figures and vpc.csv."""
    from qsp import plots
    from qsp import run as runs
    from qsp.endpoints.vpc import quantities, visual_predictive_check

    output = chosen(as_csv, as_json, to)
    stem = "pcvpc" if corrected else "vpc"
    notes = output.console(console)
    options: dict[str, Any] = {
        "arm": arm,
        "bins": _edges(bins),
        "binning": _binning(binning),
        "prediction_corrected": corrected,
    }
    with runs.read(out) as results:
        ds = results.to_dataset()
        _check_arm(arm, ds)
        names = tuple(dict.fromkeys(quantity or quantities(ds, arm)))
        if not names:
            rule, todo = "the run must have observations", "Add [observations] to its config"
            raise ConfigError(str(out), rule, "without any that are compared", todo)
        rows, files = [], []
        for name in names:
            rows += _rows(visual_predictive_check(ds, name, **options))
            files.append(out / f"{stem}_{name}.{'png' if png else 'svg'}")
            plots.vpc(ds, name, **options).savefig(files[-1], dpi=130)
    files.append(out / f"{stem}.csv")
    Output(file=files[-1]).write(_listing(rows))
    output.show(_listing(rows), console)
    for path in files:
        notes.print(str(path), markup=False, soft_wrap=True)


def _edges(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        todo = "Write 0,1,3,7, for example"
        raise ConfigError("--bins", "it must be times with commas", repr(text), todo) from None


def _binning(text: str) -> Literal["quantile", "jenks"]:
    if text not in ("quantile", "jenks"):
        raise ConfigError("--binning", "it must be quantile or jenks", repr(text), "Choose one")
    return cast(Literal["quantile", "jenks"], text)


def _check_arm(arm: str | None, ds: xr.Dataset) -> None:
    arms = [str(each) for each in ds["arm"].values]
    if arm is not None and arm not in arms:
        raise ConfigError("--arm", "it must be an arm", repr(arm), f"Arms: {', '.join(arms)}")


def _rows(check: xr.Dataset) -> Iterator[Row]:
    """Yield a row for each bin and percentile, and one for the share below the limit."""
    unit = check["observed"].attrs["units"]
    for n in range(check.sizes["bin"]):
        own = check.isel(bin=n)
        where: Row = {"quantity": check.attrs["quantity"]}
        where |= {f"{name}_day": float(own[name]) for name in ("start", "end", "time")}
        where["n"] = int(own["n"])
        names = ("observed", "simulated", "low", "high")
        for level in check["percentile"].values.tolist():
            values = {name: float(own[name].sel(percentile=level)) for name in names}
            yield {**where, "statistic": f"P{100 * level:g}", "unit": unit, **values}
        below = ("below", "below_simulated", "below_low", "below_high")
        shares = {name: float(own[key]) for name, key in zip(names, below, strict=True)}
        yield {**where, "statistic": "below LLOQ", "unit": "1", **shares}


def _listing(rows: Sequence[Row]) -> Listing:
    headers = ("quantity", "time [day]", "n", "", "unit", "observed", "simulated", "90 % interval")
    cells = [
        (
            row["quantity"],
            f"{row['time_day']:.4g}",
            str(row["n"]),
            row["statistic"],
            row["unit"],
            _cell(row["observed"]),
            _cell(row["simulated"]),
            _interval(row["low"], row["high"]),
        )
        for row in rows
    ]
    table = TextTable("Visual predictive check", headers, cells)
    return Listing([table], lambda: rows, COLUMNS)


def _interval(low: float, high: float) -> str:
    """Format an interval; a lower bound among values below the limit has no number."""
    return f"{_cell(low)} to {_cell(high)}" if math.isfinite(high) else _cell(high)


def _cell(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "–"
