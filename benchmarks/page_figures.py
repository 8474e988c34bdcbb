"""Figures of the page of results."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from rows import Row

from qsp.plots.style import ARM_COLORS, GRAY, INK, RULE, number, styled

Rows = Sequence[Row]
Results = Mapping[str, Rows]

OWN = ("rock4", "rock2", "rkc2", "rock4_xla")
NAMES = {
    "rock4": "ROCK4",
    "rock4_xla": "ROCK4 by XLA",
    "rock2": "ROCK2",
    "rkc2": "RKC2",
    "tsit5": "Tsit5",
    "kvaerno5": "Kvaerno5",
    "lsoda": "LSODA",
    "cvode": "CVODE",
    "casadi": "CasADi",
}
STARTS = {"cold": ARM_COLORS[1], "cached": ARM_COLORS[0]}
STARTED = {"cold": "first start", "cached": "second start"}
WIDTH = 8.6
HALO = (withStroke(linewidth=3, foreground="white"),)
"""White outline of labels that a line may cross."""


@dataclasses.dataclass(frozen=True)
class PageFigure:
    """A figure on the page.

    Args:
        file: File name.
        script: Name of the script whose results it shows.
        caption: Caption.
        figure: The figure.
    """

    file: str
    script: str
    caption: str
    figure: Figure


def draw(results: Results) -> list[PageFigure]:
    """Draw the figures that have results."""
    candidates: tuple[tuple[str, str, str, Callable[[Rows], Figure | None]], ...] = (
        ("peers.png", "against_peers", PEERS, peers),
        ("accuracy.png", "accuracy", ACCURACY, accuracy),
        ("patients.png", "scaling", PATIENTS, patients),
        ("trial.png", "scaling", TRIAL, trial),
        ("compile.png", "compile", COMPILE, starts),
    )
    figures = []
    for file, script, caption, draw_figure in candidates:
        figure = draw_figure(results.get(script, ()))
        if figure is not None:
            figures.append(PageFigure(file, script, caption, figure))
    return figures


PEERS = (
    "Patients per second on one core, each method at the loosest tolerance that keeps the error of "
    "the IL-6 peak below 0.5 % in every patient. Blue: this package; gray: other solvers of the "
    "same equations."
)
ACCURACY = (
    "Largest error of the IL-6 peak and time per patient and arm, for four solvers at tolerances "
    "from 1e-3 (right) to 1e-6 (left)."
)
PATIENTS = (
    "Left: patients per second on all cores, without compilation. Right: peak memory of the "
    "process, including compilation; patients are simulated and written in blocks of 10,000."
)
TRIAL = "Time per patient by number of weekly doses in 365 days, and by length of the trial."
COMPILE = (
    "Time from the call of `simulate` to the end of the first 64 patients in a new process, "
    "without imports; for gradients, compilation alone. The second start has the cache of compiled "
    "programs that the first filled."
)


def number_of(figures: Row, key: str) -> float:
    """Return a value of a row as a number."""
    return float(str(figures[key]))


def measured(rows: Rows, bench: str, **where: object) -> list[Row]:
    """Return the rows of a benchmark that succeeded and have these values."""
    return [
        line
        for line in rows
        if line["bench"] == bench
        and line.get("status", "ok") == "ok"
        and all(line.get(key) == value for key, value in where.items())
    ]


def power(value: float) -> str:
    """A small number as 1e-4."""
    digits, _, exponent = f"{value:.0e}".partition("e")
    return f"{digits}e{int(exponent)}"


def title_of(method: object) -> str:
    """Name of a method as its authors spell it."""
    return NAMES.get(str(method), str(method))


@styled
def _peers(chosen: Rows) -> Figure:
    chosen = sorted(chosen, key=lambda line: number_of(line, "patients_per_s_per_core"))
    figure = Figure(figsize=(WIDTH, 0.42 * len(chosen) + 1.0), layout="constrained")
    ax = figure.subplots()
    rates = [number_of(line, "patients_per_s_per_core") for line in chosen]
    colors = [ARM_COLORS[0] if line["method"] in OWN else "#8A8A8A" for line in chosen]
    ax.scatter(rates, range(len(chosen)), color=colors, s=70)
    for place, (line, rate) in enumerate(zip(chosen, rates, strict=True)):
        note = f"{number(round(rate, 1))}   (tolerance {power(number_of(line, 'rtol'))})"
        _label(ax, note, (rate, place), (9, 0))
    ax.set_yticks(range(len(chosen)), [title_of(line["method"]) for line in chosen])
    ax.tick_params(axis="y", length=0)
    ax.set_xscale("log")
    ax.set_xlim(min(rates) / 1.6, max(rates) * 15.0)
    _log(ax, "x")
    ax.grid(visible=True, axis="x")
    ax.set_xlabel("Patients per second and core")
    return figure


def peers(rows: Rows) -> Figure | None:
    """Draw the speed of all methods at equal error."""
    chosen = measured(rows, "against_peers", chosen=True)
    return _peers(chosen) if chosen else None


@styled
def _accuracy(solvers: Mapping[str, Rows]) -> Figure:
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    ax = figure.subplots()
    ends = {}
    for (solver, lines), color in zip(solvers.items(), ARM_COLORS, strict=False):
        x = [100.0 * number_of(line, "err_il6_peak") for line in lines]
        y = [1e3 / number_of(line, "patient_arms_per_s") for line in lines]
        ax.plot(x, y, "o-", color=color, ms=5, lw=1.8)
        ends[solver] = (x[-1], y[-1], color)
    _log(ax, "x")
    _log(ax, "y")
    for solver, (x, y, color) in _spread(ends).items():
        style = {"ha": "right", "color": color, "fontweight": "bold"}
        _label(ax, title_of(solver), (x, y), (-9, 2), path_effects=HALO, **style)
    low, high = ax.get_xlim()
    ax.set_xlim(low / 2.5, high)
    ax.set_xlabel("Largest error of the IL-6 peak [%]")
    ax.set_ylabel("Milliseconds per patient and arm")
    return figure


def _spread(ends: dict[str, tuple[float, float, str]]) -> dict[str, tuple[float, float, str]]:
    """Spread labels on a logarithmic scale, each at least a line above the one below."""
    line_height, below, placed = 1.13, 0.0, {}
    for solver, (x, y, color) in sorted(ends.items(), key=lambda item: item[1][1]):
        below = max(y, below * line_height)
        placed[solver] = (x, below, color)
    return placed


def accuracy(rows: Rows) -> Figure | None:
    """Draw time against error, by solver."""
    rows = measured(rows, "accuracy", precision="float64")
    lines = [line for line in rows if line["err_il6_peak"]]
    lines.sort(key=lambda line: -number_of(line, "rtol"))
    solvers = dict.fromkeys(str(line["method"]) for line in rows)
    by_solver = {name: [line for line in lines if line["method"] == name] for name in solvers}
    return _accuracy({name: own for name, own in by_solver.items() if own}) if lines else None


@styled
def _patients(lines: Rows) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = [number_of(line, "patients") for line in lines]
    rates = [number_of(line, "patients_per_s") for line in lines]
    memory = [number_of(line, "peak_memory_mb") for line in lines]
    for ax, values, name in (
        (left, rates, "Patients per second"),
        (right, memory, "Peak memory [MB]"),
    ):
        ax.plot(sizes, values, "o-", color=ARM_COLORS[0], ms=5, lw=1.8)
        for size, value in zip(sizes, values, strict=True):
            text = number(round(value, 1) if value < 100 else round(value))
            _label(ax, text, (size, value), (4, 10), ha="right", path_effects=HALO)
        _log(ax, "x")
        ax.set_yscale("log")
        ax.set_ylim(10 ** math.floor(math.log10(min(values))), _decade_above(1.3 * max(values)))
        _log(ax, "y")
        ax.set_xlim(min(sizes) / 2.2, max(sizes) * 2.2)
        ax.set_xlabel("Patients")
        ax.set_ylabel(name)
    return figure


def patients(rows: Rows) -> Figure | None:
    """Draw speed and memory by number of patients."""
    lines = sorted(
        measured(rows, "scaling", axis="patients"), key=lambda line: number_of(line, "patients")
    )
    return _patients(lines) if len(lines) > 1 else None


@styled
def _trial(axes: Mapping[str, Rows]) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    titles = {"doses": "Weekly doses in 365 days", "days": "Days of the trial"}
    grid = figure.subplots(1, len(axes), squeeze=False)[0]
    for ax, (axis, lines) in zip(grid, axes.items(), strict=True):
        x = [number_of(line, axis) for line in lines]
        y = [number_of(line, "ms_per_patient") for line in lines]
        ax.plot(x, y, "o-", color=ARM_COLORS[0], ms=5, lw=1.8)
        for at, value in zip(x, y, strict=True):
            _label(ax, f"{value:.1f}", (at, value), (4, 10), ha="right", path_effects=HALO)
        ax.set_ylim(0.0, 1.2 * max(y))
        ax.xaxis.set_major_locator(FixedLocator(x))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        ax.margins(x=0.08)
        ax.set_xlabel(titles[axis])
        ax.set_ylabel("Milliseconds per patient")
    return figure


def trial(rows: Rows) -> Figure | None:
    """Draw the time per patient by doses and by days."""
    axes = {axis: measured(rows, "scaling", axis=axis) for axis in ("doses", "days")}
    axes = {
        axis: sorted(lines, key=lambda line, axis=axis: number_of(line, axis))
        for axis, lines in axes.items()
        if len(lines) > 1
    }
    return _trial(axes) if axes else None


@styled
def _starts(variants: Mapping[str, Mapping[str, float]]) -> Figure:
    figure = Figure(figsize=(WIDTH, 0.48 * len(variants) + 1.1), layout="constrained")
    ax = figure.subplots()
    names = list(variants)[::-1]
    for place, name in enumerate(names):
        _start(ax, place, variants[name])
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(names) - 0.4)
    highest = max(max(seconds.values()) for seconds in variants.values())
    ax.set_xlim(-0.12 * highest, 1.12 * highest)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    ax.set_xticks([tick for tick in ax.get_xticks() if 0.0 <= tick <= 1.12 * highest])
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.set_xlabel("Seconds")
    dots = [
        Line2D([], [], color=color, marker="o", ms=8, lw=0, label=STARTED[start])
        for start, color in STARTS.items()
    ]
    figure.legend(handles=dots, loc="outside upper right", ncols=len(dots))
    return figure


def _start(ax: Axes, place: int, seconds: Mapping[str, float]) -> None:
    """Draw the two starts of a variant as dots, labeled on their outer sides."""
    ends = sorted(seconds.values())
    ax.plot(ends, [place] * len(ends), color=RULE, lw=3, zorder=1)
    for start, value in seconds.items():
        ax.plot(value, place, "o", color=STARTS[start], ms=8)
    longest = {"ha": "left", "color": INK}
    _label(ax, f"{ends[-1]:.1f} s", (ends[-1], place), (9, 0), **longest)
    if len(ends) > 1:
        _label(ax, f"{ends[0]:.1f} s", (ends[0], place), (-9, 0), ha="right", color=INK)


def _label(
    ax: Axes, text: str, at: tuple[float, float], offset: tuple[int, int], **style: Any
) -> None:
    ax.annotate(text, at, offset, textcoords="offset points", va="center", **style)


def starts(rows: Rows) -> Figure | None:
    """Draw cold and cached starts, by variant."""
    variants: dict[str, dict[str, float]] = {}
    for line in measured(rows, "compile"):
        seconds = number_of(line, "first_chunk_s" if "first_chunk_s" in line else "compile_s")
        variants.setdefault(str(line["variant"]), {})[str(line["start"])] = seconds
    return _starts(variants) if variants else None


def _decade_above(value: float) -> float:
    return 10 ** math.ceil(math.log10(value))


def _log(ax: Axes, which: str) -> None:
    """Set a logarithmic scale with plain numbers; over few decades, label 2 and 5 as well."""
    if which == "x":
        ax.set_xscale("log")
    else:
        ax.set_yscale("log")
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = ax.get_xlim() if which == "x" else ax.get_ylim()
    few = math.log10(high / low) < 1.5
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_locator(NullLocator())
    axis.label.set_color(INK)
    ax.tick_params(colors=INK)
    ax.spines["bottom"].set_color(GRAY)
