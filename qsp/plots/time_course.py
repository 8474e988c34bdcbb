"""Figures over time: one cytokine with individual patients, all cytokines, and the drug."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qsp.endpoints import bands, cytokines, exposure
from qsp.endpoints.observed import Observed, observed
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import Step, steps
from qsp.observations.quantities import DRUG
from qsp.plots.doses import Supportive, dose_scale, mass_unit, supportive
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles, one_patient
from qsp.plots.observed import draw_points, point_handles, within
from qsp.plots.style import (
    GRAY,
    INK,
    arm_colors,
    arm_title,
    day_axis,
    empty_panel,
    label_outer,
    legend_below,
    legend_columns,
    log_axis,
    panels,
    strokes,
    styled,
)

SPAGHETTI = 30
# Marks and colors of supportive drugs; drugs not listed have those of the first.
_MARKS = {
    "dexamethasone": ("o", "#8A8A8A"),
    "tocilizumab": ("s", "#A0008A"),
    "jak inhibitor": ("D", "#1B7A3D"),
    "anti tnf": ("P", "#8A5A00"),
}
# Amounts closer together than this fraction of the axis would overlap.
_MIN_DISTANCE = 0.075
# Rows of amounts of doses that are close together.
_ROWS = 3
# Largest ratio of the highest to the lowest drug concentration shown.
_DECADES = 1e5
Window = tuple[float, float]


@styled
def cytokine_bands(
    ds: xr.Dataset,
    name: cytokines.Cytokine = "il6",
    *,
    window: Window | None = None,
    trajectories: xr.Dataset | None = None,
    patients: int = SPAGHETTI,
) -> Figure:
    """Draw one cytokine over time: median, 5th to 95th percentile and individual patients.

    Args:
        ds: Results.
        name: Cytokine.
        window: First and last time shown [day since the first dose]; the whole run by default.
        trajectories: Trajectories of individual patients, if stored separately.
        patients: Largest number of individual patients shown.

    Returns:
        One panel per arm, on one logarithmic scale.
    """
    patient = one_patient(ds)
    band, lines = bands(ds, name), _individual(ds, name, trajectories, 0 if patient else patients)
    start, end = _window(band, window)
    shown = band.sel(time=slice(start, end))
    colors, titles, drugs = arm_colors(ds), arm_titles(ds), supportive(ds)
    points = observed(ds, name)
    figure, axes = panels(len(colors), height=2.7)
    individual = [] if lines is None else [lines.sel(time=slice(start, end))]
    low, high = _log_range([shown, *individual, *_heights(points, start, end)])
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        if lines is not None:
            own = lines.sel(arm=arm)
            ax.plot(own["time"], own.transpose("time", ...).values, color=color, lw=0.5, alpha=0.3)
        _band(ax, band.sel(arm=arm), color)
        draw_points(ax, points.of_arm(arm), start, end)
        log_axis(ax, low, high)
        day_axis(ax, start, end)
        arm_title(ax, titles[arm], color)
        _dose_marks(ax, [step for step in steps(ds) if step.arm == arm], start, end)
        _supportive_marks(ax, drugs.get(arm, []), start, end)
    label_outer(axes, x="Protocol day (triangles: doses)", y=f"{cytokines.TITLES[name]} [pg/mL]")
    handles = [*_legend(patient, individual=lines is not None), *_mark_legend(drugs, start, end)]
    handles += point_handles(points, color=INK)
    legend_below(figure, handles, 4)
    return figure


@styled
def cytokine_overview(ds: xr.Dataset, *, window: Window | None = None) -> Figure:
    """Draw the median of every cytokine over time, with all arms in one panel per cytokine.

    Args:
        ds: Results.
        window: First and last time shown [day since the first dose]; the whole run by default.

    Returns:
        One panel per cytokine, each on its own logarithmic scale.
    """
    names = [name for name in cytokines.CYTOKINES if name in ds or f"{name}_quantiles" in ds]
    colors, titles, drugs = arm_colors(ds), arm_titles(ds), supportive(ds)
    figure, axes = panels(len(names), height=2.1, sharey=False)
    start, end = 0.0, 0.0
    handles: list[Line2D] = []
    for ax, name in zip(axes, names, strict=True):
        middle = bands(ds, name).sel(quantile=0.5)
        start, end = _window(middle, window)
        points = observed(ds, name)
        for arm, color in colors.items():
            ax.plot(middle["time"], middle.sel(arm=arm), color=color, lw=1.5, alpha=0.9)
            draw_points(ax, points.of_arm(arm), start, end, color=color)
        handles += point_handles(points)
        shown = [middle.sel(time=slice(start, end)), *_heights(points, start, end)]
        log_axis(ax, *_log_range(shown))
        day_axis(ax, start, end)
        ax.set_title(cytokines.TITLES[name])
        for row, arm in enumerate(arm for arm in colors if arm in drugs):
            _supportive_marks(ax, drugs[arm], start, end, color=colors[arm], row=row)
    label_outer(axes, x="Protocol day", y="[pg/mL]" if one_patient(ds) else "Median [pg/mL]")
    named = {titles[arm]: color for arm, color in colors.items()}
    kinds = {str(handle.get_label()): handle for handle in handles}  # each kind once
    handles = [*strokes(named), *_mark_legend(drugs, start, end), *kinds.values()]
    ncols = legend_columns(list(named))
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols)
    return figure


@styled
def drug_concentration(ds: xr.Dataset, *, window: Window | None = None) -> Figure:
    """Draw the free drug in blood over time: median, 5th to 95th percentile, and the doses.

    Args:
        ds: Results with the attribute `molecular_weight_kda`.
        window: First and last time shown [day since the first dose]; by default from the first
            dose to the end.

    Returns:
        One panel per arm, on one logarithmic scale in mass per volume.
    """
    factor, unit = mass_unit(ds)
    band = bands(ds, "drug_central") * exposure.mass_per_molar(ds) * factor
    start, end = window if window else (0.0, float(band["time"][-1]))
    band = band.sel(time=slice(start, end))
    colors, titles, patient = arm_colors(ds), arm_titles(ds), one_patient(ds)
    scale, points = dose_scale(ds), observed(ds, DRUG)
    points = points.scaled(factor)
    figure, axes = panels(len(colors), height=2.7)
    middle = band.sel(time=slice(start, end), quantile=0.5)
    lowest, highest = _log_range([middle, *_heights(points, start, end)])
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        floor = max(lowest / 2, highest / _DECADES)
        own = band.sel(arm=arm)
        # Zero is not on a logarithmic scale: replace it by a value below the axis.
        _band(ax, own.where((own > 0) | own.isnull(), floor / 10), color)
        draw_points(ax, points.of_arm(arm), start, end)
        log_axis(ax, floor, highest * 2)
        day_axis(ax, start, end)
        arm_title(ax, titles[arm], color)
        own_steps = [step for step in steps(ds) if step.arm == arm]
        _dose_marks(ax, own_steps, start, end)
        _dose_amounts(ax, [(s.time, scale.texts[s.arm, s.label]) for s in own_steps], start, end)
    doses = f"doses [{scale.unit}]" if scale.unit else "doses"
    label_outer(axes, x=f"Protocol day (triangles: {doses})", y=f"Free drug in blood [{unit}]")
    handles = [*_legend(patient, individual=False), *point_handles(points, color=INK)]
    legend_below(figure, handles, 3)
    return figure


def _individual(
    ds: xr.Dataset, name: str, trajectories: xr.Dataset | None, patients: int
) -> xr.DataArray | None:
    """Return the trajectories of the first successfully simulated patients, a random sample."""
    source = ds if name in ds else trajectories
    if source is None or name not in source or patients < 1:
        return None
    lines = source[name]
    if "patient_traj" in lines.dims:
        return lines.isel(patient_traj=slice(patients))
    chosen = np.flatnonzero(solved(ds).any("arm").values)[:patients]
    return lines.isel(patient=chosen).where(solved(ds).isel(patient=chosen))


def _window(band: xr.DataArray, window: Window | None) -> Window:
    return window if window else (min(0.0, float(band["time"][0])), float(band["time"][-1]))


def _heights(points: Observed, start: float, end: float) -> list[xr.DataArray]:
    """Return the heights of the observations in a window; no array without any."""
    shown = within(points, start, end)
    return [xr.DataArray(shown.height)] if len(shown) else []


def _log_range(arrays: list[xr.DataArray]) -> Window:
    values = np.concatenate([array.values.ravel() for array in arrays])
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 10.0
    # The factor above leaves space for the marks of the doses.
    return float(values.min()) / 1.4, float(values.max()) * 3.0


def _band(ax: Axes, band: xr.DataArray, color: str) -> None:
    low, middle, high = band.transpose("quantile", "time").values
    if not np.isfinite(middle).any():
        empty_panel(ax)
        return
    ax.fill_between(band["time"], low, high, color=color, alpha=0.22, lw=0)
    ax.plot(band["time"], middle, color=color, lw=1.8)


def _dose_marks(ax: Axes, own_steps: list[Step], start: float, end: float) -> None:
    """Draw triangles at the starts of the dose periods, along the top of the panel."""
    across = ax.get_xaxis_transform()
    for step in own_steps:
        if start <= step.time <= end:
            ax.plot(step.time, 0.955, marker="v", color=INK, ms=5, transform=across, clip_on=False)


def _dose_amounts(ax: Axes, amounts: list[tuple[float, str]], start: float, end: float) -> None:
    """Write the amounts below the triangles, of doses close together in up to three rows.

    Where doses follow each other closely, one that repeats the amount before it has no text.
    """
    last, before = [-np.inf] * _ROWS, ""
    for time, text in amounts:
        if not start <= time <= end:
            continue
        free = [row for row in range(_ROWS) if time - last[row] >= _MIN_DISTANCE * (end - start)]
        if not free or (free[0] > 0 and text == before):
            continue
        # Next to the vertical axis, a long text fits on the right only.
        side = "left" if time - start < 0.03 * (end - start) and len(text) > 3 else "center"
        below: dict = {"transform": ax.get_xaxis_transform(), "ha": side, "va": "top"}
        ax.text(time, 0.925 - 0.065 * free[0], text, fontsize=7.5, color=GRAY, **below)
        last[free[0]], before = time, text


def _supportive_marks(
    ax: Axes,
    doses: list[Supportive],
    start: float,
    end: float,
    *,
    color: str | None = None,
    row: int = 0,
) -> None:
    """Draw a row of small marks at the doses of supportive drugs, in the color of drug or arm."""
    across = ax.get_xaxis_transform()
    for dose in doses:
        if start - 1 <= dose.time <= end:
            marker, own = _mark(dose.drug)
            look = {"marker": marker, "ms": 4, "color": color or own, "ls": "", "clip_on": False}
            ax.plot(dose.time, 0.89 - 0.06 * row, transform=across, **look)


def _mark(drug: str) -> tuple[str, str]:
    return _MARKS.get(drug, next(iter(_MARKS.values())))


def _mark_legend(drugs: dict[str, list[Supportive]], start: float, end: float) -> list[Line2D]:
    doses = (dose for of_arm in drugs.values() for dose in of_arm)
    shown = dict.fromkeys(dose.drug for dose in doses if start - 1 <= dose.time <= end)
    looks = {drug: _mark(drug) for drug in shown}
    return [
        Line2D([], [], marker=marker, color=color, ls="", ms=5, label=drug)
        for drug, (marker, color) in looks.items()
    ]


def _legend(patient: str, *, individual: bool) -> list:
    if patient:
        return [Line2D([], [], color=GRAY, lw=1.8, label=patient)]
    handles: list = [
        Line2D([], [], color=GRAY, lw=1.8, label="median"),
        Line2D([], [], color=GRAY, lw=7, alpha=0.3, label="5th to 95th percentile"),
    ]
    if individual:
        handles.append(Line2D([], [], color=GRAY, lw=0.6, alpha=0.7, label="individual patients"))
    return handles
