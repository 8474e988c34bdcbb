"""Kaplan-Meier curves of progression-free survival and of the duration of response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.kaplan_meier import KaplanMeier, kaplan_meier, numbers_at_risk
from qsp.endpoints.statistics.patients import solved, weights
from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles
from qsp.plots.style import (
    GRAY,
    PANEL_WIDTH,
    arm_colors,
    empty_panel,
    last_visit,
    legend_below,
    legend_columns,
    month_axis,
    plain,
    strokes,
    styled,
)

MOST_TICKS = 200
"""Largest number of marks of censored patients on a curve."""
_NONE = "no evaluable patient"
_MARK_TITLES = ("95 % Monte Carlo interval (also of medians)", "censored")
# Characters of the name of an arm that fit to the left of its numbers at risk.
_NAME_WIDTH = 30
_CURVE, _ROW = 2.9, 0.19  # heights of the curves, and of a row of the table or legend [inch]


@dataclass(frozen=True)
class _Endpoint:
    """A time to progression or death.

    Args:
        name: Variable of the time.
        event: Variable that is 1 if the time ends with an event.
        x: Title of the axis of the time.
        y: Title of the axis of the proportion.
        none: Text for an arm in which the time applies to no patient.
    """

    name: str
    event: str
    x: str
    y: str
    none: str


_PROGRESSION_FREE = _Endpoint(
    "progression_free_time",
    "progression_free_event",
    "Time since the first dose [month]",
    "Patients without\nprogression or death [%]",
    _NONE,
)
_RESPONSE = _Endpoint(
    "response_duration",
    "response_duration_event",
    "Time since the first response [month]",
    "Responders without\nprogression or death [%]",
    "no response",
)


def has_progression_free(ds: xr.Dataset) -> bool:
    """Return whether the results have the variables of `progression_free`."""
    return _PROGRESSION_FREE.name in ds and _PROGRESSION_FREE.event in ds


def has_response_duration(ds: xr.Dataset) -> bool:
    """Return whether the results have the variables of `duration_of_response`."""
    return _RESPONSE.name in ds and _RESPONSE.event in ds


@dataclass(frozen=True)
class _Arm:
    """Times of the patients of an arm to which the time applies, and their Kaplan-Meier estimate.

    Args:
        time (patient,): Time to the event or to censoring [month].
        event (patient,): Whether the event occurred.
        estimate: Estimate, in months.
        none: Why there is no patient; "" if there are some.
    """

    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    estimate: KaplanMeier
    none: str


@styled
def progression_free(ds: xr.Dataset) -> Figure:
    """Draw progression-free survival: the Kaplan-Meier curve of each arm, with numbers at risk.

    Bands are 95 % Monte Carlo intervals, and small vertical marks are patients who are censored.
    Curves and medians are weighted by prevalence; the numbers at risk are virtual patients.

    Args:
        ds: Results with `progression_free_time` and `progression_free_event`.

    Returns:
        One panel with a curve per arm, and the numbers at risk below its ticks.

    Raises:
        ConfigError: If a variable is missing or has another unit.
    """
    return _drawn(ds, _PROGRESSION_FREE)


@styled
def duration_of_response(ds: xr.Dataset) -> Figure:
    """Draw the duration of response of the responders, as `progression_free` draws survival.

    Args:
        ds: Results with `response_duration` and `response_duration_event`.

    Returns:
        One panel with a curve per arm, and the numbers at risk below its ticks.

    Raises:
        ConfigError: If a variable is missing or has another unit.
    """
    return _drawn(ds, _RESPONSE)


def _drawn(ds: xr.Dataset, endpoint: _Endpoint) -> Figure:
    colors, titles, arms = arm_colors(ds), arm_titles(ds), _arms(ds, endpoint)
    named = {f"{titles[name]}: {_median(arm)}": colors[name] for name, arm in arms.items()}
    handles, columns = [*strokes(named), *_marks()], legend_columns([*named, *_MARK_TITLES])
    # The rows of the table and of the legend, and the titles of the axis and the table.
    rows = len(arms) + -(-len(handles) // columns)
    height = _CURVE + _ROW * rows + 0.9
    figure = Figure(figsize=(2 * PANEL_WIDTH, height), layout="constrained")
    ratios = {"height_ratios": (_CURVE, _ROW * len(arms))}
    ax, table = figure.subplots(2, 1, sharex=True, gridspec_kw=ratios)
    ax.tick_params(labelbottom=True)
    last = max(float(arm.time.max(initial=0.0)) for arm in arms.values())
    ticks = month_axis(ax, last or last_visit(ds))
    for name, arm in arms.items():
        if not arm.none:
            _curve(ax, arm, colors[name])
    if all(arm.none for arm in arms.values()):
        empty_panel(ax, "; ".join(dict.fromkeys(arm.none for arm in arms.values())))
    ax.set_ylim(0, 104)
    ax.set_xlabel(endpoint.x)
    ax.set_ylabel(endpoint.y)
    _at_risk(table, arms, titles, colors, ticks)
    legend_below(figure, handles, columns)
    return figure


def _arms(ds: xr.Dataset, endpoint: _Endpoint) -> dict[str, _Arm]:
    """Return the patients of each arm to which the time applies."""
    require(ds, endpoint.name, "day")
    require(ds, endpoint.event, "1")
    ok, weight, found = solved(ds), weights(ds).values, {}
    for name in map(str, ds["arm"].values):
        days = ds[endpoint.name].where(ok).sel(arm=name).values.astype(float)
        event = ds[endpoint.event].fillna(0).sel(arm=name).values > 0
        applies = np.isfinite(days) & (weight > 0)
        time, event = days[applies] / DAYS_PER_MONTH, event[applies]
        evaluable = bool((ok.sel(arm=name).values & (weight > 0)).any())
        none = "" if time.size else (endpoint.none if evaluable else _NONE)
        found[name] = _Arm(time, event, kaplan_meier(time, event, weight[applies]), none)
    return found


def _curve(ax: Axes, arm: _Arm, color: str) -> None:
    """Draw the curve up to the last patient, its band, and marks of censored patients."""
    estimate, last = arm.estimate, arm.time.max()
    x = np.concatenate([[0.0], estimate.time, [last]])
    y, low, high = (
        100 * np.concatenate([[1.0], values, values[-1:] if values.size else [1.0]])
        for values in (estimate.survival, estimate.lower, estimate.upper)
    )
    ax.fill_between(x, low, high, step="post", color=color, alpha=0.13, lw=0)
    ax.step(x, y, where="post", color=color, lw=1.8)
    censored = np.unique(arm.time[~arm.event])
    if censored.size > MOST_TICKS:
        even = np.linspace(0, censored.size - 1, MOST_TICKS).round().astype(int)
        censored = censored[even]
    ax.plot(censored, 100 * estimate.at(censored), ls="", marker="|", ms=6, mew=1.0, color=color)


def _at_risk(
    ax: Axes,
    arms: dict[str, _Arm],
    titles: dict[str, str],
    colors: dict[str, str],
    ticks: tuple[float, ...],
) -> None:
    """Write the number of patients at risk below each tick, in a row and the color of the arm."""
    ax.set_title("Number at risk", fontsize=8.5, fontweight="normal", color=GRAY, pad=3)
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelbottom=False)
    ax.set_yticks(np.arange(len(arms)), [_shortened(titles[name]) for name in arms])
    for label, name in zip(ax.get_yticklabels(), arms, strict=True):
        label.set_color(colors[name])
    for row, (name, arm) in enumerate(arms.items()):
        for tick, count in zip(ticks, numbers_at_risk(arm.time, ticks), strict=True):
            look = {"ha": "center", "va": "center_baseline", "fontsize": 8.5, "color": colors[name]}
            ax.text(tick, row, f"{count:,}", **look)


def _shortened(title: str) -> str:
    """Return the beginning of a title that fits to the left of a row."""
    title = title.replace("_", " ")
    return plain(title if len(title) <= _NAME_WIDTH else title[: _NAME_WIDTH - 1].rstrip() + "…")


def _median(arm: _Arm) -> str:
    """Return the median with its interval, as text."""
    if arm.none:
        return arm.none
    middle, low, high = arm.estimate.quantile()
    if not np.isfinite(low):
        return "median not reached"
    unit = " months" if np.isfinite(middle) else ""
    return f"median {_months(middle)}{unit} ({_months(low)} to {_months(high)})"


def _months(time: float) -> str:
    return f"{time:.1f}" if np.isfinite(time) else "not reached"


def _marks() -> list[Artist]:
    band, tick = _MARK_TITLES
    return [
        Patch(color=GRAY, alpha=0.2, lw=0, label=band),
        Line2D([], [], color=GRAY, ls="", marker="|", ms=7, label=tick),
    ]
