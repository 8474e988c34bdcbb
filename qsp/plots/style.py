"""Style of the figures: one color per arm, protocol days on time axes, numbers without exponents.

Arm colors are those of Okabe and Ito, which are distinguishable with color vision deficiency;
grades and responses are ordered by lightness, so that they remain distinct in gray. Names come from
the user's file: dollar signs in them are text, not mathematics.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from qsp.endpoints.endpoint import HasDataset
from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.plots.figure import Figure
from qsp.trial import protocol_day

P = ParamSpec("P")
ARM_COLORS = (
    "#0072B2",
    "#D55E00",
    "#56B4E9",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#555555",
    "#B8A800",
)
GRADE_COLORS = {1: "#F7D58A", 2: "#EE8E3C", 3: "#B5331B", 4: "#5A0A14"}
RESPONSE_COLORS = {
    1: "#08457E",
    2: "#6BAED6",
    3: "#C4C4C4",
    4: "#E07B39",
    5: "#2E7EBC",
    6: "#3A9C8C",
}
RESPONSE_TITLES = {
    1: "complete response",
    2: "partial response",
    3: "stable disease",
    4: "progressive disease",
    5: "very good partial response",
    6: "complete remission, incomplete recovery",
}
INK, GRAY, RULE = "#222222", "#6B6B6B", "#D9D9D9"
PANEL_WIDTH, COLUMNS = 4.3, 2
_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # nothing is drawn above the panels, so titles need not be moved up
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8A8A8A",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 110,
}
# Characters that fit above a panel (title and note), and in one of two legend columns.
TITLE_WIDTH, LEGEND_WIDTH = 43, 50
_DAY_STEPS = (1, 2, 3, 7, 14, 21, 28, 56, 84, 168, 364)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)


def styled(function: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a figure function to use this style, without changing matplotlib's settings."""

    @functools.wraps(function)
    def with_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        # The first argument of most figures is results, with or without groups.
        first = [
            value.to_dataset() if isinstance(value, HasDataset) else value for value in args[:1]
        ]
        with matplotlib.rc_context(_STYLE):
            return function(*first, *args[1:], **kwargs)  # pyright: ignore[reportCallIssue]

    return with_style


def plain(name: object) -> str:
    """Return a name as figure text: underscores become spaces, dollar signs are escaped."""
    return str(name).replace("_", " ").replace("$", r"\$")


def arm_colors(ds: xr.Dataset) -> dict[str, str]:
    """Return the color of each arm, in the order of the arms of the run."""
    arms = [str(arm) for arm in ds["arm"].values]
    return {arm: ARM_COLORS[place % len(ARM_COLORS)] for place, arm in enumerate(arms)}


def panels(
    count: int,
    *,
    height: float,
    columns: int = COLUMNS,
    sharey: bool = True,
    sharex: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Create a figure with a grid of panels; surplus cells of the grid are hidden.

    Args:
        count: Number of panels.
        height: Height of a panel [inch].
        columns: Largest number of panels in a row.
        sharey: Whether all panels share the vertical scale.
        sharex: Whether all panels share the horizontal scale.

    Returns:
        The figure and its panels in reading order.
    """
    columns = min(columns, max(count, 1))
    rows = -(-max(count, 1) // columns)
    width = 2 * PANEL_WIDTH if columns > 1 else 1.5 * PANEL_WIDTH
    figure = Figure(figsize=(width, rows * height + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=sharey, sharex=sharex)
    for empty in grid.flat[count:]:
        empty.set_visible(False)
    if rows > 1:  # the panel above a hidden one is the lowest of its column
        for column in range(columns):
            lowest = max(row for row in range(rows) if row * columns + column < count)
            grid[lowest, column].tick_params(labelbottom=True)
    return figure, list(grid.flat[:count])


def label_outer(axes: Sequence[Axes], *, x: str, y: str, columns: int = COLUMNS) -> None:
    """Write the axis titles on the outer panels only."""
    columns = min(columns, len(axes))
    for place, ax in enumerate(axes):
        ax.set_ylabel(y if place % columns == 0 else "")
        ax.set_xlabel(x if place + columns >= len(axes) else "")


def arm_title(ax: Axes, title: str, color: str, note: str = "") -> None:
    """Set the title of the panel of an arm, with a bar in the color of the arm."""
    lines = textwrap.wrap(title.replace("_", " "), max(TITLE_WIDTH - len(note), 20)) or [title]
    ax.set_title(plain("\n".join(lines)), color=INK, pad=9)
    stroke = {"lw": 3.5, "solid_capstyle": "butt", "clip_on": False}
    ax.plot([0, 0.12], [1.015, 1.015], transform=ax.transAxes, color=color, **stroke)
    if note:
        ax.set_title(note, loc="right", fontsize=8.5, fontweight="normal", color=GRAY, pad=9)


def empty_panel(ax: Axes, text: str = "no evaluable patient") -> None:
    """Write the reason why a panel is empty in its center."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GRAY)


def day_axis(ax: Axes, start: float, end: float, *, most: int = 8) -> None:
    """Set ticks at whole days, labeled as protocol days: time 0 is day 1.

    Args:
        ax: Panel whose horizontal axis is time [day since the first dose].
        start: First time shown [day].
        end: Last time shown [day].
        most: Largest number of ticks.
    """
    step = next((step for step in _DAY_STEPS if (end - start) / step <= most), _DAY_STEPS[-1])
    first = int(np.ceil(start / step)) * step
    ticks = np.arange(first, end + 1e-6, step)
    # A small margin, so that a mark at the first dose is not on the axis.
    margin = 0.025 * (end - start)
    ax.set_xlim(start - margin, end + margin)
    ax.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda time, _: protocol_day(time)[len("day ") :]))


def last_visit(ds: xr.Dataset) -> float:
    """Return the time of the last visit, 1 month without a visit after the first dose [month]."""
    return float(ds["visit"].values.max(initial=0.0)) / DAYS_PER_MONTH or 1.0


def month_axis(ax: Axes, end: float, *, most: int = 12) -> tuple[float, ...]:
    """Set ticks at whole months, or at quarters if the time is less than two months.

    Args:
        ax: Panel whose horizontal axis is time [month].
        end: Last time shown, positive [month].
        most: Largest number of ticks after 0.

    Returns:
        The ticks [month].
    """
    steps = (0.25, *_MONTH_STEPS) if end < 2 else _MONTH_STEPS
    step = next((step for step in steps if end / step <= most), steps[-1])
    ticks = np.arange(0, end + 1e-6, step).tolist()
    margin = 0.025 * end
    ax.set_xlim(-margin, end + margin)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda time, _: f"{time:g}"))
    return tuple(ticks)


def log_axis(ax: Axes, low: float, high: float) -> None:
    """Set a logarithmic vertical axis with plain numbers at the decades.

    If fewer than two decades are on the axis, 2 and 5 have numbers too.

    Args:
        ax: Panel.
        low: Lower limit of the axis, positive.
        high: Upper limit of the axis.
    """
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    decades = np.floor(np.log10(high)) - np.ceil(np.log10(low)) + 1
    ax.yaxis.set_major_locator(LogLocator(numticks=8))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    ax.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0), numticks=100))
    ax.yaxis.set_minor_formatter(NullFormatter())
    if decades < 2:
        ax.yaxis.set_minor_formatter(
            FuncFormatter(lambda value, _: number(value) if f"{value:e}"[0] in "25" else "")
        )


def number(value: float) -> str:
    """Return a number without an exponent: 0.001, 3, 20,000; "–" if it is not finite."""
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"


def swatches(colors: dict[str, str]) -> list[Patch]:
    """Return legend handles of filled areas."""
    return [Patch(facecolor=color, label=plain(name)) for name, color in colors.items()]


def legend_columns(names: Sequence[str]) -> int:
    """Return the number of columns of a legend below the panels: two, or one if names are long."""
    return 1 if max(map(len, names), default=0) > LEGEND_WIDTH else min(len(names), 2)


def legend_below(
    figure: Figure, handles: Sequence[Artist], most: int, title: str | None = None
) -> None:
    """Draw a legend below the panels, with as many columns as the width of the figure allows.

    Args:
        figure: Figure with constrained layout.
        handles: Legend handles.
        most: Largest number of columns.
        title: Title of the legend.
    """
    for ncols in range(min(most, len(handles)), 0, -1):
        legend = figure.legend(
            handles=handles, title=title, loc="outside lower center", ncols=ncols
        )
        if ncols == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def strokes(colors: dict[str, str]) -> list[Line2D]:
    """Return legend handles of lines."""
    return [
        Line2D([], [], color=color, lw=2.2, label=plain(name)) for name, color in colors.items()
    ]
