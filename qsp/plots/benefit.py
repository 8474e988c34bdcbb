"""Benefit-risk plane: objective response against CRS, one point per arm."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp.endpoints import crs, response
from qsp.endpoints.statistics import interval
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles
from qsp.plots.style import (
    PANEL_WIDTH,
    arm_colors,
    empty_panel,
    legend_columns,
    strokes,
    styled,
)


@styled
def benefit_risk(
    ds: xr.Dataset, *, at_least: int = 2, trial_size: int = interval.TRIAL_SIZE
) -> Figure:
    """Draw the objective response rate of each arm against its incidence of CRS.

    Args:
        ds: Results with `best_response`.
        at_least: Lowest grade counted.
        trial_size: Number of patients in the trial of the prediction intervals, which are computed
            with the rates but not drawn.

    Returns:
        One panel; a point per arm with 95 % Monte Carlo intervals in both directions. The upper
        left corner is best.
    """
    risk = crs.incidence(ds, by="any", at_least=(at_least,), trial_size=trial_size).isel(grade=0)
    benefit = response.objective_response(ds, trial_size=trial_size)
    figure = Figure(figsize=(1.5 * PANEL_WIDTH, 4.2), layout="constrained")
    ax = figure.subplots()
    colors, titles, named = arm_colors(ds), arm_titles(ds), {}
    for arm, color in colors.items():
        x, y = (_percent(rate.sel(arm=arm)) for rate in (risk, benefit))
        known = bool(np.isfinite([*x, *y]).all())
        named[titles[arm] + ("" if known else " (no evaluable patient)")] = color
        if known:
            spans = [[[v[0] - v[1]], [v[2] - v[0]]] for v in (x, y)]
            look = {"marker": "o", "ms": 7, "color": color, "lw": 1.2, "capsize": 2.5}
            ax.errorbar(x[0], y[0], xerr=spans[0], yerr=spans[1], ls="", **look)
    if not ax.containers:
        empty_panel(ax)
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 100)
    ax.grid(axis="x")
    ax.set_xlabel(f"Patients with CRS of grade ≥ {at_least} [%]")
    ax.set_ylabel("Objective response [%]")
    ncols = legend_columns(list(named))
    figure.legend(handles=strokes(named), loc="outside lower center", ncols=ncols)
    return figure


def _percent(rate: xr.Dataset) -> list[float]:
    """Rate and its Monte Carlo bounds, in percent."""
    return [100 * float(rate[name]) for name in ("value", "lower", "upper")]
