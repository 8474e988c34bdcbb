"""Figures of tumor response: waterfall plot and spider plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from qsp.endpoints.statistics.blocks import blocks
from qsp.endpoints.statistics.patients import solved, weights
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles, one_patient
from qsp.plots.response_measure import (
    AT_VISITS,
    BEST,
    ResponseMeasure,
    best_change,
    change_at_visits,
    measure_of,
)
from qsp.plots.style import (
    GRAY,
    RESPONSE_COLORS,
    RESPONSE_TITLES,
    arm_colors,
    arm_title,
    day_axis,
    empty_panel,
    label_outer,
    panels,
    strokes,
    styled,
    swatches,
)

SPIDER = 60
# Growth beyond this is cut off, so that shrinkage stays readable [%].
HIGHEST = 120.0
# A panel is a few hundred points wide: of more patients than this, only some are drawn.
MOST_BARS = 5_000
_DASHED = (0, (4, 3))


@styled
def waterfall(ds: xr.Dataset) -> Figure:
    """Draw a waterfall plot of the best change in the measure of the disease.

    The measure is that of the rule of response, such as the sum of the products of the diameters,
    or the tumor volume in results without it. Colors show the best response, dashed lines the
    limits of the rule that are changes from baseline. The width of a bar is the prevalence weight
    of the patient. Of more than `MOST_BARS` patients, `MOST_BARS` at evenly spaced positions are
    drawn, with bars of equal width.

    Args:
        ds: Results with `best_response`.

    Returns:
        One panel per arm, patients in descending order of the change.
    """
    measure, best = measure_of(ds, BEST), best_change(ds)
    colors, titles = arm_colors(ds), arm_titles(ds)
    figure, axes = panels(len(colors), height=2.7)
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        _bars(ax, best.sel(arm=arm).values, weights(ds).values, _codes(ds, arm))
        _limits(ax, measure)
        arm_title(ax, titles[arm], color, f"n = {int(best.sel(arm=arm).notnull().sum()):,}")
        ax.set_xlim(0, 100)
        ax.set_ylim(-104, HIGHEST + 4)
    label_outer(axes, x="Patients in order of change [%]", y=measure.axis_title("Best change in"))
    handles = _legend(swatches(_colors(measure)), measure)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def spider(ds: xr.Dataset, *, patients: int = SPIDER) -> Figure:
    """Draw a spider plot of the change in the measure of the disease over the visits.

    The measure is as in `waterfall`; the change of a disease's own measure is shown up to
    progression, over missed visits.

    Args:
        ds: Results with `best_response`.
        patients: Largest number of patients shown, the first that were simulated successfully.

    Returns:
        One panel per arm; lines in the color of the best response.
    """
    measure, patient = measure_of(ds, AT_VISITS), one_patient(ds)
    colors, titles = arm_colors(ds), arm_titles(ds)
    visits = np.append(0.0, ds["visit"].values[ds["visit"].values > 0])
    figure, axes = panels(len(colors), height=2.7)
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        change, codes = _first(ds.sel(arm=[arm]), patients)
        _lines(ax, visits, change, codes)
        _limits(ax, measure)
        arm_title(ax, titles[arm], color, "" if patient else f"{codes.size} patients")
        day_axis(ax, 0.0, float(visits[-1]) if visits.size > 1 else 1.0)
        ax.set_ylim(-104, HIGHEST + 4)
    label_outer(axes, x="Protocol day", y=measure.axis_title("Change in"))
    handles = _legend(strokes(_colors(measure)), measure)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _first(ds: xr.Dataset, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the change (patient, visit) and the best response of the first patients of an arm."""
    arm, after = str(ds["arm"].item()), np.flatnonzero(ds["visit"].values > 0)
    changes, codes = [np.empty((0, after.size))], [np.empty(0, int)]
    missing = patients
    for part in blocks(ds):
        own = change_at_visits(part).isel(arm=0, visit=after).transpose("patient", "visit")
        chosen = np.flatnonzero(own.notnull().any("visit").values)[:missing]
        changes.append(own.values[chosen])
        codes.append(_codes(part, arm)[chosen])
        missing -= chosen.size
        if not missing:
            break
    return np.concatenate(changes), np.concatenate(codes)


def _codes(ds: xr.Dataset, arm: str) -> np.ndarray:
    return ds["best_response"].where(solved(ds)).fillna(-1).sel(arm=arm).values.astype(int)


def _bars(ax: Axes, change: np.ndarray, weight: np.ndarray, codes: np.ndarray) -> None:
    known = np.isfinite(change) & (weight > 0)
    order = np.flatnonzero(known)[np.argsort(-change[known], kind="stable")]
    if not order.size:
        empty_panel(ax)
        return
    edges = np.append(0.0, 100 * np.cumsum(weight[order]) / weight[order].sum())
    if order.size > MOST_BARS:
        order, edges = _thinned(order, edges)
    height = np.clip(change[order], -100.0, HIGHEST)
    left, right, zero = edges[:-1], edges[1:], np.zeros_like(height)
    ring = ((left, zero), (left, height), (right, height), (right, zero))
    corners = np.stack([np.stack(corner, axis=-1) for corner in ring], axis=1)
    faces = [RESPONSE_COLORS.get(code, "#FFFFFF") for code in codes[order]]
    ax.add_collection(PolyCollection(list(corners), facecolors=faces, edgecolors=faces, lw=0.25))
    ax.axhline(0, color=GRAY, lw=0.8)


def _thinned(
    order: NDArray[np.intp], edges: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the patients at the centers of bars of equal width, and the edges of the bars."""
    even = np.linspace(0.0, edges[-1], MOST_BARS + 1)
    places = np.searchsorted(edges[1:], (even[:-1] + even[1:]) / 2)
    return order[places], even


def _lines(ax: Axes, visits: np.ndarray, change: np.ndarray, codes: np.ndarray) -> None:
    if not codes.size:
        empty_panel(ax)
        return
    heights = np.concatenate([np.zeros((codes.size, 1)), change], axis=1)
    known = np.isfinite(heights)
    paths = [np.stack([visits[k], own[k]], axis=-1) for k, own in zip(known, heights, strict=True)]
    colors = [RESPONSE_COLORS.get(code, "#000000") for code in codes]
    ax.add_collection(LineCollection(paths, colors=colors, lw=1.1, alpha=0.75))
    ax.axhline(0, color=GRAY, lw=0.8)


def _limits(ax: Axes, measure: ResponseMeasure) -> None:
    """Draw dashed lines at the limits of the rule relative to baseline."""
    for limit in measure.limits:
        ax.axhline(limit, color=GRAY, lw=0.9, ls=_DASHED)


def _colors(measure: ResponseMeasure) -> dict[str, str]:
    return {RESPONSE_TITLES[code]: RESPONSE_COLORS[code] for code in measure.responses}


def _legend(handles: Sequence[Artist], measure: ResponseMeasure) -> list[Artist]:
    if not measure.limits:
        return list(handles)
    title = measure.limits_title
    return [*handles, Line2D([], [], color=GRAY, lw=0.9, ls=_DASHED, label=title)]
