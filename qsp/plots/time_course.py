"""Figures over time: one cytokine with single patients, all cytokines at once, and the drug."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qsp.endpoints import bands, cytokines, exposure
from qsp.endpoints.patients import solved
from qsp.endpoints.steps import Step, steps
from qsp.plots.style import (
    GRAY,
    INK,
    arm_colors,
    arm_title,
    day_axis,
    label_outer,
    log_axis,
    nothing,
    number,
    panels,
    strokes,
    styled,
)

SPAGHETTI = 30
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
    """One cytokine over time: median, 5-95 % band and single patients, one panel per arm.

    Args:
        ds: Results.
        name: Cytokine.
        window: First and last time drawn [day since the first dose]; the whole run by default.
        trajectories: Single patients, where they are stored apart.
        patients: Number of single patients drawn, at most.

    Returns:
        One panel per arm, on one logarithmic scale.
    """
    band, lines = bands(ds, name), _single(ds, name, trajectories, patients)
    start, end = _window(band, window)
    shown = band.sel(time=slice(start, end))
    colors = arm_colors(ds)
    figure, axes = panels(len(colors), height=2.7)
    low, high = _log_range(
        [shown, *([lines.sel(time=slice(start, end))] if lines is not None else [])]
    )
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        if lines is not None:
            own = lines.sel(arm=arm)
            ax.plot(own["time"], own.transpose("time", ...).values, color=color, lw=0.5, alpha=0.3)
        _band(ax, band.sel(arm=arm), color)
        log_axis(ax, low, high)
        day_axis(ax, start, end)
        arm_title(ax, arm, color)
        _dose_marks(ax, [step for step in steps(ds) if step.arm == arm], start, end)
    label_outer(axes, x="Protocol day (triangles: doses)", y=f"{cytokines.TITLES[name]} [pg/mL]")
    figure.legend(handles=_legend(lines is not None), loc="outside lower center", ncols=3)
    return figure


@styled
def cytokine_overview(ds: xr.Dataset, *, window: Window | None = None) -> Figure:
    """Median of every cytokine over time, all arms in one panel per cytokine.

    Args:
        ds: Results.
        window: First and last time drawn [day since the first dose]; the whole run by default.

    Returns:
        One panel per cytokine, each on its own logarithmic scale.
    """
    names = [name for name in cytokines.CYTOKINES if name in ds or f"{name}_quantiles" in ds]
    colors = arm_colors(ds)
    figure, axes = panels(len(names), height=2.1, sharey=False)
    for ax, name in zip(axes, names, strict=True):
        middle = bands(ds, name).sel(quantile=0.5)
        start, end = _window(middle, window)
        for arm, color in colors.items():
            ax.plot(middle["time"], middle.sel(arm=arm), color=color, lw=1.5, alpha=0.9)
        log_axis(ax, *_log_range([middle.sel(time=slice(start, end))]))
        day_axis(ax, start, end)
        ax.set_title(cytokines.TITLES[name])
    label_outer(axes, x="Protocol day", y="Median [pg/mL]")
    figure.legend(handles=strokes(colors), loc="outside lower center", ncols=min(len(colors), 2))
    return figure


@styled
def drug_concentration(ds: xr.Dataset, *, window: Window | None = None) -> Figure:
    """Drug in blood over time: median and 5-95 % band, with marks and amounts of the doses.

    Args:
        ds: Results with the attribute `molecular_weight_kda`.
        window: First and last time drawn [day since the first dose]; the whole run by default.

    Returns:
        One panel per arm, on one logarithmic scale in mass per volume.
    """
    band = bands(ds, "drug_central") * exposure.mass_per_molar(ds)
    factor, unit = _mass_unit(float(band.max()))
    band = band * factor
    start, end = _window(band, window)
    colors = arm_colors(ds)
    figure, axes = panels(len(colors), height=2.7)
    lowest, highest = _log_range([band.sel(time=slice(start, end), quantile=0.5)])
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        _band(ax, band.sel(arm=arm).where(band.sel(arm=arm) > 0), color)
        log_axis(ax, max(lowest / 2, highest / 1e5), highest * 2)
        day_axis(ax, start, end)
        arm_title(ax, arm, color)
        _dose_marks(ax, [s for s in steps(ds) if s.arm == arm], start, end, amounts=True)
    y = f"Drug in blood [{unit}]"
    label_outer(axes, x="Protocol day (triangles: doses, mg)", y=y)
    figure.legend(handles=_legend(single=False), loc="outside lower center", ncols=3)
    return figure


def _mass_unit(highest: float) -> tuple[float, str]:
    """Factor from ug/mL and unit in which the highest concentration is a readable number."""
    if not highest > 0 or highest >= 0.1:
        return 1.0, "µg/mL"
    return (1e3, "ng/mL") if highest >= 1e-4 else (1e6, "pg/mL")


def _single(
    ds: xr.Dataset, name: str, trajectories: xr.Dataset | None, patients: int
) -> xr.DataArray | None:
    """The first solved patients, who are random draws like all others, one line each."""
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


def _log_range(arrays: list[xr.DataArray]) -> Window:
    values = np.concatenate([array.values.ravel() for array in arrays])
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 10.0
    # Room above for the marks of the doses.
    return float(values.min()) / 1.4, float(values.max()) * 3.0


def _band(ax: Axes, band: xr.DataArray, color: str) -> None:
    low, middle, high = band.transpose("quantile", "time").values
    if not np.isfinite(middle).any():
        nothing(ax)
        return
    ax.fill_between(band["time"], low, high, color=color, alpha=0.22, lw=0)
    ax.plot(band["time"], middle, color=color, lw=1.8)


def _dose_marks(
    ax: Axes, given: list[Step], start: float, end: float, *, amounts: bool = False
) -> None:
    """Triangles at the starts of the dose periods, along the top of the panel."""
    across = ax.get_xaxis_transform()
    for step in given:
        if start <= step.time <= end:
            ax.plot(step.time, 0.955, marker="v", color=INK, ms=5, transform=across, clip_on=False)
            if amounts:
                below = {"transform": across, "ha": "center", "va": "top"}
                ax.text(step.time, 0.925, number(step.amount), fontsize=7.5, color=GRAY, **below)


def _legend(single: bool) -> list:
    handles: list = [
        Line2D([], [], color=GRAY, lw=1.8, label="median"),
        Line2D([], [], color=GRAY, lw=7, alpha=0.3, label="5-95 % of patients"),
    ]
    if single:
        handles.append(Line2D([], [], color=GRAY, lw=0.6, alpha=0.7, label="single patients"))
    return handles
