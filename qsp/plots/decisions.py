"""Figures of adaptive dosing: doses and events of individual patients, decisions by visit."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qsp.drugs import RESCUE, STEROID
from qsp.endpoints import decisions
from qsp.endpoints.statistics.patients import solved
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles
from qsp.plots.style import (
    GRADE_COLORS,
    GRAY,
    INK,
    RULE,
    arm_colors,
    arm_title,
    day_axis,
    empty_panel,
    label_outer,
    legend_below,
    panels,
    styled,
    swatches,
)

MOST_ROWS = 30
"""Largest number of patients in a panel of the swimmer plot."""
RESCUE_MARKS = {RESCUE: ("x", "#009E73"), STEROID: ("+", "#0072B2")}
"""Marker and color of the rescue drugs of the swimmer plot."""
_OTHER_MARK = ("2", "#A0008A")
_DOSES, _EVENTS = 0.24, -0.14
"""Offsets of doses and CRS from the middle of a row, so that neither covers the other."""
DECISION_COLORS = {
    "as planned": "#9CC3DE",
    "held": "#F7D58A",
    "delayed": "#E69F00",
    "earlier dose": "#D55E00",
    "split": "#CC79A7",
    "interval changed": "#009E73",
    "stopped": "#5A0A14",
    "missed visit": "#C4C4C4",
}


@styled
def swimmer(ds: xr.Dataset) -> Figure:
    """Draw a swimmer plot: doses, CRS and rescue drugs of the first patients of each arm.

    Args:
        ds: Results; arms without rules are included.

    Returns:
        One panel per arm and one row per patient. CRS is a bar from onset to end in the color of
        the grade, with a cross for each rescue drug. Below it, doses are triangles whose area
        increases with the amount.
    """
    colors, titles = arm_colors(ds), arm_titles(ds)
    figure, axes = panels(len(colors), height=4.6)
    last = float(ds.attrs["days"]) if "days" in ds.attrs else float(ds["dose_time"].max())
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        shown = ds.sel(arm=arm).isel(patient=slice(0, MOST_ROWS)).load()
        arm_title(ax, titles[arm], color)
        _rows(ax, shown, solved(ds).sel(arm=arm).isel(patient=slice(0, MOST_ROWS)).values, last)
    label_outer(axes, x="Protocol day", y="Patient [ID]")
    handles = _marks(ds)
    legend_below(figure, handles, len(handles))
    return figure


def _rows(ax: Axes, shown: xr.Dataset, ok: np.ndarray, last: float) -> None:
    patients = shown["patient"].values
    if not ok.any():
        empty_panel(ax)
        return
    day_axis(ax, 0.0, last)
    ax.set_ylim(len(patients) - 0.3, -0.7)
    ax.set_yticks(np.arange(len(patients)), [str(p) for p in patients], fontsize=6.5)
    ax.grid(False)
    most = float(np.nanmax(shown["dose_amount"].values, initial=0.0)) or 1.0
    for row in range(len(patients)):
        one = shown.isel(patient=row)
        if not ok[row]:
            failed = "simulation failed"
            ax.annotate(failed, (0.0, row), fontsize=6.5, color=GRAY, va="center")
            continue
        times, amounts = one["dose_time"].values, one["dose_amount"].values
        ends = [0.0, np.nanmax(times, initial=0.0)]
        ax.plot(ends, [row + _DOSES] * 2, color=RULE, lw=2, zorder=1)
        _events(ax, one, row)
        sizes = 5.0 + 17.0 * np.sqrt(amounts / most)
        ax.scatter(
            times, np.full(len(times), row + _DOSES), sizes, color=INK, marker="^", lw=0, zorder=4
        )
        _rescues(ax, one, row)


def _events(ax: Axes, one: xr.Dataset, row: int) -> None:
    grades = np.nan_to_num(one["crs_grade"].values, nan=-1).astype(int)
    for period in np.flatnonzero(grades > 0):
        start = float(one["dose_time"][period] + one["crs_onset"][period])
        length = max(float(one["crs_duration"][period]), 0.25)
        bar = {"height": 0.48, "color": GRADE_COLORS[grades[period]], "lw": 0, "zorder": 2}
        ax.barh(row + _EVENTS, length, left=start, **bar)


def _rescues(ax: Axes, one: xr.Dataset, row: int) -> None:
    for drug, code in _rescue_drugs(one).items():
        times = one["administered_time"].values[_is_rescue(one, code)]
        marker, color = RESCUE_MARKS.get(drug, _OTHER_MARK)
        look = {"color": color, "marker": marker, "lw": 1.2, "zorder": 5}
        ax.scatter(times, np.full(len(times), row + _EVENTS), 22, **look)


def _rescue_drugs(ds: xr.Dataset) -> dict[str, int]:
    """Return the codes of the drugs that a rule gave, by name."""
    if "administered_reason" not in ds:
        return {}
    codes = decisions.flags(ds["administered_drug"])
    return {drug: code for drug, code in codes.items() if _is_rescue(ds, code).any()}


def _is_rescue(ds: xr.Dataset, code: int) -> np.ndarray:
    is_rescue = ds["administered_reason"] == decisions.flags(ds["administered_reason"])["rescue"]
    return (is_rescue & (ds["administered_drug"] == code)).values


def _marks(ds: xr.Dataset) -> list:
    dose = Line2D([], [], color=INK, marker="^", lw=0, ms=5, label="dose (larger: more)")
    drugs = []
    for drug in _rescue_drugs(ds):
        marker, color = RESCUE_MARKS.get(drug, _OTHER_MARK)
        drugs.append(
            Line2D([], [], color=color, marker=marker, lw=0, ms=6, label=f"rescue: {drug}")
        )
    return [dose, *drugs, *swatches({f"CRS grade {g}": c for g, c in GRADE_COLORS.items()})]


@styled
def decision_flow(ds: xr.Dataset) -> Figure:
    """Draw the number of patients with each dosing decision at each visit.

    Args:
        ds: Results of arms with rules.

    Returns:
        One panel per arm with rules: stacked bars at the visits at which a dose was due.
    """
    counts = decisions.flow(ds)
    names = arm_titles(ds)
    visits = ds["decision_time"]
    colors = {a: c for a, c in arm_colors(ds).items() if np.isfinite(visits.sel(arm=a)).any()}
    figure, axes = panels(len(colors), height=3.0)
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        arm_title(ax, names[arm], color)
        _bars(ax, counts.sel(arm=arm), visits.sel(arm=arm).values)
    label_outer(axes, x="Protocol day", y="Number of patients")
    occurring = _occurring(counts)
    named = {name: color for name, color in DECISION_COLORS.items() if name in occurring}
    figure.legend(handles=swatches(named), loc="outside lower center", ncols=min(len(named), 4))
    return figure


def _occurring(counts: xr.DataArray) -> set[str]:
    some = counts.sum([dim for dim in counts.dims if dim != "decision"]) > 0
    return {str(name) for name in counts["decision"].values[some.values]}


def _bars(ax: Axes, counts: xr.DataArray, visits: np.ndarray) -> None:
    due = counts.sel(decision=[name for name in DECISION_COLORS if name != "missed visit"])
    shown = np.isfinite(visits) & (due.sum("decision").values > 0)
    times = visits[shown]
    if not times.size:
        empty_panel(ax, "no visit with a dose due")
        return
    day_axis(ax, 0.0, float(np.nanmax(visits)))
    width = max(0.012 * float(np.nanmax(visits)), 0.4)
    bottom = np.zeros(times.size)
    for name, color in DECISION_COLORS.items():
        height = counts.sel(decision=name).values[shown]
        ax.bar(times, height, width, bottom=bottom, color=color)
        bottom = bottom + height
    ax.set_ylim(0, 1.05 * bottom.max())
