"""Figures of cytokine release syndrome: incidence by dose period, and cumulative incidence."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qsp.endpoints import crs
from qsp.endpoints.observed import Observed, observed
from qsp.endpoints.statistics import interval
from qsp.endpoints.steps import Step, steps
from qsp.observations.quantities import CRS
from qsp.plots.doses import DoseScale, dose_scale
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles, one_patient
from qsp.plots.style import (
    COLUMNS,
    GRADE_COLORS,
    GRAY,
    INK,
    PANEL_WIDTH,
    arm_colors,
    arm_title,
    day_axis,
    empty_panel,
    legend_below,
    legend_columns,
    plain,
    strokes,
    styled,
    swatches,
)

_BAR = 0.66
MOST_LABELS = 8
LEAST_LABELED = 2.0
"""Lowest rate with a number above its bar, among more than `MOST_LABELS` bars [%]."""
# Upper limit of the axis above 100 %, so that the number on a full bar fits.
_FULL = 114.0
_OBSERVED: dict[str, Any] = {
    "marker": "D",
    "ls": "",
    "ms": 6,
    "mfc": "white",
    "mec": INK,
    "mew": 1.2,
}


@styled
def crs_by_dose(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> Figure:
    """Draw the incidence of CRS by dose period, stacked by grade, above bars of the doses.

    The error bar is the Monte Carlo interval of grade 1 or higher, the wide gray bar behind it the
    prediction interval of a trial. For a single patient, the bars show the grade.

    Args:
        ds: Results.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Two axes per arm: incidence and doses.
    """
    rates = crs.incidence(ds, at_least=tuple(GRADE_COLORS), trial_size=trial_size)
    percent = 100.0 * rates[["value", "lower", "upper", "trial_lower", "trial_upper"]]
    titles, patient = arm_titles(ds), one_patient(ds)
    columns = min(COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    width = 2 * PANEL_WIDTH if columns > 1 else 1.5 * PANEL_WIDTH
    figure = Figure(figsize=(width, 3.7 * rows + 0.5), layout="constrained")
    colors, all_steps = arm_colors(ds), steps(ds)
    seen = observed(ds, CRS)
    top, scale = _FULL if len(seen) else _ceiling(percent), dose_scale(ds)
    for place, (arm, part) in enumerate(
        zip(titles, figure.subfigures(rows, columns, squeeze=False).flat, strict=False)
    ):
        upper, lower = part.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
        own = [step for step in all_steps if step.arm == arm]
        if patient:
            _grade_bars(upper, own, rates)
        else:
            _rate_bars(upper, own, percent, top)
            _observed_rates(upper, own, seen.of_arm(arm))
        _dose_bars(lower, own, colors[arm], scale)
        arm_title(upper, titles[arm], colors[arm], "" if patient else _numbers(rates, arm))
        if place % columns == 0:
            upper.set_ylabel("Worst CRS grade [ASTCT]" if patient else "Incidence of CRS [%]")
            lower.set_ylabel(f"Dose\n[{scale.unit}]" if scale.unit else "Dose")
    handles = _grades() if patient else [*_legend(trial_size), *_observed_legend(seen)]
    title = f"{patient[0].upper()}{patient[1:]}" if patient else None
    ncols = len(handles) if patient else 3
    legend_below(figure, handles, ncols, title)
    return figure


def _ceiling(percent: xr.Dataset) -> float:
    highest = float(percent["trial_upper"].max())
    return min(_FULL, max(10.0, 1.14 * highest)) if np.isfinite(highest) else _FULL


def _numbers(rates: xr.Dataset, arm: str) -> str:
    own = rates.sel(arm=arm).isel(grade=0)
    if not own.sizes["label"]:
        return ""
    evaluable, failed = int(own["evaluable"].max()), int(own["failed"].max())
    return f"n = {evaluable:,}" + (f" ({failed:,} failed)" if failed else "")


def _rate_bars(ax: Axes, own: list[Step], percent: xr.Dataset, top: float) -> None:
    ax.set_ylim(0, top)
    ax.tick_params(axis="x", length=0)
    if not own:
        empty_panel(ax, "no dose of the molecule")
        return
    labels = [step.label for step in own]
    at = percent.sel(arm=own[0].arm, label=labels)
    if not np.isfinite(at["value"].values).any():
        empty_panel(ax)
        return
    x = np.arange(len(own))
    at_least = np.vstack([np.nan_to_num(at["value"].values), np.zeros(len(own))])
    for row, (grade, color) in enumerate(GRADE_COLORS.items()):
        share = at_least[row] - at_least[row + 1]
        # The highest grade is at the bottom, so that the axis reads "this grade or higher".
        ax.bar(x, share, _BAR, bottom=at_least[row + 1], color=color, label=f"grade {grade}")
    whole = at.isel(grade=0)
    value, ends = whole["value"].values, [whole[name].values for name in ("lower", "upper")]
    ax.vlines(x, whole["trial_lower"], whole["trial_upper"], color="#9A9A9A", lw=5, alpha=0.45)
    ax.errorbar(
        x, value, [value - ends[0], ends[1] - value], fmt="none", ecolor=INK, capsize=2.5, lw=1.1
    )
    for place, rate, high in zip(x.tolist(), value.tolist(), ends[1].tolist(), strict=True):
        if rate >= LEAST_LABELED or (np.isfinite(rate) and len(own) <= MOST_LABELS):
            _number(ax, rate, place, top=top, high=high, crowded=len(own) > MOST_LABELS)


def _number(ax: Axes, rate: float, place: float, *, top: float, high: float, crowded: bool) -> None:
    """Write a rate at the left of its interval; above it if bars are narrow."""
    at, offset, side = ((place - 0.07, min(rate, top)), (-3, 2), "right")
    if crowded:
        at, offset, side = ((place, min(high, top)), (0, 2), "center")
    look: dict = {"textcoords": "offset points", "ha": side, "fontsize": 8, "color": INK}
    ax.annotate(rounded(rate), at, offset, **look)


def _observed_rates(ax: Axes, own: list[Step], seen: Observed) -> None:
    """Draw the share of grade 1 or higher among the observations of each dose period."""
    if not own or not len(seen):
        return
    starts = np.array([step.time for step in own])
    place = np.searchsorted(starts, seen.time + 1e-9, side="right") - 1
    for n in np.unique(place[place >= 0]):
        has_crs = seen.value[place == n] >= 1
        at = (n + _BAR / 4, 100.0 * float(np.mean(has_crs)))
        ax.plot(*at, clip_on=False, **_OBSERVED)
        if len(own) <= MOST_LABELS:
            look: dict = {"textcoords": "offset points", "va": "center", "fontsize": 8}
            look["bbox"] = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1}
            ax.annotate(f"{has_crs.sum()}/{len(has_crs)}", at, (7, 0), color=INK, **look)


def _observed_legend(seen: Observed) -> list[Line2D]:
    if not len(seen):
        return []
    return [Line2D([], [], label="observed, grade ≥ 1", **_OBSERVED)]


def rounded(percent: float) -> str:
    """Return a percentage as text, with halves rounded up, and one decimal below 1 %."""
    digit = "1" if percent >= 0.95 or percent == 0 else "0.1"
    # Round to nine decimals first, because 24.5 may be computed as 24.499999999999996.
    return str(Decimal(f"{percent:.9f}").quantize(Decimal(digit), ROUND_HALF_UP))


def _grade_bars(ax: Axes, own: list[Step], rates: xr.Dataset) -> None:
    """Draw the grade of a single patient in each dose period."""
    ax.set_ylim(0, max(GRADE_COLORS) + 0.6)
    ax.set_yticks([0, *GRADE_COLORS])
    ax.tick_params(axis="x", length=0)
    if not own:
        empty_panel(ax, "no dose of the molecule")
        return
    reached = rates["value"].sel(arm=own[0].arm, label=[step.label for step in own])
    if not np.isfinite(reached.values).any():
        empty_panel(ax)
        return
    grade = reached.sum("grade").values.astype(int)
    ax.bar(np.arange(len(own)), grade, _BAR, color=[GRADE_COLORS.get(g, INK) for g in grade])
    for place, height in enumerate(grade):
        ax.annotate(str(height), (place, height), (0, 2), textcoords="offset points",
                    ha="center", fontsize=8, color=INK)  # fmt: skip


def _dose_bars(ax: Axes, own: list[Step], color: str, scale: DoseScale) -> None:
    """Draw bars in proportion to the doses, with the amounts above them."""
    ax.set_ylim(0, 1.5 * (max(scale.heights.values(), default=0.0) or 1.0))
    ax.set_yticks([])
    ax.grid(False)
    ax.spines["left"].set_visible(False)
    x = np.arange(len(own))
    amounts = [scale.heights[step.arm, step.label] for step in own]
    ax.bar(x, amounts, _BAR, color=color)
    every = -(-len(own) // MOST_LABELS) or 1
    for place, (step, amount) in enumerate(zip(own, amounts, strict=True)):
        above = {"xytext": (0, 1.5), "textcoords": "offset points", "ha": "center"}
        text = scale.texts[step.arm, step.label]
        # Of many bars, label every few and those whose amount changes.
        if place % every == 0 or amount != amounts[place - 1]:
            ax.annotate(text, (place, amount), fontsize=8, color=INK, **above)
    ticks = [f"{plain(step.label)}\n{step.day}" for step in own[::every]]
    ax.set_xticks(x[::every], ticks, fontsize=8)
    ax.set_xlim(-0.6, max(len(own), 1) - 0.4)
    ax.tick_params(axis="x", length=0)


def _grades() -> list:
    return list(swatches({f"grade {grade}": color for grade, color in GRADE_COLORS.items()}))


def _legend(trial_size: int) -> list:
    whisker = Line2D([], [], color=INK, lw=1.1, label="95 % Monte Carlo interval (grade ≥ 1)")
    prediction = f"95 % prediction interval, trial of {trial_size}"
    bracket = Line2D([], [], color="#9A9A9A", lw=5, alpha=0.45, label=prediction)
    return [*_grades(), whisker, bracket]


@styled
def cumulative_crs(ds: xr.Dataset, *, at_least: int = 1) -> Figure:
    """Draw the cumulative incidence of first CRS, by arm, with Monte Carlo intervals.

    Args:
        ds: Results.
        at_least: Lowest grade counted.

    Returns:
        One panel with a step line and a band per arm; triangles mark the starts of dose periods.
    """
    curves = 100.0 * crs.cumulative_incidence(ds, at_least=at_least)[["value", "lower", "upper"]]
    figure = Figure(figsize=(2 * PANEL_WIDTH, 4.2), layout="constrained")
    ax = figure.subplots()
    colors, times = arm_colors(ds), curves["time"].values
    for arm, color in colors.items():
        own = curves.sel(arm=arm)
        ax.fill_between(
            times, own["lower"], own["upper"], step="post", color=color, alpha=0.13, lw=0
        )
        ax.step(times, own["value"], where="post", color=color, lw=2)
    highest = float(curves["upper"].max())
    top = min(103.0, max(10.0, 1.1 * highest)) if np.isfinite(highest) else 103.0
    ax.set_ylim(0, top)
    day_axis(ax, 0.0, float(times[-1]), most=13)
    for time in sorted({round(step.time, 3) for step in steps(ds)}):
        ax.plot(time, 0.012 * top, marker="v", color=GRAY, ms=6, clip_on=False, zorder=5)
    ax.set_xlabel("Protocol day (triangles: doses)")
    ax.set_ylabel(f"Cumulative incidence of CRS,\ngrade ≥ {at_least} [%]")
    _end_legend(figure, curves, colors, arm_titles(ds))
    return figure


def _end_legend(
    figure: Figure, curves: xr.Dataset, colors: dict[str, str], titles: dict[str, str]
) -> None:
    last = curves["value"].isel(time=-1)
    rates = {arm: float(last.sel(arm=arm)) for arm in colors}
    none = "no evaluable patient"
    ends = {arm: f"{rounded(rate)} %" if rate >= 0 else none for arm, rate in rates.items()}
    named = {f"{titles[arm]} ({ends[arm]})": color for arm, color in colors.items()}
    figure.legend(
        handles=strokes(named), loc="outside lower center", ncols=legend_columns(list(named))
    )
